"""The audit: what becomes of planted lesions, and the figures of a volume."""

import unittest

import numpy as np
from made_bodies import body
from MRISuperResLib.core import resampling
from MRISuperResLib.core.audit.audit import CONTRAST, audit
from MRISuperResLib.core.audit.findings import Findings, Lesion
from MRISuperResLib.core.options import BASELINES, AuditOptions
from MRISuperResLib.core.audit.sfrc import LIMIT
from MRISuperResLib.core.audit.sample import sample
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.comparison.lesions import (
    DIAMETERS,
    DISTANCE,
    Dot,
    LesionScore,
    SyntheticLesions,
    scattered_lesions,
)
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.methods.registry import MethodRegistry
from scipy.ndimage import gaussian_filter

SCALE = 2


class SampleTest(unittest.TestCase):
    FULLNESS = np.array([0, 0, 3, 10, 20, 40, 40, 40, 40, 30, 20, 5, 0])

    def test_slices_that_show_enough_are_drawn_from_all_parts_of_the_volume(self):
        for seed in range(20):
            chosen = sample(self.FULLNESS, 3, seed)
            self.assertEqual(
                [
                    min(
                        n
                        for n, part in enumerate(((3, 4, 5), (6, 7, 8), (9, 10)))
                        if number <= part[-1]
                    )
                    for number in chosen
                ],
                [0, 1, 2],
            )
            self.assertTrue(all(self.FULLNESS[number] >= 10 for number in chosen))

    def test_the_seed_decides(self):
        self.assertEqual(sample(self.FULLNESS, 3, 7), sample(self.FULLNESS, 3, 7))
        self.assertGreater(len({tuple(sample(self.FULLNESS, 3, seed)) for seed in range(20)}), 3)

    def test_all_and_more_than_there_are(self):
        self.assertEqual(sample(self.FULLNESS, None, 0), list(range(13)))
        self.assertEqual(sample(self.FULLNESS, 99, 0), list(range(3, 11)))
        self.assertEqual(sample(np.zeros(4, int), 2, 0), [])


