"""Sequences in the panel and in scripts."""

import os
import signal
import unittest
from unittest import mock

import slicer
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.sequences import framesOf
from module_helpers import click, double_worker, job_folders, make_volume, mute_error_log, node_ids
from PanelTest import PanelTestCase
from sequence_helpers import make_browser, make_sequence
from panel_testing import expect_error, wait_until


class SequencePanelTestCase(PanelTestCase):
    def setUp(self):
        super().setUp()
        self.sequence = make_sequence()
        self.browser, self.volume = make_browser(self.sequence)
        self.ui.inputSelector.setCurrentNode(self.volume)

    def sequences(self):
        return slicer.util.getNodesByClass("vtkMRMLSequenceNode")


class ChoosingTest(SequencePanelTestCase):
    def test_check_box_is_visible_for_volumes_of_a_sequence_only(self):
        box = self.ui.allFramesCheckBox
        self.assertEqual(
            (box.isHidden(), box.enabled, box.text, box.checked),
            (False, True, "All 3 frames", False),
        )
        self.ui.inputSelector.setCurrentNode(self.input)
        self.assertTrue(box.isHidden())
        self.assertFalse(box.enabled)
        self.ui.inputSelector.setCurrentNode(None)
        self.assertTrue(box.isHidden())

    def test_all_frames_disable_the_output_selector(self):
        self.assertTrue(self.ui.outputSelector.enabled)
        click(self.ui.allFramesCheckBox)
        self.assertFalse(self.ui.outputSelector.enabled)
        self.assertIn("new sequence", self.ui.outputSelector.toolTip)
        self.ui.inputSelector.setCurrentNode(self.input)
        self.assertTrue(self.ui.outputSelector.enabled)

    def test_all_frames_never_change_the_output(self):
        mine = self.widget.logic.upsample(self.input, model="bicubic")
        for output in (None, mine):
            self.ui.outputSelector.setCurrentNode(output)
            for _ in range(2):
                click(self.ui.allFramesCheckBox)
                self.assertIs(self.ui.outputSelector.currentNode(), output)
                self.assertIs(self.widget._parameterNode.outputVolume, output)

    def test_estimate_covers_all_frames(self):
        size = 2 * 10 * 12 * 4
        slicer.util.updateVolumeFromArray(
            framesOf(self.sequence)[0],
            slicer.util.arrayFromVolume(framesOf(self.sequence)[0]).repeat(400, 1).repeat(100, 2),
        )
        self.browser.SetSelectedItemNumber(1)
        self.browser.SetSelectedItemNumber(0)
        one = f"Output: {round(size * 40000 / 2**20)} MiB"
        self.assertIn(one, self.ui.estimateLabel.text)
        click(self.ui.allFramesCheckBox)
        self.assertIn(f"Output: {round(3 * size * 40000 / 2**20)} MiB", self.ui.estimateLabel.text)

    def test_choice_is_saved_with_the_scene(self):
        click(self.ui.allFramesCheckBox)
        self.assertTrue(self.widget._parameterNode.allFrames)


