"""What is told of a run before it: memory and time."""

import unittest
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.estimate import WORKER, format_bytes, need
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.slice_axis import SliceAxis
from MRISuperResLib.core.upsampling import upsample

CARD = SimpleNamespace(
    cpu_speed={"seconds_per_megapixel": 1.5, "threads": 2, "processor": "AMD EPYC"}
)


def axis(number):
    return SliceAxis(number, "axial", "")


class EstimateTest(unittest.TestCase):
    @settings(deadline=None)
    @given(
        st.tuples(*[st.integers(1, 9)] * 3),
        st.sampled_from((2, 4)),
        st.sampled_from("ijk"),
        st.sampled_from((np.uint8, np.int16, np.float64)),
    )
    def test_output_has_the_size_that_is_told(self, size, scale, direction, dtype):
        volume = np.zeros(size[::-1], dtype)
        output = upsample(volume, np.eye(4), UpsamplingOptions("nearest", scale, direction)).volume
        self.assertEqual(
            need([(size, volume.itemsize, axis("ijk".index(direction)))], scale).output,
            output.nbytes,
        )

    def test_all_outputs_stay_in_memory_but_only_one_volume_is_copied_at_a_time(self):
        small, large = ((10, 10, 10), 2, axis(2)), ((20, 20, 10), 2, axis(2))
        both = need([small, large], 2)
        self.assertEqual(both.output, 4 * (2000 + 8000))
        self.assertEqual(both.running, both.output + 2 * 8000 + WORKER)

    def test_time_is_that_of_the_card_for_the_pixels_of_the_output(self):
        self.assertAlmostEqual(
            need([((500, 500, 4), 2, axis(2))] * 3, 2, CARD).seconds, 3 * 4 * 1.0 * 1.5
        )

    def test_no_time_is_told_of_an_interpolation_or_by_a_card_without_a_figure(self):
        for card in (None, SimpleNamespace(cpu_speed={})):
            self.assertIsNone(need([((5, 5, 5), 2, axis(2))], 2, card).seconds)

    def test_memory_that_is_not_known_counts_as_enough(self):
        needed = need([((5, 5, 5), 2, axis(2))], 2)
        self.assertTrue(needed.fits(None) and needed.fits(needed.running))
        self.assertFalse(needed.fits(needed.running - 1))

    def test_bytes_are_told_in_mebibytes_and_gibibytes(self):
        self.assertEqual(
            [format_bytes(count) for count in (0, 2**20, 37.4 * 2**20, 1.25 * 2**30)],
            ["1 MiB", "1 MiB", "37 MiB", "1.2 GiB"],
        )


if __name__ == "__main__":
    unittest.main()
