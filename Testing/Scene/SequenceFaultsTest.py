"""Faults of a task over a sequence, and sequences that are refused."""

import unittest
import unittest.mock

import numpy as np
import slicer
import vtk
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.scene.sequences import framesOf, shownVolume
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import SequenceUpsampling
from scene_helpers import make_volume, node_ids
from sequence_helpers import OPTIONS, SequenceTaskTestCase, make_browser, make_sequence


class FaultTest(SequenceTaskTestCase):
    def setUp(self):
        super().setUp()
        self.sequence = make_sequence()
        self.browser, self.volume = make_browser(self.sequence)

    def start_and_finish_one(self):
        task = self.start(self.sequence)
        self.worker.finish()
        return task

    def test_cancel_during_a_frame_leaves_nothing(self):
        task = self.start_and_finish_one()
        task.cancel()
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "Nothing was changed")
        self.assert_nothing_was_added()
        self.assertIsNone(task.result)

    def test_no_frame_follows_a_cancel(self):
        task = self.start_and_finish_one()
        task.cancel()
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "Nothing was changed")
        self.assertFalse(self.worker.isBusy)
        self.assert_nothing_was_added()

    def test_cancelled_task_keeps_no_frames(self):
        task = self.start_and_finish_one()
        task.cancel()
        self.worker.end("cancelled")
        self.assertFalse(
            [
                value
                for value in (*vars(task).values(), *vars(task.strategy).values())
                if isinstance(value, slicer.vtkMRMLNode)
            ]
        )

    def test_failed_frame_fails_the_task_and_is_named(self):
        task = self.start_and_finish_one()
        with self.assertLogs(level="ERROR"):
            self.worker.end("error", kind="memory", message="Too large.", log="")
        self.assert_ended(
            task, TaskState.FAILED, "Frame 2 of 3 failed, no output was created: Too large."
        )
        self.assert_nothing_was_added()

    def test_closed_scene_cancels_the_task(self):
        task = self.start_and_finish_one()
        slicer.mrmlScene.Clear(0)
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "scene was closed")
        self.assert_nothing_was_added()

    def test_deleted_sequence_cancels_the_task(self):
        task = self.start_and_finish_one()
        slicer.mrmlScene.RemoveNode(self.sequence)
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "input was deleted")
        self.assert_nothing_was_added()

    def test_deleted_browser_and_proxy_have_no_effect(self):
        task = self.start_and_finish_one()
        slicer.mrmlScene.RemoveNode(self.browser)
        slicer.mrmlScene.RemoveNode(self.volume)
        while task.isRunning:
            self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertIsNotNone(shownVolume(task.result))

    def test_added_or_removed_frame_fails_the_task(self):
        for change in (
            lambda: self.sequence.RemoveDataNodeAtValue("1"),
            lambda: self.sequence.SetDataNodeAtValue(make_volume(), "9"),
        ):
            self.setUp()
            task = self.start_and_finish_one()
            change()
            self.nodes = node_ids()
            self.worker.finish()
            self.assert_ended(task, TaskState.FAILED, "The sequence was changed meanwhile")
            self.assert_nothing_was_added()

    def test_full_temporary_folder_fails_the_task_with_a_sentence(self):
        task = self.start(self.sequence)
        with unittest.mock.patch(
            "MRISuperResLib.scene.tasks.np.save", side_effect=OSError(28, "No space left on device")
        ):
            self.worker.finish()
        self.assert_ended(task, TaskState.FAILED, "No space left on device")
        self.assert_nothing_was_added()

    def test_sequence_that_cannot_be_upsampled_is_refused_with_a_reason(self):
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
            (colored, r"Frame 3 of 3 \(time 1 s\) of “Colored”.*3 values per voxel"),
            (dark, "NaN or infinite"),
        ):
            with self.subTest(words), self.assertRaisesRegex(SuperResolutionError, words):
                Task(self.worker, node, SequenceUpsampling(OPTIONS))
        self.assertFalse(self.worker.isBusy)


if __name__ == "__main__":
    unittest.main()
