"""Scanning Fourier ring correlation, of changes whose answer is known."""

import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core import resampling
from MRISuperResLib.core.audit.sfrc import SIDE, THRESHOLD, ReferenceSlice, crossings
from MRISuperResLib.core.audit.sfrc import NOISE as NOISE_FLOOR
from scipy.ndimage import gaussian_filter, shift
from scipy.special import j0

SCALE = 2
NOISE = np.random.default_rng(0).normal(size=(96, 128))
TEXTURE = gaussian_filter(NOISE, 0.6)
TEXTURE /= TEXTURE.std()
EVERYWHERE = np.ones(NOISE.shape, bool)


def against(reference, mask=EVERYWHERE, scale=SCALE):
    return ReferenceSlice(reference, mask, scale)


class SfrcTest(unittest.TestCase):
    def assert_agree(self, reference):
        found = against(reference).agreement(reference)
        np.testing.assert_array_equal(found.crossing, 1)
        self.assertFalse(found.unfaithful.any())
        self.assertAlmostEqual(found.hallucinated, 0)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(0, 8))
    def test_equal_images_agree_at_every_frequency(self, seed, smoothness):
        self.assert_agree(
            gaussian_filter(np.random.default_rng(seed).normal(size=NOISE.shape), smoothness)
        )

    def test_constant_images_agree_at_every_frequency(self):
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
    def test_curves_do_not_depend_on_brightness_and_contrast(
        self, seed, slope, offset, other_slope, other_offset
    ):
        image = TEXTURE + np.random.default_rng(seed).normal(size=TEXTURE.shape)
        changed = against(slope * TEXTURE + offset).curves(other_slope * image + other_offset)
        np.testing.assert_allclose(changed, against(TEXTURE).curves(image), atol=1e-5)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_curves_are_within_1_and_crossings_between_0_and_1(self, seed):
        found = against(TEXTURE)
        curves = found.curves(np.random.default_rng(seed).normal(size=TEXTURE.shape))
        self.assertLessEqual(np.abs(curves).max(), 1 + 1e-12)
        self.assertTrue(((crossings(curves) >= 0) & (crossings(curves) <= 1)).all())

    def test_an_inverted_contrast_does_not_agree(self):
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

    def test_a_blurred_image_agrees_and_hallucinates_nothing(self):
        found = against(TEXTURE).agreement(gaussian_filter(TEXTURE, 1))
        self.assertFalse(found.unfaithful.any())
        self.assertLess(found.hallucinated, 0.02 * found.detail)
        strong = against(TEXTURE).agreement(gaussian_filter(TEXTURE, 2))
        self.assertLess(strong.crossing.mean(), found.crossing.mean())
        self.assertLess(strong.hallucinated, found.hallucinated + 1e-3 * found.detail)

    def test_a_hallucinated_structure_is_found_at_its_place(self):
        reference = gaussian_filter(NOISE, 2)
        reference /= reference.std()
        row, column = np.mgrid[:96, :128]
        spot = 5 * np.exp(-((row - 40) ** 2 + (column - 88) ** 2) / 8)
        found = against(reference)
        unfaithful = found.expand(found.agreement(reference + spot).unfaithful)
        self.assertTrue(unfaithful[36:44, 84:92].all())
        self.assertFalse(unfaithful[:, :64].any())

    def test_only_detail_without_a_counterpart_is_hallucinated(self):
        smooth = resampling.upsample(resampling.degrade(TEXTURE, SCALE), SCALE)
        detail = TEXTURE - smooth
        other = NOISE[::-1, ::-1] - resampling.upsample(
            resampling.degrade(NOISE[::-1, ::-1], SCALE), SCALE
        )
        other *= detail.std() / other.std()
        plain, true, other_detail, twice = (
            found.hallucinated / found.detail
            for found in map(
                against(TEXTURE).agreement,
                (smooth, smooth + detail, smooth + other, smooth + 2 * other),
            )
        )
        self.assertLess(plain, 0.35)
        self.assertAlmostEqual(true, 0)
        self.assertGreater(other_detail, 0.6)
        self.assertGreater(twice, other_detail)
        self.assertLess(twice, 1)

    def test_the_share_is_the_energy_without_counterpart_of_the_larger_energy(self):
        image = TEXTURE + NOISE[::-1]
        found, one = against(TEXTURE), np.s_[1, 2]
        side, rings = SIDE * SCALE, slice(SIDE // 2 * SCALE // 2 + 1, None)
        window = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
        window = np.outer(window, window)
        cycles = np.fft.fftfreq(side, 1 / side)
        ring = np.rint(np.hypot(cycles[:, None], cycles))
        energies = []
        for texture in (TEXTURE, image):
            patch = texture[8:24, 16:32]
            spectrum = np.fft.fft2((patch - np.average(patch, weights=window)) * window)
            energies.append(
                [(np.abs(spectrum[ring == r]) ** 2).sum() for r in range(side // 2 + 1)]
            )
        reference, result = (np.array(energy)[rings] for energy in energies)
        curve = np.maximum(found.curves(image)[one][rings], 0)
        judged = found.judged & False
        judged[one] = True
        found.judged = judged
        agreement = found.agreement(image)
        self.assertAlmostEqual(agreement.hallucinated, (result * (1 - curve**2)).sum(), places=6)
        self.assertAlmostEqual(agreement.detail, max(reference.sum(), result.sum()), places=6)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(0, 8), st.floats(0, 1000))
    def test_the_share_of_hallucinated_detail_is_between_0_and_1(self, seed, smoothness, strength):
        rng = np.random.default_rng(seed)
        reference = gaussian_filter(rng.normal(size=NOISE.shape), smoothness)
        found = against(reference).agreement(reference + strength * rng.normal(size=NOISE.shape))
        self.assertTrue(0 <= found.hallucinated <= found.detail)

    def test_without_detail_above_noise_nothing_is_hallucinated(self):
        rows, columns = np.mgrid[:96, :128]
        smooth = np.exp(-(((rows - 48) / 30) ** 2) - ((columns - 64) / 40) ** 2)
        found = against(smooth)
        for added, least, most in ((1e-4, 0, 0.01), (NOISE_FLOOR, 0.4, 1), (0.1, 0.9, 1)):
            agreement = found.agreement(smooth + added * NOISE)
            share = agreement.hallucinated / agreement.detail
            self.assertTrue(least <= share <= most, (added, share))

    def test_patches_have_the_same_number_of_input_pixels_at_every_scale(
        self,
    ):
        for scale in (2, 4, 8):
            reference = np.random.default_rng(0).random((32 * scale, 48 * scale))
            self.assertEqual(
                against(reference, np.ones(reference.shape, bool), scale)
                .agreement(reference)
                .crossing.shape,
                (7, 11),
            )

    def test_the_last_patch_ends_where_the_slice_ends(self):
        for shape, patches in (((16, 16), (1, 1)), ((18, 40), (2, 4)), ((24, 41), (2, 5))):
            reference = np.random.default_rng(0).random(shape)
            image = reference.copy()
            image[-4, -4] += 10
            found = against(reference, np.ones(shape, bool)).agreement(image)
            self.assertEqual(found.crossing.shape, patches)
            self.assertLess(found.crossing[-1, -1], 1)

    def test_only_patches_with_enough_foreground_are_judged(self):
        mask = np.zeros(NOISE.shape, bool)
        mask[:, :64] = True
        found = against(TEXTURE, mask).agreement(NOISE[::-1])
        np.testing.assert_array_equal(found.judged.all(axis=0), [True] * 8 + [False] * 7)
        np.testing.assert_array_equal(found.unfaithful, found.judged)

    def test_every_pixel_has_the_value_of_the_nearest_patch(self):
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

    def test_a_structure_where_the_reference_is_flat_does_not_agree(self):
        reference = np.zeros(NOISE.shape)
        reference[:, :48] = TEXTURE[:, :48]
        image = reference.copy()
        image[:, 80:] = TEXTURE[:, 80:]
        found = against(reference).agreement(image)
        np.testing.assert_allclose(found.crossing[:, -1], 0.25 / 8)
        self.assertTrue(found.unfaithful[:, -1].all())


if __name__ == "__main__":
    unittest.main()
