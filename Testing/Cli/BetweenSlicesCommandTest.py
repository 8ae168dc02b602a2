"""The commands compare and audit with thick slices, and the same in Python."""

import csv
import json
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from made_files import FolderTest, grid, run

import MRISuperResLib as sr
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.slice_profile import INTERPOLATIONS
from MRISuperResLib.core.volume import Volume
from scipy.ndimage import gaussian_filter

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from made_models import write_model

NETWORK = {"network": "through-plane", "blocks": 1, "features": 4}


class ThickSlicesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input, self.out = self.folder / "in.nii.gz", self.folder / "out"
        noise = gaussian_filter(np.random.default_rng(0).random((40, 44, 36)), 1.5)
        array = 400 + 90 * (noise - noise.mean()) / noise.std()
        array[:, :4] = 0
        matrix = grid(angles=(5, 0, 20), spacing=(1, 1, 1))
        write_volume(self.input, Volume(array.clip(0).astype(np.int16), matrix))

    def command(self, name, *words):
        code, text, err = run(name, self.input, "--out", self.out, *words)
        self.assertEqual(code, 0, err)
        return text

    def refused(self, name, *words):
        code, _, err = run(name, self.input, "--out", self.out, *words)
        self.assertEqual(code, 2)
        self.assertFalse(self.out.exists())
        return err

    def table(self, name):
        with open(self.out / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


class CompareCommandTest(ThickSlicesTest):
    def test_tables_and_volumes_are_those_of_the_core(self):
        text = self.command("compare", "--slice-spacing", "4", "--slice-thickness", "3", "--maps")
        self.assertIn("Degraded to 4 mm slice spacing, 3 mm slice thickness and restored.", text)
        self.assertIn("of 44 coronal reformats", text)
        names = [row["method"] for row in self.table("comparison.csv")]
        self.assertEqual(names[:3], list(INTERPOLATIONS))
        options = ComparisonOptions(tuple(names), slice_spacing=4.0, slice_thickness=3.0)
        result = compare_methods(read_volume(self.input), options)
        self.assertEqual(
            (self.out / "comparison.csv").read_text(encoding="utf-8"), result.table.csv()
        )
        for output in result.outputs:
            written = read_volume(self.out / "volumes" / f"{output.name}.nii.gz")
            np.testing.assert_array_equal(written.array, output.volume.array)
            np.testing.assert_allclose(written.ijk_to_ras, result.ijk_to_ras, atol=1e-4)
            inconsistency = read_volume(self.out / "maps" / f"{output.name}-inconsistency.nii.gz")
            np.testing.assert_allclose(
                inconsistency.array, result.inconsistency_map(output.volume.array), atol=1e-3
            )
        self.assertEqual(read_volume(self.out / "low.nii.gz").array.shape, (10, 44, 36))
        record = json.loads((self.out / "comparison.json").read_text(encoding="utf-8"))
        self.assertAlmostEqual(record["slice_spacing"], 4, places=5)
        self.assertEqual(record["slice_thickness"], 3)
        self.assertTrue((self.out / "comparison.png").stat().st_size)

    def test_python_compares_the_same(self):
        self.command("compare", "--slice-spacing", "4", "--methods", "linear,bspline")
        found = sr.compare(self.input, ["linear", "bspline"], slice_spacing=4)
        self.assertEqual(
            (self.out / "comparison.csv").read_text(encoding="utf-8"), found.table.csv()
        )
        self.assertEqual(found.table.methods, ("linear", "bspline"))

    def test_what_does_not_fit_together_is_refused_before_the_work(self):
        thick = ("--slice-spacing", "4")
        for words, sentence in (
            ((*thick, "--scale", "2"), "neither --scale nor --blend"),
            ((*thick, "--blend", "0.5"), "neither --scale nor --blend"),
            ((*thick, "--no-reference"), "needs a reference"),
            ((*thick, "--degradation", "kspace"), "Gaussian slice profile"),
            ((*thick, "--methods", "linear,bicubic"), "no through-plane model “bicubic”"),
            (("--slice-thickness", "4"), "needs a slice spacing"),
            (("--slice-spacing", "20"), "at most 8 mm"),
        ):
            with self.subTest(words):
                self.assertIn(sentence, self.refused("compare", *words))
        with self.assertRaisesRegex(sr.SuperResolutionError, "not both"):
            sr.compare(self.input, scale=2, slice_spacing=4)


class AuditCommandTest(ThickSlicesTest):
    def test_the_folder_holds_tables_figure_and_maps(self):
        text = self.command("audit", "--slice-spacing", "3", "--models", "linear", "--slices", "3")
        self.assertIn("## Between slices: 1 volume, 3 slices", text)
        self.assertEqual([row["method"] for row in self.table("summary.csv")], list(INTERPOLATIONS))
        self.assertEqual(
            sorted(path.name for path in (self.out / "maps").glob("*.gz")),
            sorted(f"in-{name}.nii.gz" for name in INTERPOLATIONS),
        )
        report = sr.audit(self.input, ["linear"], slice_spacing=3, slices=3)
        report.to_csv(self.folder / "python.csv")
        with open(self.folder / "python.csv", encoding="utf-8", newline="") as file:
            for own, written in zip(csv.DictReader(file), self.table("audit.csv")):
                self.assertEqual(own["crossing"], written["crossing"])

    def test_the_figures_go_into_the_card_of_a_user_model(self):
        models = self.folder / "models"
        models.mkdir()
        with mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(models)}):
            write_model(models, "mine", scale=8, architecture=NETWORK)
            self.command(
                "audit", "--slice-spacing", "3", "--models", "mine", "--slices", "2",
                "--card", "brain",
            )  # fmt: skip
            (entry,) = ModelCard.read(models / "mine.json").audit
        self.assertEqual(entry["degradation"], "3 mm slice spacing, no gap")
        self.assertEqual(list(entry["baselines"]), list(INTERPOLATIONS))

    def test_a_scale_is_refused(self):
        words = ("--slice-spacing", "4", "--scale", "2", "--models", "linear")
        self.assertIn("not both", self.refused("audit", *words))


if __name__ == "__main__":
    unittest.main()
