import unittest

import numpy as np

from MRISuperResLib.core import resample
from MRISuperResLib.core.methods import BaselineMethod
from MRISuperResLib.core.reference import ReferenceTest as Reference


class ReferenceTest(unittest.TestCase):
    def setUp(self):
        self.volume = (np.random.default_rng(0).random((3, 26, 33)) * 1000).astype(np.int16)
        self.matrix = np.diag([1, 1, 3, 1])

    def test_the_truth_is_degraded_and_rebuilt_along_the_slice_axis(self):
        test = Reference(self.volume, self.matrix, 2)
        self.assertEqual((test.reference.shape, test.low.shape), ((3, 26, 32), (3, 13, 16)))
        np.testing.assert_allclose(test.rebuild(BaselineMethod("bicubic", 2)), resample.upsample(resample.degrade(test.reference, 2), 2))

    def test_sizes_that_are_no_multiple_are_cropped_and_the_crop_is_told(self):
        self.assertEqual(Reference(self.volume, self.matrix, 4).cropped, (2, 1))

    def test_a_perfect_method_gets_perfect_scores(self):
        test = Reference(self.volume, self.matrix, 2)
        scores = test.scores(test.reference)
        self.assertEqual((scores.psnr, scores.rmse), (float("inf"), 0.0))
        self.assertAlmostEqual(scores.ssim, 1.0)

    def test_an_error_of_one_tenth_of_the_range_is_20_db(self):
        test = Reference(self.volume, self.matrix, 2)
        scores = test.scores(test.reference + 0.1)
        self.assertAlmostEqual(scores.psnr, 20.0)
        self.assertAlmostEqual(scores.rmse, 25.5)


if __name__ == "__main__":
    unittest.main()
