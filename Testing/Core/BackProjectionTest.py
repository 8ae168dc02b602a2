import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core import resampling
from MRISuperResLib.core.back_projection import ITERATIONS, back_project
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry


def plain_back_projection(images, low, scale, degradation):
    """The iteration as it is written, every step on the large grid."""
    for _ in range(ITERATIONS):
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
    def test_it_is_the_iteration_of_irani_and_peleg(self, scale, h, w, degradation, seed):
        random = np.random.default_rng(seed)
        low, images = random.random((2, h, w)), random.random((2, h * scale, w * scale))
        np.testing.assert_allclose(
            back_project(images, low, scale, degradation),
            plain_back_projection(images, low, scale, degradation),
            atol=1e-9,
        )

    def test_the_result_agrees_with_the_input(self):
        low = np.random.default_rng(0).random((1, 20, 24))
        for scale in (2, 4, 8):
            before = resampling.upsample(low, scale, "bilinear")
            after = back_project(before, low, scale)
            errors = [
                np.abs(resampling.degrade(image, scale) - low).max() for image in (before, after)
            ]
            self.assertLess(errors[1], errors[0] / 20)

    def test_it_is_the_floor_that_a_network_has_to_surpass(self):
        truth = gaussian_filter(np.random.default_rng(0).random((1, 64, 64)), (0, 1.0, 1.0))
        low = resampling.degrade(truth, 2)
        errors = [
            np.square(MethodRegistry().get(UpsamplingOptions(name, 2))(low) - truth).mean()
            for name in ("bicubic", "bicubic+bp")
        ]
        self.assertLess(errors[1], 0.8 * errors[0])


if __name__ == "__main__":
    unittest.main()
