"""Small bright spots, planted into the low-resolution slice: the report says what each method makes of them."""

import unittest

import numpy as np
from scipy.ndimage import gaussian_filter
from made_bodies import body

from MRISuperResLib.core import resampling
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.lesions import (
    DIAMETERS,
    DISTANCE,
    HEIGHT,
    SyntheticLesions,
    evenly_spaced_lesions,
)
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import MethodRegistry

LOW = np.full((64, 72), 0.3)
EVERYWHERE = np.ones(LOW.shape, bool)


def planted(low, foreground):
    return SyntheticLesions(low, evenly_spaced_lesions(low, foreground), 2)


class PlantedDotsTest(unittest.TestCase):
    def setUp(self):
        self.dots = planted(LOW, EVERYWHERE)

    def scores(self, make):
        """make(slice) stands for a method."""
        return self.dots.scores("m", make(self.dots.planted), make(LOW))

    def test_four_dots_of_two_to_five_voxels_are_planted(self):
        from scipy.ndimage import label

        spots, count = label(self.dots.planted > LOW)
        self.assertEqual(count, 4)
        extents = sorted(np.ptp(np.argwhere(spots == n), axis=0).max() + 1 for n in range(1, 5))
        self.assertEqual(extents, list(DIAMETERS))
        np.testing.assert_allclose(self.dots.planted[spots > 0], 0.3 + HEIGHT)

    def test_a_method_that_repeats_pixels_keeps_them_wholly(self):
        for score in self.scores(lambda image: resampling.upsample(image, 2, "nearest")):
            self.assertEqual(score.word, "kept")
            np.testing.assert_allclose((score.brightness, score.height, score.peak), 1)

    def test_a_method_that_blurs_loses_the_small_ones_first(self):
        scores = self.scores(
            lambda image: gaussian_filter(resampling.upsample(image, 2, "nearest"), 4)
        )
        self.assertEqual(scores[0].word, "lost")
        self.assertLess(scores[0].height, scores[3].height)
        self.assertEqual(scores[3].word, "weakened")

    def test_a_method_that_removes_or_doubles_them_is_told(self):
        self.assertEqual(
            {score.word for score in self.scores(lambda image: np.full((128, 144), 0.3))}, {"lost"}
        )
        self.assertEqual(
            {
                score.word
                for score in self.scores(lambda image: 2 * resampling.upsample(image, 2, "nearest"))
            },
            {"exaggerated"},
        )

    def test_what_a_method_adds_everywhere_is_not_taken_for_a_dot(self):
        noise = np.random.default_rng(0).random((128, 144))
        for score in self.scores(lambda image: resampling.upsample(image, 2, "nearest") + noise):
            self.assertAlmostEqual(score.height, 1)

    def test_the_text_names_method_size_and_verdict(self):
        text = self.scores(lambda image: np.zeros((128, 144)))[1].text()
        self.assertIn("m: a dot of 3 voxels is lost", text)

    def test_they_lie_in_the_foreground_apart_from_each_other_and_from_the_edges(self):
        foreground = np.zeros(LOW.shape, bool)
        foreground[5:60, 8:50] = True
        spots = np.argwhere(planted(LOW, foreground).planted > LOW)
        self.assertTrue(foreground[tuple(spots.T)].all())
        self.assertTrue((spots.min(axis=0) >= DISTANCE // 2 - 3).all())

    def test_a_slice_without_room_has_fewer(self):
        small = planted(np.full((18, 18), 0.3), np.ones((18, 18), bool))
        self.assertEqual(len(small.scores("m", np.zeros((36, 36)), np.zeros((36, 36)))), 1)
        none = planted(np.full((10, 10), 0.3), np.ones((10, 10), bool))
        self.assertEqual(none.scores("m", np.zeros((20, 20)), np.zeros((20, 20))), [])


VOLUME = body((3, 128, 136))
VOLUME[0] = VOLUME[2] = 0  # there is room for dots in the middle slice alone


class DotsInAComparisonTest(unittest.TestCase):
    def test_every_method_reports_every_dot(self):
        for reference in (True, False):
            with self.subTest(reference=reference):
                dots = compare(
                    VOLUME, np.eye(4), ComparisonOptions(("nearest", "bicubic"), 2, reference)
                ).dots
                self.assertEqual(
                    [(dot.method, dot.diameter) for dot in dots],
                    [(name, d) for name in ("nearest", "bicubic") for d in DIAMETERS],
                )
                self.assertTrue(all(dot.word == "kept" for dot in dots))

    def test_a_method_that_smooths_dots_away_is_found_out(self):
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
        dots = compare(
            body((3, 128, 136)), np.eye(4), job, MethodRegistry(given=[Smoothing()])
        ).dots
        words = {(dot.method, dot.diameter): dot.word for dot in dots}
        self.assertEqual((words["nearest", 2], words["smoothing", 2]), ("kept", "lost"))


if __name__ == "__main__":
    unittest.main()
