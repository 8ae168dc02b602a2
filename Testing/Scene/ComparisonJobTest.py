"""The run of a comparison, with a worker that does what the test says."""

import os
import unittest

import numpy as np
import slicer
from comparison_helpers import METHODS
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.scene.comparison_task import ComparisonTask
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.volume_nodes import ijkToRAS
from scene_helpers import WorkerDouble, make_volume, node_ids

JOB = ComparisonOptions(METHODS, scale=2, noise=1.0, seed=5)


class ComparisonJobTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=(20, 18, 3))
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self):
        run = ComparisonTask(
            self.worker,
            self.input,
            JOB,
            lambda *progress: self.progress.append(progress),
            self.ended.append,
        )
        self.nodes = node_ids()
        self.folder = self.worker.request["output"]
        return run

    def assert_ended(self, run, state, words=""):
        """Exactly one report of the end; no file is left."""
        self.assertEqual(self.ended, [run])
        self.assertIs(run.state, state)
        self.assertIn(words, run.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self, run):
        self.assertEqual(node_ids(), self.nodes)
        self.assertIsNone(run.comparison)

    def test_request_holds_the_voxels_the_geometry_the_job_and_a_folder(self):
        run = self.start()
        request = self.worker.request
        self.assertEqual(request["request"], "compare")
        np.testing.assert_array_equal(
            np.load(request["input"]), slicer.util.arrayFromVolume(self.input)
        )
        np.testing.assert_allclose(request["ijkToRAS"], ijkToRAS(self.input))
        self.assertEqual(ComparisonOptions.from_dict(request["job"]), JOB)
        self.assertTrue(os.path.isdir(request["output"]))
        self.assertIsNone(run.comparison)

    def test_finished_run_has_the_comparison_and_its_messages(self):
        run = self.start()
        self.worker.progress(1, 4)
        self.worker.finish()
        self.assert_ended(run, TaskState.FINISHED)
        self.assertEqual(self.progress, [(1, 4, 2.0, 1.0)])
        self.assertEqual(tuple(run.comparison.outputs), METHODS)
        self.assertEqual(run.comparison.job, JOB)
        self.assertEqual(run.messages, run.comparison.messages)

    def test_comparison_that_was_removed_from_the_scene_is_none(self):
        run = self.start()
        self.worker.finish()
        run.comparison.remove()
        self.assertIsNone(run.comparison)

    def test_cancelled_run_leaves_the_scene_as_it_was(self):
        run = self.start()
        run.cancel()
        self.worker.end("cancelled")
        self.assert_ended(run, TaskState.CANCELLED, "Cancelled: nothing was changed")
        self.assert_nothing_was_added(run)

    def test_result_that_comes_after_the_input_was_deleted_is_dropped(self):
        run = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(run, TaskState.CANCELLED, "input volume was deleted")
        self.assert_nothing_was_added(run)

    def test_result_that_comes_after_the_scene_was_closed_is_dropped(self):
        run = self.start()
        slicer.mrmlScene.Clear(0)
        make_volume(name="Next")
        self.nodes = node_ids()
        self.worker.finish()
        self.assert_ended(run, TaskState.CANCELLED, "scene was closed")
        self.assert_nothing_was_added(run)

    def test_result_of_which_a_part_is_missing_is_an_error_and_nothing_is_added(self):
        run = self.start()
        with self.assertLogs(level="ERROR"):
            self.worker.end(
                "result",
                output=self.folder,
                ijkToRAS=np.eye(4).tolist(),
                reference=None,
                low="low.npy",
                lowIJKToRAS=np.eye(4).tolist(),
                axis={"axis": 2, "plane": "axial"},
                outputs=[],
                table={"metrics": [], "values": {}},
                dots=[],
                messages=[],
            )
        self.assert_ended(run, TaskState.FAILED, "The result is gone from the temporary folder")
        self.assert_nothing_was_added(run)

    def test_error_of_the_worker_is_the_message(self):
        run = self.start()
        with self.assertLogs(level="ERROR"):
            self.worker.end(
                "error", kind="environment", message="pyiqa is missing.", log="the traceback"
            )
        self.assert_ended(run, TaskState.FAILED, "pyiqa is missing.")
        self.assertEqual(run.errorKind, "environment")
        self.assert_nothing_was_added(run)

    def test_input_that_cannot_be_compared_and_a_busy_worker_are_refused(self):
        labels = slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        with self.assertRaisesRegex(SuperResolutionError, "label map"):
            ComparisonTask(self.worker, labels, JOB)
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another volume is being processed"):
            ComparisonTask(self.worker, self.input, JOB)


if __name__ == "__main__":
    unittest.main()
