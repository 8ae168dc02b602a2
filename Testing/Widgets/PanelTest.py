"""The panel: choosing, applying, cancelling, and changes of the scene meanwhile."""

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
from MRISuperResLib.widgets.models import benefit
from MRISuperResLib.widgets.packages import PackageState
from MRISuperResLib.scene.parameters import Device, Scale, SliceDirection
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import (
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
        self.ui.tabs.setCurrentWidget(self.ui.upsampleTab)
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
        """Click Apply and return the task."""
        self.assertEqual(self.ui.applyButton.text, "Apply")
        click(self.ui.applyButton)
        return self.widget.upsampling.task

    def apply_and_wait_for_progress(self):
        task = self.apply()
        wait_until(lambda: "slices" in self.ui.progressLabel.text)
        return task

    def assert_idle(self, task, state, words):
        wait_for_end(task)
        self.assertIs(task.state, state)
        self.assertIn(words, self.status)
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertFalse(self.ui.progressBar.visible)


class ChoosingTest(PanelTestCase):
    def test_first_volume_of_the_scene_is_chosen(self):
        self.assertIs(self.ui.inputSelector.currentNode(), self.input)
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertEqual(self.status, "Ready.")

    def test_spacing_outside_the_training_data_shows_a_warning(self):
        self.choose("fast-x2-psnr")
        (card,) = self.widget.upsampling.models.cards
        trained = sorted(
            side
            for spacings in card.training_spacings().values()
            for spacing in spacings
            for side in spacing
        )
        unknown = trained[-1] * 4
        for spacing, words in (
            (unknown, f"fast-x2-psnr was not trained on an in-plane spacing of {unknown:.3g}"),
            (trained[0], ""),
        ):
            self.input.SetSpacing(spacing, spacing, spacing)
            self.assertIn(words, self.ui.modelWarningLabel.text)
            self.assertEqual(self.ui.modelWarningLabel.isHidden(), not words)
        self.input.SetSpacing(unknown, unknown, unknown)
        self.choose("bicubic")
        self.assertEqual(self.ui.modelWarningLabel.text, "")

    def test_default_model_suits_the_device(self):
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

    def test_empty_volume_disables_apply_until_it_has_voxels(self):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        self.ui.inputSelector.setCurrentNode(empty)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("has no voxels", self.status)
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

    def test_volume_of_the_user_as_output_disables_apply(self):
        mine = make_volume(name="Mine")
        before = slicer.util.arrayFromVolume(mine).copy()
        self.ui.outputSelector.setCurrentNode(mine)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(
            self.status,
            "“Mine” is not an output of this module and would be lost. "
            "Choose another output volume.",
        )
        click(self.ui.applyButton)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(mine), before)
        self.ui.outputSelector.setCurrentNode(None)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_output_that_was_filled_meanwhile_is_not_replaced(self):
        empty = self.ui.outputSelector.addNode()
        self.assertTrue(self.ui.applyButton.enabled)
        slicer.util.updateVolumeFromArray(empty, np.ones((3, 4, 5), np.int16))
        self.apply()
        self.assertIn("would be lost", self.status)
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(empty.GetImageData().GetDimensions(), (5, 4, 3))

    def test_disabled_apply_starts_nothing(self):
        self.ui.inputSelector.setCurrentNode(None)
        before = self.widget.upsampling.task
        click(self.ui.applyButton)
        self.assertIs(self.widget.upsampling.task, before)

    def test_panel_shows_slice_direction_and_output_size(self):
        self.assertIn("Axial slices (k): 4 mm slice spacing", self.ui.geometryLabel.text)
        self.ui.sliceAxisComboBox.setCurrentIndex(self.ui.sliceAxisComboBox.findText("Sagittal"))
        self.assertIn("Sagittal slices (i)", self.ui.geometryLabel.text)
        self.ui.outputComboBox.setCurrentIndex(1)
        self.assertIn("5 × 6 × 7 → ", self.ui.geometryLabel.text)
        self.assertIn("24 × 28 voxels", self.ui.geometryLabel.text)

    def test_geometry_follows_the_volume(self):
        self.input.SetSpacing(1.5, 1.5, 9)
        self.assertIn("9 mm slice spacing", self.ui.geometryLabel.text)

    def test_models_of_the_scale_are_listed_before_the_interpolations(self):
        models = self.widget.upsampling.models._store
        for index, scale in enumerate((2, 4, 8)):
            self.ui.outputComboBox.setCurrentIndex(index)
            names = [self.ui.modelComboBox.itemData(i) for i in range(self.ui.modelComboBox.count)]
            blends = [f"{pair}@" for pair in models.pairs(scale)]
            self.assertEqual(
                names,
                [card.name for card in models.cards(scale)]
                + blends
                + ["nearest", "bilinear", "bicubic"],
            )

    def test_models_installed_meanwhile_are_listed_when_the_module_is_entered(
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
        self.assertIn("no detail", self.ui.modelSummaryLabel.text)
        for card in self.widget.upsampling.models._store.cards(2):
            self.choose(card.name)
            self.assertEqual(self.ui.modelSummaryLabel.text, benefit(card))
            self.assertIn(card.training["data"][0]["path"], self.ui.cardLabel.text)

    def test_interpolation_stays_selected_at_another_scale(self):
        self.choose("nearest")
        self.ui.outputComboBox.setCurrentIndex(2)
        self.assertEqual(self.ui.modelComboBox.currentData, "nearest")

    def test_settings_are_restored_with_the_scene(self):
        parameters = self.widget._parameterNode
        self.ui.outputComboBox.setCurrentIndex(1)
        self.ui.sliceAxisComboBox.setCurrentIndex(3)
        self.ui.deviceComboBox.setCurrentIndex(1)
        self.choose("nearest")
        self.ui.outputSelector.addNode().SetName("Mine")
        self.assertEqual(
            (parameters.scale, parameters.sliceAxis, parameters.device, parameters.model),
            (Scale.X4, SliceDirection.CORONAL, Device.CPU, "nearest"),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(
                (self.ui.outputComboBox.currentIndex, self.ui.inputSelector.currentNode()),
                (0, None),
            )
            slicer.util.loadScene(path)
        self.assertEqual(
            (
                self.ui.outputComboBox.currentText,
                self.ui.sliceAxisComboBox.currentText,
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
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assertEqual(sorted(node.GetParameterNames()), before)

    def test_leaving_and_entering_the_module_keeps_everything(self):
        self.ui.outputComboBox.setCurrentIndex(1)
        leave_module()
        self.open()
        self.assertEqual(self.ui.outputComboBox.currentIndex, 1)
        self.assertIs(self.ui.inputSelector.currentNode(), self.input)


class RunTest(PanelTestCase):
    def test_apply_creates_a_volume_and_keeps_the_input(self):
        before = slicer.util.arrayFromVolume(self.input).copy()
        task = self.apply()
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        self.assertIn("Running: Fetus", self.status)
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertIn("Fetus SR x2 bicubic", self.status)
        self.assertEqual(self.status.count("\n"), 0)  # nothing normal is a warning
        self.assertIn("Axial slices (k)", self.ui.detailsLabel.text)
        self.assertFalse(self.ui.detailsButton.isHidden())
        self.assertEqual(
            [node.GetName() for node in self.volumes()], ["Fetus", "Fetus SR x2 bicubic"]
        )
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(self.input), before)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_new_volume_or_earlier_output_is_replaced(self):
        empty = self.ui.outputSelector.addNode()
        earlier = self.widget.logic.upsample(self.input, model="bicubic", scale=4)
        for output in (empty, earlier):
            self.ui.outputSelector.setCurrentNode(output)
            task = self.apply()
            self.assert_idle(task, TaskState.FINISHED, output.GetName())
            self.assertIs(task.result, output)
            self.assertEqual(output.GetImageData().GetDimensions(), (10, 12, 7))

    def test_second_apply_reuses_the_worker_and_creates_another_volume(self):
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        pid = self.widget.logic.worker.pid
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assertEqual(self.widget.logic.worker.pid, pid)
        self.assertEqual(len(self.volumes()), 3)

    def test_progress_shows_slices_rate_and_time_left(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.apply()
        wait_until(lambda: self.ui.progressLabel.text.startswith("3/7 slices"))
        self.assertRegex(self.ui.progressLabel.text, r"3/7 slices, .+ slices/s, .+ left")
        self.assertEqual((self.ui.progressBar.value, self.ui.progressBar.maximum), (3, 7))
        self.assertTrue(self.ui.progressBar.visible)
        gate.open()
        self.assert_idle(task, TaskState.FINISHED, "Done in")

    def test_panel_stays_responsive_during_a_task(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.apply_and_wait_for_progress()
        self.ui.outputComboBox.setCurrentIndex(2)
        self.ui.inputSelector.setCurrentNode(None)
        self.ui.inputSelector.setCurrentNode(self.input)
        self.assertIn("40 × 48 × 7", self.ui.geometryLabel.text)
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        leave_module()
        self.open()
        self.assertEqual(self.ui.applyButton.text, "Cancel")
        gate.open()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertEqual(task.result.GetImageData().GetDimensions(), (10, 12, 7))

    def test_apply_works_without_a_layout_manager(self):
        with mock.patch.object(type(slicer.app), "layoutManager", lambda app: None):
            self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")


class CancelTest(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_cancel_ends_the_task_without_output(self):
        task = self.apply_and_wait_for_progress()
        click(self.ui.applyButton)
        self.assertEqual((self.status, self.ui.applyButton.enabled), ("Cancelling …", False))
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled. Nothing was changed.")
        self.assertEqual(self.volumes(), [self.input])
        self.assertTrue(self.ui.applyButton.enabled)

    def test_worker_survives_a_cancel(self):
        task = self.apply_and_wait_for_progress()
        pid = self.widget.logic.worker.pid
        click(self.ui.applyButton)
        wait_for_end(task)
        task = self.apply_and_wait_for_progress()
        self.assertEqual(self.widget.logic.worker.pid, pid)
        click(self.ui.applyButton)
        wait_for_end(task)

    def test_cancel_before_the_worker_is_ready_works(self):
        task = self.apply()
        click(self.ui.applyButton)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled")


class FaultTest(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_deleted_input_cancels_the_task_with_a_message(self):
        task = self.apply_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled: the input was deleted.")
        self.assertEqual(self.volumes(), [])
        self.assertFalse(self.ui.applyButton.enabled)

    def test_closed_scene_cancels_the_task_with_a_message(self):
        task = self.apply_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled: the scene was closed.")
        self.assertEqual(self.volumes(), [])
        make_volume(name="Next")
        self.ui.inputSelector.setCurrentNodeIndex(0)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_killed_worker_is_an_error_and_the_next_apply_works(self):
        task = self.apply_and_wait_for_progress()
        with expect_error("ended unexpectedly"):
            os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
            self.assert_idle(
                task, TaskState.FAILED, "The worker process ended unexpectedly (signal 9)"
            )
        self.assertEqual(self.volumes(), [self.input])
        task = self.apply_and_wait_for_progress()
        click(self.ui.applyButton)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled")

    def test_error_of_the_core_is_shown_as_one_sentence(self):
        self.use_double("out_of_memory")
        with expect_error("Out of memory"):
            self.assert_idle(self.apply(), TaskState.FAILED, "Out of memory")
        self.assertNotIn("Traceback", self.status + shown_dialogs()[-1].text)

    def test_busy_worker_is_an_error_and_the_panel_stays_usable(self):
        other = self.widget.logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with expect_error("Another task is running"):
            self.apply()
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertIn("Another task is running", self.status)
        other.cancel()
        wait_for_end(other)

    def test_cleanup_during_a_task_ends_it_silently(self):
        task = self.apply_and_wait_for_progress()
        pid, status = self.widget.logic.worker.pid, self.status
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status, status)
        self.assertIs(task.state, TaskState.CANCELLED)
        self.assertEqual(job_folders(), [])
        self.widget.setup()

    def test_module_can_be_reloaded_during_a_task(self):
        self.apply_and_wait_for_progress()
        pid = self.widget.logic.worker.pid
        slicer.util.reloadScriptedModule("MRISuperRes")
        self.assertFalse(is_alive(pid))
        self.open()
        self.choose("bicubic")
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")


class MissingPackagesTest(PanelTestCase):
    """torch is missing in the worker, and its installation is a double."""

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
                    each: PackageState(each, "missing" if each in self.missing else "usable")
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

    def test_task_restarts_after_the_user_accepts_the_installation(self):
        answer_next(True)
        task = self.apply()
        wait_until(lambda: self.widget.upsampling.task is not task)
        self.assert_idle(self.widget.upsampling.task, TaskState.FINISHED, "Done in")
        self.assertEqual(len(shown_dialogs("torch")), 1)
        self.assertRegex(self.installed[-1], "^torch>=")

    def test_declined_question_installs_nothing(self):
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

    def test_packages_that_fail_to_import_after_installation_are_an_error(self):
        answer_next(True)
        with (
            mock.patch("MRISuperResLib.widgets.packages._pipInstall"),
            expect_error("Installed, but not usable: PyTorch is not installed"),
        ):
            task = self.apply()
            self.assert_idle(task, TaskState.FAILED, "PyTorch is missing.")
        self.assertIs(self.widget.upsampling.task, task)

    def test_package_error_with_usable_packages_is_shown_without_a_question(self):
        self.missing.clear()
        with expect_error("PyTorch is missing."):
            self.assert_idle(self.apply(), TaskState.FAILED, "PyTorch is missing.")
            process_events()


if __name__ == "__main__":
    unittest.main()
