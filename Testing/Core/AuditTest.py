"""Audit: sampled slices, synthetic lesions, and the figures of a volume."""

import csv
import io
import tempfile
import unittest
from pathlib import Path

import numpy as np
from made_bodies import audit, body, compare, phantom
from MRISuperResLib.core import resampling
from MRISuperResLib.core.audit.results import sample_slices
from MRISuperResLib.core.audit.legends import LESION_CONTRAST as CONTRAST
from MRISuperResLib.core.audit.findings import AuditedLesion, Findings
from MRISuperResLib.core.options import BASELINES, AuditOptions
from MRISuperResLib.core.audit.sfrc import LIMIT
from MRISuperResLib.core.comparison.lesions import (
    DIAMETERS,
    DISTANCE,
    OUTCOMES,
    Lesion,
    LesionScore,
    SyntheticLesions,
    scattered_lesions,
)
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.methods.registry import MethodRegistry
from scipy.ndimage import gaussian_filter

SCALE = 2


class SampleTest(unittest.TestCase):
    SIZES = np.array([0, 0, 3, 10, 20, 40, 40, 40, 40, 30, 20, 5, 0])

    def test_slices_with_enough_foreground_are_drawn_from_all_parts_of_the_volume(self):
        for seed in range(20):
            chosen = sample_slices(self.SIZES, 3, seed)
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
            self.assertTrue(all(self.SIZES[number] >= 10 for number in chosen))

    def test_the_seed_determines_the_slices(self):
        self.assertEqual(sample_slices(self.SIZES, 3, 7), sample_slices(self.SIZES, 3, 7))
        self.assertGreater(
            len({tuple(sample_slices(self.SIZES, 3, seed)) for seed in range(20)}), 3
        )

    def test_all_slices_and_more_than_there_are_can_be_requested(self):
        self.assertEqual(sample_slices(self.SIZES, None, 0), list(range(13)))
        self.assertEqual(sample_slices(self.SIZES, 99, 0), list(range(3, 11)))
        self.assertEqual(sample_slices(np.zeros(4, int), 2, 0), [])


class LesionsTest(unittest.TestCase):
    LOW = np.full((96, 120), 0.5)

    def setUp(self):
        self.lesions = scattered_lesions(self.LOW, np.ones(self.LOW.shape, bool), CONTRAST, 0)
        self.synthetic = SyntheticLesions(self.LOW, self.lesions, 2)

    def scores_of(self, make):
        """{(diameter, is bright): what is left}; make(slice) stands for a method."""
        scores = self.synthetic.scores("m", make(self.synthetic.image), make(self.LOW))
        return {
            (lesion.diameter, lesion.contrast > 0): score
            for lesion, score in zip(self.lesions, scores)
        }

    def test_bright_and_dark_lesions_of_every_size_lie_apart_in_the_foreground(self):
        foreground = np.zeros(self.LOW.shape, bool)
        foreground[10:90, 10:115] = True
        lesions = scattered_lesions(self.LOW, foreground, CONTRAST, 3)
        added = SyntheticLesions(self.LOW, lesions, 2).image - self.LOW
        self.assertEqual(
            {(lesion.diameter, np.sign(lesion.contrast)) for lesion in lesions},
            {(diameter, sign) for diameter in DIAMETERS for sign in (1, -1)},
        )
        self.assertTrue(foreground[added != 0].all())
        np.testing.assert_allclose(np.unique(added), [-CONTRAST, 0, CONTRAST])
        for n, lesion in enumerate(lesions):
            self.assertTrue(
                all(
                    max(abs(lesion.row - other.row), abs(lesion.column - other.column)) > DISTANCE
                    for other in lesions[:n]
                )
            )

    def test_the_seed_determines_the_positions(self):
        places = [
            [
                (lesion.row, lesion.column)
                for lesion in scattered_lesions(
                    self.LOW, np.ones(self.LOW.shape, bool), CONTRAST, seed
                )
            ]
            for seed in (0, 0, 1)
        ]
        self.assertEqual(places[0], places[1])
        self.assertNotEqual(places[0], places[2])

    def test_a_single_lesion_is_of_any_kind(self):
        kinds = {
            (lesion.diameter, lesion.contrast)
            for seed in range(60)
            for lesion in scattered_lesions(
                np.full((20, 20), 0.5), np.ones((20, 20), bool), CONTRAST, seed
            )
        }
        self.assertEqual(
            kinds, {(diameter, sign * CONTRAST) for diameter in DIAMETERS for sign in (1, -1)}
        )

    def test_dark_regions_get_bright_lesions_and_bright_regions_dark_ones(self):
        for gray, sign in ((0.05, 1), (0.95, -1)):
            lesions = scattered_lesions(
                np.full(self.LOW.shape, gray), np.ones(self.LOW.shape, bool), CONTRAST, 0
            )
            self.assertEqual({np.sign(lesion.contrast) for lesion in lesions}, {sign})

    def test_nearest_neighbor_preserves_them_completely(self):
        for score in self.scores_of(
            lambda image: resampling.upsample(image, 2, "nearest")
        ).values():
            self.assertEqual(score.outcome, "preserved")
            np.testing.assert_allclose((score.brightness, score.contrast, score.peak), 1)

    def test_smoothing_loses_the_small_ones_bright_or_dark(self):
        scores = self.scores_of(
            lambda image: gaussian_filter(resampling.upsample(image, 2, "nearest"), 4)
        )
        self.assertEqual({scores[2, bright].outcome for bright in (True, False)}, {"lost"})
        self.assertEqual({scores[5, bright].outcome for bright in (True, False)}, {"weakened"})

    def test_doubling_exaggerates_them(self):
        self.assertEqual(
            {
                score.outcome
                for score in self.scores_of(
                    lambda image: 2 * resampling.upsample(image, 2, "nearest")
                ).values()
            },
            {"exaggerated"},
        )

    def test_rectifying_the_contrast_loses_the_dark_ones(self):
        scores = self.scores_of(
            lambda image: 0.5 + np.abs(resampling.upsample(image, 2, "nearest") - 0.5)
        )
        self.assertEqual(
            {score.outcome for (_, bright), score in scores.items() if not bright}, {"lost"}
        )
        self.assertEqual(
            {score.outcome for (_, bright), score in scores.items() if bright}, {"preserved"}
        )


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