class LesionsTest(unittest.TestCase):
    LOW = np.full((96, 120), 0.5)

    def setUp(self):
        self.dots = scattered_lesions(self.LOW, np.ones(self.LOW.shape, bool), CONTRAST, 0)
        self.planted = SyntheticLesions(self.LOW, self.dots, 2)

    def heights(self, make):
        """{(diameter, is bright): what is left}; make(slice) stands for a method."""
        scores = self.planted.scores("m", make(self.planted.planted), make(self.LOW))
        return {(dot.diameter, dot.height > 0): score for dot, score in zip(self.dots, scores)}

    def test_bright_and_dark_ones_of_every_size_lie_in_the_foreground_apart_from_each_other(self):
        foreground = np.zeros(self.LOW.shape, bool)
        foreground[10:90, 10:115] = True
        dots = scattered_lesions(self.LOW, foreground, CONTRAST, 3)
        planted = SyntheticLesions(self.LOW, dots, 2).planted - self.LOW
        self.assertEqual(
            {(dot.diameter, np.sign(dot.height)) for dot in dots},
            {(diameter, sign) for diameter in DIAMETERS for sign in (1, -1)},
        )
        self.assertTrue(foreground[planted != 0].all())
        np.testing.assert_allclose(np.unique(planted), [-CONTRAST, 0, CONTRAST])
        for n, dot in enumerate(dots):
            self.assertTrue(
                all(
                    max(abs(dot.row - other.row), abs(dot.column - other.column)) > DISTANCE
                    for other in dots[:n]
                )
            )

    def test_the_seed_decides_where_they_lie(self):
        places = [
            [
                (dot.row, dot.column)
                for dot in scattered_lesions(
                    self.LOW, np.ones(self.LOW.shape, bool), CONTRAST, seed
                )
            ]
            for seed in (0, 0, 1)
        ]
        self.assertEqual(places[0], places[1])
        self.assertNotEqual(places[0], places[2])

    def test_where_there_is_room_for_one_it_is_of_any_kind(self):
        kinds = {
            (dot.diameter, dot.height)
            for seed in range(60)
            for dot in scattered_lesions(
                np.full((20, 20), 0.5), np.ones((20, 20), bool), CONTRAST, seed
            )
        }
        self.assertEqual(
            kinds, {(diameter, sign * CONTRAST) for diameter in DIAMETERS for sign in (1, -1)}
        )

    def test_there_are_no_dark_ones_in_the_dark_and_no_bright_ones_in_the_bright(self):
        for gray, sign in ((0.05, 1), (0.95, -1)):
            dots = scattered_lesions(
                np.full(self.LOW.shape, gray), np.ones(self.LOW.shape, bool), CONTRAST, 0
            )
            self.assertEqual({np.sign(dot.height) for dot in dots}, {sign})

    def test_a_method_that_repeats_pixels_keeps_all_of_them_wholly(self):
        for score in self.heights(lambda image: resampling.upsample(image, 2, "nearest")).values():
            self.assertEqual(score.word, "kept")
            np.testing.assert_allclose((score.brightness, score.height, score.peak), 1)

    def test_a_smoother_loses_the_small_ones_bright_or_dark(self):
        scores = self.heights(
            lambda image: gaussian_filter(resampling.upsample(image, 2, "nearest"), 4)
        )
        self.assertEqual({scores[2, bright].word for bright in (True, False)}, {"lost"})
        self.assertEqual({scores[5, bright].word for bright in (True, False)}, {"weakened"})

    def test_a_method_that_doubles_exaggerates_them(self):
        self.assertEqual(
            {
                score.word
                for score in self.heights(
                    lambda image: 2 * resampling.upsample(image, 2, "nearest")
                ).values()
            },
            {"exaggerated"},
        )

    def test_a_method_that_makes_bright_of_dark_has_lost_the_dark_ones(self):
        scores = self.heights(
            lambda image: 0.5 + np.abs(resampling.upsample(image, 2, "nearest") - 0.5)
        )
        self.assertEqual(
            {score.word for (_, bright), score in scores.items() if not bright}, {"lost"}
        )
        self.assertEqual({score.word for (_, bright), score in scores.items() if bright}, {"kept"})


class Method:
    """A method that is made of a function of the bicubic result."""

    scale, device, stage, cards, messages, precision = SCALE, "cpu", "gan", (), (), "float32"

    def __init__(self, name, function):
        self.name, self._function = name, function

    def upload(self, images):
        return images

    def batch_size(self, height, width):
        return 4

    def __call__(self, images):
        return np.stack([self._function(image) for image in resampling.upsample(images, SCALE)])


def inventing(image):
    """Draws a grid of its own, of a frequency that the input has."""
    rows, columns = np.indices(image.shape)
    return image + 0.3 * np.cos(0.15 * np.pi * rows) * np.cos(0.15 * np.pi * columns)


GIVEN = [
    Method("smoothing", lambda image: gaussian_filter(image, 4)),
    Method("inventing", inventing),
    Method("doubling", lambda image: 2 * image - 0.4),
]
VOLUME = body((6, 120, 136))


