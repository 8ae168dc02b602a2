"""Texts of the panel on geometry, memory and time."""

import unittest
from types import SimpleNamespace
from unittest import mock

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.descriptions import describeEstimate, describeGeometry
from MRISuperResLib.scene.speeds import SETTING
from scene_helpers import make_volume

CARD = SimpleNamespace(
    scale=2,
    architecture={},
    cpu_speed={"seconds_per_megapixel": 1.5, "threads": 2, "processor": "AMD EPYC"},
)


class DescriptionsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)
        self.volume = make_volume(np.int16, size=(200, 250, 20))

    def describe(self, scale=2, card=CARD, free=8 * 2**30, device="cpu", volumes=1):
        return describeEstimate(
            [self.volume] * volumes,
            UpsamplingOptions(None, scale, device=device),
            card,
            availableMemory=lambda: free,
        )

    def test_estimate_has_output_size_and_time(self):
        for volumes, threads, text in (
            (1, 2, "Output: 8 MiB, about 3–6 s"),
            (1, 16, "Output: 8 MiB, about 2–6 s"),
            (1, 1, "Output: 8 MiB, about 3–12 s"),
            (30, 2, "Output: 229 MiB, about 1 min 30 s–3 min 00 s"),
        ):
            with mock.patch("MRISuperResLib.scene.speeds.thread_count", lambda: threads):
                self.assertEqual(self.describe(volumes=volumes), (text, ""))

    def test_estimate_omits_unknown_time_and_memory(self):
        for given in ({"card": None}, {"device": "cuda"}):
            self.assertEqual(self.describe(**given), ("Output: 8 MiB", ""))
        self.assertEqual(self.describe(card=None, free=None), ("Output: 8 MiB", ""))

    def test_insufficient_memory_is_a_warning(self):
        self.assertEqual(
            self.describe(scale=8, free=2**29)[1],
            "Needs about 638 MiB of memory; 512 MiB is available. "
            "Close other applications, crop the volume or choose a smaller scale.",
        )

    def test_geometry_has_slice_axis_and_new_grid(self):
        node = make_volume(ijk_to_ras=np.diag([1.5, 1.5, 4, 1]))
        self.assertEqual(
            describeGeometry(node, UpsamplingOptions(scale=4)).splitlines(),
            [
                "Axial slices (k): 4 mm slice spacing, 1.5 mm in-plane",
                "5 × 6 × 7 → 20 × 24 × 7 voxels, 0.375 × 0.375 × 4 mm",
            ],
        )
        self.assertIn(
            "5 × 12 × 14 voxels",
            describeGeometry(node, UpsamplingOptions(scale=2, slice_axis="sagittal")),
        )

    def test_descriptions_do_not_change_the_node(self):
        time = self.volume.GetMTime(), self.volume.GetImageData().GetMTime()
        describeGeometry(self.volume, UpsamplingOptions(scale=2))
        self.describe()
        self.assertEqual((self.volume.GetMTime(), self.volume.GetImageData().GetMTime()), time)


if __name__ == "__main__":
    unittest.main()
