"""A task over one volume, with a worker double: nodes, files and messages."""

import gc
import os
import unittest
import unittest.mock
import weakref

import numpy as np
import slicer
from dicom_helpers import DatabaseDouble, opened
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.scene.nodes import ijkToRAS
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import VolumeUpsampling
from scene_helpers import WorkerDouble, corners_ras, make_volume
from sequence_helpers import make_browser, make_sequence

OPTIONS = UpsamplingOptions(model="bicubic", scale=2)


class VolumeTaskTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume()
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self, outputNode=None):
        task = Task(
            self.worker,
            self.input,
            VolumeUpsampling(OPTIONS, outputNode),
            self.progress.append,
            self.ended.append,
        )
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.folder = os.path.dirname(self.worker.request["input"])
        return task

    def assert_ended(self, task, state, words=""):
        """Check that the end was reported once, and that no file is left."""
        self.assertEqual(self.ended, [task])
        self.assertIs(task.state, state)
        self.assertIn(words, task.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self):
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), self.nodes)

    def test_request_has_voxels_geometry_and_options(self):
        task = self.start()
        request = self.worker.request
        np.testing.assert_array_equal(
            np.load(request["input"]), slicer.util.arrayFromVolume(self.input)
        )
        np.testing.assert_allclose(request["ijkToRAS"], ijkToRAS(self.input))
        self.assertEqual(UpsamplingOptions.from_dict(request["options"]), OPTIONS)
        self.assertTrue(self.folder.startswith(slicer.app.temporaryPath))
        self.assertTrue(task.isRunning)
        self.assertIsNone(task.result)

    def test_output_is_a_new_node_at_the_place_of_the_input(self):
        task = self.start()
        self.worker.progress(1, 7)
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(self.progress, [Progress(1, 7, 2.0, 1.0)])
        np.testing.assert_allclose(corners_ras(task.result), corners_ras(self.input), atol=1e-9)
        self.assertEqual([message.code for message in task.messages], ["slice-axis"])

    def test_warning_about_the_input_precedes_the_messages_of_the_result(self):
        self.input.SetAttribute("DICOM.instanceUIDs", "1.2.3")
        with opened(DatabaseDouble({"1.2.3": "a"}, "CT")):
            task = self.start()
        self.worker.finish()
        self.assertEqual([m.code for m in task.messages], ["modality", "slice-axis"])

    def test_given_output_is_replaced_whatever_it_holds(self):
        output = make_volume(name="Mine")
        task = self.start(output)
        self.worker.finish()
        self.assertIs(task.result, output)
        self.assertEqual(output.GetImageData().GetDimensions(), (10, 12, 7))

    def test_deleted_output_is_replaced_by_a_new_one(self):
        output = make_volume(name="Mine")
        task = self.start(output)
        slicer.mrmlScene.RemoveNode(output)
        self.worker.finish()
        self.assertEqual(task.result.GetName(), "Fetus SR x2 bicubic")

    def test_output_that_is_the_input_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "would replace the input"):
            Task(self.worker, self.input, VolumeUpsampling(OPTIONS, self.input))

    def test_output_that_is_not_a_scalar_volume_is_refused(self):
        for nodeClass in ("LabelMapVolume", "VectorVolume", "Segmentation"):
            output = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{nodeClass}Node", "Mine")
            with self.assertRaisesRegex(SuperResolutionError, "“Mine” is not a scalar volume"):
                Task(self.worker, self.input, VolumeUpsampling(OPTIONS, output))

    def test_output_that_shows_a_frame_of_a_sequence_is_refused(self):
        _browser, output = make_browser(make_sequence())
        with self.assertRaisesRegex(SuperResolutionError, "shows a frame of a sequence"):
            Task(self.worker, self.input, VolumeUpsampling(OPTIONS, output))
        self.assertIsNone(self.worker.request)

    def test_busy_worker_is_refused(self):
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another task is running"):
            Task(self.worker, self.input, VolumeUpsampling(OPTIONS))

    def test_cancelled_task_leaves_the_scene_unchanged(self):
        task = self.start()
        task.cancel()
        self.assertTrue(task.isCancelling)
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "Cancelled. Nothing was changed")
        self.assert_nothing_was_added()

    def test_second_cancel_has_no_effect(self):
        task = self.start()
        task.cancel()
        task.cancel()
        self.worker.end("cancelled")
        task.cancel()
        self.assertEqual(self.worker.cancelCount, 1)
        self.assert_ended(task, TaskState.CANCELLED)

    def test_deleted_input_cancels_the_task(self):
        task = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assertEqual(self.worker.cancelCount, 1)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "input was deleted")
        self.assert_nothing_was_added()

    def test_result_after_the_input_was_deleted_is_dropped(self):
        task = self.start()
        slicer.mrmlScene.RemoveNode(self.input)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "input was deleted")
        self.assert_nothing_was_added()

    def test_deleted_other_nodes_have_no_effect(self):
        other = make_volume(name="Other")
        task = self.start()
        slicer.mrmlScene.RemoveNode(other)
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)

    def test_closed_scene_cancels_the_task_even_if_the_id_is_reused(self):
        task = self.start()
        oldId = self.input.GetID()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(make_volume(name="Next").GetID(), oldId)
        self.nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.finish()
        self.assert_ended(task, TaskState.CANCELLED, "scene was closed")
        self.assertIsNone(task.inputNode)
        self.assert_nothing_was_added()

    def test_output_is_named_after_a_renamed_input(self):
        task = self.start()
        self.input.SetName("Renamed")
        self.worker.finish()
        self.assertEqual(task.result.GetName(), "Renamed SR x2 bicubic")

    def test_transform_is_that_of_the_input_at_the_start(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[0, 3] = 50
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        self.input.SetAndObserveTransformNodeID(transform.GetID())
        before = corners_ras(self.input)
        task = self.start()
        self.input.HardenTransform()
        self.worker.finish()
        self.assertIs(task.result.GetParentTransformNode(), transform)
        np.testing.assert_allclose(corners_ras(task.result), before, atol=1e-9)

    def test_error_of_the_worker_is_the_message_and_its_log_is_logged(self):
        task = self.start()
        with self.assertLogs(level="ERROR") as logs:
            self.worker.end("error", kind="memory", message="Too large.", log="the traceback")
        self.assert_ended(task, TaskState.FAILED, "Too large.")
        self.assertEqual(task.errorKind, "memory")
        self.assertIn("the traceback", logs.output[0])
        self.assert_nothing_was_added()

    def test_unreadable_result_is_an_error_with_a_sentence(self):
        task = self.start()
        with (
            self.assertLogs(level="ERROR"),
            open(os.path.join(self.folder, "empty.npy"), "w") as file,
        ):
            self.worker.end(
                "result", output=file.name, ijkToRAS=np.eye(4).tolist(), provenance={}, messages=[]
            )
        self.assert_ended(task, TaskState.FAILED, "could not be added to the scene")
        self.assert_nothing_was_added()

    def test_detached_task_ends_silently(self):
        task = self.start()
        task.detach()
        self.worker.progress(1, 7)
        self.worker.end("cancelled")
        self.assertEqual((self.ended, self.progress), ([], []))
        self.assertFalse(os.path.exists(self.folder))

    def test_finished_task_ignores_the_scene(self):
        task = self.start()
        self.worker.finish()
        slicer.mrmlScene.Clear(0)
        self.assertIs(task.state, TaskState.FINISHED)
        self.assertIsNone(task.result)
        self.assertEqual(len(self.ended), 1)

    def test_finished_task_is_released_by_scene_and_worker(self):
        task = weakref.ref(self.start())
        self.worker.finish()
        self.worker = None
        self.ended.clear()
        gc.collect()
        self.assertIsNone(task())

    def test_full_temporary_folder_is_an_error_with_a_sentence(self):
        full = unittest.mock.patch("numpy.save", side_effect=OSError(28, "No space left on device"))
        folders = set(os.listdir(slicer.app.temporaryPath))
        with full, self.assertRaisesRegex(SuperResolutionError, "No space left on device"):
            Task(self.worker, self.input, VolumeUpsampling(OPTIONS))
        self.assertEqual(set(os.listdir(slicer.app.temporaryPath)), folders)


if __name__ == "__main__":
    unittest.main()