def hallucinating(image):
    """Draws a grid of its own, of a frequency that the input has."""
    rows, columns = np.indices(image.shape)
    return image + 0.3 * np.cos(0.15 * np.pi * rows) * np.cos(0.15 * np.pi * columns)


GIVEN = [
    Method("smoothing", lambda image: gaussian_filter(image, 4)),
    Method("hallucinating", hallucinating),
    Method("doubling", lambda image: 2 * image - 0.4),
]
VOLUME = body((6, 120, 136))


def audited(
    volume=VOLUME, matrix=np.eye(4), methods=("smoothing", "hallucinating", "doubling"), **settings
):
    return audit(
        volume, matrix, AuditOptions(methods, SCALE, **settings), MethodRegistry(given=GIVEN)
    )


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.found = audited()
        cls.findings = {name: method.findings for name, method in cls.found.methods.items()}

    def test_the_baselines_are_always_audited_and_come_first(self):
        self.assertEqual(
            list(self.found.methods), [*BASELINES, "smoothing", "hallucinating", "doubling"]
        )
        self.assertEqual(list(audited(methods=("bicubic",), slices=1).methods), list(BASELINES))

    def test_a_hallucinating_method_has_unfaithful_patches(self):
        self.assertGreater(self.findings["hallucinating"].unfaithful, 20)
        self.assertLess(self.findings["bicubic"].unfaithful, 1)
        self.assertLess(self.findings["hallucinating"].crossing, self.findings["bicubic"].crossing)

    def test_a_smoothing_method_loses_lesions_and_hallucinates_little(self):
        figures = {name: found.lesion_figures() for name, found in self.findings.items()}
        self.assertLess(figures["smoothing"]["mean_contrast"], 0.6)
        self.assertGreater(figures["smoothing"]["lesions_lost"], 0)
        self.assertEqual(figures["bicubic"]["lesions_lost"], 0)
        self.assertEqual(figures["doubling"]["lesions_exaggerated"], figures["doubling"]["lesions"])
        self.assertLess(
            self.findings["smoothing"].hallucinated, self.findings["bicubic"].hallucinated
        )

    def test_all_methods_get_the_same_bright_and_dark_lesions_of_all_sizes(self):
        lesions = [each.lesion for each in self.findings["bicubic"].lesions]
        self.assertEqual(
            {(lesion.diameter, lesion.contrast) for lesion in lesions},
            {(diameter, sign * CONTRAST) for diameter in DIAMETERS for sign in (1, -1)},
        )
        self.assertEqual(
            [[each.lesion for each in found.lesions] for found in self.findings.values()],
            [lesions] * 5,
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
                found.methods[name].findings.inconsistency, expected.mean(name, "inconsistency")
            )

    def test_maps_lie_on_the_reference_and_are_0_where_nothing_was_judged(self):
        matrix = np.array([[0, 0, 2.0, 5], [1, 0, 0, 6], [0, 1, 0, 7], [0, 0, 0, 1]])
        volume = body((33, 50, 36))
        volume[:, 25:] = 0
        found = audited(volume, matrix, slice_axis="i", slices=3)
        crossing = found.methods["hallucinating"].crossing
        self.assertEqual((crossing.shape, crossing.dtype), ((32, 50, 36), np.float32))
        np.testing.assert_array_equal(found.ijk_to_ras, matrix)
        np.testing.assert_array_equal(np.flatnonzero(crossing.any(axis=(0, 1))), found.numbers)
        self.assertEqual(len(found.numbers), 3)
        self.assertEqual(float(crossing[:, 36:].max()), 0)  # beyond the body
        judged = crossing[crossing > 0]
        self.assertTrue((judged <= 1).all())

    def test_map_figures_and_worst_slice_agree(self):
        method = self.found.methods["hallucinating"]
        self.assertEqual(method.worst.crossing.shape, VOLUME.shape[1:])
        np.testing.assert_array_equal(
            method.crossing[method.worst.number], method.worst.crossing.astype(np.float32)
        )
        below = (method.worst.crossing > 0) & (method.worst.crossing < LIMIT / SCALE)
        np.testing.assert_array_equal(below, method.worst.unfaithful)
        self.assertGreaterEqual(100 * method.worst.share, method.findings.unfaithful)

    def test_the_seed_determines_the_figures(self):
        first, again, other = (
            audited(seed=seed, noise=2.0, slices=3).methods["bicubic"].findings
            for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first.lesions, other.lesions)
        self.assertNotEqual(first.inconsistency, other.inconsistency)
        places = [
            [
                each.lesion
                for each in audited(seed=seed, slices=None).methods["bicubic"].findings.lesions
            ]
            for seed in (1, 2)
        ]
        self.assertNotEqual(*places)

    def test_figures_do_not_depend_on_the_intensity_range(self):
        other = audited((VOLUME * 7.0 + 1000).astype(np.float32)).methods["hallucinating"].findings
        for key in ("patches", "unfaithful", "crossing", "hallucinated", "inconsistency"):
            self.assertAlmostEqual(
                getattr(other, key), getattr(self.findings["hallucinating"], key), places=3
            )

    def test_the_figures_of_all_methods_are_written_as_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "audit.csv")
            self.found.to_csv(path)
            rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        self.assertEqual([row["method"] for row in rows], list(self.found.methods))
        for row in rows:
            found = self.findings[row["method"]]
            self.assertAlmostEqual(float(row["hallucinated"]), found.hallucinated, places=5)
            self.assertEqual(int(row["lesions"]), len(found.lesions))

    def test_methods_get_what_upsampling_the_degraded_volume_gives_them(self):
        seen = []

        class Watching(Method):
            def __call__(self, images):
                seen.append(images[0])
                return super().__call__(images)

        watching = Watching("watching", lambda image: image)
        options = AuditOptions(("watching",), SCALE, slices=None)
        audit(VOLUME[:1], np.eye(4), options, MethodRegistry(given=[watching]))
        seen_by_audit = seen.pop()
        comparison = ComparisonOptions(("bicubic", "watching"), SCALE)
        low = compare(VOLUME[:1], np.eye(4), comparison, MethodRegistry(given=[watching])).low
        expected = Intensity.of(low.array).normalize(low.array[0])
        np.testing.assert_array_equal(seen_by_audit, expected)

    def test_a_volume_without_foreground_is_refused(self):
        for volume in (np.zeros((3, 40, 40), np.int16), np.eye(64)[None].repeat(2, 0)):
            with self.assertRaisesRegex(SuperResolutionError, "No patch can be judged"):
                audited(volume)

    def test_slices_smaller_than_a_patch_are_refused(self):
        with self.assertRaisesRegex(
            SuperResolutionError, "14×40 pixels are too small for patches of 16×16"
        ):
            audited(body((3, 40, 14)))

    def test_it_reports_progress_and_can_be_cancelled(self):
        reports = []
        audit(
            VOLUME,
            np.eye(4),
            AuditOptions((), SCALE, slices=4),
            on_progress=reports.append,
        )
        self.assertEqual((reports[0].done, reports[-1].done, reports[-1].total), (0, 4, 4))
        with self.assertRaises(Cancelled):
            audit(VOLUME, np.eye(4), AuditOptions((), SCALE), is_cancelled=lambda: True)

    def test_invalid_options_are_refused(self):
        for changes, pattern in (
            ({"slices": 0}, "slices"),
            ({"slices": 2.5}, "slices"),
            ({"seed": -1}, "seed"),
            ({"degradation": "blur"}, "degradation"),
            ({"methods": ("a", "a")}, "Listed twice: a"),
            ({"methods": "bicubic"}, "methods"),
        ):
            with self.assertRaisesRegex(SuperResolutionError, pattern):
                AuditOptions(**{"methods": (), "scale": 2} | changes)
        self.assertEqual(AuditOptions(()).precision, "float32")