def audited(
    volume=VOLUME, matrix=np.eye(4), methods=("smoothing", "inventing", "doubling"), **settings
):
    return audit(
        volume, matrix, AuditOptions(methods, SCALE, **settings), MethodRegistry(given=GIVEN)
    )


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.found = audited()
        cls.findings = {name: method.findings for name, method in cls.found.methods.items()}

    def test_what_learns_nothing_is_always_there_and_comes_first(self):
        self.assertEqual(
            list(self.found.methods), [*BASELINES, "smoothing", "inventing", "doubling"]
        )
        self.assertEqual(list(audited(methods=("bicubic",), slices=1).methods), list(BASELINES))

    def test_a_method_that_invents_is_found_out_by_its_patches(self):
        self.assertGreater(self.findings["inventing"].unfaithful, 20)
        self.assertLess(self.findings["bicubic"].unfaithful, 1)
        self.assertLess(self.findings["inventing"].crossing, self.findings["bicubic"].crossing)

    def test_a_method_that_smooths_is_found_out_by_its_lesions_and_not_called_a_liar(self):
        survival = {name: found.survival() for name, found in self.findings.items()}
        self.assertLess(survival["smoothing"]["contrast"], 0.6)
        self.assertGreater(survival["smoothing"]["lost"], 0)
        self.assertEqual(survival["bicubic"]["lost"], 0)
        self.assertEqual(survival["doubling"]["exaggerated"], survival["doubling"]["planted"])
        self.assertLess(self.findings["smoothing"].invented, self.findings["bicubic"].invented)

    def test_bright_and_dark_lesions_of_all_sizes_are_planted(self):
        dots = [lesion.dot for lesion in self.findings["bicubic"].lesions]
        self.assertEqual(
            {(dot.diameter, dot.height) for dot in dots},
            {(diameter, sign * CONTRAST) for diameter in DIAMETERS for sign in (1, -1)},
        )
        self.assertEqual(
            [[lesion.dot for lesion in found.lesions] for found in self.findings.values()],
            [dots] * 5,
        )

    def test_the_inconsistency_is_that_of_the_comparison(self):
        expected = compare(
            VOLUME,
            np.eye(4),
            ComparisonOptions(("bicubic", "smoothing"), SCALE),
            MethodRegistry(given=GIVEN),
        ).table
        found = audited(methods=("smoothing",), slices=None)
        for name in ("bicubic", "smoothing"):
            self.assertAlmostEqual(
                found.methods[name].findings.inconsistency, expected.mean(name, "consistency")
            )

    def test_maps_lie_where_the_truth_lies_and_say_where_nothing_was_judged(self):
        matrix = np.array([[0, 0, 2.0, 5], [1, 0, 0, 6], [0, 1, 0, 7], [0, 0, 0, 1]])
        volume = body((33, 50, 36))
        volume[:, 25:] = 0
        found = audited(volume, matrix, axis="i", slices=3)
        crossing = found.methods["inventing"].crossing
        self.assertEqual((crossing.shape, crossing.dtype), ((32, 50, 36), np.float32))
        np.testing.assert_array_equal(found.ijk_to_ras, matrix)
        np.testing.assert_array_equal(np.flatnonzero(crossing.any(axis=(0, 1))), found.numbers)
        self.assertEqual(len(found.numbers), 3)
        self.assertEqual(float(crossing[:, 36:].max()), 0)  # beyond the body
        judged = crossing[crossing > 0]
        self.assertTrue((judged <= 1).all())

    def test_the_map_the_figures_and_the_worst_slice_agree(self):
        method = self.found.methods["inventing"]
        self.assertEqual(method.worst.crossing.shape, VOLUME.shape[1:])
        np.testing.assert_array_equal(
            method.crossing[method.worst.number], method.worst.crossing.astype(np.float32)
        )
        below = (method.worst.crossing > 0) & (method.worst.crossing < LIMIT / SCALE)
        np.testing.assert_array_equal(below, method.worst.unfaithful)
        self.assertGreaterEqual(100 * method.worst.share, method.findings.unfaithful)

    def test_the_same_seed_gives_the_same_figures_and_another_one_others(self):
        first, again, other = (
            audited(seed=seed, noise=2.0, slices=3).methods["bicubic"].findings
            for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first.lesions, other.lesions)
        self.assertNotEqual(first.inconsistency, other.inconsistency)
        places = [
            [
                lesion.dot
                for lesion in audited(seed=seed, slices=None).methods["bicubic"].findings.lesions
            ]
            for seed in (1, 2)
        ]
        self.assertNotEqual(*places)

    def test_other_intensities_give_the_same_figures(self):
        other = audited((VOLUME * 7.0 + 1000).astype(np.float32)).methods["inventing"].findings
        for key in ("patches", "unfaithful", "crossing", "invented", "inconsistency"):
            self.assertAlmostEqual(
                getattr(other, key), getattr(self.findings["inventing"], key), places=3
            )

    def test_a_volume_without_a_body_has_nothing_to_judge(self):
        for volume in (np.zeros((3, 40, 40), np.int16), np.eye(64)[None].repeat(2, 0)):
            with self.assertRaisesRegex(SuperResolutionError, "nothing to judge"):
                audited(volume)

    def test_slices_with_less_than_a_patch_are_refused(self):
        with self.assertRaisesRegex(
            SuperResolutionError, "14×40 pixels, which is too little for patches of 16×16"
        ):
            audited(body((3, 40, 14)))

    def test_it_reports_its_progress_and_can_be_stopped(self):
        told = []
        audit(
            VOLUME,
            np.eye(4),
            AuditOptions((), SCALE, slices=4),
            progress=lambda *counts: told.append(counts),
        )
        self.assertEqual((told[0], told[-1]), ((0, 4), (4, 4)))
        with self.assertRaises(Cancelled):
            audit(VOLUME, np.eye(4), AuditOptions((), SCALE), cancelled=lambda: True)

    def test_wrong_settings_are_refused(self):
        for settings_, pattern in (
            ({"slices": 0}, "number of slices must be 1 or more, or all"),
            ({"slices": 2.5}, "number of slices"),
            ({"seed": -1}, "seed must be"),
            ({"degradation": "blur"}, "no degradation"),
            ({"methods": ("a", "a")}, "Named twice: a"),
            ({"methods": "bicubic"}, "list of names"),
        ):
            with self.assertRaisesRegex(SuperResolutionError, pattern):
                AuditOptions(**{"methods": (), "scale": 2} | settings_)
        self.assertEqual(AuditOptions(()).precision, "float32")


