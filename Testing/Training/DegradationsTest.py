"""Degradations: equal for patch and slice, centered, and of the drawn strength."""

import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core import resampling
from MRISuperResTrainingLib.data import pairs
from MRISuperResTrainingLib.data.pairs import (
    BLUR_RANGE,
    KINDS,
    Degradation,
    degrade,
    draw_degradation,
)

from made_volumes import tissue

SCALES = (2, 4, 8)


def image(height=48, width=64, seed=0):
    return (tissue(seed, (1, height, width))[0] / 900).astype(np.float32)


def of_every_kind(**noise):
    return [Degradation(kind, 0.5 if kind == "blur" else 0.0, **noise) for kind in KINDS]


class WholeSlicesTest(unittest.TestCase):
    def test_each_kind_equals_its_definition(self):
        reference = image()
        for scale in SCALES:
            # independent of it: the two-dimensional filter on the image, mirrored at its edges
            blurred = gaussian_filter(
                reference.astype(float), 0.5 * scale, mode="reflect", truncate=6
            )
            for degradation, expected in zip(
                of_every_kind(),
                (
                    resampling.degrade(reference, scale),
                    resampling.degrade(reference, scale, "kspace"),
                    resampling.degrade(blurred, scale),
                ),
            ):
                with self.subTest(degradation.kind, scale=scale):
                    low = degrade(reference, scale, degradation)
                    self.assertEqual(low.dtype, np.float32)
                    np.testing.assert_allclose(low, expected, atol=2e-4)

    def test_kspace_is_the_spectrum_without_its_outer_part(self):
        reference, scale = image(), 4
        low = degrade(reference, scale, Degradation("kspace"))
        spectrum, kept = np.fft.fft2(reference), np.fft.fft2(low) * scale**2
        rows, columns = (np.fft.fftfreq(side // scale) for side in reference.shape)
        # pixel centers are shifted by (scale − 1)/2 high-resolution pixels,
        # (scale − 1)/(2·scale) of a low-resolution one
        ramp = np.exp(2j * np.pi * (rows[:, None] + columns) * (scale - 1) / 2 / scale)
        lowest = [
            np.fft.fftfreq(side, 1 / side).astype(int)[
                np.abs(np.fft.fftfreq(side, 1 / side)) < side / scale / 2
            ]
            for side in reference.shape
        ]
        at = np.ix_(*lowest)
        np.testing.assert_allclose(
            kept[at], (spectrum[at] * ramp[at]), atol=1e-3 * np.abs(spectrum).max()
        )

    def test_nothing_moves_and_brightness_stays(self):
        rows, columns = np.mgrid[:96, :128]
        spot = np.exp(-((rows - 45.3) ** 2 + (columns - 60.1) ** 2) / 2 / 10**2).astype(np.float32)
        for scale in SCALES:
            for degradation in of_every_kind():
                with self.subTest(degradation.kind, scale=scale):
                    low = degrade(spot, scale, degradation)
                    center = [
                        (np.arange(side) * profile).sum() / profile.sum()
                        for side, profile in zip(low.shape, (low.sum(1), low.sum(0)))
                    ]
                    np.testing.assert_allclose(
                        np.array(center) * scale + (scale - 1) / 2, (45.3, 60.1), atol=0.05
                    )
                    np.testing.assert_allclose(
                        degrade(np.full((32, 64), 0.7, np.float32), scale, degradation),
                        0.7,
                        atol=1e-5,
                    )


class PartsTest(unittest.TestCase):
    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(SCALES),
        st.sampled_from(KINDS),
        st.floats(*BLUR_RANGE),
        st.integers(1, 12),
        st.integers(1, 12),
        st.data(),
    )
    def test_a_part_is_that_part_of_the_whole_degraded_slice(
        self, scale, kind, sigma, height, width, data
    ):
        whole = image(height * scale, width * scale)
        degradation = Degradation(kind, sigma if kind == "blur" else 0.0)
        place = data.draw(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)))
        size = data.draw(
            st.tuples(st.integers(1, height - place[0]), st.integers(1, width - place[1]))
        )
        part = degrade(whole, scale, degradation, place, size)
        expected = degrade(whole, scale, degradation)[
            place[0] : place[0] + size[0], place[1] : place[1] + size[1]
        ]
        np.testing.assert_allclose(part, expected, atol=1e-5)

    def test_pixels_beyond_a_patch_contribute_as_in_the_slice(self):
        dark, scale = np.zeros((64, 64), np.float32), 4
        bright = dark.copy()
        bright[:, 32:] = 1
        for degradation in of_every_kind():
            with self.subTest(degradation.kind):
                left = degrade(
                    bright, scale, degradation, (4, 4), (4, 4)
                )  # ends where the bright half begins
                self.assertGreater(np.abs(left[:, -1]).min(), 0.01)


