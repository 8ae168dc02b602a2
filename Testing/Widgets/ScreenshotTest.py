"""Pictures of the panel before, during and after tasks."""

import unittest

import slicer
from module_helpers import (
    Gate,
    click,
    double_worker,
    make_phantom,
    show_panel,
    upsample,
    wait_for_end,
)
from MRISuperResLib.scene.nodes import ijkToRAS
from sequence_helpers import make_browser, make_sequence
from panel_testing import (
    leave_module,
    open_module,
    process_events,
    real_data,
    screenshot,
    show_beside_views,
    wait_until,
)

VOLUME = ("fetal", "sub-01_run-3_T2w.nii.gz")


class ScreenshotTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.addCleanup(leave_module)
        ui = slicer.util.getModuleWidget("MRISuperRes").ui
        ui.tabs.setCurrentWidget(ui.upsampleTab)

    def load(self):
        """Return a few slices of the real volume if it is available, else a phantom."""
        try:
            node = slicer.util.loadVolume(str(real_data(*VOLUME)))
        except unittest.SkipTest:
            return make_phantom()
        crop = slice(9, 13), slice(80, 240), slice(100, 260)
        matrix = ijkToRAS(node)
        matrix[:3, 3] = (matrix @ [crop[2].start, crop[1].start, crop[0].start, 1])[:3]
        array = slicer.util.arrayFromVolume(node)[crop].copy()
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        node.SetName("Fetus T2")
        return node

    def test_panel_changes_before_during_and_after_a_task(self):
        volume = self.load()
        widget = open_module("MRISuperRes")
        gate = Gate()
        widget.logic._worker = double_worker(self, "gated", gate.path)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.addCleanup(lambda: setattr(widget.logic, "_worker", None))
        window = show_beside_views(self, show_panel(widget))
        size = (1150, 760)
        slicer.util.setSliceViewerLayers(background=volume)
        volume.GetDisplayNode().SetInterpolate(False)  # the voxels as they are
        sliceNode = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        sliceNode.SetOrientationToCoronal()
        sliceNode.RotateToVolumePlane(volume)
        screenshot(window, "panel_before", size)  # gives the view its size
        slicer.util.resetSliceViews()
        before = screenshot(window, "panel_before", size)

        click(widget.ui.applyButton)
        total = volume.GetImageData().GetDimensions()[2]
        wait_until(lambda: widget.ui.progressLabel.text.startswith(f"{total // 2}/"), timeout=300)
        during = screenshot(window, "panel_during", size)

        gate.open()
        wait_until(lambda: not widget.upsampling.task.isRunning, timeout=300)
        wait_for_end(widget.upsampling.task)
        after = screenshot(window, "panel_after", size)
        self.assertEqual(len({path.read_bytes() for path in (before, during, after)}), 3)

    def test_result_is_shown_beside_its_input_with_its_consistency_map(self):
        volume = self.load()
        widget = open_module("MRISuperRes")
        widget.ui.inputSelector.setCurrentNode(volume)
        upsample(volume, "bicubic")
        process_events()
        window = show_beside_views(self, show_panel(widget))
        size = (1150, 640)
        screenshot(window, "before_after_closed", size)
        click(widget.ui.beforeAfterButton)
        self.addCleanup(widget.upsampling.beforeAfter.cleanup)
        pictures = [screenshot(window, "before_after", size)]
        click(widget.ui.consistencyMapButton)
        wait_until(lambda: "Mean" in widget.ui.consistencyLabel.text)
        pictures.append(screenshot(window, "before_after_map", size))
        held = lambda: pictures.append(screenshot(window, "before_after_held", size))  # noqa: E731
        widget.ui.holdInputButton.connect("pressed()", held)
        self.addCleanup(widget.ui.holdInputButton.disconnect, "pressed()", held)
        click(widget.ui.holdInputButton)
        self.assertEqual(len({path.read_bytes() for path in pictures}), 3)

    def test_isotropic_output_is_shown_in_a_reformat(self):
        make_phantom((96, 96, 24))
        widget = open_module("MRISuperRes")
        ui = widget.ui
        window = show_beside_views(self, show_panel(widget))
        size = (1150, 700)
        ui.outputComboBox.setCurrentIndex(ui.outputComboBox.findText("Isotropic"))
        self.addCleanup(ui.outputComboBox.setCurrentIndex, 0)
        ui.betweenSlicesComboBox.setCurrentIndex(ui.betweenSlicesComboBox.findData("bspline"))
        before = screenshot(window, "isotropic_before", size)
        click(ui.applyButton)
        wait_for_end(widget.upsampling.task)
        self.addCleanup(widget.upsampling.beforeAfter.cleanup)
        after = screenshot(window, "isotropic_after", size)
        self.assertNotEqual(before.read_bytes(), after.read_bytes())

    def test_model_card_and_spacing_warning_are_shown(self):
        volume = self.load()
        widget = open_module("MRISuperRes")
        ui = widget.ui
        area = show_panel(widget)
        for section in (ui.advancedCollapsibleButton, ui.cardCollapsibleButton):
            section.collapsed = False
            self.addCleanup(setattr, section, "collapsed", True)
        fitting = screenshot(area, "panel_card", (520, 1500))
        volume.SetSpacing(30, 30, 90)
        self.assertFalse(ui.modelWarningLabel.isHidden())
        self.assertNotEqual(
            screenshot(area, "panel_card_warning", (520, 1500)).read_bytes(), fitting.read_bytes()
        )

    def test_sequence_and_batch_are_shown(self):
        volume = self.load()
        volumes = [
            slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, volume, name)
            for name in ("T2 coronal", "T2 sagittal")
        ]
        self.assertEqual(len(volumes), 2)
        _browser, frame = make_browser(make_sequence(20, size=(160, 160, 6), name="Fetal cine"))
        widget = open_module("MRISuperRes")
        gate = Gate()
        widget.logic._worker = double_worker(self, "gated", gate.path)
        self.addCleanup(lambda: setattr(widget.logic, "_worker", None))
        ui = widget.ui
        ui.modelComboBox.setCurrentIndex(ui.modelComboBox.findData("bicubic"))
        ui.inputSelector.setCurrentNode(frame)
        area = show_panel(widget)
        click(ui.allFramesCheckBox)
        self.addCleanup(setattr, ui.allFramesCheckBox, "checked", False)
        click(ui.applyButton)
        wait_until(lambda: ui.progressLabel.text.startswith("Frame 1 of 20: 3/"), timeout=300)
        sequence = screenshot(area, "sequence_during", (440, 640))

        widget.upsampling.task.cancel()
        wait_for_end(widget.upsampling.task)
        ui.tabs.setCurrentWidget(ui.batchTab)
        process_events()
        click(ui.batchButton)
        wait_until(lambda: "slices" in ui.batchProgressLabel.text, timeout=300)
        many = screenshot(area, "batch_during", (440, 1000))
        gate.open()
        wait_for_end(widget.batch.task)
        self.assertNotEqual(
            screenshot(area, "batch_after", (440, 1000)).read_bytes(), many.read_bytes()
        )
        self.assertNotEqual(sequence.read_bytes(), many.read_bytes())

    def test_comparison_changes_before_during_and_after_a_task(self):
        self.load()
        widget = open_module("MRISuperRes")
        gate = Gate()
        widget.logic._worker = double_worker(self, "gated", gate.path)
        self.addCleanup(lambda: setattr(widget.logic, "_worker", None))
        ui = widget.ui
        area = show_panel(widget)
        ui.tabs.setCurrentWidget(ui.compareTab)
        before = screenshot(area, "compare_panel_before", (440, 800))

        click(ui.compareButton)
        wait_until(lambda: "slices" in ui.compareProgressLabel.text, timeout=300)
        during = screenshot(area, "compare_panel_during", (440, 800))

        gate.open()
        wait_until(lambda: ui.showViewsButton.text == "Close views", timeout=300)
        after = screenshot(area, "compare_panel_after", (440, 1350))
        self.assertEqual(len({path.read_bytes() for path in (before, during, after)}), 3)


if __name__ == "__main__":
    unittest.main()
