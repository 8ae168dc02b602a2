"""Score tables, and the metrics of a slice."""

import csv
import io
import json
import unittest
from functools import partial

import numpy as np

from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.comparison.scores import MIN_ERROR, ScoreTable, SliceScores, metrics_of
from MRISuperResLib.core.metrics.full_reference import psnr, rmse, ssim, ssim_matlab
from MRISuperResLib.core.resampling import degrade


def table(scored=None, **values):
    """A table of PSNR and RMSE: {method: (PSNR per slice, RMSE per slice)}."""
    metrics = [
        metric
        for metric in metrics_of(ComparisonOptions(("nearest", "bicubic")))
        if metric.key in ("psnr", "rmse")
    ]
    return ScoreTable(
        metrics,
        {name: {"psnr": list(a), "rmse": list(b)} for name, (a, b) in values.items()},
        scored,
    )


class ScoreTableTest(unittest.TestCase):
    def setUp(self):
        self.table = table(
            (0, 1),
            a=((30.0, 32.0, 90.0), (8.0, 6.0, 0.0)),
            b=((31.0, 31.0, 31.0), (7.0, 7.0, 7.0)),
        )

    def test_mean_and_spread_are_over_the_scored_slices(self):
        self.assertEqual(self.table.mean("a", "psnr"), 31.0)
        self.assertAlmostEqual(self.table.spread("a", "psnr"), 2**0.5)
        self.assertEqual(
            (self.table.mean("b", "psnr"), self.table.spread("b", "psnr")), (31.0, 0.0)
        )
        self.assertEqual((self.table.scored, self.table.slice_count), ((0, 1), 3))

    def test_a_slice_that_is_undefined_for_one_method_counts_for_none(self):
        both = table(a=((30.0, 50.0), (8.0, 6.0)), b=((31.0, None), (7.0, 7.0)))
        self.assertEqual((both.mean("a", "psnr"), both.mean("b", "psnr")), (30.0, 31.0))
        self.assertEqual(both.slices("psnr"), [0])
        self.assertIsNone(both.spread("a", "psnr"))
        self.assertEqual(both.slice_csv().splitlines()[4], "b,1,1,,7.000000")

    def test_a_metric_without_any_value_has_no_mean(self):
        nothing = table(a=((None, None), (0.0, 0.0)))
        self.assertIsNone(nothing.mean("a", "psnr"))
        self.assertIsNone(nothing.spread("a", "psnr"))
        self.assertIsNone(nothing.volume_psnr("a"))
        self.assertEqual(nothing.best("psnr"), set())
        self.assertEqual(nothing.rows()[1][0][1], "–")

    def test_the_psnr_of_the_volume_is_over_all_slices(self):
        self.assertAlmostEqual(self.table.volume_rmse("a"), (100 / 3) ** 0.5)
        self.assertAlmostEqual(self.table.volume_psnr("a"), 10 * np.log10(255**2 / (100 / 3)))

    def test_the_best_are_all_methods_with_the_best_shown_mean(self):
        self.assertEqual(table(a=((1,), (6,)), b=((1,), (7,))).best("rmse"), {"a"})
        self.assertEqual(self.table.best("psnr"), {"a", "b"})
        self.assertEqual(
            table(a=((30.004,), (1,)), b=((30.0,), (1,)), c=((29.99,), (1,))).best("psnr"),
            {"a", "b"},
        )

    def test_rows_show_mean_and_spread_and_mark_the_best(self):
        header, rows = self.table.rows()
        self.assertEqual(header, ["Method", "PSNR (dB)", "RMSE (of 255)"])
        self.assertEqual(
            rows,
            [["a", "31.00 ± 1.41 *", "7.00 ± 1.41 *"], ["b", "31.00 ± 0.00 *", "7.00 ± 0.00 *"]],
        )

    def test_the_csv_holds_plain_numbers(self):
        lines = list(csv.DictReader(io.StringIO(self.table.csv())))
        self.assertEqual([line["method"] for line in lines], ["a", "b"])
        self.assertAlmostEqual(float(lines[0]["psnr_sd"]), 2**0.5, places=6)
        self.assertEqual((lines[0]["psnr_n"], lines[1]["psnr_n"]), ("2", "2"))
        self.assertAlmostEqual(float(lines[1]["psnr_volume"]), psnr(np.array([7.0]), 0), places=6)

    def test_the_csv_of_the_slices_says_which_are_scored(self):
        lines = list(csv.reader(io.StringIO(self.table.slice_csv())))
        self.assertEqual(lines[0], ["method", "slice", "scored", "psnr", "rmse"])
        self.assertEqual(lines[2], ["a", "1", "1", "32.000000", "6.000000"])
        self.assertEqual(lines[3], ["a", "2", "0", "90.000000", "0.000000"])
        self.assertEqual(len(lines), 7)

    def test_it_survives_json(self):
        again = ScoreTable.from_dict(json.loads(json.dumps(self.table.to_dict())))
        self.assertEqual(
            (again.csv(), again.slice_csv(), again.rows()),
            (self.table.csv(), self.table.slice_csv(), self.table.rows()),
        )


class SliceScoresTest(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(0)
        self.reference, self.image = random.random((40, 48)), random.random((40, 48))
        self.mask = np.zeros((40, 48), bool)
        self.mask[2:30, 10:40] = True
        self.low = random.random((20, 24))

    def scores(self, image=None, mask=None):
        return SliceScores(
            self.reference, self.mask if mask is None else mask, self.low, partial(degrade, scale=2)
        ).of(self.image if image is None else image)

    def test_the_whole_image_counts_on_the_scale_to_255(self):
        scores = self.scores()
        a, b = self.image * 255, self.reference * 255
        for key, value in (
            ("rmse", rmse(a, b)),
            ("psnr", psnr(a, b)),
            ("ssim_wang", ssim(a, b)),
            ("ssim_matlab", ssim_matlab(a, b)),
        ):
            self.assertAlmostEqual(scores[key], value)

    def test_only_pixels_of_the_foreground_count_there(self):
        image = self.reference.copy()
        image[self.mask] += 0.1
        scores = self.scores(image)
        self.assertAlmostEqual(scores["psnr_foreground"], 20)
        self.assertAlmostEqual(scores["rmse_foreground"], 25.5)
        outside = self.reference.copy()
        outside[~self.mask] += 0.1
        self.assertAlmostEqual(self.scores(outside)["rmse_foreground"], 0)

    def test_psnr_is_capped_at_the_error_of_rounding(self):
        for image in (self.reference, self.reference + 1e-9):
            for key in ("psnr", "psnr_foreground"):
                self.assertAlmostEqual(self.scores(image)[key], 20 * np.log10(255 / MIN_ERROR))

    def test_similarity_of_the_foreground_is_the_mean_of_the_map_over_it(self):
        from skimage.metrics import structural_similarity

        _, whole = structural_similarity(
            self.reference * 255,
            self.image * 255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            full=True,
        )
        inner = np.zeros_like(self.mask)
        inner[5:-5, 5:-5] = self.mask[5:-5, 5:-5]
        self.assertAlmostEqual(self.scores()["ssim_wang_foreground"], whole[inner].mean())

    def test_a_few_pixels_do_not_count_as_foreground(self):
        mask = np.zeros_like(self.mask)
        mask[20, 20:30] = True
        scores = self.scores(mask=mask)
        self.assertEqual(
            {key for key, value in scores.items() if value is None},
            {f"{key}_foreground" for key in ("psnr", "rmse", "ssim_wang", "ssim_matlab")},
        )


if __name__ == "__main__":
    unittest.main()
