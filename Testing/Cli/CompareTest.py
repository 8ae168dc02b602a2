"""The command compare: output folder, tables and figures."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from compare_helpers import METHODS, CompareTest
from made_files import DATA, PATIENCE, FolderTest, run, subprocess_arguments
from made_models import write_model
from MRISuperResLib.cli import help_texts, parser
from MRISuperResLib.cli.console import format_columns
from MRISuperResLib.core.methods import registry
from MRISuperResLib.core.resampling import difference_map, inconsistency_map
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.io.formats import read_volume

FILES = [
    "comparison.csv",
    "comparison.json",
    "comparison.png",
    "lesions.csv",
    "low.nii.gz",
    "low.nii.gz.json",
    "reference.nii.gz",
    "reference.nii.gz.json",
    "slices.csv",
    "volumes",
]


class FolderOfResultsTest(CompareTest):
    def test_the_folder_contains_tables_a_figure_volumes_and_a_record(self):
        self.compare()
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), FILES)
        self.assertEqual(
            sorted(path.name for path in (self.out / "volumes").iterdir()),
            sorted(name + end for name in METHODS for end in (".nii.gz", ".nii.gz.json")),
        )
        self.assert_files("comparison", "in.nrrd")
        self.assertEqual((self.out / "comparison.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        record = json.loads((self.out / "comparison.json").read_text(encoding="utf-8"))
        self.assertEqual(
            (record["input"]["file"], record["options"]["methods"], record["slices"]["axis"]),
            ("in.nrrd", list(METHODS), "k"),
        )
        self.assertEqual([method["name"] for method in record["methods"]], list(METHODS))
        self.assertEqual(record["notice"], "synthetic, not for diagnosis")

    def test_scores_and_lesions_are_those_of_the_core(self):
        self.compare("--noise", "2", "--seed", "7", "--degradation", "kspace")
        result = self.expected(noise=2.0, seed=7, degradation="kspace")
        self.assertEqual(
            (self.out / "comparison.csv").read_text(encoding="utf-8"), result.table.csv()
        )
        self.assertEqual(
            (self.out / "slices.csv").read_text(encoding="utf-8"), result.table.slice_csv()
        )
        rows = self.table("comparison.csv")
        self.assertEqual([row["method"] for row in rows], list(METHODS))
        self.assertAlmostEqual(
            float(rows[1]["psnr_mean"]), result.table.mean("bicubic", "psnr"), places=6
        )
        lesions = [
            (row["method"], int(row["diameter"]), row["outcome"], float(row["contrast"]))
            for row in self.table("lesions.csv")
        ]
        self.assertEqual(
            lesions,
            [
                (lesion.method, lesion.diameter, lesion.outcome, round(lesion.contrast, 6))
                for lesion in result.lesions
            ],
        )
        self.assertTrue(lesions)

    def test_volumes_are_those_of_the_core_with_type_and_position_of_the_input(self):
        self.compare("--scale", "4")
        result = self.expected(scale=4)
        for name, expected in (
            *((f"volumes/{output.name}", output.volume) for output in result.outputs),
            ("reference", result.reference),
        ):
            written = read_volume(self.out / f"{name}.nii.gz")
            np.testing.assert_array_equal(written.array, expected.array)
            self.assertEqual(written.array.dtype, np.int16)
            self.assert_same_place(
                written.ijk_to_ras, written.array.shape, expected.ijk_to_ras, expected.array.shape
            )
        low = read_volume(self.out / "low.nii.gz")
        np.testing.assert_array_equal(low.array, result.low.array)
        self.assert_same_place(
            low.ijk_to_ras, low.array.shape, expected.ijk_to_ras, expected.array.shape
        )

    def test_without_a_reference_the_outputs_equal_those_of_upsample(self):
        self.compare("--no-reference")
        self.assertEqual(
            run("upsample", self.input, self.folder / "alone.nii.gz", "--model", "bicubic")[0], 0
        )
        alone, compared = (
            read_volume(path)
            for path in (self.folder / "alone.nii.gz", self.out / "volumes" / "bicubic.nii.gz")
        )
        np.testing.assert_array_equal(compared.array, alone.array)
        np.testing.assert_array_equal(compared.ijk_to_ras, alone.ijk_to_ras)
        beside, record = (
            json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
            for path in (self.folder / "alone.nii.gz", self.out / "volumes" / "bicubic.nii.gz")
        )
        for key in ("notice", "software", "model", "scale", "slices", "input", "intensity"):
            self.assertEqual(record[key], beside[key])
        self.assertFalse((self.out / "reference.nii.gz").exists())
        self.assertNotIn("psnr_mean", self.table("comparison.csv")[0])

    def test_maps_are_written_on_request(self):
        self.compare("--maps")
        result = self.expected()
        self.assertEqual(
            sorted(path.name for path in (self.out / "maps").glob("*.gz")),
            sorted(
                f"{name}-{kind}.nii.gz" for name in METHODS for kind in ("error", "inconsistency")
            ),
        )
        for output in result.outputs:
            error, inconsistency = (
                read_volume(self.out / "maps" / f"{output.name}-{kind}.nii.gz")
                for kind in ("error", "inconsistency")
            )
            np.testing.assert_array_equal(
                error.array, difference_map(output.volume.array, result.reference.array)
            )
            np.testing.assert_array_equal(
                inconsistency.array,
                inconsistency_map(output.volume.array, result.low.array, result.axis, 2, "bicubic"),
            )
            self.assert_same_place(
                inconsistency.ijk_to_ras,
                inconsistency.array.shape,
                error.ijk_to_ras,
                error.array.shape,
            )

    def test_an_empty_folder_is_filled_and_a_link_to_one_is_followed(self):
        self.out.mkdir()
        self.compare()
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), FILES)
        (self.folder / "elsewhere").mkdir()
        (self.folder / "link").symlink_to("elsewhere")
        self.compare(out=self.folder / "link")
        self.assertEqual(sorted(path.name for path in (self.folder / "elsewhere").iterdir()), FILES)

    def test_the_zoomed_area_can_be_chosen(self):
        self.compare()
        self.compare("--zoom", "30,40,1", out=self.folder / "other")
        self.assertNotEqual(
            (self.out / "comparison.png").read_bytes(),
            (self.folder / "other" / "comparison.png").read_bytes(),
        )


class MethodsTest(CompareTest):
    def options_of(self, *words):
        from MRISuperResLib.cli.compare import options_of
        from MRISuperResLib.core.models.store import ModelStore

        return options_of(
            parser.parse(["compare", "in", "--out", "out", *words]), ModelStore([self.folder])
        )

    def setUp(self):
        super().setUp()
        write_model(self.folder, "tiny-psnr", pair="tiny")
        write_model(self.folder, "tiny-gan", seed=1, stage="gan", pair="tiny")

    def test_interpolations_and_models_of_the_scale_are_compared_by_default(self):
        self.assertEqual(
            self.options_of().methods,
            ("nearest", "bilinear", "bicubic", "bicubic+bp", "tiny-psnr", "tiny-gan"),
        )
        self.assertEqual(
            self.options_of("--scale", "4").methods,
            ("nearest", "bilinear", "bicubic", "bicubic+bp"),
        )

    def test_given_models_are_compared_with_the_baselines(self):
        self.assertEqual(
            self.options_of("--models", "tiny-gan,tiny-gan+bp").methods,
            ("nearest", "bilinear", "bicubic", "bicubic+bp", "tiny-gan", "tiny-gan+bp"),
        )

    def test_given_methods_are_compared_alone(self):
        self.assertEqual(
            self.options_of("--methods", "tiny@0.50+bp, bicubic").methods,
            ("tiny@0.5+bp", "bicubic"),
        )

    def test_blends_of_every_pair_are_added(self):
        self.assertEqual(
            self.options_of("--methods", "bicubic", "--blend", "0.25,.5").methods,
            ("bicubic", "tiny@0.25", "tiny@0.5"),
        )

    def test_every_argument_sets_its_option(self):
        options = self.options_of(
            "--scale",
            "4",
            "--no-reference",
            "--slice-axis",
            "i",
            "--device",
            "cpu",
            "--precision",
            "float32",
            "--degradation",
            "kspace",
            "--seed",
            "9",
            "--perceptual",
            "pi",
        )
        self.assertEqual(
            options,
            ComparisonOptions(
                options.methods, 4, False, "i", "cpu", "float32", "kspace", 0.0, 9, "pi"
            ),
        )
        self.assertEqual(self.options_of("--noise", "1.5").noise, 1.5)

    def test_networks_pairs_and_blends_are_compared_and_mapped(self):
        with mock.patch.dict(os.environ, MRISUPERRES_MODELS=str(self.folder)):
            self.compare("--maps", methods=("bicubic", "tiny-psnr", "tiny-gan", "tiny@0.5+bp"))
        self.assertEqual(
            [row["method"] for row in self.table("comparison.csv")],
            ["bicubic", "tiny-psnr", "tiny-gan", "tiny@0.5+bp"],
        )
        psnr, gan = (
            read_volume(self.out / "volumes" / f"tiny-{stage}.nii.gz").array.astype(float)
            for stage in ("psnr", "gan")
        )
        np.testing.assert_allclose(
            read_volume(self.out / "maps" / "tiny-gan-psnr.nii.gz").array, np.abs(gan - psnr)
        )
        record = json.loads(
            (self.out / "volumes" / "tiny@0.5+bp.nii.gz.json").read_text(encoding="utf-8")
        )
        self.assertEqual(
            (record["model"]["name"], record["model"]["stage"], len(record["model"]["sha256"])),
            ("tiny@0.5+bp", "blend", 129),
        )


class OutputTest(CompareTest):
    def test_tables_and_lesions_are_printed(self):
        text = self.compare()
        result = self.expected()
        header, rows = result.table.rows()
        for title in header[1:]:
            self.assertIn(title.removesuffix(", foreground"), text)
        for name, *cells in rows:
            for cell in cells:
                self.assertRegex(text, rf"(?m)^{re.escape(name)} .*{re.escape(cell)}")
        self.assertIn("Degraded ÷2 (bicubic) and restored.", text)
        self.assertIn("over 4 of 4 slices", text)
        for lesion in result.lesions:
            self.assertRegex(
                text,
                rf"(?m)^{re.escape(lesion.method)} .*{lesion.outcome} {lesion.contrast:.0%}",
            )
        self.assertRegex(
            text,
            rf"Done in \d+\.\d s: {re.escape(str(self.out))}\n$",
        )

    def test_the_heading_names_degradation_noise_and_seed(self):
        self.assertIn(
            "÷2 (kspace, noise 1.5 %, seed 3)",
            self.compare("--noise", "1.5", "--seed", "3", "--degradation", "kspace"),
        )
        self.assertIn("Upsampled ×2.", self.compare("--no-reference", out=self.folder / "other"))

    def test_tables_fit_the_terminal(self):
        for width in (40, 80, 200):
            with mock.patch.dict(os.environ, COLUMNS=str(width)):
                tables = self.compare(out=self.folder / str(width)).splitlines()[3:-3]
            self.assertLessEqual(max(map(len, tables)), width)

    def test_columns_are_aligned_and_continued_below(self):
        rows = [["name", "first", "second"], ["a", "1.5", "2"]]
        self.assertEqual(format_columns(rows), ["name  first  second", "a     1.5    2"])
        self.assertEqual(
            format_columns(rows, 12), ["name  first", "a     1.5", "name  second", "a     2"]
        )
        self.assertEqual(format_columns(rows, 1), format_columns(rows, 12))

    def test_progress_and_notes_go_to_standard_error(self):
        result = subprocess.run(
            **subprocess_arguments(
                "compare", self.input, "--out", self.out, "--methods", "bicubic,nearest"
            ),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.startswith("Degraded ÷2"))
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"^(note: .*|\d+/5 slices.*)$")

    def test_interpolations_do_not_import_torch(self):
        words = [
            "compare",
            str(self.input),
            "--out",
            str(self.out),
            "--methods",
            "bicubic,bicubic+bp",
        ]
        program = (
            "import sys; from MRISuperResLib.cli.main import main; "
            f"sys.exit(main({words!r}) or int('torch' in sys.modules))"
        )
        result = subprocess.run(
            [sys.executable, "-c", program],
            env=subprocess_arguments()["env"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_help_and_its_examples(self):
        code, out, err = run("compare", "--help")
        self.assertEqual((code, err), (0, ""))
        for option in (
            "--scale",
            "--out",
            "--methods",
            "--models",
            "--blend",
            "--no-reference",
            "--slice-axis",
            "--device",
            "--degradation",
            "--noise",
            "--seed",
            "--perceptual",
            "--maps",
            "--zoom",
            "--frame",
            "--series",
        ):
            self.assertIn(option, out)
        examples = re.findall(
            rf"^  {re.escape(help_texts.PROGRAM)} (.+?)(?:   .*)?$",
            help_texts.COMPARE_EXAMPLES,
            re.MULTILINE,
        )
        self.assertGreater(len(examples), 3)
        for example in examples:
            parser.parse(example.split())


class SeedTest(CompareTest):
    def test_tables_are_reproducible_in_another_process_and_depend_on_the_seed(self):
        self.assert_reproducible(
            ("compare", self.input, "--models", "fast-x2-psnr"),
            ("comparison.csv", "slices.csv", "lesions.csv"),
        )


def imresize(images, factor, kind):
    """Resize images (n, h, w) like MATLAB's imresize, by PyTorch with mirrored edges.

    "nearest" repeats pixels.
    """
    import torch

    if kind == "nearest":
        return images.repeat(factor, 1).repeat(factor, 2)
    border = 16
    padded = torch.from_numpy(
        np.pad(images, ((0, 0), (border, border), (border, border)), mode="symmetric")
    )[:, None]
    resized = torch.nn.functional.interpolate(
        padded, scale_factor=factor, mode=kind, antialias=True
    )[:, 0].numpy()
    border = int(border * factor)
    return resized[:, border:-border, border:-border]


class RealDataTest(FolderTest):
    def test_interpolations_have_the_psnr_of_matlabs_imresize(self):
        path = DATA / "fetal" / "sub-01_run-3_T2w.nii.gz"
        if not path.is_file():
            self.skipTest(
                f"no {path.name}: set MRISUPERRES_TEST_DATA to a folder that holds fetal/"
            )
        import nibabel

        volume = np.moveaxis(
            np.asarray(nibabel.load(path).dataobj, dtype=float), 2, 0
        )  # thick slices along k
        low, high = np.percentile(volume, (0.1, 99.9))
        reference = (volume - low) / (high - low) * 255
        for scale in (2, 4):
            out = self.folder / f"x{scale}"
            words = subprocess_arguments("compare", path, "--scale", scale, "--out", out)
            result = subprocess.run(**words, capture_output=True, text=True, timeout=5 * PATIENCE)
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(out / "comparison.csv", encoding="utf-8", newline="") as file:
                found = {row["method"]: row for row in csv.DictReader(file)}
            self.assertGreaterEqual(set(found), {*registry.INTERPOLATIONS, "bicubic+bp"})
            low_resolution = imresize(reference, 1 / scale, "bicubic")
            for kind in registry.INTERPOLATIONS:
                errors = np.square(imresize(low_resolution, scale, kind) - reference).mean(
                    axis=(1, 2)
                )
                with self.subTest(kind, scale=scale):
                    self.assertAlmostEqual(
                        float(found[kind]["psnr_mean"]),
                        np.mean(10 * np.log10(255**2 / errors)),
                        delta=0.01,
                    )
                    self.assertAlmostEqual(
                        float(found[kind]["psnr_volume"]),
                        10 * np.log10(255**2 / errors.mean()),
                        delta=0.01,
                    )
            order = sorted(found, key=lambda name: float(found[name]["psnr_mean"]))
            self.assertEqual(order[:4], ["nearest", "bilinear", "bicubic", "bicubic+bp"])
            shutil.rmtree(out)


if __name__ == "__main__":
    unittest.main()
