import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core import resampling
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.resampling import back_project

ITERATIONS = 20
"""The documented number; it is written out here, so that a change of the product fails."""


def plain_back_projection(images, low, scale, degradation, iterations=ITERATIONS):
    """The formula, written plainly on the large grid."""
    for _ in range(iterations):
        images = images + resampling.upsample(
            low - resampling.degrade(images, scale, degradation), scale
        )
    return images


class BackProjectionTest(unittest.TestCase):
    @settings(max_examples=30, deadline=None)
    @given(
        st.sampled_from((2, 4, 8)),
        st.integers(1, 12),
        st.integers(1, 12),
        st.sampled_from(resampling.DEGRADATIONS),
        st.integers(0, 9),
    )
    def test_small_grid_gives_the_result_of_twenty_plain_iterations(
        self, scale, h, w, degradation, seed
    ):
        random = np.random.default_rng(seed)
        low, images = random.random((2, h, w)), random.random((2, h * scale, w * scale))
        np.testing.assert_allclose(
            back_project(images, low, scale, degradation),
            plain_back_projection(images, low, scale, degradation),
            atol=1e-9,
        )

    def test_one_iteration_more_or_less_is_another_result(self):
        """Guards the tolerance of the test above: it tells 20 iterations from 19 and 21."""
        random = np.random.default_rng(0)
        low, images = random.random((2, 6, 10)), random.random((2, 12, 20))
        result = back_project(images, low, 2)
        for iterations in (ITERATIONS - 1, ITERATIONS + 1):
            other = plain_back_projection(images, low, 2, "bicubic", iterations)
            self.assertGreater(np.abs(result - other).max(), 1e-5)

    def test_result_is_consistent_with_the_input(self):
        low = np.random.default_rng(0).random((1, 20, 24))
        for scale in (2, 4, 8):
            before = resampling.upsample(low, scale, "bilinear")
            after = back_project(before, low, scale)
            errors = [
                np.abs(resampling.degrade(image, scale) - low).max() for image in (before, after)
            ]
            self.assertLess(errors[1], errors[0] / 20)

    def test_it_is_the_baseline_that_a_network_must_exceed(self):
        reference = gaussian_filter(np.random.default_rng(0).random((1, 64, 64)), (0, 1.0, 1.0))
        low = resampling.degrade(reference, 2)
        errors = [
            np.square(MethodRegistry().get(UpsamplingOptions(name, 2))(low) - reference).mean()
            for name in ("bicubic", "bicubic+bp")
        ]
        self.assertLess(errors[1], 0.8 * errors[0])


if __name__ == "__main__":
    unittest.main()
