import unittest

import numpy as np

from MRISuperResLib.core.metrics import full_reference as metrics


class MetricsTest(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(1)
        self.reference = random.random((40, 52)) * 255
        self.image = self.reference + random.normal(0, 10, (40, 52))

    def test_hand_computed_values(self):
        reference, image = np.zeros((2, 2)), np.array([[3.0, 3.0], [-3.0, 3.0]])
        self.assertEqual(metrics.rmse(image, reference), 3.0)
        self.assertAlmostEqual(metrics.psnr(image, reference), 38.588, places=3)  # 20·log10(255/3)

    def test_equal_images(self):
        self.assertEqual(metrics.psnr(self.image, self.image), float("inf"))
        self.assertAlmostEqual(metrics.ssim(self.image, self.image), 1.0)

    def test_psnr_and_ssim_equal_scikit_images(self):
        try:
            from skimage.metrics import peak_signal_noise_ratio, structural_similarity
        except ImportError:
            self.skipTest("scikit-image is not installed")
        self.assertAlmostEqual(
            metrics.psnr(self.image, self.reference),
            peak_signal_noise_ratio(self.reference, self.image, data_range=255),
            places=9,
        )
        expected = structural_similarity(
            self.reference,
            self.image,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        self.assertAlmostEqual(metrics.ssim(self.image, self.reference), expected, places=9)

    def test_matlabs_ssim_takes_the_whole_map_with_replicated_edges(self):
        from scipy.signal import convolve2d

        taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
        window = np.outer(taps, taps) / taps.sum() ** 2

        def smooth(a):
            return convolve2d(np.pad(a, 5, mode="edge"), window, mode="valid")

        x, y, c1, c2 = self.image, self.reference, (0.01 * 255) ** 2, (0.03 * 255) ** 2
        mx, my = smooth(x), smooth(y)
        vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
        expected = (
            (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        ).mean()
        self.assertAlmostEqual(metrics.ssim_matlab(self.image, self.reference), expected, places=9)

    def test_a_mask_says_which_pixels_count(self):
        mask = np.zeros(self.reference.shape, bool)
        mask[3:9, 5:20] = True
        self.assertAlmostEqual(
            metrics.rmse(self.image, self.reference, mask),
            metrics.rmse(self.image[3:9, 5:20], self.reference[3:9, 5:20]),
        )
        self.assertAlmostEqual(
            metrics.psnr(self.image, self.reference, mask=mask),
            metrics.psnr(self.image[3:9, 5:20], self.reference[3:9, 5:20]),
        )

    def test_the_foreground_is_the_body_with_its_dark_cavities_but_not_the_air(self):
        rows, columns = np.ogrid[:60, :60]
        radius = np.hypot(rows - 30, columns - 30)
        image = np.where((radius < 20) & (radius > 8), 0.6, 0.0) + 0.05 * np.random.default_rng(
            0
        ).random((60, 60))
        mask = metrics.foreground(image)
        self.assertTrue(mask[radius < 19].all())
        self.assertFalse(mask[radius > 23].any())

    def test_ssim_needs_an_image_larger_than_its_window(self):
        with self.assertRaisesRegex(ValueError, "10 pixels"):
            metrics.ssim(np.zeros((10, 40)), np.zeros((10, 40)))


if __name__ == "__main__":
    unittest.main()
