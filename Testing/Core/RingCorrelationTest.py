"""Scanning Fourier ring correlation: what it says of changes whose answer is known."""

import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core import resampling
from MRISuperResLib.core.audit.sfrc import SIDE, THRESHOLD, ReferenceSlice, crossings
from scipy.ndimage import gaussian_filter, shift
from scipy.special import j0

SCALE = 2
NOISE = np.random.default_rng(0).normal(size=(96, 128))
TEXTURE = gaussian_filter(NOISE, 0.6)
TEXTURE /= TEXTURE.std()
EVERYWHERE = np.ones(NOISE.shape, bool)


def against(truth, mask=EVERYWHERE, scale=SCALE):
    return ReferenceSlice(truth, mask, scale)


class RingCorrelationTest(unittest.TestCase):
    def assert_agree(self, truth):
        found = against(truth).agreement(truth)
        np.testing.assert_array_equal(found.crossing, 1)
        self.assertFalse(found.unfaithful.any())
        self.assertAlmostEqual(found.invented, 0)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(0, 8))
    def test_equal_images_agree_at_every_frequency(self, seed, smoothness):
        self.assert_agree(
            gaussian_filter(np.random.default_rng(seed).normal(size=NOISE.shape), smoothness)
        )

    def test_so_do_images_without_any_structure(self):
        self.assert_agree(np.zeros_like(NOISE))
        self.assert_agree(np.full_like(NOISE, 0.3))

    def test_the_curve_is_the_correlation_of_the_spectra_ring_by_ring(self):
        image = TEXTURE + NOISE[::-1]
        side = SIDE * SCALE
        window = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
        window = np.outer(window, window)
        spectra = [
            np.fft.fft2((patch - np.average(patch, weights=window)) * window)
            for patch in (TEXTURE[8:24, 16:32], image[8:24, 16:32])
        ]
        cycles = np.fft.fftfreq(side, 1 / side)
        expected = [1.0]
        for ring in range(1, side // 2 + 1):
            inside = np.rint(np.hypot(cycles[:, None], cycles)) == ring
            f, g = (spectrum[inside] for spectrum in spectra)
            expected.append(
                (f * g.conj()).sum().real / np.sqrt((np.abs(f) ** 2).sum() * (np.abs(g) ** 2).sum())
            )
        np.testing.assert_allclose(against(TEXTURE).curves(image)[1, 2], expected, atol=1e-12)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
    def test_it_is_symmetric(self, seed, strength):
        other = TEXTURE + strength * np.random.default_rng(seed).normal(size=TEXTURE.shape)
        np.testing.assert_allclose(
            against(TEXTURE).curves(other), against(other).curves(TEXTURE), atol=1e-9
        )

    @settings(max_examples=20, deadline=None)
    @given(
        st.integers(0, 2**32 - 1),
        st.floats(1e-3, 1e4),
        st.floats(-1e3, 1e3),
        st.floats(1e-3, 1e4),
        st.floats(-1e3, 1e3),
    )
    def test_brightness_and_contrast_of_either_image_make_no_difference(
        self, seed, slope, offset, other_slope, other_offset
    ):
        image = TEXTURE + np.random.default_rng(seed).normal(size=TEXTURE.shape)
        changed = against(slope * TEXTURE + offset).curves(other_slope * image + other_offset)
        np.testing.assert_allclose(changed, against(TEXTURE).curves(image), atol=1e-5)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_it_lies_between_minus_one_and_one_and_crossings_between_zero_and_one(self, seed):
        found = against(TEXTURE)
        curves = found.curves(np.random.default_rng(seed).normal(size=TEXTURE.shape))
        self.assertLessEqual(np.abs(curves).max(), 1 + 1e-12)
        self.assertTrue(((crossings(curves) >= 0) & (crossings(curves) <= 1)).all())

    def test_an_inverted_contrast_is_no_agreement(self):
        found = against(TEXTURE)
        np.testing.assert_allclose(found.curves(-TEXTURE)[..., 1:], -1)
        self.assertTrue(found.agreement(-TEXTURE).unfaithful.all())

    def test_the_crossing_lies_on_the_line_between_two_rings(self):
        self.assertAlmostEqual(
            float(crossings(np.array([1, 1, 0.5, 0, 1]))), (1 + (1 - THRESHOLD) / 0.5) / 4
        )
        self.assertAlmostEqual(float(crossings(np.array([1, 0.0, 1, 1, 1]))), (1 - THRESHOLD) / 4)
        self.assertEqual(float(crossings(np.array([1, 0.9, 0.8, 0.75]))), 1)

    def test_noise_of_a_known_strength_gives_the_known_correlation(self):
        noise = np.random.default_rng(1).normal(size=NOISE.shape)
        for strength in (0.3, 1, 3):
            curve = against(NOISE).curves(NOISE + strength * noise)[..., 2:].mean()
            self.assertAlmostEqual(curve, 1 / np.sqrt(1 + strength**2), delta=0.02)

    def test_more_noise_lowers_the_crossing(self):
        smooth = gaussian_filter(NOISE, 1.5)
        means = [
            against(smooth)
            .agreement(smooth + strength * smooth.std() * NOISE[::-1])
            .crossing.mean()
            for strength in (0.01, 0.1, 0.5, 2)
        ]
        self.assertEqual(means, sorted(means, reverse=True))
        self.assertGreater(means[0] - means[-1], 0.3)

    def test_a_shift_by_a_pixel_lowers_the_crossing_to_where_bessels_function_says(self):
        x = np.linspace(0, 2, 20001)
        root = x[
            np.argmax(j0(x) < THRESHOLD)
        ]  # the mean over directions of cos(2π f d) is J0(2π f d)
        smooth = gaussian_filter(np.random.default_rng(3).normal(size=(256, 256)), 1)
        for distance in (1, 1.5, 2):
            moved = shift(smooth, (0, distance), order=5, mode="reflect")
            found = (
                ReferenceSlice(smooth, np.ones(smooth.shape, bool), 8)
                .agreement(moved)
                .crossing[:, 1:-1]
            )
            self.assertAlmostEqual(
                float(np.median(found)),
                root / (np.pi * distance),
                delta=0.1 * root / (np.pi * distance),
            )

    def test_a_blurred_image_agrees_with_the_truth_and_invents_nothing(self):
        found = against(TEXTURE).agreement(gaussian_filter(TEXTURE, 1))
        self.assertFalse(found.unfaithful.any())
        self.assertLess(found.invented, 0.02 * found.detail)
        strong = against(TEXTURE).agreement(gaussian_filter(TEXTURE, 2))
        self.assertLess(strong.crossing.mean(), found.crossing.mean())
        self.assertLess(strong.invented, found.invented + 1e-3 * found.detail)

    def test_an_invented_structure_is_found_where_it_is(self):
        truth = gaussian_filter(NOISE, 2)
        truth /= truth.std()
        row, column = np.mgrid[:96, :128]
        spot = 5 * np.exp(-((row - 40) ** 2 + (column - 88) ** 2) / 8)
        found = against(truth)
        unfaithful = found.expand(found.agreement(truth + spot).unfaithful)
        self.assertTrue(unfaithful[36:44, 84:92].all())
        self.assertFalse(unfaithful[:, :64].any())

    def test_detail_that_has_no_counterpart_is_invented_and_detail_that_has_one_is_not(self):
        smooth = resampling.upsample(resampling.degrade(TEXTURE, SCALE), SCALE)
        detail = TEXTURE - smooth
        other = NOISE[::-1, ::-1] - resampling.upsample(
            resampling.degrade(NOISE[::-1, ::-1], SCALE), SCALE
        )
        other *= detail.std() / other.std()
        plain, true, invented, twice = (
            found.invented / found.detail
            for found in map(
                against(TEXTURE).agreement,
                (smooth, smooth + detail, smooth + other, smooth + 2 * other),
            )
        )
        self.assertLess(plain, 0.35)
        self.assertAlmostEqual(true, 0)
        self.assertGreater(invented, 0.6)
        self.assertGreater(twice, 2.5 * invented)

    def test_patches_have_the_same_side_in_pixels_of_the_input_at_every_scale_and_overlap_by_half(
        self,
    ):
        for scale in (2, 4, 8):
            truth = np.random.default_rng(0).random((32 * scale, 48 * scale))
            self.assertEqual(
                against(truth, np.ones(truth.shape, bool), scale).agreement(truth).crossing.shape,
                (7, 11),
            )

    def test_the_last_patch_ends_where_the_slice_ends(self):
        for shape, patches in (((16, 16), (1, 1)), ((18, 40), (2, 4)), ((24, 41), (2, 5))):
            truth = np.random.default_rng(0).random(shape)
            image = truth.copy()
            image[-4, -4] += 10
            found = against(truth, np.ones(shape, bool)).agreement(image)
            self.assertEqual(found.crossing.shape, patches)
            self.assertLess(found.crossing[-1, -1], 1)

    def test_only_patches_that_show_the_body_are_judged(self):
        mask = np.zeros(NOISE.shape, bool)
        mask[:, :64] = True
        found = against(TEXTURE, mask).agreement(NOISE[::-1])
        np.testing.assert_array_equal(found.judged.all(axis=0), [True] * 8 + [False] * 7)
        np.testing.assert_array_equal(found.unfaithful, found.judged)

    def test_every_pixel_has_the_value_of_the_patch_whose_center_is_nearest(self):
        found = against(TEXTURE)
        values = np.arange(11 * 15, dtype=float).reshape(11, 15)
        image = found.expand(values)
        self.assertEqual(image.shape, TEXTURE.shape)
        centers = [np.arange(count) * 8 + 7.5 for count in values.shape]
        for row, column in ((0, 0), (23, 24), (24, 23), (60, 100), (95, 127)):
            nearest = tuple(
                int(np.argmin(np.abs(line - place))) for line, place in zip(centers, (row, column))
            )
            self.assertEqual(image[row, column], values[nearest])

    def test_a_structure_where_the_truth_is_flat_is_no_agreement(self):
        truth = np.zeros(NOISE.shape)
        truth[:, :48] = TEXTURE[:, :48]
        image = truth.copy()
        image[:, 80:] = TEXTURE[:, 80:]
        found = against(truth).agreement(image)
        np.testing.assert_allclose(found.crossing[:, -1], 0.25 / 8)
        self.assertTrue(found.unfaithful[:, -1].all())


if __name__ == "__main__":
    unittest.main()
