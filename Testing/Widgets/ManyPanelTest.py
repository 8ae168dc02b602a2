"""Many volumes in the panel and in scripts: choosing, one after the other, and a report of all."""

import os
import signal
import unittest

import numpy as np
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
from PySide6.QtCore import Qt
from sequence_helpers import make_browser, make_sequence
from slicerhost.testing import expect_error, process_events, wait_until


class ManyPanelTestCase(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.second, self.third = (
            make_volume(name="Second"),
            make_volume(name="Third", size=(4, 4, 3)),
        )
        self.ui.manyCollapsibleButton.collapsed = False
        self.addCleanup(setattr, self.ui.manyCollapsibleButton, "collapsed", True)
        process_events()

    @property
    def many_status(self):
        return self.ui.manyStatusLabel.text

    def rows(self):
        """{name: (whether it is checked, what became of it)}"""
        table = self.ui.manyTable
        return {
            table.item(row, 0).text(): (
                table.item(row, 0).checkState() == Qt.Checked,
                table.item(row, 1).text(),
            )
            for row in range(table.rowCount)
        }

    def check(self, name, isChecked):
        table = self.ui.manyTable
        item = next(
            table.item(row, 0) for row in range(table.rowCount) if table.item(row, 0).text() == name
        )
        item.setCheckState(Qt.Checked if isChecked else Qt.Unchecked)

    def start(self):
        click(self.ui.manyButton)
        return self.widget.many.job

    def start_and_wait_for_progress(self):
        job = self.start()
        wait_until(lambda: "slices" in self.ui.manyProgressLabel.text)
        return job

    def assert_many_idle(self, job, state, words):
        wait_for_end(job)
        self.assertIs(job.state, state)
        self.assertIn(words, self.many_status)
        self.assertEqual(self.ui.manyButton.text, "Upsample the checked volumes")
        self.assertFalse(self.ui.manyProgressBar.visible)


class ChoosingTest(ManyPanelTestCase):
    def test_volumes_of_the_scene_are_listed_and_checked(self):
        self.assertEqual(self.rows(), dict.fromkeys(("Fetus", "Second", "Third"), (True, "")))
        self.assertTrue(self.ui.manyButton.enabled)

    def test_volumes_that_come_and_go_are_listed(self):
        make_volume(name="Fourth")
        slicer.mrmlScene.RemoveNode(self.second)
        process_events()
        self.assertEqual(list(self.rows()), ["Fetus", "Third", "Fourth"])

    def test_what_is_no_image_and_results_are_not_offered(self):
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        self.assert_idle(self.apply(), TaskState.FINISHED, "Finished")
        self.assertEqual(list(self.rows()), ["Fetus", "Second", "Third"])

    def test_volume_of_a_sequence_is_listed_as_its_present_frame(self):
        make_browser(make_sequence())
        process_events()
        self.assertEqual(list(self.rows())[-1], "Cine (present frame)")

    def test_what_the_run_needs_is_told_for_all_checked_volumes(self):
        for volume in (self.input, self.second):
            slicer.util.updateVolumeFromArray(volume, np.zeros((20, 256, 256), np.int16))
        process_events()
        self.check("Third", False)
        self.assertIn("Result: 20 MiB", self.ui.manyNeedLabel.text)
        self.check("Second", False)
        self.assertIn("Result: 10 MiB", self.ui.manyNeedLabel.text)

    def test_all_and_none_check_and_uncheck(self):
        click(self.ui.manyNoneButton)
        self.assertFalse(any(isChecked for isChecked, _result in self.rows().values()))
        self.assertEqual(
            (self.ui.manyButton.enabled, self.many_status), (False, "Check one volume at least.")
        )
        click(self.ui.manyAllButton)
        self.assertTrue(all(isChecked for isChecked, _result in self.rows().values()))
        self.assertTrue(self.ui.manyButton.enabled)

    def test_choice_stays_when_the_list_is_made_anew(self):
        self.check("Second", False)
        make_volume(name="Fourth")
        process_events()
        self.assertEqual(
            [isChecked for isChecked, _result in self.rows().values()], [True, False, True, True]
        )

    def test_scene_without_volumes_says_what_to_do(self):
        slicer.mrmlScene.Clear(0)
        process_events()
        self.assertEqual(
            (self.ui.manyButton.enabled, self.many_status, self.rows()),
            (False, "Load volumes into the scene.", {}),
        )


class RunTest(ManyPanelTestCase):
    def test_checked_volumes_are_upsampled_with_the_settings_above(self):
        self.check("Second", False)
        self.ui.scaleComboBox.setCurrentIndex(1)
        job = self.start()
        self.assertEqual(self.ui.manyButton.text, "Cancel")
        self.assertIn("finished stay", self.ui.manyButton.toolTip)
        self.assert_many_idle(job, TaskState.FINISHED, "2 of 2 volumes")
        self.assertEqual(
            self.rows(),
            {
                "Fetus": (True, "Fetus SR x4 bicubic"),
                "Second": (False, ""),
                "Third": (True, "Third SR x4 bicubic"),
            },
        )
        self.assertEqual(job.results[1].outputNode.GetImageData().GetDimensions(), (16, 16, 3))
        self.assertEqual(UpsamplingOptions.from_dict({"model": "bicubic", "scale": 4}), job._job)

    def test_progress_names_the_volume_and_counts_all_slices(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        job = self.start()
        wait_until(lambda: self.ui.manyProgressLabel.text.startswith("Volume 1 of 3: 3/17 slices"))
        self.assertEqual(self.rows()["Fetus"][1], "running …")
        self.assertEqual(self.rows()["Third"][1], "waiting …")
        gate.open()
        self.assert_many_idle(job, TaskState.FINISHED, "3 of 3 volumes")

    def test_other_runs_wait_meanwhile(self):
        self.use_double("until_cancelled")
        job = self.start_and_wait_for_progress()
        for button in (self.ui.applyButton, self.ui.compareButton):
            self.assertFalse(button.enabled)
            self.assertIn("Another volume is being processed", button.toolTip)
        click(self.ui.manyButton)
        wait_for_end(job)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_failing_volume_is_told_in_the_table_and_below_and_does_not_stop_the_rest(self):
        self.use_double("only_small")
        job = self.start()
        self.assert_many_idle(job, TaskState.FINISHED, "1 of 3 volumes")
        self.assertIn(
            "“Fetus”, “Second”: The memory of this computer is not enough", self.many_status
        )
        self.assertIn("The memory of this computer is not enough", self.rows()["Second"][1])
        self.assertEqual(self.rows()["Third"][1], "Third SR x2 bicubic")

    def test_cancel_keeps_what_is_finished(self):
        gate = Gate()
        self.use_double("second_gated", gate.path)
        job = self.start()
        wait_until(
            lambda: (
                self.rows()["Second"][1] == "running …"
                and "Volume 2 of 3" in self.ui.manyProgressLabel.text
            )
        )
        click(self.ui.manyButton)
        self.assert_many_idle(
            job, TaskState.CANCELLED, "Cancelled: 1 of 3 volumes are finished and stay."
        )
        self.assertEqual(
            [result for _checked, result in self.rows().values()],
            ["Fetus SR x2 bicubic", "Cancelled.", "Not begun."],
        )


class FaultTest(ManyPanelTestCase):
    def test_scene_closed_during_a_run_ends_it(self):
        self.use_double("until_cancelled")
        job = self.start_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        wait_for_end(job)
        self.assertIs(job.state, TaskState.CANCELLED)
        self.assertEqual((self.rows(), self.volumes()), ({}, []))

    def test_volume_deleted_in_its_turn_is_passed_over(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        job = self.start_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        gate.open()
        self.assert_many_idle(job, TaskState.FINISHED, "2 of 3 volumes")
        self.assertIn("“Fetus”: Cancelled: the input volume was deleted.", self.many_status)

    def test_worker_that_dies_costs_one_volume_and_starts_again(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        job = self.start_and_wait_for_progress()
        gate.open()
        os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
        self.assert_many_idle(job, TaskState.FINISHED, "2 of 3 volumes")
        self.assertIn("ended unexpectedly", self.rows()["Fetus"][1])

    def test_missing_packages_end_the_run_with_the_sentence(self):
        self.use_double("without_packages")
        with expect_error("PyTorch is missing."):
            self.assert_many_idle(self.start(), TaskState.FAILED, "PyTorch is missing.")
            process_events()
        self.assertEqual(self.rows()["Third"][1], "Not begun.")

    def test_cleanup_during_a_run_ends_everything_silently(self):
        self.use_double("until_cancelled")
        job = self.start_and_wait_for_progress()
        self.widget.cleanup()
        self.assertFalse(job.isRunning)
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

    def test_script_gets_a_result_for_each(self):
        self.nodes[0].SetAndObserveImageData(None)
        results = self.logic.upsampleBatch(self.nodes, model="bicubic", scale=4)
        self.assertEqual([result.name for result in results], ["A", "B"])
        self.assertIsNone(results[0].outputNode)
        self.assertIn("holds no image", results[0].message)
        self.assertEqual(results[1].outputNode.GetImageData().GetDimensions(), (16, 16, 3))

    def test_script_that_cancels_keeps_what_is_finished(self):
        results = self.logic.upsampleBatch(
            self.nodes, model="bicubic", progressCallback=lambda done, total: done <= 7
        )
        self.assertEqual([result.outputNode is not None for result in results], [True, False])

    def test_run_in_the_background_tells_its_end(self):
        ended = []
        job = self.logic.upsampleBatch(
            self.nodes, model="bicubic", waitForCompletion=False, onFinished=ended.append
        )
        wait_until(lambda: ended)
        self.assertEqual(
            [result.outputNode.GetName() for result in job.results],
            ["A SR x2 bicubic", "B SR x2 bicubic"],
        )

    def test_what_all_volumes_would_miss_and_impossible_settings_raise_the_sentence(self):
        for arguments, words in (
            (([], "bicubic"), "Choose one volume"),
            ((self.nodes, "bicubic", 3), "scale must be"),
        ):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.upsampleBatch(*arguments)
        logic = MRISuperResLogic(worker=double_worker(self, "without_packages"))
        with self.assertRaisesRegex(RuntimeError, "PyTorch is missing"):
            logic.upsampleBatch(self.nodes, model="bicubic")


if __name__ == "__main__":
    unittest.main()
