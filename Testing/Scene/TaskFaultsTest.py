"""Out of memory and missing folders in the application: scene unchanged, no files left."""

import os
import shutil
import unittest
from unittest import mock

import numpy as np
import slicer
from comparison_helpers import METHODS
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.comparison.builder import VolumeComparison
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import VolumeUpsampling
from scene_helpers import WorkerDouble, make_volume, node_ids

IMAGE = "MRISuperResLib.scene.nodes._emptyImage"


class TaskFaultsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=(20, 18, 3))
        self.worker = WorkerDouble()
        self.nodes = node_ids()

    def upsample(self, output=None):
        options = UpsamplingOptions(model="bicubic", scale=2)
        return Task(self.worker, self.input, VolumeUpsampling(options, output))

    def compare(self):
        options = ComparisonOptions(METHODS, scale=2)
        return Task(self.worker, self.input, VolumeComparison(options))

    def assert_failed(self, task, words, fault):
        """Check that the task fails and leaves no node and no file, and that the next one works."""
        folder = self.worker.request["folder"]
        with fault, self.assertLogs(level="ERROR"):
            self.worker.finish()
        self.assertIs(task.state, TaskState.FAILED)
        self.assertIn(words, task.message)
        self.assertEqual(node_ids(), self.nodes)
        self.assertFalse(os.path.exists(folder))
        again = self.upsample()
        self.worker.finish()
        self.assertIs(again.state, TaskState.FINISHED)

    def test_out_of_memory_for_the_output_leaves_the_scene_unchanged(self):
        self.assert_failed(
            self.upsample(),
            "could not be added to the scene, possibly out of memory",
            mock.patch(IMAGE, side_effect=MemoryError),
        )

    def test_out_of_memory_leaves_a_given_output_unchanged(self):
        output = make_volume(name="Mine", size=(4, 5, 6))
        self.nodes = node_ids()
        voxels = slicer.util.arrayFromVolume(output).copy()
        attributes = list(output.GetAttributeNames() or [])
        self.assert_failed(
            self.upsample(output),
            "could not be added to the scene",
            mock.patch(IMAGE, side_effect=MemoryError),
        )
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(output), voxels)
        self.assertEqual(list(output.GetAttributeNames() or []), attributes)

    def test_out_of_memory_for_one_volume_of_a_comparison_leaves_none(self):
        from MRISuperResLib.scene import nodes

        real, images = nodes._emptyImage, []

        def image(shape, scalarType):
            images.append(shape)
            if len(images) == 3:
                raise MemoryError
            return real(shape, scalarType)

        self.assert_failed(
            self.compare(), "could not be added to the scene", mock.patch(IMAGE, image)
        )
        self.assertGreaterEqual(len(images), 3)

    def test_out_of_memory_for_a_copy_of_the_input_prevents_the_start(self):
        folders = set(os.listdir(slicer.app.temporaryPath))
        for start in (self.upsample, self.compare):
            with (
                mock.patch("numpy.save", side_effect=MemoryError),
                self.assertRaisesRegex(
                    SuperResolutionError, "Out of memory while copying the volume. Close"
                ) as caught,
            ):
                start()
            self.assertEqual(caught.exception.kind, "memory")
        self.assertEqual(set(os.listdir(slicer.app.temporaryPath)), folders)
        self.assertFalse(self.worker.isBusy)

    def test_folder_that_disappears_before_the_result_is_read_is_an_error(self):
        for start in (self.upsample, self.compare):
            task = start()
            with self.subTest(start.__name__):
                finish = self.worker.end

                def vanish(event, finish=finish, **fields):
                    shutil.rmtree(self.worker.request["folder"])
                    finish(event, **fields)

                self.assert_failed(
                    task,
                    "The result is missing from the temporary folder",
                    mock.patch.object(self.worker, "end", vanish),
                )
                slicer.mrmlScene.Clear(0)
                self.input = make_volume(size=(20, 18, 3))
                self.nodes = node_ids()

    def set_temporary_folder(self, place):
        self.addCleanup(setattr, slicer.app, "temporaryPath", slicer.app.temporaryPath)
        slicer.app.temporaryPath = place

    def test_deleted_temporary_folder_is_created_again(self):
        place = os.path.join(slicer.app.temporaryPath, "cleaned", "away")
        self.addCleanup(shutil.rmtree, os.path.dirname(place))
        self.set_temporary_folder(place)
        task = self.upsample()
        self.assertTrue(self.worker.request["folder"].startswith(place))
        self.worker.finish()
        self.assertIs(task.state, TaskState.FINISHED)
        self.assertEqual(os.listdir(place), [])

    def test_temporary_folder_that_cannot_be_created_is_named(self):
        place = os.path.join(slicer.app.temporaryPath, "a file", "folder")
        with open(os.path.dirname(place), "w"):
            pass
        self.addCleanup(os.remove, os.path.dirname(place))
        self.set_temporary_folder(place)
        with self.assertRaisesRegex(
            SuperResolutionError, "cannot be copied to the temporary folder .*a file"
        ):
            self.upsample()


if __name__ == "__main__":
    unittest.main()
