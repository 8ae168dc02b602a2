"""The task of a comparison, with a worker double."""

import os
import unittest

import numpy as np
import slicer
from comparison_helpers import METHODS
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.scene.comparison.builder import VolumeComparison
from MRISuperResLib.scene.comparison.nodes import ComparisonNodes
from MRISuperResLib.scene.nodes import ijkToRAS
from MRISuperResLib.scene.tasks import Task, TaskState
from scene_helpers import WorkerDouble, make_volume, node_ids

OPTIONS = ComparisonOptions(METHODS, scale=2, noise=1.0, seed=5)


class ComparisonTaskTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=(20, 18, 3))
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self):
        task = Task(
            self.worker,
            self.input,
            VolumeComparison(OPTIONS),
            self.progress.append,
            self.ended.append,
        )
        self.nodes = node_ids()
        self.folder = self.worker.request["output"]
        return task

    def assert_ended(self, task, state, words=""):
        """Check that the end was reported once, and that no file is left."""
        self.assertEqual(self.ended, [task])
        self.assertIs(task.state, state)
        self.assertIn(words, task.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self, task):
        self.assertEqual(node_ids(), self.nodes)
        self.assertIsNone(task.result)

    def test_request_has_voxels_geometry_options_and_a_folder(self):
        task = self.start()
        request = self.worker.request
        self.assertEqual(request["request"], "compare")
        np.testing.assert_array_equal(
            np.load(request["input"]), slicer.util.arrayFromVolume(self.input)
        )
        np.testing.assert_allclose(request["ijkToRAS"], ijkToRAS(self.input))
        self.assertEqual(ComparisonOptions.from_dict(request["options"]), OPTIONS)
        self.assertTrue(os.path.isdir(request["output"]))
        self.assertIsNone(task.result)

    def test_finished_task_has_the_comparison_and_its_messages(self):
        task = self.start()
        self.worker.progress(1, 4)
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(self.progress, [Progress(1, 4, 2.0, 1.0)])
        self.assertEqual(tuple(task.result.outputs), METHODS)
        self.assertEqual(task.result.options, OPTIONS)
        self.assertEqual(task.messages, task.result.messages)

    def test_removed_comparison_is_none(self):
        task = self.start()
        self.worker.finish()
        task.result.remove()
        self.assertIsNone(task.result)

    def test_cancelled_task_leaves_the_scene_unchanged(self):
        task = self.start()
        task.cancel()
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "Cancelled. Nothing was changed")
        self.assert_nothing_was_added(task)

    def test_result_after_the_input_was_deleted_is_dropped(self):
        task = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "input was deleted")
        self.assert_nothing_was_added(task)

    def test_result_after_the_scene_was_closed_is_dropped(self):
        task = self.start()
        slicer.mrmlScene.Clear(0)
        make_volume(name="Next")
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "scene was closed")
        self.assert_nothing_was_added(task)

    def test_end_while_the_result_is_added_leaves_the_scene_unchanged(self):
        for end, reason in (
            (lambda task: task.cancel(), "Cancelled"),
            (lambda task: slicer.mrmlScene.RemoveNode(self.input), "input was deleted"),
            (lambda task: slicer.mrmlScene.Clear(0), "scene was closed"),
        ):
            self.setUp()
            task = self.start()
            self.worker.isPaused = True
            self.worker.finish()
            self.assertTrue(task.isRunning)
            for _step in range(3):
                self.worker.later.pop()()
            self.assertGreater(len(node_ids()), len(self.nodes))
            self.assertEqual(ComparisonNodes.inScene(), [], "an incomplete one is not listed")
            end(task)
            self.worker.proceed()
            self.assertEqual(self.worker.cancelCount, 0, "the worker may have another job")
            self.nodes &= node_ids()  # the scene was closed, or the input is gone
            self.assert_ended(task, TaskState.CANCELLED, reason)
            self.assert_nothing_was_added(task)

    def test_incomplete_result_is_an_error_and_nothing_is_added(self):
        task = self.start()
        with self.assertLogs(level="ERROR"):
            self.worker.end(
                "result",
                output=self.folder,
                ijkToRAS=np.eye(4).tolist(),
                reference=None,
                low="low.npy",
                lowIJKToRAS=np.eye(4).tolist(),
                axis={"index": 2, "plane": "axial", "reason": "requested"},
                outputs=[],
                table={"metrics": [], "values": {}, "scored": []},
                lesions=[],
                messages=[],
            )
        self.assert_ended(task, TaskState.FAILED, "The result is missing from the temporary folder")
        self.assert_nothing_was_added(task)

    def test_error_of_the_worker_is_the_message(self):
        task = self.start()
        with self.assertLogs(level="ERROR"):
            self.worker.end(
                "error", kind="environment", message="pyiqa is missing.", log="the traceback"
            )
        self.assert_ended(task, TaskState.FAILED, "pyiqa is missing.")
        self.assertEqual(task.errorKind, "environment")
        self.assert_nothing_was_added(task)

    def test_invalid_input_and_busy_worker_are_refused(self):
        labels = slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        with self.assertRaisesRegex(SuperResolutionError, "label map"):
            Task(self.worker, labels, VolumeComparison(OPTIONS))
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another task is running"):
            Task(self.worker, self.input, VolumeComparison(OPTIONS))


if __name__ == "__main__":
    unittest.main()
