import unittest

import numpy as np

from MRISuperResLib.core import metrics


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
        self.assertAlmostEqual(metrics.psnr(self.image, self.reference), peak_signal_noise_ratio(self.reference, self.image, data_range=255), places=9)
        expected = structural_similarity(self.reference, self.image, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
        self.assertAlmostEqual(metrics.ssim(self.image, self.reference), expected, places=9)

    def test_ssim_needs_an_image_larger_than_its_window(self):
        with self.assertRaisesRegex(ValueError, "10 pixels"):
            metrics.ssim(np.zeros((10, 40)), np.zeros((10, 40)))


if __name__ == "__main__":
    unittest.main()
