"""Estimate of a run: size and memory."""

import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.system import WORKER_BYTES, estimate_run, format_bytes
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.geometry import SliceAxis
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume


def axis(index):
    return SliceAxis(index, "axial", "requested")


class EstimateTest(unittest.TestCase):
    @settings(deadline=None)
    @given(
        st.tuples(*[st.integers(1, 9)] * 3),
        st.sampled_from((2, 4)),
        st.sampled_from("ijk"),
        st.sampled_from((np.uint8, np.int16, np.float64)),
    )
    def test_output_has_the_estimated_size(self, size, scale, direction, dtype):
        volume = Volume(np.zeros(size[::-1], dtype), np.eye(4))
        output = upsample_volume(volume, UpsamplingOptions("nearest", scale, direction)).array
        inputs = [(size, volume.array.itemsize, axis("ijk".index(direction)))]
        self.assertEqual(estimate_run(inputs, scale).output_bytes, output.nbytes)

    def test_outputs_add_up_and_one_volume_at_a_time_is_copied(self):
        small, large = ((10, 10, 10), 2, axis(2)), ((20, 20, 10), 2, axis(2))
        both = estimate_run([small, large], 2)
        self.assertEqual(both.output_bytes, 4 * (2000 + 8000))
        self.assertEqual(both.peak_bytes, both.output_bytes + 2 * 8000 + WORKER_BYTES)

    def test_pixels_of_all_outputs_add_up(self):
        self.assertAlmostEqual(estimate_run([((500, 500, 4), 2, axis(2))] * 3, 2).megapixels, 12)

    def test_unknown_memory_counts_as_enough(self):
        estimate = estimate_run([((5, 5, 5), 2, axis(2))], 2)
        self.assertTrue(estimate.fits(None) and estimate.fits(estimate.peak_bytes))
        self.assertFalse(estimate.fits(estimate.peak_bytes - 1))

    def test_bytes_are_shown_in_mebibytes_and_gibibytes(self):
        self.assertEqual(
            [format_bytes(count) for count in (0, 2**20, 37.4 * 2**20, 1.25 * 2**30)],
            ["1 MiB", "1 MiB", "37 MiB", "1.2 GiB"],
        )


if __name__ == "__main__":
    unittest.main()
