"""Evaluation: every method at every scale, averaged over subjects with intervals."""

import contextlib
import csv
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core.options import ComparisonOptions, UpsamplingOptions
from MRISuperResLib.core.comparison.scores import SCORING_RULE, Metric
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.methods.interpolation import InterpolationMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.metrics.full_reference import mesh
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.data.sources import Source
from MRISuperResTrainingLib.evaluation import figures, report
from MRISuperResTrainingLib.evaluation.evaluate import Evaluation, confidence_interval, evaluate
from MRISuperResTrainingLib.evaluation.report import evaluate_into

FLAT_LEVELS, FLAT_SIDE, FLAT_MARGIN = (0.0, 0.25, 0.5, 0.75, 1.0), 16, 64
"""Gray levels of uniform slices; sides of their evaluated part and of the margin, low-resolution
pixels."""
METHODS = ("nearest", "bilinear", "bicubic", "bicubic+bp")


def tissue(seed, shape=(4, 40, 48)):
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), (0, 1.5, 1.5))
    return ((noise - noise.min()) * 3000).astype(np.int16)


class Hallucinating(InterpolationMethod):
    """Bicubic interpolation with a faint checkerboard, also where the slice is empty."""

    def __init__(self):
        super().__init__("bicubic", 2)
        self.name, self.plain = "faint", InterpolationMethod("bicubic", 2)

    def __call__(self, images):
        upsampled = self.plain(images)
        return upsampled + 1e-3 * (np.indices(upsampled.shape).sum(0) % 2)


def mesh_on_flat(method):
    """Compute the largest `mesh` of uniform slices, 0–255, far from their edges."""
    scale, margin = method.scale, method.scale * FLAT_MARGIN
    images = np.ones((1, *[2 * FLAT_MARGIN + FLAT_SIDE] * 2), np.float32)
    inner = slice(margin, -margin)
    return max(mesh(255 * method(level * images)[:, inner, inner], scale) for level in FLAT_LEVELS)


class BootstrapTest(unittest.TestCase):
    def test_the_interval_of_many_subjects_is_that_of_the_normal_distribution(self):
        values = np.random.default_rng(0).normal(10, 2, 400)
        low, high = confidence_interval(values)
        self.assertAlmostEqual(low, values.mean() - 1.96 * values.std() / 20, delta=0.02)
        self.assertAlmostEqual(high, values.mean() + 1.96 * values.std() / 20, delta=0.02)

    def test_the_interval_lies_within_the_values_and_is_reproducible(self):
        values = [30.0, 31.5, 36.0]
        low, high = confidence_interval(values)
        self.assertTrue(30 <= low < np.mean(values) < high <= 36)
        self.assertEqual(confidence_interval(values), (low, high))

    def test_one_subject_has_no_interval(self):
        self.assertIsNone(confidence_interval([30.0]))


class Uneven(InterpolationMethod):
    """Bicubic interpolation whose first pixel of every 2×2 is brighter, by 0.02."""

    def __init__(self):
        super().__init__("bicubic", 2)
        self.name, self.plain = "uneven", InterpolationMethod("bicubic", 2)

    def __call__(self, images):
        upsampled = self.plain(images)
        upsampled[..., ::2, ::2] += 0.02
        return upsampled


