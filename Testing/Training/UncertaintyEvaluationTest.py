"""Evaluation of uncertainty maps: ranking of the error, and calibrated intervals."""

import contextlib
import csv
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.comparison.between_slices import ThickReference
from MRISuperResLib.core.comparison.stack import SliceStack
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.methods.between_slices import SliceInterpolation
from MRISuperResLib.core.methods.interpolation import InterpolationMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.metrics.full_reference import foreground
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.volume import Volume
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.api import evaluate_uncertainty
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResTrainingLib.evaluation import uncertainty
from MRISuperResTrainingLib.evaluation.uncertainty import (
    FLOOR,
    LEVEL,
    Sample,
    calibrate,
    measure,
    score,
)
from MRISuperResTrainingLib.evaluation.uncertainty_report import markdown, write_report
from scipy.ndimage import gaussian_filter

BASELINES = ("nearest", "bicubic")


def tissue(seed, shape=(4, 40, 48)):
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), (0, 1.5, 1.5))
    return ((noise - noise.min()) * 3000).astype(np.int16)


def sample(spread, error, subject="a", model="m"):
    arrays = (np.asarray(values, dtype=float) for values in (spread, error))
    return Sample(f"{subject}.nii", subject, "brain", model, *arrays)


class Oracle(InterpolationMethod):
    """Returns the reference, with a known error, and a known spread."""

    def __init__(self, reference, error, spread):
        super().__init__("bicubic", 2)
        self.name, self.error, self.spread = "oracle", error, spread
        self.images = iter(reference)

    def start_with_spread(self, images, intensity):
        exact = np.stack([next(self.images) for _ in images]).astype(np.float32)
        return lambda: (exact + self.error, np.full_like(exact, self.spread))


class Ramp(SliceInterpolation):
    """Interpolation between slices plus a ramp from 0 to 0.1 along the pixels."""

    stage = "psnr"

    def __call__(self, images, count, aspect, coverage):
        return super().__call__(images, count, aspect, coverage) + np.linspace(
            0, 0.1, images.shape[2]
        )


class MeasureTest(unittest.TestCase):
    def test_error_and_spread_are_those_of_the_foreground_on_the_scale_of_the_reference(self):
        volume = Volume(tissue(0), np.eye(4))
        options = ComparisonOptions(BASELINES, 2, slice_axis="k")
        registry = MethodRegistry(given=[Oracle(volume.array, 7, 3)])
        spread, error = measure(volume, "oracle", options, registry)
        stack = SliceStack(volume, options)
        gain = 255 / (stack.intensity.high - stack.intensity.low)
        self.assertEqual(len(error), stack.foreground_sizes.sum())
        np.testing.assert_allclose(error, 7 * gain, rtol=1e-4)
        np.testing.assert_allclose(spread, 3 * gain, rtol=1e-4)

    def test_models_between_slices_are_measured_too(self):
        volume = Volume(tissue(0, (24, 20, 20)), np.eye(4))
        options = ComparisonOptions(("linear", "bspline"), 1, slice_axis="k", slice_spacing=3.0)
        with mock.patch.object(MethodRegistry, "between_slices", return_value=Ramp("linear")):
            spread, error = measure(volume, "ramp", options, MethodRegistry())
        given = ThickReference(volume, options)
        images = [given.reference(number) for number in range(len(given))]
        self.assertEqual(len(error), sum(foreground(image).sum() for image in images))
        low = Intensity.of(given.low.array)
        gain = 255 * (low.high - low.low) / (given.intensity.high - given.intensity.low)
        # both ends of the ramps of both orientations meet in the corners: 0, 0, 1, 1 in each
        self.assertAlmostEqual(spread.max(), 0.05 * gain, delta=0.002 * gain)

    def test_a_method_without_a_spread_is_refused(self):
        volume, options = Volume(tissue(0), np.eye(4)), ComparisonOptions(BASELINES, 2)
        with self.assertRaisesRegex(SuperResolutionError, "is 0 for bicubic"):
            measure(volume, "bicubic", options, MethodRegistry())


