"""Memory and temporary folder of the application end in the middle of a run: the scene stays as it was, and no file is left."""

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
from MRISuperResLib.scene.comparison_task import ComparisonTask
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.volume_task import VolumeTask
from scene_helpers import WorkerDouble, make_volume, node_ids

IMAGE = "MRISuperResLib.scene.output_nodes._imageData"


class SceneJobFaultsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=(20, 18, 3))
        self.worker = WorkerDouble()
        self.nodes = node_ids()

    def upsample(self, output=None):
        return VolumeTask(
            self.worker, self.input, UpsamplingOptions(model="bicubic", scale=2), output
        )

    def compare(self):
        return ComparisonTask(self.worker, self.input, ComparisonOptions(METHODS, scale=2))

    def assert_failed(self, run, words, fault):
        """The run fails, and leaves neither a node nor a file; the next one works."""
        folder = self.worker.request["folder"]
        with fault, self.assertLogs(level="ERROR"):
            self.worker.finish()
        self.assertIs(run.state, TaskState.FAILED)
        self.assertIn(words, run.message)
        self.assertEqual(node_ids(), self.nodes)
        self.assertFalse(os.path.exists(folder))
        again = self.upsample()
        self.worker.finish()
        self.assertIs(again.state, TaskState.FINISHED)

    def test_too_little_memory_for_the_output_leaves_the_scene_as_it_was(self):
        self.assert_failed(
            self.upsample(),
            "could not be put into the scene, perhaps for want of memory",
            mock.patch(IMAGE, side_effect=MemoryError),
        )

    def test_too_little_memory_leaves_the_output_that_was_to_be_replaced_as_it_was(self):
        output = make_volume(name="Mine", size=(4, 5, 6))
        self.nodes = node_ids()
        voxels = slicer.util.arrayFromVolume(output).copy()
        attributes = list(output.GetAttributeNames() or [])
        self.assert_failed(
            self.upsample(output),
            "could not be put into the scene",
            mock.patch(IMAGE, side_effect=MemoryError),
        )
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(output), voxels)
        self.assertEqual(list(output.GetAttributeNames() or []), attributes)

    def test_too_little_memory_for_any_volume_of_a_comparison_leaves_none(self):
        from MRISuperResLib.scene import output_nodes

        real, images = output_nodes._imageData, []

        def image(array, scalarType):
            images.append(array)
            if len(images) == 3:
                raise MemoryError
            return real(array, scalarType)

        self.assert_failed(
            self.compare(), "could not be put into the scene", mock.patch(IMAGE, image)
        )
        self.assertGreaterEqual(len(images), 3)

    def test_too_little_memory_for_a_copy_of_the_input_is_told_before_the_run(self):
        folders = set(os.listdir(slicer.app.temporaryPath))
        for start in (self.upsample, self.compare):
            with (
                mock.patch("numpy.save", side_effect=MemoryError),
                self.assertRaisesRegex(
                    SuperResolutionError, "not enough for a copy of the volume: close"
                ) as caught,
            ):
                start()
            self.assertEqual(caught.exception.kind, "memory")
        self.assertEqual(set(os.listdir(slicer.app.temporaryPath)), folders)
        self.assertFalse(self.worker.isBusy)

    def test_a_folder_that_disappears_before_the_result_is_fetched_is_told(self):
        for start in (self.upsample, self.compare):
            run = start()
            with self.subTest(start.__name__):
                finish = self.worker.end

                def vanish(event, finish=finish, **fields):
                    shutil.rmtree(self.worker.request["folder"])
                    finish(event, **fields)

                self.assert_failed(
                    run,
                    "The result is gone from the temporary folder",
                    mock.patch.object(self.worker, "end", vanish),
                )
                slicer.mrmlScene.Clear(0)
                self.input = make_volume(size=(20, 18, 3))
                self.nodes = node_ids()

    def test_a_temporary_folder_that_the_system_has_removed_is_made_again(self):
        place = os.path.join(slicer.app.temporaryPath, "cleaned", "away")
        self.addCleanup(shutil.rmtree, os.path.dirname(place))
        with mock.patch.object(slicer.app, "_temporaryPath", place):
            run = self.upsample()
            self.assertTrue(self.worker.request["folder"].startswith(place))
            self.worker.finish()
        self.assertIs(run.state, TaskState.FINISHED)
        self.assertEqual(os.listdir(place), [])

    def test_a_temporary_folder_that_can_not_be_made_is_told_with_its_name(self):
        place = os.path.join(slicer.app.temporaryPath, "a file", "folder")
        with open(os.path.dirname(place), "w"):
            pass
        self.addCleanup(os.remove, os.path.dirname(place))
        with (
            mock.patch.object(slicer.app, "_temporaryPath", place),
            self.assertRaisesRegex(
                SuperResolutionError, "cannot be copied to the temporary folder .*a file"
            ),
        ):
            self.upsample()


if __name__ == "__main__":
    unittest.main()
