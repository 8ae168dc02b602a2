"""The uncertainty map of an output: its node, and what becomes of it."""

import importlib.util
import json
import unittest
from unittest import mock

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.scene.comparison.before_after import UpsampledPair
from MRISuperResLib.scene.nodes import ijkToRAS, isOutput, volumeFromNode
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.uncertainty import uncertaintyMapOf
from MRISuperResLib.scene.upsampling import VolumeUpsampling
from scene_helpers import WorkerDouble, make_volume, node_ids, upsample

OPTIONS = {"device": "cpu", "uncertainty": True}


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class UncertaintyNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.volume = make_volume()

    def test_map_has_the_voxels_of_the_output_and_the_spread_of_the_core(self):
        output = upsample(self.volume, "fast-x2-psnr", **OPTIONS)
        node = uncertaintyMapOf(output)
        self.assertEqual(node.GetName(), f"{output.GetName()} uncertainty")
        np.testing.assert_allclose(ijkToRAS(node), ijkToRAS(output))
        expected = upsample_volume(
            volumeFromNode(self.volume), UpsamplingOptions("fast-x2-psnr", 2, **OPTIONS)
        )
        np.testing.assert_allclose(
            slicer.util.arrayFromVolume(node), expected.uncertainty.array, rtol=1e-4, atol=1e-4
        )
        record = json.loads(node.GetAttribute("MRISuperRes.Provenance"))
        self.assertIn("standard deviation", record["map"])
        self.assertIn("not for diagnosis", node.GetAttribute("MRISuperRes.Notice"))

    def test_map_is_not_a_volume_to_upsample_nor_the_newest_output(self):
        output = upsample(self.volume, "fast-x2-psnr", **OPTIONS)
        self.assertTrue(isOutput(uncertaintyMapOf(output)))
        self.assertIs(UpsampledPair.newestOf(self.volume).output, output)

    def test_map_of_a_replaced_output_is_removed(self):
        output = upsample(self.volume, "fast-x2-psnr", **OPTIONS)
        before = node_ids()
        self.assertIs(upsample(self.volume, "bicubic", output), output)
        self.assertIsNone(uncertaintyMapOf(output))
        gone = before - node_ids()
        self.assertTrue(any("ScalarVolumeNode" in name for name in gone))
        self.assertTrue(any("ColorTable" in name for name in gone))
        upsample(self.volume, "fast-x2-psnr", output, **OPTIONS)
        self.assertIsNotNone(uncertaintyMapOf(output))

    def test_failure_leaves_nothing(self):
        before = node_ids()
        options = UpsamplingOptions("fast-x2-psnr", 2, **OPTIONS)
        worker = WorkerDouble()
        task = Task(worker, self.volume, VolumeUpsampling(options))
        with (
            mock.patch("MRISuperResLib.scene.uncertainty.addMap", side_effect=RuntimeError),
            mock.patch("MRISuperResLib.scene.tasks.logging.exception"),
        ):
            worker.finish()
        self.assertIs(task.state, TaskState.FAILED)
        self.assertEqual(node_ids(), before)


if __name__ == "__main__":
    unittest.main()
