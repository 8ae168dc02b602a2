"""Runs that end badly: nothing is left behind, and other runs and files stay untouched."""

import json
import os
import signal
import subprocess
import sys
import unittest

from compare_helpers import CompareTest
from made_files import PATIENCE, run, subprocess_arguments

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


if __name__ == "__main__":
    unittest.main()
