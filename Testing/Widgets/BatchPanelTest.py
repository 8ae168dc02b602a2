"""Batches in the panel and in scripts."""

import os
import signal
import unittest

import numpy as np
import qt
import slicer
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.tasks import TaskState
from module_helpers import (
    Gate,
    click,
    double_worker,
    job_folders,
    make_volume,
    mute_error_log,
    wait_for_end,
)
from PanelTest import PanelTestCase
from sequence_helpers import make_browser, make_sequence
from panel_testing import expect_error, process_events, wait_until


class BatchPanelTestCase(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.second, self.third = (
            make_volume(name="Second"),
            make_volume(name="Third", size=(4, 4, 3)),
        )
        self.ui.tabs.setCurrentWidget(self.ui.batchTab)
        process_events()

    @property
    def batch_status(self):
        return self.ui.batchStatusLabel.text

    def rows(self):
        """Return {name: (is checked, result)} of the table."""
        table = self.ui.batchTable
        return {
            table.item(row, 0).text(): (
                table.item(row, 0).checkState() == qt.Qt.Checked,
                table.item(row, 1).text(),
            )
            for row in range(table.rowCount)
        }

    def check(self, name, isChecked):
        table = self.ui.batchTable
        item = next(
            table.item(row, 0) for row in range(table.rowCount) if table.item(row, 0).text() == name
        )
        item.setCheckState(qt.Qt.Checked if isChecked else qt.Qt.Unchecked)

    def start(self):
        click(self.ui.batchButton)
        return self.widget.batch.task

    def start_and_wait_for_progress(self):
        task = self.start()
        wait_until(lambda: "slices" in self.ui.batchProgressLabel.text)
        return task

    def assert_batch_idle(self, task, state, words):
        wait_for_end(task)
        self.assertIs(task.state, state)
        self.assertIn(words, self.batch_status)
        self.assertEqual(self.ui.batchButton.text, "Upsample checked volumes")
        self.assertFalse(self.ui.batchProgressBar.visible)


class ChoosingTest(BatchPanelTestCase):
    def test_volumes_of_the_scene_are_listed_and_checked(self):
        self.assertEqual(self.rows(), dict.fromkeys(("Fetus", "Second", "Third"), (True, "")))
        self.assertTrue(self.ui.batchButton.enabled)

    def test_added_and_removed_volumes_update_the_list(self):
        make_volume(name="Fourth")
        slicer.mrmlScene.RemoveNode(self.second)
        process_events()
        self.assertEqual(list(self.rows()), ["Fetus", "Third", "Fourth"])

    def test_empty_volumes_label_maps_and_results_are_not_listed(self):
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assertEqual(list(self.rows()), ["Fetus", "Second", "Third"])

    def test_volume_of_a_sequence_is_listed_as_current_frame(self):
        make_browser(make_sequence())
        process_events()
        self.assertEqual(list(self.rows())[-1], "Cine (current frame)")

    def test_estimate_covers_all_checked_volumes(self):
        for volume in (self.input, self.second):
            slicer.util.updateVolumeFromArray(volume, np.zeros((20, 256, 256), np.int16))
        process_events()
        self.check("Third", False)
        self.assertIn("Output: 20 MiB", self.ui.batchEstimateLabel.text)
        self.check("Second", False)
        self.assertIn("Output: 10 MiB", self.ui.batchEstimateLabel.text)

    def test_buttons_check_all_and_none(self):
        click(self.ui.batchNoneButton)
        self.assertFalse(any(isChecked for isChecked, _result in self.rows().values()))
        self.assertEqual(
            (self.ui.batchButton.enabled, self.batch_status), (False, "Check at least one volume.")
        )
        click(self.ui.batchAllButton)
        self.assertTrue(all(isChecked for isChecked, _result in self.rows().values()))
        self.assertTrue(self.ui.batchButton.enabled)

    def test_check_marks_are_kept_when_the_list_is_refilled(self):
        self.check("Second", False)
        make_volume(name="Fourth")
        process_events()
        self.assertEqual(
            [isChecked for isChecked, _result in self.rows().values()], [True, False, True, True]
        )

    def test_empty_scene_disables_the_button_with_a_reason(self):
        slicer.mrmlScene.Clear(0)
        process_events()
        self.assertEqual(
            (self.ui.batchButton.enabled, self.batch_status, self.rows()),
            (False, "Load volumes into the scene.", {}),
        )


class RunTest(BatchPanelTestCase):
    def test_checked_volumes_are_upsampled_with_the_options_of_the_panel(self):
        self.check("Second", False)
        self.ui.outputComboBox.setCurrentIndex(1)
        task = self.start()
        self.assertEqual(self.ui.batchButton.text, "Cancel")
        self.assertIn("finished volumes are kept", self.ui.batchButton.toolTip)
        self.assert_batch_idle(task, TaskState.FINISHED, "2 of 2 volumes")
        self.assertEqual(
            self.rows(),
            {
                "Fetus": (True, "Fetus SR x4 bicubic"),
                "Second": (False, ""),
                "Third": (True, "Third SR x4 bicubic"),
            },
        )
        self.assertEqual(task.results[1].outputNode.GetImageData().GetDimensions(), (16, 16, 3))
        self.assertEqual(
            UpsamplingOptions.from_dict({"model": "bicubic", "scale": 4}), task._options
        )

    def test_progress_names_the_volume_and_counts_all_slices(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.start()
        wait_until(lambda: self.ui.batchProgressLabel.text.startswith("Volume 1 of 3: 3/17 slices"))
        self.assertEqual(self.rows()["Fetus"][1], "running …")
        self.assertEqual(self.rows()["Third"][1], "waiting …")
        gate.open()
        self.assert_batch_idle(task, TaskState.FINISHED, "3 of 3 volumes")

    def test_other_tasks_are_disabled_during_a_batch(self):
        self.use_double("until_cancelled")
        task = self.start_and_wait_for_progress()
        for button in (self.ui.applyButton, self.ui.compareButton):
            self.assertFalse(button.enabled)
            self.assertIn("Another task is running", button.toolTip)
        click(self.ui.batchButton)
        wait_for_end(task)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_failed_volume_is_reported_and_does_not_stop_the_others(self):
        self.use_double("only_small")
        task = self.start()
        self.assert_batch_idle(task, TaskState.FINISHED, "1 of 3 volumes")
        self.assertIn("“Fetus”, “Second”: Out of memory", self.batch_status)
        self.assertIn("Out of memory", self.rows()["Second"][1])
        self.assertEqual(self.rows()["Third"][1], "Third SR x2 bicubic")

    def test_cancel_keeps_finished_volumes(self):
        gate = Gate()
        self.use_double("second_gated", gate.path)
        task = self.start()
        wait_until(
            lambda: (
                self.rows()["Second"][1] == "running …"
                and "Volume 2 of 3" in self.ui.batchProgressLabel.text
            )
        )
        click(self.ui.batchButton)
        self.assert_batch_idle(
            task, TaskState.CANCELLED, "Cancelled: 1 of 3 volumes were upsampled and are kept."
        )
        self.assertEqual(
            [result for _checked, result in self.rows().values()],
            ["Fetus SR x2 bicubic", "Cancelled.", "Not started."],
        )


class FaultTest(BatchPanelTestCase):
    def test_closed_scene_ends_the_batch(self):
        self.use_double("until_cancelled")
        task = self.start_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        wait_for_end(task)
        self.assertIs(task.state, TaskState.CANCELLED)
        self.assertEqual((self.rows(), self.volumes()), ({}, []))

    def test_deleted_volume_is_skipped(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.start_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        gate.open()
        self.assert_batch_idle(task, TaskState.FINISHED, "2 of 3 volumes")
        self.assertIn("“Fetus”: Cancelled: the input was deleted.", self.batch_status)

    def test_crashed_worker_fails_one_volume_and_restarts(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.start_and_wait_for_progress()
        gate.open()
        os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
        self.assert_batch_idle(task, TaskState.FINISHED, "2 of 3 volumes")
        self.assertIn("ended unexpectedly", self.rows()["Fetus"][1])

    def test_missing_packages_end_the_batch_with_the_reason(self):
        self.use_double("without_packages")
        with expect_error("PyTorch is missing."):
            self.assert_batch_idle(self.start(), TaskState.FAILED, "PyTorch is missing.")
            process_events()
        self.assertEqual(self.rows()["Third"][1], "Not started.")

    def test_cleanup_during_a_task_ends_it_silently(self):
        self.use_double("until_cancelled")
        task = self.start_and_wait_for_progress()
        self.widget.cleanup()
        self.assertFalse(task.isRunning)
        self.assertEqual(job_folders(), [])
        self.widget.setup()


class ScriptTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.nodes = [make_volume(name="A"), make_volume(name="B", size=(4, 4, 3))]
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_script_gets_a_result_for_every_volume(self):
        self.nodes[0].SetAndObserveImageData(None)
        results = self.logic.upsampleBatch(self.nodes, model="bicubic", scale=4)
        self.assertEqual([result.name for result in results], ["A", "B"])
        self.assertIsNone(results[0].outputNode)
        self.assertIn("has no voxels", results[0].message)
        self.assertEqual(results[1].outputNode.GetImageData().GetDimensions(), (16, 16, 3))

    def test_cancelling_script_keeps_finished_volumes(self):
        results = self.logic.upsampleBatch(
            self.nodes, model="bicubic", progressCallback=lambda progress: progress.done <= 7
        )
        self.assertEqual([result.outputNode is not None for result in results], [True, False])

    def test_background_task_reports_its_end(self):
        ended = []
        task = self.logic.upsampleBatch(
            self.nodes, model="bicubic", waitForCompletion=False, onFinished=ended.append
        )
        wait_until(lambda: ended)
        self.assertEqual(
            [result.outputNode.GetName() for result in task.results],
            ["A SR x2 bicubic", "B SR x2 bicubic"],
        )

    def test_missing_packages_and_invalid_options_raise_the_reason(self):
        for arguments, words in (
            (([], "bicubic"), "Choose at least one volume"),
            ((self.nodes, "bicubic", 3), "“scale” must be one of"),
        ):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.upsampleBatch(*arguments)
        logic = MRISuperResLogic(worker=double_worker(self, "without_packages"))
        with self.assertRaisesRegex(RuntimeError, "PyTorch is missing"):
            logic.upsampleBatch(self.nodes, model="bicubic")


if __name__ == "__main__":
    unittest.main()
