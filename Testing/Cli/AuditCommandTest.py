"""The command audit: folder, tables, changed cards, and failures."""

import csv
import errno
import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from compare_helpers import body
from made_files import PATIENCE, FolderTest, grid, run, subprocess_arguments
from made_models import write_model
from MRISuperResLib.cli import help_texts, parser
from MRISuperResLib.core.audit.audit import audit_volume
from MRISuperResLib.core.options import AuditOptions
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.card_figures import AUDIT_FIGURES
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, SHIPPED

FILES = ["audit.csv", "audit.json", "audit.md", "audit.png", "lesions.csv", "maps", "summary.csv"]
METHODS = ["bicubic", "bicubic+bp", "tiny-psnr"]


class AuditCommandTest(FolderTest):
    """With two volumes, and two models of the user's own."""

    has_picture = False  # drawing it takes most of the time

    def setUp(self):
        super().setUp()
        if not self.has_picture:
            self.enterContext(mock.patch("MRISuperResLib.cli.audit.WorstSlices.draw"))
        self.out, self.own = self.folder / "audit", self.folder / "models"
        self.own.mkdir()
        write_model(self.own, "tiny-psnr", pair="tiny", kept="kept")
        write_model(self.own, "tiny-x4", scale=4)
        self.enterContext(mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.own)}))
        (self.folder / "study").mkdir()
        for seed, name in enumerate("ab"):
            self.make(f"study/{name}.nrrd", seed=seed)

    def make(self, name, shape=(4, 72, 88), seed=0):
        write_volume(
            self.folder / name,
            Volume(body(shape, seed=seed), grid(angles=(5, 0, 20)), provenance={}),
        )
        (self.folder / f"{name}.json").unlink()

    def audit(self, *words, code=0, out=None):
        status, text, err = run(
            "audit",
            self.folder / "study",
            "--out",
            out or self.out,
            "--models",
            "tiny-psnr",
            *words,
        )
        self.assertEqual(status, code, err)
        return text if code == 0 else err

    def table(self, name):
        with open(self.out / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def card(self, name="tiny-psnr"):
        return ModelCard.read(self.own / f"{name}.json")


class FolderOfResultsTest(AuditCommandTest):
    has_picture = True

    def test_the_folder_contains_tables_a_figure_maps_and_a_record(self):
        self.audit("--slices", "3", "--seed", "5")
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), FILES)
        self.assertEqual(
            sorted(path.name for path in (self.out / "maps").glob("*.gz")),
            sorted(f"{name}-{method}-x2.nii.gz" for name in "ab" for method in METHODS),
        )
        self.assert_files("audit", "models", "study")
        self.assertEqual((self.out / "audit.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        record = json.loads((self.out / "audit.json").read_text(encoding="utf-8"))
        self.assertEqual(
            [
                (job["methods"], job["slices"], job["seed"], job["precision"])
                for job in record["options"]
            ],
            [(METHODS, 3, 5, "float32")],
        )
        self.assertEqual(
            [method["sha256"] for method in record["methods"]["2"]],
            [None, None, self.card().sha256],
        )
        self.assertEqual(
            [
                (volume["name"], volume["file"], len(volume["slices"]))
                for volume in record["volumes"]
            ],
            [("a", "a.nrrd", 3), ("b", "b.nrrd", 3)],
        )
        self.assertIn("numpy", record["versions"])
        self.assertIn("not for diagnosis", record["notice"])

    def test_figures_and_maps_are_those_of_the_core(self):
        self.audit("--noise", "2", "--degradation", "kspace", "--slices", "all")
        rows = {(row["volume"], row["method"]): row for row in self.table("audit.csv")}
        lesions = self.table("lesions.csv")
        for name in "ab":
            volume = read_volume(self.folder / "study" / f"{name}.nrrd")
            found = audit_volume(
                volume,
                AuditOptions(("tiny-psnr",), noise=2.0, degradation="kspace", slices=None),
            )
            for method, result in found.methods.items():
                row = rows.pop((name, method))
                for key, value in result.findings.figures().items():
                    self.assertEqual(
                        row[key],
                        ""
                        if value is None
                        else f"{value:.6f}"
                        if isinstance(value, float)
                        else str(value),
                    )
                written = read_volume(self.out / "maps" / f"{name}-{method}-x2.nii.gz")
                np.testing.assert_array_equal(written.array, result.crossing)
                self.assert_same_place(
                    written.ijk_to_ras, written.array.shape, volume.ijk_to_ras, volume.array.shape
                )
                self.assertEqual(
                    [
                        row["outcome"]
                        for row in lesions
                        if (row["volume"], row["method"]) == (name, method)
                    ],
                    [lesion.score.outcome for lesion in result.findings.lesions],
                )
        self.assertEqual(rows, {})

    def test_the_summary_combines_the_volumes(self):
        text = self.audit()
        volumes, summary = self.table("audit.csv"), self.table("summary.csv")
        self.assertEqual(
            [(row["scale"], row["volumes"], row["method"]) for row in summary],
            [("2", "2", method) for method in METHODS],
        )
        table = [line for line in text.splitlines() if line.startswith("|")]
        self.assertEqual(len({len(line) for line in table}), 1)
        self.assertLessEqual(len(table[0]), 100)
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
        cells = {name: values for name, *values in lines}
        for row in summary:
            both = [other for other in volumes if other["method"] == row["method"]]
            self.assertAlmostEqual(
                float(row["hallucinated"]),
                sum(float(other["hallucinated"]) for other in both) / 2,
                places=5,
            )
            self.assertEqual(int(row["lesions"]), sum(int(other["lesions"]) for other in both))
            column = METHODS.index(row["method"])
            self.assertEqual(cells["figure"][column], f"`{row['method']}`")
            self.assertEqual(
                cells["unfaithful patches, %"][column], f"{float(row['unfaithful']):.2f}"
            )
            self.assertEqual(cells["synthetic lesions"][column], row["lesions"])
        markdown = (self.out / "audit.md").read_text(encoding="utf-8")
        self.assertTrue(text.startswith(markdown))
        for part in (
            "## ×2: 2 volumes, 8 slices",
            "How to read it",
            "Unfaithful patches",
            "at most 20 slices per volume; seed 0",
        ):
            self.assertIn(part, markdown)
        self.assertRegex(text, rf"\nDone in \d+\.\d s: {re.escape(str(self.out))}\n$")

    def test_every_scale_has_its_own_table(self):
        code, text, err = run(
            "audit",
            self.folder / "study",
            "--out",
            self.out,
            "--models",
            "tiny-x4,tiny-psnr,tiny-psnr+bp",
        )
        self.assertEqual(code, 0, err)
        self.assertEqual(
            [(row["scale"], row["method"]) for row in self.table("summary.csv")],
            [("2", name) for name in (*METHODS, "tiny-psnr+bp")]
            + [("4", name) for name in ("bicubic", "bicubic+bp", "tiny-x4")],
        )
        self.assertEqual(re.findall("## ×(.)", text), ["2", "4"])

    def test_all_models_of_the_scale_are_audited_by_default(self):
        code, _, err = run(
            "audit", self.folder / "study" / "a.nrrd", "--out", self.out, "--slices", "1"
        )
        self.assertEqual(code, 0, err)
        self.assertEqual(
            [row["method"] for row in self.table("summary.csv")],
            ["bicubic", "bicubic+bp", "fast-x2-psnr", "tiny-psnr", "fast-x2-gan"],
        )

    def test_tables_are_reproducible_in_another_process_and_depend_on_the_seed(self):
        self.assert_reproducible(
            ("audit", self.folder / "study", "--models", "tiny-psnr"),
            ("audit.csv", "summary.csv", "lesions.csv", "audit.md"),
        )

    def test_progress_and_notes_go_to_standard_error(self):
        words = subprocess_arguments(
            "audit", self.folder / "study", "--out", self.out, "--models", "tiny-psnr"
        )
        result = subprocess.run(**words, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.startswith("# Audit"))
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"^(note: .*|\d+/4 slices.*|\[\d/2\] .*)$")

    def test_the_help_and_its_examples(self):
        code, out, err = run("audit", "--help")
        self.assertEqual((code, err), (0, ""))
        for option in (
            "--models",
            "--scale",
            "--out",
            "--slices",
            "--card",
            "--degradation",
            "--noise",
            "--seed",
            "--slice-axis",
            "--device",
        ):
            self.assertIn(option, out)
        self.assertNotIn("--precision", out)
        examples = re.findall(
            rf"^  {re.escape(help_texts.PROGRAM)} (.+?)(?:   .*)?$",
            help_texts.AUDIT_EXAMPLES,
            re.MULTILINE,
        )
        self.assertGreater(len(examples), 3)
        for example in examples:
            parser.parse(example.split())


class CardTest(AuditCommandTest):
    def test_a_card_keeps_one_audit_per_anatomy(self):
        before = json.loads((self.own / "tiny-psnr.json").read_text())
        text = self.audit("--card", "fetal", "--seed", "4")
        self.assertIn("and the cards of tiny-psnr", text)
        summary = {row["method"]: row for row in self.table("summary.csv")}
        [entry] = self.card().audit
        self.assertEqual(
            (
                entry["anatomy"],
                entry["volumes"],
                entry["slices"],
                entry["seed"],
                entry["degradation"],
            ),
            ("fetal", ["a", "b"], 8, 4, "bicubic"),
        )
        for name, figures in ({"tiny-psnr": entry} | entry["baselines"]).items():
            self.assertEqual(
                {key: round(float(summary[name][key]), 4) for key in AUDIT_FIGURES},
                {key: figures[key] for key in AUDIT_FIGURES},
            )
        self.assertEqual(list(entry["baselines"]), ["bicubic", "bicubic+bp"])
        self.audit("--card", "brain", out=self.folder / "second")
        self.audit("--card", "fetal", out=self.folder / "third")
        self.assertEqual(
            [(entry["anatomy"], entry["seed"]) for entry in self.card().audit],
            [("brain", 0), ("fetal", 0)],
        )
        after = json.loads((self.own / "tiny-psnr.json").read_text())
        del after["audit"]
        self.assertEqual(after, before)
        self.assertEqual(
            sorted(path.name for path in self.own.iterdir()),
            ["tiny-psnr.json", "tiny-psnr.safetensors", "tiny-x4.json", "tiny-x4.safetensors"],
        )

    def test_models_show_includes_the_audit(self):
        self.audit("--card", "brain")
        code, text, _ = run("models", "show", "tiny-psnr")
        self.assertEqual(code, 0)
        self.assertIn("Audit, brain (2 volumes, 8 slices):", text)
        row = next(row for row in self.table("summary.csv") if row["method"] == "tiny-psnr")
        self.assertRegex(text, rf"(?m)^unfaithful patches, % .* {float(row['unfaithful']):.2f}$")
        self.assertIn("Unfaithful patches contradict", text)
        self.assertNotIn("baselines", text)

    def test_cards_of_the_extension_are_not_changed(self):
        card = (SHIPPED / "fast-x2-psnr.json").read_bytes()
        for models, pattern in (
            ("fast-x2-psnr", "is part of the extension"),
            ("tiny-psnr,fast-x2-psnr", "fast-x2-psnr is part of the extension"),
            ("tiny-psnr+bp", "no model “tiny-psnr.bp”"),
            ("bicubic", "no model “bicubic”"),
        ):
            with (
                self.subTest(models),
                mock.patch(
                    "MRISuperResLib.cli.audit.read_first_frame", side_effect=AssertionError("read")
                ),
            ):
                code, out, err = run(
                    "audit",
                    self.folder / "study",
                    "--out",
                    self.out,
                    "--models",
                    models,
                    "--card",
                    "brain",
                )
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(err, f"error: .*{pattern}")
        self.assertEqual((SHIPPED / "fast-x2-psnr.json").read_bytes(), card)
        self.assertFalse(self.out.exists())

    def test_a_card_that_cannot_be_written_is_reported_and_the_folder_stays(self):
        before = (self.own / "tiny-psnr.json").read_bytes()
        with mock.patch(
            "MRISuperResLib.cli.audit.write_json",
            side_effect=SuperResolutionError(
                "tiny-psnr.json can't be written: you may not write there.", "environment"
            ),
        ):
            err = self.audit("--card", "brain", code=2)
        self.assertRegex(
            err,
            r"error: The audit is in .*audit, but not in all cards. "
            r"tiny-psnr.json can't be written: you may not write there.\n$",
        )
        self.assertEqual((self.own / "tiny-psnr.json").read_bytes(), before)
        self.assertTrue((self.out / "audit.md").is_file())

    def test_a_failing_volume_or_a_cancellation_changes_no_card(self):
        before = (self.own / "tiny-psnr.json").read_bytes()
        (self.folder / "study" / "c.nrrd").write_bytes(b"no volume")
        self.assertIn("no card was changed", self.audit("--card", "brain", code=2))
        (self.folder / "study" / "c.nrrd").unlink()
        with mock.patch("MRISuperResLib.cli.audit.WorstSlices.draw", side_effect=KeyboardInterrupt):
            self.audit("--card", "brain", code=130, out=self.folder / "other")
        self.assertEqual((self.own / "tiny-psnr.json").read_bytes(), before)


class WrongTest(AuditCommandTest):
    def assert_refused(self, pattern, *words):
        before = sorted(self.folder.rglob("*"))
        status, out, err = run("audit", *words)
        self.assertEqual((status, out), (2, ""), err)
        self.assertRegex(
            err,
            "^((note|warning|error): .*\n|\\d+/\\d+ slices.*\n|\\[.*\n)*"
            f"error: .*{pattern}[^\n]*\n$",
        )
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_errors_are_one_sentence_before_any_work(self):
        study = self.folder / "study"
        self.make("a.nrrd")

        def with_out(*words):
            return (study, "--out", self.out, *words)

        cases = [
            ((study,), "required: --out; see .* audit --help"),
            (("--out", self.out), "required: IN"),
            ((self.folder / "gone", "--out", self.out), "File or folder not found: .*gone"),
            ((self.folder / "models", "--out", self.out), "No volume found"),
            ((study, self.folder / "a.nrrd", "--out", self.out), "would both be written to"),
            (with_out("--models", "none-such"), "There is no model “none-such”"),
            (with_out("--models", "tiny-psnr,tiny-psnr"), "Listed twice: tiny-psnr"),
            (with_out("--models", "tiny-psnr", "--scale", 4), "upsamples ×2, not ×4"),
            (with_out("--scale", 3), "--scale: invalid choice: 3 .choose from 2, 4, 8"),
            (
                with_out("--slices", 0),
                "“0” is not a number of slices: give a whole number of at least 1",
            ),
            (with_out("--slices", "few"), "“few” is not a number of slices"),
            (with_out("--noise", 21), "“noise” must be a number from 0 to 20"),
            (with_out("--seed", -1), "“seed” must be"),
            (with_out("--degradation", "blur"), "--degradation: invalid choice: 'blur'"),
            (with_out("--slice-axis", "up"), "--slice-axis: invalid choice: 'up'"),
            (with_out("--device", "tpu"), "“device” must be auto, cpu"),
            (with_out("--precision", "auto"), "unrecognized arguments: --precision"),
            (with_out("--card", "brain"), "--card needs --models"),
            (
                with_out("--card", " ", "--models", "tiny-psnr"),
                "--card needs the anatomy",
            ),
            ((study, "--out", self.own), "is not empty. Empty it or choose a new name"),
            (
                (study, "--out", self.folder / "none" / "out"),
                "The folder .*none does not exist. Create it",
            ),
        ]
        with mock.patch(
            "MRISuperResLib.cli.audit.read_first_frame", side_effect=AssertionError("read")
        ):
            for words, pattern in cases:
                with self.subTest(words):
                    self.assert_refused(pattern, *words)

    def test_a_missing_matplotlib_is_reported_before_any_work(self):
        with (
            mock.patch.dict(sys.modules, {"matplotlib.figure": None}),
            mock.patch(
                "MRISuperResLib.cli.audit.read_first_frame", side_effect=AssertionError("read")
            ),
        ):
            self.assert_refused(
                "needs the package matplotlib", self.folder / "study", "--out", self.out
            )

    def test_a_volume_that_cannot_be_audited_is_named_and_skipped(self):
        (self.folder / "study" / "aa.nrrd").write_bytes(b"no volume")
        write_volume(
            self.folder / "study" / "dark.nrrd",
            Volume(np.zeros((3, 40, 40), np.int16), grid(), provenance={}),
        )
        err = self.audit(code=2)
        self.assertRegex(
            err.splitlines()[-1],
            rf"The audit of the other volumes is in {re.escape(str(self.out))}. Not audited: "
            r".*aa.nrrd: aa.nrrd .* .*dark.nrrd, ×2: No patch can be judged",
        )
        self.assertEqual({row["volume"] for row in self.table("audit.csv")}, {"a", "b"})
        markdown = (self.out / "audit.md").read_text(encoding="utf-8")
        self.assertIn("Skipped:", markdown)
        self.assertIn("aa.nrrd", markdown)
        self.assertEqual(
            len(json.loads((self.out / "audit.json").read_text(encoding="utf-8"))["skipped"]), 2
        )

    def test_nothing_is_written_if_no_volume_can_be_audited(self):
        for name in "ab":
            (self.folder / "study" / f"{name}.nrrd").write_bytes(b"no volume")
        self.assert_refused(
            "No volume could be audited. .*a.nrrd", self.folder / "study", "--out", self.out
        )

    def test_a_volume_too_small_for_one_scale_is_audited_at_the_others(self):
        self.make("study/b.nrrd", (2, 30, 30))
        code, _, err = run(
            "audit", self.folder / "study", "--out", self.out, "--models", "tiny-psnr,tiny-x4"
        )
        self.assertEqual(code, 2)
        self.assertRegex(
            err,
            "b.nrrd, ×4: Slices of 28×28 pixels are too small for patches of 32×32",
        )
        self.assertEqual(
            {(row["scale"], row["volume"]) for row in self.table("audit.csv")},
            {("2", "a"), ("2", "b"), ("4", "a")},
        )

    def test_out_of_memory_is_reported_with_the_volume(self):
        with mock.patch("MRISuperResLib.cli.audit.audit_volume", side_effect=MemoryError):
            self.assert_refused(
                "No volume could be audited.*a.nrrd, ×2: Out of memory",
                self.folder / "study",
                "--out",
                self.out,
            )


class NothingLeftTest(AuditCommandTest):
    has_picture = True
    PLACES = (
        "cli.audit.read_first_frame",
        "cli.console.Console.progress",
        "cli.audit.audit_volume",
        "cli.audit.write_volume",
        "cli.audit.findings.volumes_csv",
        "cli.audit.WorstSlices.draw",
    )

    def test_a_cancellation_at_any_time_leaves_nothing(self):
        for place in self.PLACES:
            with (
                self.subTest(place),
                mock.patch(
                    f"MRISuperResLib.{place}",
                    side_effect=lambda *_, **__: signal.raise_signal(signal.SIGINT),
                ),
            ):
                self.assertRegex(self.audit(code=130), "error: Cancelled; nothing was written.\n$")
                self.assert_files("models", "study")

    def test_a_failure_at_any_time_leaves_nothing(self):
        for error, code, sentence in (
            (
                OSError(errno.ENOSPC, "No space left on device"),
                2,
                r"audit(/\S+)? cannot be written: the disk is full",
            ),
            (ValueError("ours"), 1, "Please report it"),
        ):
            for place in self.PLACES[3:]:
                with self.subTest(place), mock.patch(f"MRISuperResLib.{place}", side_effect=error):
                    err = self.audit(code=code)
                    self.assertRegex(err, f"error: .*{sentence}[^\n]*\n$")
                    self.assert_files("models", "study")
                    for log in re.findall(r"attach (\S+\.log)\.", err):
                        Path(log).unlink()


if __name__ == "__main__":
    unittest.main()
