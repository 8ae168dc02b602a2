"""The panel, as a user meets it: choosing, applying, cancelling, and everything that may happen to the scene meanwhile."""

import json
import os
import signal
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from module_helpers import (
    Gate,
    click,
    command_of,
    double_worker,
    is_alive,
    job_folders,
    make_volume,
    mute_error_log,
    show_panel,
    wait_for_end,
)
from MRISuperResLib.widgets.card_text import asPlainText
from MRISuperResLib.widgets.package_check import PackageState
from MRISuperResLib.scene.parameters import Device, Scale, SliceDirection
from MRISuperResLib.scene.tasks import TaskState
from slicerhost.testing import (
    answer_next,
    expect_error,
    leave_module,
    open_module,
    process_events,
    shown_dialogs,
    wait_until,
)


class PanelTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume()
        self.open()
        self.choose("bicubic")

    def tearDown(self):
        self.widget.logic.cleanup()
        self.widget.logic._worker = None
        leave_module()
        self.assertEqual(job_folders(), [])

    def open(self):
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        show_panel(self.widget)

    def choose(self, model):
        self.ui.modelComboBox.setCurrentIndex(self.ui.modelComboBox.findData(model))

    def use_double(self, name, *arguments):
        self.widget.logic._worker = double_worker(self, name, *arguments)

    @property
    def status(self):
        return self.ui.statusLabel.text

    def volumes(self):
        return slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")

    def apply(self):
        """Clicks Apply; returns the run."""
        self.assertEqual(self.ui.applyButton.text, "Apply")
        click(self.ui.applyButton)
        return self.widget.upsampling.job

    def apply_and_wait_for_progress(self):
        job = self.apply()
        wait_until(lambda: "slices" in self.ui.progressLabel.text)
        return job

    def assert_idle(self, job, state, words):
        wait_for_end(job)
        self.assertIs(job.state, state)
        self.assertIn(words, self.status)
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertFalse(self.ui.progressBar.visible)