class MeshTest(unittest.TestCase):
    DEVIATION = 0.02 * np.std([1, 0, 0, 0])

    def test_it_is_the_deviation_of_the_mean_error_over_the_pixel_phases(self):
        phases = np.random.default_rng(0).normal(size=(4, 4))
        content = np.random.default_rng(1).normal(size=(2, 3, 5))
        content -= content.mean()
        error = np.tile(phases, (2, 3, 5)) + content.repeat(4, 1).repeat(4, 2)
        self.assertAlmostEqual(mesh(error, 4), phases.std(), places=12)

    def test_on_uniform_slices(self):
        self.assertAlmostEqual(mesh_on_flat(Uneven()), 255 * self.DEVIATION, places=3)
        self.assertLess(mesh_on_flat(InterpolationMethod("bicubic", 4)), 1e-4)

    def test_the_shipped_psnr_models_leave_hardly_one_on_uniform_slices(self):
        registry = MethodRegistry()
        for scale in (2, 4, 8):
            with self.subTest(scale):
                method = registry.get(UpsamplingOptions(f"fast-x{scale}-psnr", device="cpu"))
                self.assertLess(mesh_on_flat(method), 0.4)

    def test_of_a_volume_it_is_that_of_all_slices_on_the_scale_of_the_reference(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.nii.gz")
            write_volume(path, Volume(tissue(1).astype(np.float32), np.diag([1, 1, 3, 1.0])))
            registry = MethodRegistry(given=[Uneven()])
            found = evaluate([Source(str(path), "a", "brain")], ["uneven"], (2,), registry)
        (scores,) = found.volumes
        self.assertAlmostEqual(scores.mesh["uneven"], 255 * self.DEVIATION, delta=0.2)
        self.assertLess(scores.mesh["bicubic"], 0.2)
        line = list(csv.DictReader(io.StringIO(report.volumes_csv(found))))[-1]
        self.assertAlmostEqual(float(line["mesh"]), scores.mesh["uneven"], places=5)


class EvaluationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.sources = [
            cls.write("a1", "a", "brain", 1),
            cls.write("a2", "a", "brain", 2),
            cls.write("b1", "b", "brain", 3),
            cls.write("c1", "c", "fetal", 4),
        ]
        cls.evaluation = evaluate(cls.sources, [], (2, 4), MethodRegistry())

    @classmethod
    def write(cls, name, subject, anatomy, seed):
        path = cls.folder / f"{name}.nii.gz"
        write_volume(
            path,
            Volume(
                tissue(seed),
                np.diag([1.0, 1.0, 3.0, 1.0]),
                provenance={"notice": "made for a test"},
            ),
        )
        return Source(str(path), subject, anatomy)

    def test_every_volume_is_evaluated_at_every_scale_by_the_baselines(self):
        found = [
            (scores.volume, scores.scale, scores.table.methods)
            for scores in self.evaluation.volumes
        ]
        self.assertEqual(
            found,
            [
                (f"{name}.nii.gz", scale, METHODS)
                for name in ("a1", "a2", "b1", "c1")
                for scale in (2, 4)
            ],
        )

    def test_a_subject_counts_once_however_many_volumes_it_has(self):
        means = {
            scores.volume[:2]: scores.table.mean("bicubic", "psnr")
            for scores in self.evaluation.volumes
            if scores.scale == 2
        }
        summary = self.evaluation.summary("brain", 2, "bicubic", "psnr")
        self.assertAlmostEqual(summary.mean, ((means["a1"] + means["a2"]) / 2 + means["b1"]) / 2)
        self.assertEqual(summary.subjects, 2)
        self.assertTrue(summary.interval[0] < summary.mean < summary.interval[1])
        self.assertIsNone(self.evaluation.summary("fetal", 2, "bicubic", "psnr").interval)

    def test_a_model_takes_part_at_its_own_scale_only(self):
        class Model(InterpolationMethod):
            stage = "psnr"

            def __init__(self):
                super().__init__("bicubic", 2)
                self.name, self._inner = "mine", InterpolationMethod("bicubic", 2)

            def __call__(self, images):
                return self._inner(images)

        evaluation = evaluate(self.sources[:1], ["mine"], (2, 4), MethodRegistry(given=[Model()]))
        self.assertEqual(evaluation.methods("brain", 2), (*METHODS, "mine"))
        self.assertEqual(evaluation.methods("brain", 4), METHODS)

    def test_a_volume_that_cannot_be_used_is_skipped_and_named(self):
        tiny = self.folder / "tiny.nii.gz"
        write_volume(
            tiny,
            Volume(tissue(1, (3, 9, 9)), np.diag([1.0, 1.0, 3.0, 1.0]), provenance={"notice": ""}),
        )
        torn = self.folder / "torn.nii.gz"
        torn.write_bytes(b"not a volume")
        bad = [Source(str(path), "x", "brain") for path in (tiny, torn)]
        evaluation = evaluate([*bad, self.sources[0]], [], (4,), MethodRegistry())
        self.assertEqual([scores.volume for scores in evaluation.volumes], ["a1.nii.gz"])
        self.assertEqual(
            [Path(sentence.split(",")[0]).name for sentence in evaluation.skipped],
            ["tiny.nii.gz", "torn.nii.gz"],
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            self.assertRaisesRegex(SuperResolutionError, "Nothing could be evaluated.*tiny.nii.gz"),
        ):
            evaluate_into(folder, bad, [], (4,), MethodRegistry(), ComparisonOptions(METHODS))

    def test_additional_metrics_and_options_are_used(self):
        metric = Metric("far", "Far", "", "lower", "image", 2)
        noisy = evaluate(
            self.sources[:1],
            [],
            (2,),
            MethodRegistry(),
            ComparisonOptions(METHODS, noise=5.0),
            [(metric, lambda image, reference: 0.5)],
        )
        self.assertEqual(noisy.summary("brain", 2, "bicubic", "far").mean, 0.5)
        psnr = noisy.summary("brain", 2, "bicubic", "psnr").mean
        self.assertLess(psnr, self.evaluation.volumes[0].table.mean("bicubic", "psnr"))

    def test_it_reports_progress_and_can_be_cancelled(self):
        calls = []
        evaluate(self.sources[:2], [], (2,), MethodRegistry(), on_progress=calls.append)
        self.assertEqual([(each.done, each.total) for each in calls], [(0, 2), (1, 2), (2, 2)])
        with self.assertRaises(Cancelled):
            evaluate(self.sources[:1], [], (2,), MethodRegistry(), is_cancelled=lambda: True)

    def test_the_tables_contain_the_scores(self):
        lines = list(csv.DictReader(io.StringIO(report.volumes_csv(self.evaluation))))
        self.assertEqual(len(lines), 4 * 2 * 4)
        self.assertEqual((lines[0]["slices"], lines[0]["scored"]), ("4", "4"))
        first = self.evaluation.volumes[0].table
        self.assertAlmostEqual(float(lines[0]["psnr"]), first.mean("nearest", "psnr"), places=6)
        self.assertAlmostEqual(
            float(lines[0]["psnr_volume"]), first.volume_psnr("nearest"), places=6
        )
        summaries = {
            (line["anatomy"], line["scale"], line["method"], line["metric"]): line
            for line in csv.DictReader(io.StringIO(report.summary_csv(self.evaluation)))
        }
        line, summary = (
            summaries["brain", "4", "bicubic", "rmse"],
            self.evaluation.summary("brain", 4, "bicubic", "rmse"),
        )
        self.assertAlmostEqual(float(line["mean"]), summary.mean, places=6)
        self.assertAlmostEqual(float(line["low"]), summary.interval[0], places=6)
        self.assertEqual(summaries["fetal", "2", "bicubic", "rmse"]["low"], "")

    def test_markdown_has_a_table_per_anatomy_and_scale_with_the_best_in_bold(self):
        text = report.markdown(self.evaluation)
        self.assertEqual(
            [line for line in text.splitlines() if line.startswith("## ")],
            [
                "## brain, ×2 (2 subjects)",
                "## brain, ×4 (2 subjects)",
                "## fetal, ×2 (1 subject)",
                "## fetal, ×4 (1 subject)",
            ],
        )
        rows = [line for line in text.splitlines() if line.startswith("| `bicubic+bp`")]
        psnr = self.evaluation.summary("brain", 2, "bicubic+bp", "psnr")
        self.assertTrue(
            rows[0].startswith(
                f"| `bicubic+bp` | **{psnr.mean:.2f}** "
                f"({psnr.interval[0]:.2f}–{psnr.interval[1]:.2f}) |"
            )
        )
        self.assertNotIn(
            "**",
            next(line for line in text.splitlines() if line.startswith("| `nearest`")).split("|")[
                2
            ],
        )

    def test_empty_slices_do_not_change_the_figures(self):
        stripped = tissue(1, (12, 40, 48))
        stripped[:4] = stripped[8:] = 0  # a skull-stripped volume
        path = self.folder / "stripped.nii.gz"
        write_volume(path, Volume(stripped, np.diag([1.0, 1.0, 3.0, 1.0])))
        registry = MethodRegistry(given=[Hallucinating()])
        found = evaluate([Source(str(path), "s", "brain")], ["faint"], (2,), registry)
        table = found.volumes[0].table
        lines = list(csv.DictReader(io.StringIO(report.volumes_csv(found))))
        self.assertEqual({(line["slices"], line["scored"]) for line in lines}, {("12", "4")})
        for method in found.methods("brain", 2):
            errors = np.array(table.values(method, "rmse")[4:8])
            expected = 20 * np.log10(255 / errors)
            self.assertEqual(table.slices("psnr"), [4, 5, 6, 7])
            summary = found.summary("brain", 2, method, "psnr")
            self.assertAlmostEqual(summary.mean, expected.mean(), places=9)
        self.assertIn(SCORING_RULE, report.markdown(found))

    def test_markdown_lists_skipped_volumes(self):
        text = report.markdown(
            Evaluation(self.evaluation.volumes, ["x.nii.gz, ×2: it is no volume."])
        )
        self.assertIn("- x.nii.gz, ×2: it is no volume.", text)

    def test_the_figure_is_a_png_file(self):
        path = self.folder / "evaluation.png"
        figures.draw_scores(self.evaluation, path)
        self.assertTrue(path.read_bytes().startswith(b"\x89PNG"))

    def test_the_axes_of_the_figure_are_named_with_units(self):
        with mock.patch("matplotlib.figure.Figure.savefig", autospec=True) as save:
            figures.draw_scores(self.evaluation, self.folder / "evaluation.png")
        axes = save.call_args.args[0].axes
        self.assertEqual({panel.get_xlabel() for panel in axes}, {"Scale"})
        self.assertIn("PSNR (dB)", {panel.get_ylabel() for panel in axes})

    def test_the_folder_contains_tables_figures_and_a_record(self):
        folder = self.folder / "out"
        folder.mkdir()
        evaluate_into(
            folder,
            self.sources[:2],
            [],
            (2,),
            MethodRegistry(),
            ComparisonOptions(METHODS, noise=2.0, seed=3),
            with_hr_slices=True,
        )
        self.assertEqual(
            {path.name for path in folder.iterdir()},
            {
                "summary.csv",
                "volumes.csv",
                "evaluation.md",
                "evaluation.png",
                "evaluation.json",
                "pictures",
                "hr_slices",
            },
        )
        for pictures in ("pictures", "hr_slices"):
            self.assertEqual(
                sorted(path.name for path in (folder / pictures).iterdir()),
                ["a_a1_x2.png", "a_a2_x2.png"],
            )
        record = json.loads((folder / "evaluation.json").read_text())
        self.assertEqual(
            (record["settings"]["noise"], record["settings"]["seed"], record["scales"]),
            (2.0, 3, [2]),
        )


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_volume(
            self.folder / "sub-1_T1w.nii.gz",
            Volume(tissue(1), np.diag([1.0, 1.0, 3.0, 1.0]), provenance={"notice": ""}),
        )

    def run_main(self, *arguments):
        """(exit code, standard output, standard error)"""
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = main(["evaluate", *map(str, arguments)])
        return code, out.getvalue(), err.getvalue()

    def test_it_prints_the_tables_and_writes_the_folder(self):
        code, out, err = self.run_main(
            self.folder, "--models", "bicubic+bp@0", "--out", self.folder / "bad"
        )
        self.assertEqual((code, out), (2, ""))
        self.assertFalse((self.folder / "bad").exists())
        code, out, err = self.run_main(
            self.folder,
            "--scales",
            "2",
            "--anatomy",
            "brain",
            "--device",
            "cpu",
            "--out",
            self.folder / "out",
        )
        self.assertEqual(code, 0, err)
        self.assertIn("## brain, ×2 (1 subject)", out)
        self.assertIn("| `fast-x2-psnr` |", out)
        self.assertEqual(
            (self.folder / "out" / "evaluation.md").read_text(), out.partition("\nDone")[0]
        )

    def test_training_volumes_are_skipped_and_named(self):
        (self.folder / "list.csv").write_text("path,subject,use\nsub-1_T1w.nii.gz,1,train\n")
        code, _, err = self.run_main(
            self.folder / "list.csv", "--scales", "2", "--out", self.folder / "out"
        )
        self.assertEqual(code, 2)
        self.assertIn("sub-1_T1w.nii.gz: A training volume", err)
        self.assertIn("Nothing could be evaluated", err)

    def test_errors_are_one_sentence(self):
        for arguments, words in (
            (("--out", self.folder / "x"), "Name the volumes to evaluate"),
            ((self.folder / "nowhere", "--out", self.folder / "x"), "No such file or folder"),
            ((self.folder, "--scales", "3", "--out", self.folder / "x"), "Invalid scales “3”"),
            (
                (self.folder, "--models", "unknown", "--out", self.folder / "x"),
                "no model “unknown”",
            ),
            (
                (self.folder, "--run", self.folder, "--out", self.folder / "x"),
                "not the folder of a training run",
            ),
            ((self.folder, "--noise", "90", "--out", self.folder / "x"), "from 0 to 20"),
            ((self.folder, "--out", self.folder), "not empty"),
        ):
            with self.subTest(words):
                code, out, err = self.run_main(*arguments)
                self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
                self.assertIn(words, err)


class HighResolutionSlicesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "volume.nii.gz"
        self.matrix = np.array([[0.5, 0, 0, 7], [0, 0.5, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1.0]])

    def test_the_middle_slice_is_downsampled_in_place_to_128_pixels(self):
        from MRISuperResLib.core import geometry

        write_volume(
            self.path, Volume(tissue(0, (5, 192, 256)), self.matrix, provenance={"notice": ""})
        )
        volume, axis = figures.middle_slice(Source(str(self.path), "s"))
        self.assertEqual((volume.array.shape, axis.name), ((1, 96, 128), "k"))
        middle = self.matrix.copy()
        middle[2, 3] += 2 * 3
        np.testing.assert_allclose(
            geometry.corners(volume.ijk_to_ras, (128, 96, 1)),
            geometry.corners(middle, (256, 192, 1)),
            atol=1e-9,
        )

    def test_it_is_upsampled_to_256_512_and_1024_pixels(self):
        write_volume(
            self.path, Volume(tissue(0, (3, 128, 128)), self.matrix, provenance={"notice": ""})
        )
        for scale in (2, 4, 8):
            comparison = figures.upsample_middle_slice(
                Source(str(self.path), "s"), scale, [], MethodRegistry()
            )
            output = comparison.outputs[0].volume
            self.assertEqual(output.array.shape, (1, 128 * scale, 128 * scale))
            self.assertEqual(comparison.options.methods, METHODS)


if __name__ == "__main__":
    unittest.main()
