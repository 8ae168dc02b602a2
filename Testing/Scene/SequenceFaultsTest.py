"""A run over the frames of a sequence: what may happen meanwhile, and what is refused."""

import unittest
import unittest.mock

import numpy as np
import slicer
import vtk
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.sequence_task import SequenceTask
from MRISuperResLib.scene.sequence_nodes import framesOf
from scene_helpers import make_volume, node_ids
from sequence_helpers import JOB, SequenceJobTestCase, make_browser, make_sequence


class FaultTest(SequenceJobTestCase):
    def setUp(self):
        super().setUp()
        self.sequence = make_sequence()
        self.browser, self.volume = make_browser(self.sequence)

    def start_and_finish_one(self):
        job = self.start(self.sequence)
        self.worker.finish()
        return job

    def test_cancel_in_the_middle_leaves_nothing(self):
        job = self.start_and_finish_one()
        job.cancel()
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "nothing was changed")
        self.assert_nothing_was_added()
        self.assertIsNone(job.outputNode)

    def test_a_frame_that_comes_after_the_cancel_is_the_last(self):
        job = self.start_and_finish_one()
        job.cancel()
        self.worker.finish()
        self.assert_ended(job, TaskState.CANCELLED, "nothing was changed")
        self.assertFalse(self.worker.isBusy)
        self.assert_nothing_was_added()

    def test_cancelled_run_holds_no_frames(self):
        job = self.start_and_finish_one()
        job.cancel()
        self.worker.end("cancelled")
        self.assertFalse(
            [value for value in vars(job).values() if isinstance(value, slicer.vtkMRMLNode)]
        )

    def test_a_frame_that_fails_ends_the_run_and_says_which_and_why(self):
        job = self.start_and_finish_one()
        with self.assertLogs(level="ERROR"):
            self.worker.end("error", kind="memory", message="Too large.", log="")
        self.assert_ended(
            job, TaskState.FAILED, "Frame 2 of 3 failed, and nothing was made: Too large."
        )
        self.assert_nothing_was_added()

    def test_closed_scene_ends_the_run(self):
        job = self.start_and_finish_one()
        slicer.mrmlScene.Clear(0)
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(job, TaskState.CANCELLED, "scene was closed")
        self.assert_nothing_was_added()

    def test_deleted_sequence_ends_the_run(self):
        job = self.start_and_finish_one()
        slicer.mrmlScene.RemoveNode(self.sequence)
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "input sequence was deleted")
        self.assert_nothing_was_added()

    def test_deleted_browser_and_volume_do_not_end_the_run(self):
        job = self.start_and_finish_one()
        slicer.mrmlScene.RemoveNode(self.browser)
        slicer.mrmlScene.RemoveNode(self.volume)
        while job.isRunning:
            self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertIsNotNone(job.shownNode)

    def test_frame_that_is_removed_or_added_meanwhile_ends_the_run(self):
        for change in (
            lambda: self.sequence.RemoveDataNodeAtValue("1"),
            lambda: self.sequence.SetDataNodeAtValue(make_volume(), "9"),
        ):
            self.setUp()
            job = self.start_and_finish_one()
            change()
            self.nodes = node_ids()
            self.worker.finish()
            self.assert_ended(job, TaskState.FAILED, "The sequence was changed during the run")
            self.assert_nothing_was_added()

    def test_full_temporary_folder_in_the_middle_ends_the_run_with_a_sentence(self):
        job = self.start(self.sequence)
        with unittest.mock.patch(
            "MRISuperResLib.scene.tasks.np.save", side_effect=OSError(28, "No space left on device")
        ):
            self.worker.finish()
        self.assert_ended(job, TaskState.FAILED, "No space left on device")
        self.assert_nothing_was_added()

    def test_what_cannot_be_upsampled_is_refused_with_a_reason(self):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Empty")
        colored = make_sequence(name="Colored")
        map_ = slicer.vtkMRMLLabelMapVolumeNode()
        slicer.util.updateVolumeFromArray(map_, np.zeros((2, 3, 4), np.uint8))
        mixed = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Mixed")
        mixed.SetDataNodeAtValue(map_, "0")
        dark = make_sequence(2, np.float32, name="Dark")
        for frame in framesOf(dark):
            slicer.util.arrayFromVolume(frame)[:] = np.nan
        colors = vtk.vtkImageData()
        colors.SetDimensions(4, 3, 2)
        colors.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
        framesOf(colored)[2].SetAndObserveImageData(colors)
        for node, words in (
            (None, "Choose a sequence"),
            (self.volume, "Choose a sequence"),
            (empty, "has no frames"),
            (mixed, "Frame 1 of 1 .*label map"),
            (colored, r"Frame 3 of 3 \(time 1 s\) of “Colored”.*3 values in each voxel"),
            (dark, "NaN or infinite"),
        ):
            with self.subTest(words), self.assertRaisesRegex(SuperResolutionError, words):
                SequenceTask(self.worker, node, JOB)
        self.assertFalse(self.worker.isBusy)


if __name__ == "__main__":
    unittest.main()