class HallucinatedDetailTest(unittest.TestCase):
    """The share of hallucinated detail on a phantom that has no detail beyond the input."""

    @classmethod
    def setUpClass(cls):
        texture = np.random.default_rng(0).normal(size=(128, 136))
        given = [
            *(
                Method(f"noise-{strength:g}", lambda image, s=strength: image + s * texture)
                for strength in (0.01, 0.05, 10)
            ),
            GIVEN[0],
        ]
        names = [method.name for method in given]
        options = AuditOptions(tuple(names), SCALE, slices=2)
        found = audit(phantom(), np.eye(4), options, MethodRegistry(given=given))
        cls.shares = {name: each.findings.hallucinated for name, each in found.methods.items()}

    def test_methods_that_add_no_detail_hallucinate_nothing(self):
        for name in (*BASELINES, "smoothing"):
            self.assertLess(self.shares[name], 1, name)

    def test_texture_without_a_counterpart_is_hallucinated_and_at_most_100_percent(self):
        shares = [self.shares[f"noise-{strength:g}"] for strength in (0.01, 0.05, 10)]
        self.assertEqual(shares, sorted(shares))
        self.assertGreater(shares[0], 50)
        self.assertLessEqual(shares[-1], 100)


class FindingsTest(unittest.TestCase):
    def test_volumes_have_equal_weights_and_lesions_are_pooled(self):
        one, two = (
            audited(slices=count, methods=()).methods["bicubic"].findings for count in (1, 3)
        )
        both = Findings.combine([one, two])
        self.assertEqual(
            (both.slices, both.patches, both.lesions),
            (4, one.patches + two.patches, one.lesions + two.lesions),
        )
        self.assertAlmostEqual(both.crossing, (one.crossing + two.crossing) / 2)

    def test_lesions_are_counted_by_outcome_and_averaged_by_kind(self):
        lesions = [
            AuditedLesion(
                0,
                Lesion(9, 9, diameter, contrast),
                LesionScore("m", diameter, 1.0, left, 1.0),
            )
            for diameter, contrast, left in (
                (2, 0.2, 0.9),
                (2, -0.2, 0.5),
                (5, -0.2, 0.1),
                (5, -0.2, 1.3),
            )
        ]
        figures = Findings(1, 1, 0.0, 1.0, 0.0, 0.0, tuple(lesions)).lesion_figures()
        self.assertEqual(
            [figures[f"lesions_{outcome}"] for outcome in OUTCOMES],
            [1, 1, 1, 1],
        )
        for key, expected in {
            "lesions": 4,
            "mean_contrast": 0.7,
            "min_contrast": 0.1,
            "bright": 0.9,
            "dark": 1.9 / 3,
            "2_px": 0.7,
            "5_px": 0.7,
        }.items():
            self.assertAlmostEqual(figures[key], expected, msg=key)
        self.assertIsNone(figures["3_px"])

    def test_the_contrast_of_no_lesion_is_undefined(self):
        figures = Findings(1, 1, 0.0, 1.0, 0.0, 0.0, ()).lesion_figures()
        self.assertEqual(
            (
                figures["lesions"],
                figures["mean_contrast"],
                figures["min_contrast"],
                figures["dark"],
            ),
            (0, None, None, None),
        )


if __name__ == "__main__":
    unittest.main()
