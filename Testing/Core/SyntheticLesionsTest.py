"""Synthetic lesions in a low-resolution slice, and the part of them that methods preserve."""

import unittest

import numpy as np
from scipy.ndimage import gaussian_filter
from made_bodies import body, compare

from MRISuperResLib.core import resampling
from MRISuperResLib.core.comparison.lesions import (
    CONTRAST,
    DIAMETERS,
    DISTANCE,
    SyntheticLesions,
    evenly_spaced_lesions,
)
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import MethodRegistry

LOW = np.full((64, 72), 0.3)
EVERYWHERE = np.ones(LOW.shape, bool)


def with_lesions(low, foreground):
    return SyntheticLesions(low, evenly_spaced_lesions(low, foreground), 2)


class SyntheticLesionsTest(unittest.TestCase):
    def setUp(self):
        self.lesions = with_lesions(LOW, EVERYWHERE)

    def scores(self, make):
        """make(slice) stands for a method."""
        return self.lesions.scores("m", make(self.lesions.image), make(LOW))

    def test_four_lesions_of_two_to_five_voxels_are_added(self):
        from scipy.ndimage import label

        spots, count = label(self.lesions.image > LOW)
        self.assertEqual(count, 4)
        extents = sorted(np.ptp(np.argwhere(spots == n), axis=0).max() + 1 for n in range(1, 5))
        self.assertEqual(extents, list(DIAMETERS))
        np.testing.assert_allclose(self.lesions.image[spots > 0], 0.3 + CONTRAST)

    def test_nearest_neighbor_preserves_them_completely(self):
        for score in self.scores(lambda image: resampling.upsample(image, 2, "nearest")):
            self.assertEqual(score.outcome, "preserved")
            np.testing.assert_allclose((score.brightness, score.contrast, score.peak), 1)

    def test_blurring_loses_the_small_ones_first(self):
        scores = self.scores(
            lambda image: gaussian_filter(resampling.upsample(image, 2, "nearest"), 4)
        )
        self.assertEqual(scores[0].outcome, "lost")
        self.assertLess(scores[0].contrast, scores[3].contrast)
        self.assertEqual(scores[3].outcome, "weakened")

    def test_removed_lesions_are_lost_and_doubled_ones_exaggerated(self):
        self.assertEqual(
            {score.outcome for score in self.scores(lambda image: np.full((128, 144), 0.3))},
            {"lost"},
        )
        self.assertEqual(
            {
                score.outcome
                for score in self.scores(lambda image: 2 * resampling.upsample(image, 2, "nearest"))
            },
            {"exaggerated"},
        )

    def test_what_a_method_adds_everywhere_does_not_count_as_a_lesion(self):
        noise = np.random.default_rng(0).random((128, 144))
        for score in self.scores(lambda image: resampling.upsample(image, 2, "nearest") + noise):
            self.assertAlmostEqual(score.contrast, 1)

    def test_the_text_names_method_size_and_outcome(self):
        text = self.scores(lambda image: np.zeros((128, 144)))[1].text()
        self.assertIn("m: lesion of 3 voxels lost", text)

    def test_they_lie_in_the_foreground_away_from_the_edges(self):
        foreground = np.zeros(LOW.shape, bool)
        foreground[5:60, 8:50] = True
        spots = np.argwhere(with_lesions(LOW, foreground).image > LOW)
        self.assertTrue(foreground[tuple(spots.T)].all())
        self.assertTrue((spots.min(axis=0) >= DISTANCE // 2 - 3).all())

    def test_a_small_slice_has_fewer_or_none(self):
        small = with_lesions(np.full((18, 18), 0.3), np.ones((18, 18), bool))
        self.assertEqual(len(small.scores("m", np.zeros((36, 36)), np.zeros((36, 36)))), 1)
        none = with_lesions(np.full((10, 10), 0.3), np.ones((10, 10), bool))
        self.assertEqual(none.scores("m", np.zeros((20, 20)), np.zeros((20, 20))), [])


VOLUME = body((3, 128, 136))
VOLUME[0] = VOLUME[2] = 0  # there is room for lesions in the middle slice alone


class LesionsInAComparisonTest(unittest.TestCase):
    def test_every_method_reports_every_lesion(self):
        for reference in (True, False):
            with self.subTest(reference=reference):
                lesions = compare(
                    VOLUME, np.eye(4), ComparisonOptions(("nearest", "bicubic"), 2, reference)
                ).lesions
                self.assertEqual(
                    [(lesion.method, lesion.diameter) for lesion in lesions],
                    [(name, d) for name in ("nearest", "bicubic") for d in DIAMETERS],
                )
                self.assertTrue(all(lesion.outcome == "preserved" for lesion in lesions))

    def test_a_smoothing_method_loses_the_smallest_lesion(self):
        class Smoothing:
            name, scale, device, stage, cards, messages, precision = (
                "smoothing",
                2,
                "cpu",
                "gan",
                (),
                (),
                "float32",
            )

            def upload(self, images):
                return images

            def batch_size(self, h, w):
                return 3

            def __call__(self, images):
                return gaussian_filter(resampling.upsample(images, 2), (0, 5, 5))

        job = ComparisonOptions(("nearest", "smoothing"), 2)
        lesions = compare(
            body((3, 128, 136)), np.eye(4), job, MethodRegistry(given=[Smoothing()])
        ).lesions
        words = {(lesion.method, lesion.diameter): lesion.outcome for lesion in lesions}
        self.assertEqual((words["nearest", 2], words["smoothing", 2]), ("preserved", "lost"))


if __name__ == "__main__":
    unittest.main()
