"""What the panel says a run will need."""

import unittest
from types import SimpleNamespace

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.run_need import describeNeed
from scene_helpers import make_volume

CARD = SimpleNamespace(
    cpu_speed={"seconds_per_megapixel": 1.5, "threads": 2, "processor": "AMD EPYC"}
)


class RunNeedTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.volume = make_volume(np.int16, size=(200, 250, 20))

    def describe(self, scale=2, card=CARD, free=8 * 2**30, device="cpu", volumes=1):
        return describeNeed(
            [self.volume] * volumes,
            UpsamplingOptions(None, scale, device=device),
            card,
            lambda: free,
        )

    def test_size_of_the_result_free_memory_and_time_are_told(self):
        self.assertEqual(self.describe(), ("Result: 8 MiB (8.0 GiB free), about 6 s on a CPU", ""))
        self.assertEqual(
            self.describe(volumes=30)[0],
            "Result: 229 MiB (8.0 GiB free), about 3 min 00 s on a CPU",
        )

    def test_no_time_is_told_of_an_interpolation_or_a_gpu_and_no_memory_where_it_is_not_known(self):
        for given in ({"card": None}, {"device": "cuda"}):
            self.assertEqual(self.describe(**given), ("Result: 8 MiB (8.0 GiB free)", ""))
        self.assertEqual(self.describe(card=None, free=None), ("Result: 8 MiB", ""))

    def test_memory_that_is_not_there_is_warned_of(self):
        line, warning = self.describe(scale=8, free=2**29)
        self.assertIn("512 MiB free", line)
        self.assertEqual(
            warning,
            "The run needs about 638 MiB of memory, and 512 MiB are free: close other programs, crop the volume or choose a smaller scale.",
        )


if __name__ == "__main__":
    unittest.main()
