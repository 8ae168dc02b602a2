"""The command compare when something fails: one sentence, and no files are left."""

import errno
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from compare_helpers import METHODS, CompareTest, body
from made_files import PATIENCE, grid, run, run_with_full_disk, subprocess_arguments
from made_torchvision import declare_missing_operators
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume

WEIGHTS = Path(
    os.environ.get(
        "MRISUPERRES_TEST_WEIGHTS", Path(__file__).resolve().parents[3] / "shared" / "weights"
    )
)


class RefusedTest(CompareTest):
    def assert_refused(self, pattern, *words, code=2):
        before = sorted(self.folder.rglob("*"))
        status, out, err = run("compare", *words)
        self.assertEqual((status, out), (code, ""), err)
        self.assertRegex(
            err, f"^((note|warning): .*\n|\\d+/\\d+ slices.*\n)*error: .*{pattern}[^\n]*\n$"
        )
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_errors_are_one_sentence_before_any_work(self):
        def with_out(*words):
            return (self.input, "--out", self.out, *words)

        cases = [
            ((self.input,), "required: --out; see .* compare --help"),
            (with_out("--methods", "bicubic"), "takes 2 to 8 methods, not 1"),
            (
                with_out("--methods", ",".join(f"bicubic{n}" for n in range(9))),
                "takes 2 to 8 methods, not 9",
            ),
            (with_out("--methods", "bicubic,bicubic"), "Listed twice: bicubic"),
            (with_out("--methods", "bicubic,none-such"), "There is no model “none-such”"),
            (with_out("--methods", "bicubic,none@0.5"), "There is no pair of models “none”"),
            (with_out("--methods", "bicubic,"), "“” is not a method name"),
            (with_out("--methods", "bicubic,fast-x4-psnr"), "upsamples ×4, not ×2"),
            (
                with_out("--methods", "bicubic", "--models", "fast-x2-psnr"),
                "not allowed with argument",
            ),
            (with_out("--models", "none-such"), "There is no model “none-such”"),
            (with_out("--scale", 3), "--scale: invalid choice: 3 .choose from 2, 4, 8"),
            (with_out("--noise", 21), "“noise” must be a number from 0 to 20, not 21"),
            (with_out("--noise", "nan"), "“noise” must be a number from 0 to 20, not NaN"),
            (
                with_out("--noise", 1, "--no-reference"),
                "Noise can be added to a degraded reference only",
            ),
            (with_out("--seed", -1), "“seed” must be a whole number of at least 0"),
            (with_out("--degradation", "blur"), "--degradation: invalid choice: 'blur'"),
            (with_out("--perceptual", "lpips"), "--perceptual: invalid choice: 'lpips'"),
            (with_out("--slice-axis", "up"), "--slice-axis: invalid choice: 'up'"),
            (with_out("--device", "tpu"), "“device” must be auto, cpu"),
            (with_out("--zoom", "1,2"), "“1,2” is not a voxel: give I,J,K"),
            (with_out("--zoom", "a,2,3"), "“a,2,3” is not a voxel"),
            (
                (self.input, "--out", self.folder),
                "is not empty. Empty it or choose a new name",
            ),
            ((self.input, "--out", self.input), "is a file. Choose the name of a folder"),
            (
                (self.input, "--out", self.folder / "none" / "out"),
                "The folder .*none does not exist. Create it",
            ),
        ]
        with mock.patch(
            "MRISuperResLib.cli.compare.read_volume", side_effect=AssertionError("read")
        ):
            for words, pattern in cases:
                with self.subTest(words):
                    self.assert_refused(pattern, *words)

    def test_blends_are_refused_without_a_pair_of_models(self):
        with mock.patch("MRISuperResLib.core.models.store.SHIPPED", self.folder / "none"):
            self.assert_refused(
                "No pair of a PSNR and a GAN model for ×2 is installed",
                self.input,
                "--out",
                self.out,
                "--blend",
                "0.5",
            )

    def test_errors_about_the_volume_are_one_sentence(self):
        def with_out(path, *words):
            return (path, "--out", self.out, "--methods", "nearest,bicubic", *words)

        self.assert_refused("none.nii does not exist", *with_out(self.folder / "none.nii"))
        self.assert_refused(
            "Slices of 72×4 pixels are too small for a comparison ×8",
            *with_out(self.input, "--scale", 8, "--slice-axis", "i"),
        )
        self.assert_refused(
            "The voxel 88,0,0 is outside the compared volume",
            *with_out(self.input, "--zoom", "88,0,0"),
        )
        self.assert_refused(
            "in.nrrd is a single file, but a series is chosen",
            *with_out(self.input, "--series", "1.2.3"),
        )

    def test_missing_parts_of_perceptual_metrics_are_one_sentence(self):
        import torch  # noqa: F401  once: it cannot be imported again after sys.modules is restored

        words = (
            self.input,
            "--out",
            self.out,
            "--methods",
            "nearest,bicubic",
            "--perceptual",
            "niqe",
        )
        others = {
            name: module
            for name, module in sys.modules.items()
            if name.partition(".")[0] != "pyiqa"
        }
        with mock.patch.dict(sys.modules, others | {"pyiqa": None}, clear=True):
            self.assert_refused("need the package pyiqa.*PolyForm-Noncommercial", *words)
        try:
            declare_missing_operators()
            import pyiqa  # noqa: F401
        except ImportError:
            self.skipTest("pyiqa is not installed")
        with mock.patch.dict(
            os.environ, TORCH_HOME=str(self.folder / "torch"), MRISUPERRES_WEIGHTS=""
        ):
            self.assert_refused(
                "NIQE needs the file niqe_modelparameters.mat, which is not in", *words
            )
        if not (WEIGHTS / "niqe_modelparameters.mat").is_file():
            self.skipTest(
                f"no niqe_modelparameters.mat in {WEIGHTS}: set MRISUPERRES_TEST_WEIGHTS to a "
                "folder that has it"
            )
        with mock.patch.dict(os.environ, MRISUPERRES_WEIGHTS=str(WEIGHTS)):
            self.assert_refused(
                "NIQE needs at least 4 blocks of 96×96 pixels; an image of 88×72 pixels", *words
            )
            write_volume(self.input, Volume(body((3, 192, 200)), grid(), provenance={}))
            self.compare("--perceptual", "niqe")
        rows = self.table("comparison.csv")
        self.assertGreater(float(rows[0]["niqe_mean"]), 0)

    def test_a_missing_matplotlib_is_reported_before_any_work(self):
        with (
            mock.patch.dict(sys.modules, {"matplotlib.figure": None}),
            mock.patch(
                "MRISuperResLib.cli.compare.read_volume", side_effect=AssertionError("read")
            ),
        ):
            self.assert_refused("needs the package matplotlib", self.input, "--out", self.out)