class FindingsTest(unittest.TestCase):
    def test_volumes_count_alike_and_lesions_one_by_one(self):
        one, two = (
            audited(slices=count, methods=()).methods["bicubic"].findings for count in (1, 3)
        )
        both = Findings.together([one, two])
        self.assertEqual(
            (both.slices, both.patches, both.lesions),
            (4, one.patches + two.patches, one.lesions + two.lesions),
        )
        self.assertAlmostEqual(both.crossing, (one.crossing + two.crossing) / 2)

    def test_survival_counts_and_averages_what_is_left_of_all_and_of_each_kind(self):
        lesions = [
            Lesion(0, Dot(9, 9, diameter, height), LesionScore("m", diameter, 1.0, left, 1.0))
            for diameter, height, left in (
                (2, 0.2, 0.9),
                (2, -0.2, 0.5),
                (5, -0.2, 0.1),
                (5, -0.2, 1.3),
            )
        ]
        survival = Findings(1, 1, 0.0, 1.0, 0.0, 0.0, tuple(lesions)).survival()
        self.assertEqual(
            [survival[key] for key in ("planted", "kept", "weakened", "lost", "exaggerated")],
            [4, 1, 1, 1, 1],
        )
        for key, expected in {
            "contrast": 0.7,
            "least": 0.1,
            "bright": 0.9,
            "dark": 1.9 / 3,
            "2_px": 0.7,
            "5_px": 0.7,
        }.items():
            self.assertAlmostEqual(survival[key], expected, msg=key)
        self.assertIsNone(survival["3_px"])

    def test_without_a_lesion_there_is_no_contrast(self):
        survival = Findings(1, 1, 0.0, 1.0, 0.0, 0.0, ()).survival()
        self.assertEqual(
            (survival["planted"], survival["contrast"], survival["least"], survival["dark"]),
            (0, None, None, None),
        )


if __name__ == "__main__":
    unittest.main()
