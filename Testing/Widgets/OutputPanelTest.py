"""The panel: outputs that are isotropic or have a requested spacing."""

import importlib.util
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer
from module_helpers import click, make_volume, mute_error_log, show_panel, wait_for_end
from MRISuperResLib.core.models.store import write_model
from MRISuperResLib.scene.parameters import Output, Scale
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.uncertainty import uncertaintyMapOf
from panel_testing import leave_module, open_module, process_events, wait_until

THICK = np.diag([1.0, 1.0, 4.0, 1.0])
ISOTROPIC, SPACING = 3, 4
"""Items of the list of outputs."""


class OutputPanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume(ijk_to_ras=THICK, size=(12, 14, 6), name="T2")
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)
        self.ui = self.widget.ui
        self.ui.tabs.setCurrentWidget(self.ui.upsampleTab)
        self.parameters = self.widget._parameterNode
        self.addCleanup(self.widget.logic.cleanup)
        show_panel(self.widget)
        self.choose_model("bicubic")

    def choose_model(self, name):
        self.ui.modelComboBox.setCurrentIndex(self.ui.modelComboBox.findData(name))

    def choose_between(self, name):
        comboBox = self.ui.betweenSlicesComboBox
        comboBox.setCurrentIndex(comboBox.findData(name))

    def choose_output(self, index):
        self.ui.outputComboBox.setCurrentIndex(index)
        process_events()

    def choose_spacing(self, *spacing):
        self.choose_output(SPACING)
        for axis, side in zip("IJK", spacing):
            getattr(self.ui, f"spacing{axis}SpinBox").value = side

    def is_shown(self, *names):
        return [not getattr(self.ui, name).isHidden() for name in names]

    def add_model(self):
        """List a through-plane model until the end of the test, and return its name."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        architecture = {"network": "through-plane", "blocks": 1, "features": 4}
        values = {"title": "Thick slices", "stage": "psnr", "scale": 8}
        write_model(folder.name, b"", name="made-tp", architecture=architecture, **values)
        store = self.widget.upsampling.between._store
        store.folders.insert(0, Path(folder.name))
        self.addCleanup(self.widget.upsampling.forget)
        self.addCleanup(store.folders.remove, Path(folder.name))
        self.widget.upsampling.forget()
        return "made-tp"

    def test_outputs_are_scales_isotropic_and_spacing(self):
        texts = [self.ui.outputComboBox.itemText(n) for n in range(self.ui.outputComboBox.count)]
        self.assertEqual(texts, ["×2", "×4", "×8", "Isotropic", "Spacing…"])

    def test_each_output_shows_only_the_rows_it_needs(self):
        rows = ("spacingWidget", "betweenSlicesComboBox", "sliceThicknessSpinBox", "modelComboBox")
        self.assertEqual(self.is_shown(*rows), [False, False, False, True])
        self.choose_output(ISOTROPIC)
        self.assertEqual(self.is_shown(*rows), [False, True, True, False])
        self.choose_spacing(0.5, 0.5, 1)
        self.assertEqual(self.is_shown(*rows), [True, True, True, True])
        self.choose_spacing(0.5, 0.5, 4)
        self.assertEqual(self.is_shown(*rows), [True, False, False, True])
        self.choose_output(1)
        self.assertEqual(self.is_shown(*rows), [False, False, False, True])

    def test_warning_about_partial_volume_belongs_to_outputs_with_finer_slices(self):
        for choose, isShown in (
            (lambda: self.choose_output(0), False),
            (lambda: self.choose_output(ISOTROPIC), True),
            (lambda: self.choose_spacing(0.5, 0.5, 4), False),
        ):
            choose()
            self.assertEqual(self.is_shown("partialVolumeLabel"), [isShown])
        self.assertIn("may be missed or misplaced", self.ui.partialVolumeLabel.text)

    def test_rows_follow_the_geometry_of_the_volume(self):
        self.choose_output(ISOTROPIC)
        self.input.SetSpacing(1, 0.5, 4)
        self.assertEqual(self.is_shown("modelComboBox"), [True])
        self.input.SetSpacing(1, 1, 4)
        self.assertEqual(self.is_shown("modelComboBox"), [False])

    def test_models_are_those_of_the_factor_in_the_plane(self):
        self.choose_model("nearest")
        self.choose_spacing(0.3, 0.3, 1)
        names = [self.ui.modelComboBox.itemData(n) for n in range(self.ui.modelComboBox.count)]
        self.assertIn("fast-x4-psnr", names)
        self.assertEqual(self.widget.upsampling.options.model, "nearest")

    def test_default_model_is_chosen_for_every_volume_anew(self):
        self.parameters.model = ""
        self.choose_spacing(0.5, 0.5, 1)
        self.assertTrue(self.ui.modelComboBox.currentData)
        self.assertIsNone(self.widget.upsampling.options.model)

    def test_options_are_those_of_the_panel(self):
        self.choose_spacing(0.5, 0.5, 1.25)
        self.choose_between("fourier")
        self.ui.sliceThicknessSpinBox.value = 3
        options = self.widget.upsampling.options
        self.assertEqual(
            (options.scale, options.spacing, options.between_slices, options.slice_thickness),
            (None, (0.5, 0.5, 1.25), "fourier", 3),
        )
        self.choose_output(ISOTROPIC)
        self.ui.sliceThicknessSpinBox.value = 0
        options = self.widget.upsampling.options
        self.assertEqual((options.isotropic, options.spacing), (True, None))
        self.assertIsNone(options.slice_thickness)
        self.choose_output(2)
        self.assertEqual(self.widget.upsampling.options.scale, 8)
        self.assertFalse(self.widget.upsampling.options.has_output_grid)

    def test_network_is_the_default_between_slices_if_there_is_one(self):
        self.choose_output(ISOTROPIC)
        if not self.widget.upsampling.between.cards:
            self.assertEqual(self.ui.betweenSlicesComboBox.currentData, "bspline")
            self.assertIn("no detail", self.ui.modelSummaryLabel.text)
        name = self.add_model()
        self.widget._onParametersChanged()
        self.assertEqual(self.ui.betweenSlicesComboBox.currentData, name)
        self.assertEqual(self.ui.betweenSlicesComboBox.currentText, "Thick slices")
        self.assertIn("made-tp", self.ui.cardLabel.text)
        self.assertEqual(self.ui.modelComboBox.findData(name), -1)
        self.choose_between("linear")
        self.assertEqual(self.widget.upsampling.options.between_slices, "linear")

    def test_impossible_spacing_disables_apply_with_a_reason(self):
        self.choose_spacing(0.1, 1, 1)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("Choose a spacing of at least", self.ui.statusLabel.text)
        self.assertEqual(self.ui.estimateLabel.text, "")
        self.choose_spacing(0.5, 1, 1)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_apply_creates_an_isotropic_volume_and_shows_a_reformat(self):
        self.choose_output(ISOTROPIC)
        self.choose_between("bspline")
        self.assertIn("12 × 14 × 24 voxels", self.ui.estimateLabel.text)
        click(self.ui.applyButton)
        task = self.widget.upsampling.task
        wait_for_end(task)
        self.assertEqual(task.result.GetName(), "T2 isotropic (bspline)")
        self.assertEqual(task.result.GetImageData().GetDimensions(), (12, 14, 24))
        self.assertEqual(self.ui.statusLabel.text.count("\n"), 0, self.ui.statusLabel.text)
        self.assertIn("Slice thickness: 4 mm", self.ui.detailsLabel.text)
        views = self.widget.upsampling.beforeAfter._views
        self.addCleanup(self.widget.upsampling.beforeAfter.cleanup)
        self.assertEqual(views.pair.viewAxis.plane, "coronal")
        click(self.ui.consistencyMapButton)
        wait_until(lambda: "Mean" in self.ui.consistencyLabel.text)

    def test_map_that_is_not_defined_is_disabled_with_a_reason(self):
        self.choose_spacing(0.75, 0.75, 1)
        self.choose_between("linear")
        click(self.ui.applyButton)
        wait_for_end(self.widget.upsampling.task)
        self.addCleanup(self.widget.upsampling.beforeAfter.cleanup)
        self.assertFalse(self.ui.consistencyMapButton.enabled)
        self.assertIn("no consistency map", self.ui.consistencyMapButton.toolTip)
        self.choose_output(0)
        self.choose_model("bicubic")
        click(self.ui.applyButton)
        wait_for_end(self.widget.upsampling.task)
        self.assertTrue(self.ui.consistencyMapButton.enabled)

    def test_batch_takes_the_output_as_well(self):
        make_volume(ijk_to_ras=np.diag([2.0, 2.0, 3.0, 1]), size=(6, 6, 4), name="Other")
        self.choose_output(ISOTROPIC)
        self.choose_between("linear")
        self.ui.tabs.setCurrentWidget(self.ui.batchTab)
        process_events()
        self.assertIn("Output:", self.ui.batchEstimateLabel.text)
        click(self.ui.batchButton)
        wait_for_end(self.widget.batch.task)
        names = [result.outputNode.GetName() for result in self.widget.batch.task.results]
        self.assertEqual(names, ["T2 isotropic (linear)", "Other isotropic (linear)"])

    def test_comparison_says_that_it_is_in_the_plane(self):
        self.choose_output(1)
        self.assertNotIn("in-plane", self.ui.comparisonHelpLabel.text)
        for choose in (lambda: self.choose_output(ISOTROPIC), lambda: self.choose_spacing(1, 1, 2)):
            choose()
            text = self.ui.comparisonHelpLabel.text
            self.assertIn("×4 degradation. These methods work in-plane.", text)
            self.assertIn("mrisuperres compare --slice-spacing", text)
            self.choose_output(1)
            self.assertNotIn("in-plane", self.ui.comparisonHelpLabel.text)

    def test_labels_come_along_to_the_output(self):
        labels = slicer.util.addVolumeFromArray(
            np.ones((6, 14, 12), np.uint8), THICK, "Organs", "vtkMRMLLabelMapVolumeNode"
        )
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
        self.assertIsNone(self.parameters.labels)
        self.assertFalse(self.ui.labelInterpolationComboBox.enabled)
        self.ui.labelsSelector.setCurrentNode(segmentation)
        self.assertIn("no segments", self.ui.statusLabel.text)
        self.assertFalse(self.ui.applyButton.enabled)
        self.ui.labelsSelector.setCurrentNode(labels)
        self.assertTrue(self.ui.labelInterpolationComboBox.enabled)
        self.ui.labelInterpolationComboBox.setCurrentIndex(1)
        click(self.ui.applyButton)
        task = self.widget.upsampling.task
        wait_for_end(task)
        self.addCleanup(self.widget.upsampling.beforeAfter.cleanup)
        self.assertIn("“Organs x2”", self.ui.statusLabel.text)
        result = slicer.util.getNode("Organs x2")
        self.assertEqual(result.GetImageData().GetDimensions(), (24, 28, 6))

    def test_uncertainty_map_is_offered_for_networks_only(self):
        box = self.ui.uncertaintyCheckBox
        self.assertFalse(box.enabled)
        self.assertIn("Interpolations", box.toolTip)
        self.choose_model("fast-x2-psnr")
        self.assertTrue(box.enabled)
        box.checked = True
        self.assertTrue(self.widget.upsampling.options.uncertainty)
        self.choose_model("bicubic")
        self.assertFalse(self.widget.upsampling.options.uncertainty)
        self.choose_spacing(0.5, 0.5, 4)
        self.choose_model("fast-x2-psnr")
        self.assertFalse(box.enabled)

    @unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
    def test_uncertainty_map_is_shown_over_the_output(self):
        self.choose_model("fast-x2-psnr")
        self.ui.uncertaintyCheckBox.checked = True
        click(self.ui.applyButton)
        task = self.widget.upsampling.task
        wait_until(lambda: not task.isRunning, timeout=300)
        wait_for_end(task)
        self.addCleanup(self.widget.upsampling.beforeAfter.cleanup)
        self.assertIs(task.state, TaskState.FINISHED, task.message)
        cells = self.widget.upsampling.beforeAfter._views._cells
        node = uncertaintyMapOf(task.result)
        click(self.ui.uncertaintyButton)
        self.assertIs(cells[1].mapNode, node)
        self.assertIn("ranks errors only roughly", self.ui.consistencyLabel.text)
        click(self.ui.consistencyMapButton)
        wait_until(lambda: "Mean" in self.ui.consistencyLabel.text)
        self.assertFalse(self.ui.uncertaintyButton.checked)
        self.assertIsNot(cells[1].mapNode, node)
        click(self.ui.uncertaintyButton)
        self.assertFalse(self.ui.consistencyMapButton.checked)
        self.assertIs(cells[1].mapNode, node)
        click(self.ui.uncertaintyButton)
        self.assertIsNone(cells[1].mapNode)
        self.assertEqual(self.ui.consistencyLabel.text, "")

    def test_output_is_restored_with_the_scene(self):
        self.choose_output(1)
        self.choose_spacing(0.5, 0.75, 2)
        self.choose_between("fourier")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(self.ui.outputComboBox.currentIndex, 0)
            slicer.util.loadScene(path)
        parameters = self.widget._parameterNode
        self.assertEqual((parameters.output, parameters.scale), (Output.SPACING, Scale.X4))
        self.assertEqual(self.ui.outputComboBox.currentText, "Spacing…")
        self.assertEqual(
            self.widget.upsampling.options.spacing + (self.ui.betweenSlicesComboBox.currentData,),
            (0.5, 0.75, 2, "fourier"),
        )


if __name__ == "__main__":
    unittest.main()
