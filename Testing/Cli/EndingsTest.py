"""Runs that end badly: nothing is left behind, and other runs and files stay untouched."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from compare_helpers import CompareTest
from made_files import PATIENCE, run, run_with_full_disk, subprocess_arguments
from MRISuperResLib.core.io.formats import read_volume

HALTED = """
import pkgutil
import sys
from unittest import mock
from MRISuperResLib.cli.main import main

def halt(real):
    def halted(*given, **named):
        result = real(*given, **named)
        print("halted", flush=True)
        sys.stdin.readline()
        return result
    return halted

with mock.patch({target!r}, halt(pkgutil.resolve_name({target!r}))):
    sys.exit(main({words!r}))
"""


@unittest.skipIf(os.name == "nt", "needs signals and file locks")
class HaltedRunTest(CompareTest):
    """With runs that halt where a function has returned."""

    def start(self, function, *words):
        """Start a command; return its process, halted after its first call of the function."""
        program = HALTED.format(target=f"MRISuperResLib.{function}", words=[*map(str, words)])
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=subprocess_arguments()["env"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "halted\n")
        return process

    def kill(self, process):
        process.kill()
        self.assertEqual(process.wait(PATIENCE), -signal.SIGKILL)

    def next(self, process):
        """Let a process continue until the function has returned again."""
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "halted\n")

    def release(self, process):
        """Let a process continue to its end; return its exit code and standard error."""
        _, err = process.communicate("\n" * 99, timeout=PATIENCE)
        return process.returncode, err

    def upsample_words(self, name="out.nii.gz"):
        return "upsample", self.input, self.folder / name, "--model", "bicubic"

    def compare_words(self):
        return "compare", self.input, "--out", self.out, "--methods", "nearest,bicubic"


class KilledRunTest(HaltedRunTest):
    def test_the_next_run_removes_what_a_killed_one_left(self):
        for function, words, left in (
            ("core.io.nifti.write_nifti", self.upsample_words(), ["out.nii.gz", "out.nii.gz.json"]),
            ("core.io.itk.write_itk", self.upsample_words("o.mha"), ["o.mha", "o.mha.json"]),
            ("cli.compare.write_tables", self.compare_words(), ["comparison"]),
        ):
            with self.subTest(function):
                self.kill(self.start(function, *words))
                self.assertTrue([*self.folder.glob(".*.part*")])
                self.assertEqual(run(*words)[0], 0)
                self.assertEqual([*self.folder.glob(".*")], [])
                for name in left:
                    self.assertTrue((self.folder / name).exists(), name)

    def test_the_parts_of_a_run_that_is_alive_and_files_of_the_user_stay(self):
        users = [
            self.folder / name
            for name in (".out.nii.gz.part", ".out.nii.gz.notes.part", ".out.nii.gz.12345678.parts")
        ]
        for path in users:
            path.write_text("mine")
        process = self.start("core.io.nifti.write_nifti", *self.upsample_words())
        before = sorted(self.folder.rglob("*"))
        code, _, err = run(*self.upsample_words())
        self.assertEqual(code, 2)
        self.assertRegex(
            err, "^error: Another process is writing .*out.nii.gz. Wait for it, or choose another"
        )
        self.assertEqual(run(*self.upsample_words("other.nii.gz"))[0], 0)
        self.assertLess(set(before), set(self.folder.rglob("*")))
        self.assertEqual(self.release(process)[0], 0)
        self.assertEqual(sorted(self.folder.glob(".*")), sorted(users))
        self.assertTrue((self.folder / "out.nii.gz").is_file())

    def test_a_second_comparison_into_one_folder_is_refused_and_the_first_is_complete(self):
        process = self.start("cli.compare.read_volume", *self.compare_words())
        code, _, err = run(*self.compare_words())
        self.assertEqual((code, err.count("\n")), (2, 1), err)
        self.assertRegex(err, "error: Another process is writing .*comparison. Wait for it")
        self.assertEqual(self.release(process)[0], 0)
        self.assertTrue(json.loads((self.out / "comparison.json").read_text()))
        self.assert_files("in.nrrd", "comparison")


class BatchTest(HaltedRunTest):
    def setUp(self):
        super().setUp()
        self.study, self.many = self.folder / "study", self.folder / "many"
        self.study.mkdir()
        for name in ("a.nrrd", "b.nrrd"):
            (self.study / name).write_bytes(self.input.read_bytes())
        self.words = ["batch", self.study, "--out", self.many, "--model", "bicubic"]

    def assert_complete(self, *reports):
        outputs = [f"{name}_x2.nii.gz{end}" for name in "ab" for end in ("", ".json")]
        self.assertEqual(
            sorted(path.name for path in self.many.iterdir()), sorted([*outputs, *reports])
        )
        self.assertIn("2 up to date", run(*self.words)[1])

    def test_a_signal_says_what_was_written_and_how_to_resume(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(number):
                process = self.start("cli.batch.make_output", *self.words)
                self.next(process)  # in the second volume
                process.send_signal(number)
                _, err = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, code)
                self.assertTrue(
                    err.endswith(
                        f"error: Cancelled: 1 written; {self.many / 'report.csv'}. "
                        "Run the same command again to resume.\n"
                    ),
                    err,
                )
                self.assertEqual([*self.many.glob(".*")], [])
                self.assertIn("1 written, 1 up to date", run(*self.words)[1])
                self.assert_complete("report.csv")
                shutil.rmtree(self.many)

    def test_a_killed_batch_is_resumed_and_leaves_nothing(self):
        first = self.start("cli.batch.make_output", *self.words)
        second = self.start("cli.batch.make_output", *self.words)
        for process in (first, second):
            self.kill(process)
        self.assertTrue([*self.many.glob(".report-2.csv.*")])
        self.assertIn("2 written", run(*self.words)[1])
        self.assert_complete("report.csv")

    def test_two_batches_into_one_folder_share_the_work_and_each_reports(self):
        first = self.start("cli.batch.make_output", *self.words)
        second = subprocess.Popen(
            **subprocess_arguments(*self.words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(second.communicate)
        self.addCleanup(second.kill)
        lines = iter(second.stderr.readline, "")
        self.assertTrue(any(line.startswith("left for the end: another") for line in lines))
        self.assertTrue(any("a.nrrd" in line for line in lines))  # it waits
        self.assertEqual(self.release(first)[0], 0)
        out, err = second.communicate(timeout=PATIENCE)
        self.assertEqual(second.returncode, 0, err)
        self.assertEqual(out, f"1 written, 1 up to date; {self.many / 'report-2.csv'}\n")
        self.assert_complete("report.csv", "report-2.csv")


@unittest.skipIf(os.name == "nt", "needs resource limits")
class FullDiskTest(CompareTest):
    def test_a_full_disk_is_one_sentence_in_every_format_and_leaves_nothing(self):
        for extension in (".nii", ".nii.gz", ".nrrd", ".mha"):
            out = self.folder / f"out{extension}"
            with self.subTest(extension):
                result = run_with_full_disk("upsample", self.input, out, "--model", "bicubic")
                self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
                sentence = rf"error: .*out{extension} cannot be written: the disk is full \(.*"
                self.assertRegex(result.stderr.splitlines()[-1], sentence)
                self.assert_files("in.nrrd")
                # the size of files without compression is known before the work
                self.assertEqual("slices," in result.stderr, extension in (".nii.gz", ".nrrd"))


@unittest.skipIf(os.name == "nt", "needs a shell and resource limits")
class ShellTest(CompareTest):
    """With streams and limits that a shell sets."""

    def shell(self, script, *words, module="MRISuperResLib"):
        """Run a command in a shell script, as "$@"; return the finished process."""
        given = subprocess_arguments(*words)
        given["args"][2] = module
        return subprocess.run(
            ["bash", "-c", script, "bash", *given["args"]],
            env=given["env"] | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def test_closed_or_full_streams_lose_no_output_and_are_no_failure(self):
        words = ("upsample", self.input, self.folder / "out.mha", "--model", "bicubic")
        for redirection in ("2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full"):
            with self.subTest(redirection):
                result = self.shell(f'"$@" {redirection}', *words)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assert_files("in.nrrd", "out.mha", "out.mha.json")
                self.assertEqual(read_volume(self.folder / "out.mha").array.shape, (4, 144, 176))
                (self.folder / "out.mha").unlink()
        self.assertIn("warning: Standard output cannot be written (No space", result.stderr)

    def test_a_failure_without_standard_error_and_a_lost_list_are_failures(self):
        for redirection in ("2>&-", "2>/dev/full"):
            result = self.shell(f'"$@" {redirection}', "upsample", "none.nii", "out.nii")
            self.assertEqual(result.returncode, 2)
        result = self.shell('"$@" > /dev/full', "models", "list")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, "^error: Standard output cannot be written")

    def test_little_address_space_is_reported_as_such(self):
        words = (
            ("MRISuperResLib", "upsample", self.input, self.folder / "out.nii.gz"),
            ("MRISuperResLib", "batch", self.input, "--out", self.out),
            ("MRISuperResLib", "compare", self.input, "--out", self.out),
            ("MRISuperResLib", "audit", self.input, "--out", self.out),
            ("MRISuperResLib", "models", "import", self.input, "--name", "other"),
            ("MRISuperResTrainingLib", "evaluate", self.input, "--out", self.out),
        )
        for limit, (module, *given) in itertools.product((300, 1100), words):
            with self.subTest(given[0], limit=limit):
                result = self.shell(f'ulimit -v {limit * 1024}; "$@"', *given, module=module)
                self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
                self.assertRegex(result.stderr, "^error: Out of memory[^\\n]*\n$")
                self.assert_files("in.nrrd")


if __name__ == "__main__":
    unittest.main()