class RunTest(SequencePanelTestCase):
    def setUp(self):
        super().setUp()
        click(self.ui.allFramesCheckBox)

    def test_apply_creates_a_sequence_that_is_played_with_the_input(self):
        task = self.apply()
        self.assert_idle(task, TaskState.FINISHED, "“Cine SR x2 bicubic”")
        self.assertEqual(
            [node.GetName() for node in self.sequences()], ["Cine", "Cine SR x2 bicubic"]
        )
        self.assertIsNotNone(self.browser.GetProxyNode(task.result))

    def test_progress_counts_the_slices_of_all_frames(self):
        texts = []
        status = self.widget.upsampling._status
        original = status.showProgress
        self.enterContext(
            mock.patch.object(
                status,
                "showProgress",
                lambda progress, part: (
                    texts.append((progress.done, progress.total)),
                    original(progress, part),
                ),
            )
        )
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assertEqual((texts[0], texts[-1]), ((0, 12), (12, 12)))
        self.assertEqual([done for done, _total in texts], sorted(done for done, _total in texts))
        self.assertRegex(self.ui.progressLabel.text, "^Frame 3 of 3: 12/12 slices")

    def test_unchecked_box_upsamples_the_current_frame_only(self):
        click(self.ui.allFramesCheckBox)
        self.assert_idle(self.apply(), TaskState.FINISHED, "Done in")
        self.assertEqual(len(self.sequences()), 1)

    def test_cancel_leaves_no_nodes(self):
        self.use_double("until_cancelled")
        before = node_ids()
        task = self.apply_and_wait_for_progress()
        click(self.ui.applyButton)
        self.assert_idle(task, TaskState.CANCELLED, "Nothing was changed")
        self.assertEqual(node_ids(), before)

    def test_closed_scene_and_deleted_sequence_cancel_the_task_with_a_message(self):
        self.use_double("until_cancelled")
        for change, words in (
            (lambda: slicer.mrmlScene.RemoveNode(self.sequence), "input was deleted"),
            (lambda: slicer.mrmlScene.Clear(0), "scene was closed"),
        ):
            task = self.apply_and_wait_for_progress()
            change()
            self.assert_idle(task, TaskState.CANCELLED, words)
            self.assertFalse([node for node in self.sequences() if "SR" in node.GetName()])
            self.sequence = make_sequence()
            self.browser, self.volume = make_browser(self.sequence)
            self.ui.inputSelector.setCurrentNode(self.volume)
            if not self.ui.allFramesCheckBox.checked:
                click(self.ui.allFramesCheckBox)
            self.choose("bicubic")

    def test_killed_worker_is_reported_with_the_frame_and_leaves_no_nodes(self):
        self.use_double("until_cancelled")
        before = node_ids()
        task = self.apply_and_wait_for_progress()
        with expect_error("ended unexpectedly"):
            os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
            self.assert_idle(
                task,
                TaskState.FAILED,
                "Frame 1 of 3 failed, no output was created: The worker process ended unexpectedly",
            )
        self.assertEqual(node_ids(), before)


class ScriptTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.sequence = make_sequence()
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_script_gets_the_output_sequence(self):
        reports = []
        output = self.logic.upsampleSequence(
            self.sequence,
            model="bicubic",
            scale=4,
            progressCallback=lambda progress: reports.append((progress.done, progress.total)),
        )
        self.assertEqual(
            [frame.GetImageData().GetDimensions() for frame in framesOf(output)], [(20, 24, 4)] * 3
        )
        self.assertEqual((reports[0], reports[-1]), ((0, 12), (12, 12)))
        self.assertEqual(job_folders(), [])

    def test_background_task_reports_its_end(self):
        ended = []
        task = self.logic.upsampleSequence(
            self.sequence, model="bicubic", waitForCompletion=False, onFinished=ended.append
        )
        self.assertTrue(task.isRunning)
        wait_until(lambda: ended)
        self.assertIs(task.state, TaskState.FINISHED)
        self.assertEqual(task.result.GetName(), "Cine SR x2 bicubic")

    def test_script_can_cancel(self):
        before = node_ids()
        self.assertIsNone(
            self.logic.upsampleSequence(
                self.sequence, model="bicubic", progressCallback=lambda progress: progress.done < 5
            )
        )
        self.assertEqual(node_ids(), before)

    def test_invalid_input_and_failures_raise_the_reason(self):
        with self.assertRaisesRegex(RuntimeError, "Choose a sequence"):
            self.logic.upsampleSequence(make_volume())
        with self.assertRaisesRegex(
            RuntimeError, "Frame 1 of 3 failed, no output was created: There is no model"
        ):
            self.logic.upsampleSequence(self.sequence, model="no-such-model")
        logic = MRISuperResLogic(worker=double_worker(self, "crashing"))
        with self.assertRaisesRegex(RuntimeError, "ended unexpectedly"):
            logic.upsampleSequence(self.sequence, model="bicubic")


if __name__ == "__main__":
    unittest.main()