class ChoosingTest(PanelTestCase):
    def test_first_volume_of_the_scene_is_chosen(self):
        self.assertIs(self.ui.inputSelector.currentNode(), self.input)
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertEqual(self.status, "Ready.")

    def test_volume_with_other_pixels_than_the_model_has_seen_is_warned_of_before_apply(self):
        self.choose("fast-x2-psnr")
        low, high = self.widget.upsampling.models.cards[0].spacing_range
        for spacing, words in (
            (high * 2, f"was trained on pixels of {low:.3g}–{high:.3g} mm"),
            ((low + high) / 2, ""),
        ):
            self.input.SetSpacing(spacing, spacing, spacing)
            self.assertIn(words, self.ui.modelWarningLabel.text)
            self.assertEqual(self.ui.modelWarningLabel.isHidden(), not words)
        self.input.SetSpacing(high * 2, high * 2, high * 2)
        self.choose("bicubic")
        self.assertEqual(self.ui.modelWarningLabel.text, "")

    def test_default_model_is_that_which_is_made_for_the_device(self):
        asked = []
        with mock.patch.object(
            self.widget.upsampling.models, "show", side_effect=lambda *given: asked.append(given[2])
        ):
            for device in (Device.CPU, Device.CUDA):
                self.widget._parameterNode.device = device
        self.assertEqual(asked[0 :: len(asked) - 1], ["cpu", "gpu"])

    def test_apply_is_disabled_with_a_reason_without_a_volume(self):
        self.ui.inputSelector.setCurrentNode(None)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(
            (self.status, self.ui.applyButton.toolTip), ("Choose an input volume.",) * 2
        )
        self.assertEqual(self.ui.geometryLabel.text, "")

    def test_volume_without_image_disables_apply_until_it_has_one(self):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        self.ui.inputSelector.setCurrentNode(empty)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("holds no image", self.status)
        slicer.util.updateVolumeFromArray(empty, np.ones((3, 4, 5), np.int16))
        self.assertTrue(self.ui.applyButton.enabled)

    def test_label_maps_are_not_offered(self):
        slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        self.assertEqual(self.ui.inputSelector.nodeCount(), 1)

    def test_output_over_the_input_disables_apply(self):
        self.ui.outputSelector.setCurrentNode(self.input)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("would replace the input", self.status)

    def test_disabled_apply_starts_nothing(self):
        self.ui.inputSelector.setCurrentNode(None)
        before = self.widget.upsampling.job
        click(self.ui.applyButton)
        self.assertIs(self.widget.upsampling.job, before)

    def test_panel_says_which_slices_are_taken_and_why(self):
        self.assertIn(
            "Slices along k (axial): the acquired slices, 4 mm apart", self.ui.geometryLabel.text
        )
        self.ui.sliceDirectionComboBox.setCurrentIndex(
            self.ui.sliceDirectionComboBox.findText("Sagittal")
        )
        self.assertIn("sagittal", self.ui.geometryLabel.text)
        self.ui.scaleComboBox.setCurrentIndex(1)
        self.assertIn("5 × 6 × 7 → ", self.ui.geometryLabel.text)
        self.assertIn("24 × 28 voxels", self.ui.geometryLabel.text)

    def test_geometry_follows_the_volume(self):
        self.input.SetSpacing(1.5, 1.5, 9)
        self.assertIn("9 mm apart", self.ui.geometryLabel.text)

    def test_models_of_the_scale_are_offered_before_the_baselines(self):
        models = self.widget.upsampling.models._store
        for index, scale in enumerate((2, 4, 8)):
            self.ui.scaleComboBox.setCurrentIndex(index)
            names = [self.ui.modelComboBox.itemData(i) for i in range(self.ui.modelComboBox.count)]
            blends = [f"{pair}@" for pair in models.pairs(scale)]
            self.assertEqual(
                names,
                [card.name for card in models.cards(scale)]
                + blends
                + ["nearest", "bilinear", "bicubic"],
            )

    def test_models_that_were_installed_meanwhile_are_offered_when_the_module_is_entered_again(
        self,
    ):
        card = self.widget.upsampling.models._store.cards(2)[0]
        with tempfile.TemporaryDirectory() as folder:
            self.widget.upsampling.models._store.folders.append(Path(folder))
            self.widget.comparing.methods._store.folders.append(Path(folder))
            Path(folder, "mine-x2.safetensors").touch()
            Path(folder, "mine-x2.json").write_text(
                json.dumps(card.to_dict() | {"name": "mine-x2"})
            )
            self.assertEqual(self.ui.modelComboBox.findData("mine-x2"), -1)
            leave_module()
            self.open()
            self.assertGreaterEqual(self.ui.modelComboBox.findData("mine-x2"), 0)
            self.assertEqual(self.ui.modelComboBox.currentData, "bicubic")
            self.assertIn(
                "mine-x2",
                " ".join(
                    self.ui.methodsListWidget.item(row).text()
                    for row in range(self.ui.methodsListWidget.count)
                ),
            )

    def test_card_of_the_chosen_model_is_shown(self):
        self.assertIn("interpolation", self.ui.modelSummaryLabel.text)
        for card in self.widget.upsampling.models._store.cards(2):
            self.choose(card.name)
            self.assertEqual(
                self.ui.modelSummaryLabel.text, card.summary().removeprefix(card.title).strip()
            )
            self.assertIn(card.training["data"][0]["path"], self.ui.cardLabel.text)
            self.assertEqual(
                self.ui.modelComboBox.toolTip, asPlainText(self.ui.modelSummaryLabel.text)
            )

    def test_choices_are_kept_when_the_scale_changes_and_back(self):
        self.choose("nearest")
        self.ui.scaleComboBox.setCurrentIndex(2)
        self.assertEqual(self.ui.modelComboBox.currentData, "nearest")

    def test_settings_are_saved_with_the_scene_and_come_back(self):
        parameters = self.widget._parameterNode
        self.ui.scaleComboBox.setCurrentIndex(1)
        self.ui.sliceDirectionComboBox.setCurrentIndex(3)
        self.ui.deviceComboBox.setCurrentIndex(1)
        self.choose("nearest")
        self.ui.outputSelector.setCurrentNode(make_volume(name="Mine"))
        self.assertEqual(
            (parameters.scale, parameters.sliceDirection, parameters.device, parameters.model),
            (Scale.X4, SliceDirection.CORONAL, Device.CPU, "nearest"),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(
                (self.ui.scaleComboBox.currentIndex, self.ui.inputSelector.currentNode()), (0, None)
            )
            slicer.util.loadScene(path)
        self.assertEqual(
            (
                self.ui.scaleComboBox.currentText,
                self.ui.sliceDirectionComboBox.currentText,
                self.ui.deviceComboBox.currentText,
            ),
            ("×4", "Coronal", "CPU"),
        )
        self.assertEqual(self.ui.modelComboBox.currentData, "nearest")
        self.assertEqual(
            (
                self.ui.inputSelector.currentNode().GetName(),
                self.ui.outputSelector.currentNode().GetName(),
            ),
            ("Fetus", "Mine"),
        )
        self.assertTrue(self.ui.applyButton.enabled)

    def test_running_state_is_not_saved_with_the_scene(self):
        node = self.widget._parameterNode.parameterNode
        before = sorted(node.GetParameterNames())
        self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")
        self.assertEqual(sorted(node.GetParameterNames()), before)

    def test_leaving_and_entering_the_module_keeps_everything(self):
        self.ui.scaleComboBox.setCurrentIndex(1)
        leave_module()
        self.open()
        self.assertEqual(self.ui.scaleComboBox.currentIndex, 1)
        self.assertIs(self.ui.inputSelector.currentNode(), self.input)


class RunTest(PanelTestCase):
    def test_click_on_apply_makes_a_volume_beside_the_input(self):
        before = slicer.util.arrayFromVolume(self.input).copy()
        job = self.apply()
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        self.assertIn("Running: Fetus", self.status)
        self.assert_idle(job, TaskState.FINISHED, "Finished in")
        self.assertIn("Fetus SR x2 bicubic", self.status)
        self.assertIn("acquired slices", self.status)
        self.assertEqual(
            [node.GetName() for node in self.volumes()], ["Fetus", "Fetus SR x2 bicubic"]
        )
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(self.input), before)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_result_is_shown_where_the_input_was_and_zoom_is_kept(self):
        slicer.util.setSliceViewerLayers(background=self.input, fit=True)
        sliceNode = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        sliceNode.SetFieldOfView(33, 22, 1)
        job = self.apply()
        self.assert_idle(job, TaskState.FINISHED, "Finished")
        for name in slicer.app.layoutManager().sliceViewNames():
            composite = (
                slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
            )
            self.assertEqual(composite.GetBackgroundVolumeID(), job.outputNode.GetID())
        self.assertEqual(sliceNode.GetFieldOfView(), (33, 22, 1))

    def test_chosen_output_volume_is_updated(self):
        output = make_volume(name="Mine")
        self.ui.outputSelector.setCurrentNode(output)
        job = self.apply()
        self.assert_idle(job, TaskState.FINISHED, "Mine")
        self.assertIs(job.outputNode, output)
        self.assertEqual(output.GetImageData().GetDimensions(), (10, 12, 7))

    def test_second_apply_uses_the_warm_worker_and_makes_another_volume(self):
        self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")
        pid = self.widget.logic.worker.pid
        self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")
        self.assertEqual(self.widget.logic.worker.pid, pid)
        self.assertEqual(len(self.volumes()), 3)

    def test_progress_shows_slices_rate_and_time_left(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        job = self.apply()
        wait_until(lambda: self.ui.progressLabel.text.startswith("3/7 slices"))
        self.assertRegex(self.ui.progressLabel.text, r"3/7 slices, .+ slices/s, .+ left")
        self.assertEqual((self.ui.progressBar.value, self.ui.progressBar.maximum), (3, 7))
        self.assertTrue(self.ui.progressBar.visible)
        gate.open()
        self.assert_idle(job, TaskState.FINISHED, "Finished")

    def test_panel_stays_alive_during_a_run(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        job = self.apply_and_wait_for_progress()
        self.ui.scaleComboBox.setCurrentIndex(2)
        self.ui.inputSelector.setCurrentNode(None)
        self.ui.inputSelector.setCurrentNode(self.input)
        self.assertIn("40 × 48 × 7", self.ui.geometryLabel.text)
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        leave_module()
        self.open()
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        gate.open()
        self.assert_idle(job, TaskState.FINISHED, "Finished")
        self.assertEqual(job.outputNode.GetImageData().GetDimensions(), (10, 12, 7))

    def test_run_works_without_a_layout_manager(self):
        with mock.patch.object(type(slicer.app), "layoutManager", lambda app: None):
            self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")


class CancelTest(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_click_on_cancel_ends_the_run_and_leaves_nothing(self):
        job = self.apply_and_wait_for_progress()
        click(self.ui.applyButton)
        self.assertEqual((self.status, self.ui.applyButton.enabled), ("Cancelling …", False))
        self.assert_idle(job, TaskState.CANCELLED, "Cancelled: nothing was changed.")
        self.assertEqual(self.volumes(), [self.input])
        self.assertTrue(self.ui.applyButton.enabled)

    def test_worker_is_still_warm_after_a_cancel(self):
        job = self.apply_and_wait_for_progress()
        pid = self.widget.logic.worker.pid
        click(self.ui.applyButton)
        wait_for_end(job)
        job = self.apply_and_wait_for_progress()
        self.assertEqual(self.widget.logic.worker.pid, pid)
        click(self.ui.applyButton)
        wait_for_end(job)

    def test_cancel_before_the_worker_is_ready_works(self):
        job = self.apply()
        click(self.ui.applyButton)
        self.assert_idle(job, TaskState.CANCELLED, "Cancelled")


class FaultTest(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_input_deleted_during_a_run_ends_it_with_a_message(self):
        job = self.apply_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assert_idle(job, TaskState.CANCELLED, "Cancelled: the input volume was deleted.")
        self.assertEqual(self.volumes(), [])
        self.assertFalse(self.ui.applyButton.enabled)

    def test_scene_closed_during_a_run_ends_it_with_a_message(self):
        job = self.apply_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        self.assert_idle(job, TaskState.CANCELLED, "Cancelled: the scene was closed.")
        self.assertEqual(self.volumes(), [])
        make_volume(name="Next")
        self.ui.inputSelector.setCurrentNodeIndex(0)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_worker_killed_during_a_run_is_an_error_and_the_next_apply_works(self):
        job = self.apply_and_wait_for_progress()
        with expect_error("ended unexpectedly"):
            os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
            self.assert_idle(
                job, TaskState.FAILED, "The worker process ended unexpectedly (signal 9)"
            )
        self.assertEqual(self.volumes(), [self.input])
        job = self.apply_and_wait_for_progress()
        click(self.ui.applyButton)
        self.assert_idle(job, TaskState.CANCELLED, "Cancelled")

    def test_error_of_the_core_is_shown_as_one_sentence(self):
        self.use_double("out_of_memory")
        with expect_error("The memory of this computer is not enough"):
            self.assert_idle(
                self.apply(), TaskState.FAILED, "The memory of this computer is not enough"
            )
        self.assertNotIn("Traceback", self.status + shown_dialogs()[-1].text)

    def test_worker_that_another_run_uses_is_an_error_and_the_panel_stays_usable(self):
        other = self.widget.logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with expect_error("Another volume is being processed"):
            self.apply()
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertIn("Another volume is being processed", self.status)
        other.cancel()
        wait_for_end(other)

    def test_cleanup_during_a_run_ends_everything_silently(self):
        job = self.apply_and_wait_for_progress()
        pid, status = self.widget.logic.worker.pid, self.status
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status, status)
        self.assertIs(job.state, TaskState.CANCELLED)
        self.assertEqual(job_folders(), [])
        self.widget.setup()

    def test_module_can_be_reloaded_during_a_run(self):
        self.apply_and_wait_for_progress()
        pid = self.widget.logic.worker.pid
        slicer.util.reloadScriptedModule("MRISuperRes")
        self.assertFalse(is_alive(pid))
        self.open()
        self.choose("bicubic")
        self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")


class MissingPackagesTest(PanelTestCase):
    """torch is missing in the worker; the installation itself is replaced."""

    def setUp(self):
        super().setUp()
        self.use_double("without_packages")
        self.missing, self.installed = ["torch"], []
        for name, double in (
            ("unusablePackages", lambda: list(self.missing)),
            ("_pipInstall", self.install),
            ("_exists", lambda name: False),
            (
                "checkPackages",
                lambda wanted: {
                    each: PackageState(each, "", "missing" if each in self.missing else "usable")
                    for each in wanted
                },
            ),
        ):
            patch = mock.patch(f"MRISuperResLib.widgets.packages.{name}", double)
            patch.start()
            self.addCleanup(patch.stop)

    def install(self, requirements):
        self.installed += requirements
        self.missing.clear()
        self.widget.logic.worker._command = command_of(
            "talkative"
        )  # works, once the process has been started again

    def test_user_is_asked_and_the_run_starts_again_after_the_installation(self):
        answer_next(True)
        job = self.apply()
        wait_until(lambda: self.widget.upsampling.job is not job)
        self.assert_idle(self.widget.upsampling.job, TaskState.FINISHED, "Finished")
        self.assertEqual(len(shown_dialogs("torch")), 1)
        self.assertRegex(self.installed[-1], "^torch>=")

    def test_user_who_declines_is_left_alone(self):
        answer_next(False)
        self.assert_idle(self.apply(), TaskState.FAILED, "PyTorch is missing.")
        self.assertEqual((self.installed, len(shown_dialogs())), ([], 1))

    def test_failed_installation_is_shown(self):
        answer_next(True)
        with (
            mock.patch(
                "MRISuperResLib.widgets.packages._pipInstall", side_effect=OSError("no network")
            ),
            expect_error("no network"),
        ):
            self.assert_idle(self.apply(), TaskState.FAILED, "PyTorch is missing.")

    def test_packages_that_can_not_be_imported_afterwards_are_told_and_nothing_starts(self):
        answer_next(True)
        with (
            mock.patch("MRISuperResLib.widgets.packages._pipInstall"),
            expect_error("not everything can be used .torch: not installed"),
        ):
            job = self.apply()
            self.assert_idle(job, TaskState.FAILED, "PyTorch is missing.")
        self.assertIs(self.widget.upsampling.job, job)

    def test_error_of_the_packages_where_all_can_be_used_is_only_shown(self):
        self.missing.clear()
        with expect_error("PyTorch is missing."):
            self.assert_idle(self.apply(), TaskState.FAILED, "PyTorch is missing.")
            process_events()


if __name__ == "__main__":
    unittest.main()