class DrawingTest(unittest.TestCase):
    def draws(self, kind, noise=0.0, count=3000):
        return [draw_degradation(kind, noise, np.random.default_rng((1, n))) for n in range(count)]

    def test_the_same_state_gives_the_same_degradation(self):
        self.assertEqual(self.draws("mixture", 5.0, 20), self.draws("mixture", 5.0, 20))

    def test_a_mixture_has_every_one_of_its_kinds_as_often(self):
        for name, kinds in (("mixture", KINDS), ("bicubic+kspace", ("bicubic", "kspace"))):
            drawn = self.draws(name)
            for kind in KINDS:
                with self.subTest(name, kind=kind):
                    self.assertAlmostEqual(
                        sum(d.kind == kind for d in drawn) / len(drawn),
                        (kind in kinds) / len(kinds),
                        delta=0.03,
                    )

    def test_a_single_kind_is_always_that(self):
        for kind in KINDS:
            self.assertEqual({d.kind for d in self.draws(kind, count=50)}, {kind})

    def test_the_blur_takes_all_of_its_range_and_nothing_else_is_blurred(self):
        drawn = self.draws("mixture")
        sigma = [d.sigma for d in drawn if d.kind == "blur"]
        self.assertTrue(
            BLUR_RANGE[0] <= min(sigma) < BLUR_RANGE[0] + 0.01
            and BLUR_RANGE[1] - 0.01 < max(sigma) <= BLUR_RANGE[1]
        )
        self.assertEqual({d.sigma for d in drawn if d.kind != "blur"}, {0.0})

    def test_every_second_patch_is_noisy_up_to_the_limit(self):
        noise = np.array([d.noise for d in self.draws("bicubic", 5.0)])
        self.assertAlmostEqual((noise > 0).mean(), 0.5, delta=0.03)
        self.assertTrue(0.049 < noise.max() <= 0.05)
        self.assertAlmostEqual(noise[noise > 0].mean(), 0.025, delta=0.002)
        self.assertEqual({d.noise for d in self.draws("mixture", 0.0, 100)}, {0.0})


class NoiseTest(unittest.TestCase):
    SIGMA = 0.05

    def noisy(self, value, seed=1):
        return degrade(
            np.full((256, 256), value, np.float32),
            2,
            Degradation("bicubic", noise=self.SIGMA, seed=seed),
        )

    def test_it_is_rayleigh_distributed_in_air_and_gaussian_in_tissue(self):
        air, body = self.noisy(0.0), self.noisy(0.8)
        self.assertEqual(air.dtype, np.float32)
        self.assertAlmostEqual(air.mean(), self.SIGMA * np.sqrt(np.pi / 2), delta=0.001)
        self.assertAlmostEqual(air.std(), self.SIGMA * np.sqrt(2 - np.pi / 2), delta=0.001)
        self.assertAlmostEqual(body.std(), self.SIGMA, delta=0.001)
        self.assertAlmostEqual(body.mean(), np.hypot(0.8, self.SIGMA / np.sqrt(2)), delta=0.002)

    def test_the_seed_decides(self):
        np.testing.assert_array_equal(self.noisy(0.5), self.noisy(0.5))
        self.assertFalse(np.array_equal(self.noisy(0.5), self.noisy(0.5, seed=2)))

    def test_without_noise_negative_pixels_stay(self):
        low = degrade(np.full((16, 16), -0.1, np.float32), 2, Degradation("bicubic"))
        np.testing.assert_allclose(low, -0.1, atol=1e-6)


class MatricesTest(unittest.TestCase):
    def test_every_kernel_and_size_has_its_own(self):
        shapes = {
            pairs._matrix(side, scale, kernel).shape
            for side in (32, 64)
            for scale in (2, 4)
            for kernel in ("bicubic", "kspace")
        }
        self.assertEqual(shapes, {(16, 32), (8, 32), (32, 64), (16, 64)})
        self.assertFalse(
            np.array_equal(pairs._matrix(32, 2, "bicubic"), pairs._matrix(32, 2, "kspace"))
        )


if __name__ == "__main__":
    unittest.main()