class ScoreTest(unittest.TestCase):
    def test_a_spread_that_orders_all_errors_has_the_correlation_one(self):
        values = np.random.default_rng(0).random(2000)
        found = score(sample(values, values**3), [])
        self.assertAlmostEqual(found.correlation, 1)
        self.assertGreater(found.top_error, 3 * found.error)
        self.assertLess(score(sample(values, -values), []).correlation, -0.99)

    def test_a_spread_without_information_has_the_correlation_zero(self):
        spread, error = np.random.default_rng(0).random((2, 20_000))
        found = score(sample(spread, error), [])
        self.assertAlmostEqual(found.correlation, 0, delta=0.03)
        self.assertAlmostEqual(found.top_error, found.error, delta=0.03)

    def test_a_constant_spread_has_no_correlation(self):
        self.assertIsNone(score(sample(np.zeros(50), np.arange(50)), []).correlation)

    def test_intervals_are_calibrated_on_the_other_subjects_of_the_model_only(self):
        ones = np.ones(100)
        own, again = sample(ones, 50 * ones), sample(ones, 50 * ones)
        samples = [own, again, sample(ones, 2 * ones, "b"), sample(ones, 99 * ones, "c", "other")]
        found = score(own, samples)
        self.assertAlmostEqual(found.calibrated.width, 2)
        self.assertEqual((found.calibrated.coverage, found.constant.coverage), (0, 0))
        self.assertIsNone(score(own, [own, again]).calibrated)

    def test_intervals_in_proportion_to_the_spread_are_narrower_if_errors_are(self):
        random = np.random.default_rng(0)

        def made(subject):
            spread = random.gamma(1.0, 10.0, 20_000)
            return sample(spread, np.abs(random.normal(size=20_000)) * (spread + FLOOR), subject)

        samples = [made("a"), made("b")]
        found = score(samples[0], samples)
        self.assertAlmostEqual(found.calibrated.coverage, LEVEL, delta=0.01)
        self.assertLess(found.calibrated.width, 0.9 * found.constant.width)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.booleans(), st.integers(0, 9))
    def test_intervals_contain_the_level_of_the_errors_they_were_calibrated_on(
        self, sizes, is_constant, seed
    ):
        random = np.random.default_rng(seed)
        samples = [sample(*random.random((2, n)), str(n)) for n in dict.fromkeys(sizes)]
        factor = calibrate(samples, is_constant)
        widths = [factor * (1 if is_constant else s.spread + FLOOR) for s in samples]
        inside = [np.mean(s.error <= w * (1 + 1e-12)) for s, w in zip(samples, widths)]
        self.assertGreaterEqual(np.mean(inside), LEVEL - 1e-9)
        smaller = [np.mean(s.error < w * (1 - 1e-12)) for s, w in zip(samples, widths)]
        self.assertLess(np.mean(smaller), LEVEL)

    def test_all_subjects_weigh_the_same(self):
        small = sample(np.zeros(10), np.full(10, 5.0), "small")
        large = sample(np.zeros(1000), np.full(1000, 1.0), "large")
        self.assertEqual(calibrate([small, large], is_constant=True), 5)


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        lines = ["path\tsubject\tanatomy\tuse"]
        for number, use in enumerate(("test", "test", "train")):
            name = f"{number}.nii.gz"
            write_volume(self.folder / name, Volume(tissue(number), np.diag([1.0, 1, 4, 1])))
            lines.append(f"{name}\ts{number}\tbrain\t{use}")
        self.list = self.folder / "data.tsv"
        self.list.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def test_the_command_writes_a_table_per_model_and_a_line_per_volume(self):
        out, err, target = io.StringIO(), io.StringIO(), self.folder / "out"
        words = ["uncertainty", self.list, "--models", "fast-x2-psnr", "--slices", "2"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*map(str, words), "--device", "cpu", "--out", str(target)])
        self.assertEqual(code, 0, err.getvalue())
        self.assertIn("A training volume", err.getvalue())
        self.assertIn("## fast-x2-psnr", out.getvalue())
        self.assertIn("| 0.nii.gz |", (target / "uncertainty.md").read_text(encoding="utf-8"))
        with open(target / "volumes.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["subject"] for row in rows], ["s0", "s1"])
        for row in rows:
            self.assertLessEqual(int(row["voxels"]), 2 * 40 * 48)
            self.assertTrue(-1 <= float(row["correlation"]) <= 1)
            self.assertTrue(0 <= float(row["coverage"]) <= 1)
            self.assertGreater(float(row["half_width"]), 0)

    def test_nothing_is_written_if_no_volume_can_be_used(self):
        target = self.folder / "out"
        source = Source(str(self.folder / "2.nii.gz"), "s2", "brain", use="train")
        with self.assertRaisesRegex(SuperResolutionError, "Nothing could be evaluated"):
            evaluate_uncertainty([source], ["fast-x2-psnr"], out=target)
        self.assertFalse(target.exists())

    def test_the_table_shows_what_is_undefined_as_a_dash_and_names_what_was_skipped(self):
        text = markdown([score(sample(np.zeros(50), np.arange(50)), [])], ["x.nii: damaged."])
        self.assertIn("| a.nii | – | 24.5 | 24.5 | – | – | – | – |", text)
        self.assertIn("- x.nii: damaged.", text)
        with self.assertRaisesRegex(SuperResolutionError, "x.nii: damaged"):
            write_report(self.folder, [], ["x.nii: damaged."])

    def test_the_sample_of_many_voxels_is_reproducible(self):
        def run():
            return evaluate_uncertainty([self.list], ["fast-x2-psnr"], slices=1)[0].sample

        with mock.patch.object(uncertainty, "MAX_VOXELS", 100):
            first, second = run(), run()
        self.assertEqual(len(first.error), 100)
        np.testing.assert_array_equal(first.error, second.error)


if __name__ == "__main__":
    unittest.main()
