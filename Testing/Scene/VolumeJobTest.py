"""One run, with a worker that does what the test says: what happens to nodes, files and messages."""

import os
import unittest
import unittest.mock

import numpy as np
import slicer
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.volume_task import VolumeTask
from MRISuperResLib.scene.volume_nodes import ijkToRAS
from scene_helpers import WorkerDouble, corners_ras, make_volume

JOB = UpsamplingOptions(model="bicubic", scale=2)


class VolumeJobTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume()
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self, outputNode=None):
        job = VolumeTask(
            self.worker,
            self.input,
            JOB,
            outputNode,
            lambda *progress: self.progress.append(progress),
            self.ended.append,
        )
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.folder = os.path.dirname(self.worker.request["input"])
        return job

    def assert_ended(self, job, state, words=""):
        """Exactly one report of the end; no file is left."""
        self.assertEqual(self.ended, [job])
        self.assertIs(job.state, state)
        self.assertIn(words, job.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self):
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), self.nodes)

    def test_request_holds_the_voxels_the_geometry_and_the_job(self):
        job = self.start()
        request = self.worker.request
        np.testing.assert_array_equal(
            np.load(request["input"]), slicer.util.arrayFromVolume(self.input)
        )
        np.testing.assert_allclose(request["ijkToRAS"], ijkToRAS(self.input))
        self.assertEqual(UpsamplingOptions.from_dict(request["job"]), JOB)
        self.assertTrue(self.folder.startswith(slicer.app.temporaryPath))
        self.assertTrue(job.isRunning)
        self.assertIsNone(job.outputNode)

    def test_finished_run_gives_a_new_node_in_place(self):
        job = self.start()
        self.worker.progress(1, 7)
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(self.progress, [(1, 7, 2.0, 1.0)])
        np.testing.assert_allclose(corners_ras(job.outputNode), corners_ras(self.input), atol=1e-9)
        self.assertEqual(len(job.messages), 1)

    def test_given_output_is_updated(self):
        output = make_volume(name="Mine")
        job = self.start(output)
        self.worker.finish()
        self.assertIs(job.outputNode, output)
        self.assertEqual(output.GetImageData().GetDimensions(), (10, 12, 7))

    def test_given_output_that_was_deleted_meanwhile_is_replaced_by_a_new_one(self):
        output = make_volume(name="Mine")
        job = self.start(output)
        slicer.mrmlScene.RemoveNode(output)
        self.worker.finish()
        self.assertEqual(job.outputNode.GetName(), "Fetus SR x2 bicubic")

    def test_output_over_the_input_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "would replace the input"):
            VolumeTask(self.worker, self.input, JOB, self.input)

    def test_busy_worker_is_refused(self):
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another volume is being processed"):
            VolumeTask(self.worker, self.input, JOB)

    def test_cancelled_run_leaves_the_scene_as_it_was(self):
        job = self.start()
        job.cancel()
        self.assertTrue(job.isCancelling)
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "Cancelled: nothing was changed")
        self.assert_nothing_was_added()

    def test_cancel_twice_or_after_the_end_does_nothing_more(self):
        job = self.start()
        job.cancel()
        job.cancel()
        self.worker.end("cancelled")
        job.cancel()
        self.assertEqual(self.worker.cancelCount, 1)
        self.assert_ended(job, TaskState.CANCELLED)

    def test_a_deleted_input_node_ends_the_job_with_a_message(self):
        job = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assertEqual(self.worker.cancelCount, 1)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "input volume was deleted")
        self.assert_nothing_was_added()

    def test_a_result_that_comes_after_its_input_was_deleted_is_dropped(self):
        job = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.worker.finish()
        self.assert_ended(job, TaskState.CANCELLED, "input volume was deleted")
        self.assert_nothing_was_added()

    def test_other_nodes_may_be_deleted_meanwhile(self):
        other = make_volume(name="Other")
        job = self.start()
        slicer.mrmlScene.RemoveNode(other)
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)

    def test_a_closed_scene_ends_the_job_even_where_the_next_scene_reuses_the_id(self):
        job = self.start()
        oldId = self.input.GetID()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(make_volume(name="Next").GetID(), oldId)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.finish()
        self.assert_ended(job, TaskState.CANCELLED, "scene was closed")
        self.assert_nothing_was_added()

    def test_renamed_input_gives_its_new_name_to_the_output(self):
        job = self.start()
        self.input.SetName("Renamed")
        self.worker.finish()
        self.assertEqual(job.outputNode.GetName(), "Renamed SR x2 bicubic")

    def test_transform_is_the_one_above_the_input_when_the_run_began(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[0, 3] = 50
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        self.input.SetAndObserveTransformNodeID(transform.GetID())
        before = corners_ras(self.input)
        job = self.start()
        self.input.HardenTransform()
        self.worker.finish()
        self.assertIs(job.outputNode.GetParentTransformNode(), transform)
        np.testing.assert_allclose(corners_ras(job.outputNode), before, atol=1e-9)

    def test_error_of_the_worker_is_the_message_and_its_log_goes_to_the_application_log(self):
        job = self.start()
        with self.assertLogs(level="ERROR") as logs:
            self.worker.end("error", kind="memory", message="Too large.", log="the traceback")
        self.assert_ended(job, TaskState.FAILED, "Too large.")
        self.assertEqual(job.errorKind, "memory")
        self.assertIn("the traceback", logs.output[0])
        self.assert_nothing_was_added()

    def test_result_that_cannot_be_read_is_an_error_with_a_sentence(self):
        job = self.start()
        with (
            self.assertLogs(level="ERROR"),
            open(os.path.join(self.folder, "empty.npy"), "w") as file,
        ):
            self.worker.end(
                "result", output=file.name, ijkToRAS=np.eye(4).tolist(), provenance={}, messages=[]
            )
        self.assert_ended(job, TaskState.FAILED, "could not be put into the scene")
        self.assert_nothing_was_added()

    def test_detached_run_ends_silently(self):
        job = self.start()
        job.detach()
        self.worker.progress(1, 7)
        self.worker.end("cancelled")
        self.assertEqual((self.ended, self.progress), ([], []))
        self.assertFalse(os.path.exists(self.folder))

    def test_ended_run_no_longer_watches_the_scene(self):
        job = self.start()
        self.worker.finish()
        slicer.mrmlScene.Clear(0)
        self.assertIs(job.state, TaskState.FINISHED)
        self.assertIsNone(job.outputNode)
        self.assertEqual(len(self.ended), 1)

    def test_full_temporary_folder_is_an_error_with_a_sentence(self):
        full = unittest.mock.patch("numpy.save", side_effect=OSError(28, "No space left on device"))
        folders = set(os.listdir(slicer.app.temporaryPath))
        with full, self.assertRaisesRegex(SuperResolutionError, "No space left on device"):
            VolumeTask(self.worker, self.input, JOB)
        self.assertEqual(set(os.listdir(slicer.app.temporaryPath)), folders)


if __name__ == "__main__":
    unittest.main()