class NothingLeftTest(CompareTest):
    PLACES = (
        "cli.compare.read_volume",
        "cli.console.Console.progress",
        "cli.compare.compare_methods",
        "cli.compare.figure.draw",
        "cli.compare.write_tables",
        "cli.compare.write_volumes",
        "core.io.nifti.write_nifti",
        "core.io.formats.os.replace",
    )

    def run_compare(self, *words):
        return run("compare", self.input, "--out", self.out, "--methods", ",".join(METHODS), *words)

    def test_a_cancellation_at_any_time_leaves_nothing(self):
        for place in self.PLACES:
            with (
                self.subTest(place),
                mock.patch(
                    f"MRISuperResLib.{place}",
                    side_effect=lambda *_, **__: signal.raise_signal(signal.SIGINT),
                ),
            ):
                code, out, err = self.run_compare()
                self.assertEqual((code, out), (130, ""))
                self.assertRegex(err, "error: Cancelled; nothing was written.\n$")
                self.assert_files("in.nrrd")

    def test_a_failure_at_any_time_leaves_nothing(self):
        for error, code, sentence in (
            (
                OSError(errno.ENOSPC, "No space left on device"),
                2,
                r"comparison(/\S+)? cannot be written: the disk is full",
            ),
            (PermissionError(errno.EACCES, "denied"), 2, "permission denied"),
            (ValueError("ours"), 1, "Please report it"),
        ):
            for place in self.PLACES[3:]:
                with self.subTest(place), mock.patch(f"MRISuperResLib.{place}", side_effect=error):
                    status, out, err = self.run_compare()
                    self.assertEqual((status, out), (code, ""))
                    self.assertRegex(err, f"error: .*{sentence}[^\n]*\n$")
                    self.assertNotIn(".part", err.partition("attach")[0])
                    self.assert_files("in.nrrd")
                    for log in re.findall(r"attach (\S+\.log)\.", err):
                        Path(log).unlink()

    def test_a_failure_keeps_an_existing_folder(self):
        self.out.mkdir()
        with mock.patch(
            "MRISuperResLib.cli.compare.write_volumes",
            side_effect=OSError(errno.ENOSPC, "No space left on device"),
        ):
            self.assertEqual(self.run_compare()[0], 2)
        self.assert_files("comparison", "in.nrrd")
        self.assertEqual(list(self.out.iterdir()), [])

    def test_out_of_memory_is_one_sentence(self):
        with mock.patch("MRISuperResLib.cli.compare.compare_methods", side_effect=MemoryError):
            code, _, err = self.run_compare()
        self.assertEqual(code, 2)
        self.assertRegex(
            err,
            "error: Out of memory for the outputs of 3 methods. Compare fewer at a time.*\n$",
        )
        self.assert_files("in.nrrd")

    @unittest.skipIf(os.name == "nt", "needs resource limits")
    def test_a_full_disk_leaves_nothing(self):
        result = run_with_full_disk(
            "compare", self.input, "--out", self.out, "--methods", "bicubic,nearest"
        )
        self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
        self.assertRegex(result.stderr, "error: .*the disk is full")
        self.assert_files("in.nrrd")

    @unittest.skipIf(os.name == "nt", "needs a pseudo-terminal")
    def test_ctrl_c_on_a_terminal_ends_the_process_and_leaves_nothing(self):
        import pty

        write_volume(self.input, Volume(body((60, 256, 256)), grid(), provenance={}))
        (self.folder / "in.nrrd.json").unlink()
        terminal, inside = pty.openpty()
        process = subprocess.Popen(
            **subprocess_arguments(
                "compare", self.input, "--out", self.out, "--methods", ",".join(METHODS)
            ),
            stdout=subprocess.PIPE,
            stderr=inside,
        )
        os.close(inside)
        seen = b""
        while b"/61 slices" not in seen:  # the progress line
            seen += os.read(terminal, 1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        while b"nothing was written" not in seen:
            seen += os.read(terminal, 1000)
        os.close(terminal)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assertNotIn(b"Traceback", seen)
        self.assert_files("in.nrrd")


if __name__ == "__main__":
    unittest.main()
