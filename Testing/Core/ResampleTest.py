import unittest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from MRISuperResLib.core import resampling

SCALES = (2, 4, 8)


def imresize(image, size_out, axis):
    """MATLAB's imresize (bicubic) along one axis, written plainly: sample by sample, in float64."""

    def cubic(x):
        x = abs(x)
        return (
            1.5 * x**3 - 2.5 * x**2 + 1
            if x <= 1
            else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            if x < 2
            else 0.0
        )

    image = np.moveaxis(np.asarray(image, float), axis, 0)
    n = len(image)
    scale = size_out / n
    stretch = min(scale, 1)
    rows = []
    for o in range(size_out):
        center = (o + 0.5) / scale - 0.5
        total, row = 0.0, 0.0
        for tap in range(
            int(np.floor(center - 2 / stretch)), int(np.ceil(center + 2 / stretch)) + 1
        ):
            weight = cubic((center - tap) * stretch)
            inside = tap % (2 * n)
            row = row + weight * image[inside if inside < n else 2 * n - 1 - inside]
            total += weight
        rows.append(row / total)
    return np.moveaxis(np.array(rows), 0, axis)


def truncated(image, scale):
    """Lowest n/scale frequencies of the last axis, at the centers of the larger pixels."""
    n = image.shape[-1]
    m = n // scale
    k = np.arange(-(m // 2), m // 2 + 1)
    weight = np.where(
        2 * np.abs(k) == m, 0.5, 1.0
    )  # the highest of an even number stands at either end
    waves = np.exp(2j * np.pi * np.outer(k, np.arange(m) * scale + (scale - 1) / 2) / n) / n
    return ((weight * np.fft.fft(image)[..., k % n]) @ waves).real


class ResampleTest(unittest.TestCase):
    def setUp(self):
        self.image = np.random.default_rng(0).random((24, 40))

    def test_bicubic_upsampling_is_matlabs_imresize(self):
        for scale in SCALES:
            with self.subTest(scale):
                expected = imresize(imresize(self.image, 24 * scale, 0), 40 * scale, 1)
                np.testing.assert_allclose(
                    resampling.upsample(self.image, scale), expected, atol=1e-12
                )

    def test_bicubic_degradation_is_matlabs_imresize_with_antialiasing(self):
        for scale in SCALES:
            with self.subTest(scale):
                expected = imresize(imresize(self.image, 24 // scale, 0), 40 // scale, 1)
                np.testing.assert_allclose(
                    resampling.degrade(self.image, scale), expected, atol=1e-12
                )

    def test_bicubic_equals_torch_with_antialiasing_and_mirrored_edges(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")
        pad = 16
        mirrored = torch.from_numpy(np.pad(self.image, pad, mode="symmetric"))[None, None]
        for factor in (2, 4, 8, 1 / 2, 1 / 4, 1 / 8):
            with self.subTest(factor):
                expected = torch.nn.functional.interpolate(
                    mirrored, scale_factor=factor, mode="bicubic", antialias=True
                )[0, 0].numpy()
                cut = int(pad * factor)
                size = (int(24 * factor), int(40 * factor))
                np.testing.assert_allclose(
                    resampling.resize(self.image, size), expected[cut:-cut, cut:-cut], atol=1e-12
                )

    def test_nearest_repeats_every_pixel(self):
        for scale in SCALES:
            np.testing.assert_array_equal(
                resampling.upsample(self.image, scale, "nearest"),
                self.image.repeat(scale, 0).repeat(scale, 1),
            )

    def test_bilinear_is_linear_between_pixel_centers(self):
        upsampled = resampling.upsample(np.array([[0.0, 1.0]]), 4, "bilinear")[0]
        np.testing.assert_allclose(upsampled, [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])

    @given(
        st.sampled_from(resampling.INTERPOLATIONS),
        st.integers(1, 12),
        st.integers(1, 12),
        st.sampled_from(SCALES),
    )
    def test_constant_image_stays_constant_at_any_size(self, kernel, h, w, scale):
        upsampled = resampling.upsample(np.full((h, w), 7.0), scale, kernel)
        self.assertEqual(upsampled.shape, (h * scale, w * scale))
        np.testing.assert_allclose(upsampled, 7.0, rtol=1e-12)

    @given(st.sampled_from(resampling.INTERPOLATIONS), st.sampled_from(SCALES))
    def test_image_does_not_move(self, kernel, scale):
        """The center of gravity of a bright dot keeps its position, as a fraction of the image."""
        image = np.zeros((1, 15))
        image[0, 7] = 1
        upsampled = resampling.upsample(image, scale, kernel)[0]
        center = (upsampled * (np.arange(15 * scale) + 0.5)).sum() / upsampled.sum() / scale
        self.assertAlmostEqual(center, 7.5, places=9)

    def test_mirrored_image_is_upsampled_to_the_mirrored_result(self):
        for kernel in resampling.INTERPOLATIONS:
            np.testing.assert_allclose(
                resampling.upsample(self.image[:, ::-1], 4, kernel),
                resampling.upsample(self.image, 4, kernel)[:, ::-1],
                atol=1e-12,
            )

    def test_stack_is_resampled_slice_by_slice(self):
        stack = np.stack([self.image, 2 * self.image])
        np.testing.assert_allclose(
            resampling.degrade(stack, 2)[1], 2 * resampling.degrade(self.image, 2), atol=1e-12
        )

    def test_single_precision_stays_single_precision(self):
        self.assertEqual(resampling.upsample(self.image.astype(np.float32), 2).dtype, np.float32)

    def test_kspace_truncation_keeps_the_lowest_frequencies_of_the_fourier_transform(self):
        image = np.random.default_rng(0).random((30, 40))
        for scale in (2, 5):  # an odd and an even number of frequencies are left
            with self.subTest(scale):
                expected = truncated(truncated(image, scale).T, scale).T
                np.testing.assert_allclose(
                    resampling.degrade(image, scale, "kspace"), expected, atol=1e-9
                )

    def test_kspace_truncation_keeps_low_frequencies_in_place(self):
        n, scale = 64, 4
        wave = 0.5 + 0.4 * np.cos(2 * np.pi * 3 * (np.arange(n) + 0.5) / n + 0.7)
        low = resampling.degrade(np.outer(wave, wave), scale, "kspace")
        expected = 0.5 + 0.4 * np.cos(
            2 * np.pi * 3 * (np.arange(n // scale) + 0.5) * scale / n + 0.7
        )
        np.testing.assert_allclose(low, np.outer(expected, expected), atol=1e-12)

    def test_kspace_truncation_and_bicubic_upsampling_do_not_shift_the_image(self):
        from scipy.ndimage import gaussian_filter

        reference = gaussian_filter(np.random.default_rng(0).random((96, 96)), 2)[None]
        rebuilt = resampling.upsample(resampling.degrade(reference, 2, "kspace"), 2)
        errors = [
            np.square(rebuilt - np.roll(reference, shift, axis))[:, 8:-8, 8:-8].mean()
            for shift, axis in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2))
        ]
        self.assertTrue(all(errors[0] < 0.1 * error for error in errors[1:]))

    def test_rician_noise_has_the_moments_of_the_rice_distribution(self):
        for level, sigma in ((0.0, 0.1), (0.5, 0.1)):
            noisy = resampling.add_rician_noise(np.full((400, 400), level), sigma, 1)
            self.assertAlmostEqual(np.mean(noisy**2), level**2 + 2 * sigma**2, places=3)
        self.assertAlmostEqual(
            resampling.add_rician_noise(np.zeros((400, 400)), 0.1, 1).mean(),
            0.1 * np.sqrt(np.pi / 2),
            places=3,
        )

    def test_noise_depends_on_its_seed_only(self):
        image = np.ones((8, 8))
        np.testing.assert_array_equal(
            resampling.add_rician_noise(image, 0.1, (3, 5)),
            resampling.add_rician_noise(image, 0.1, (3, 5)),
        )
        self.assertFalse(
            np.array_equal(
                resampling.add_rician_noise(image, 0.1, (3, 5)),
                resampling.add_rician_noise(image, 0.1, (3, 6)),
            )
        )

    def test_sizes_that_are_not_a_multiple_are_refused_and_cropped_only_on_request(self):
        odd = np.zeros((25, 43))
        with self.assertRaisesRegex(ValueError, "multiple"):
            resampling.degrade(odd, 4)
        self.assertEqual(resampling.crop_to_multiple(odd, 4).shape, (24, 40))
        self.assertEqual(resampling.crop_to_multiple(np.zeros((24, 40)), 4).shape, (24, 40))


if __name__ == "__main__":
    unittest.main()
