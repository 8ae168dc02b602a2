"""Every benchmark runs on the smallest sizes and prints its table."""

import json
import subprocess
import sys
import unittest

from repository import PROJECT


class BenchmarksTest(unittest.TestCase):
    def said(self, name, *words):
        done = subprocess.run(
            [sys.executable, PROJECT / "Testing" / "Benchmarks" / f"{name}_benchmark.py", *words],
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_network_against_a_plain_one(self):
        text = self.said(
            "network",
            "--size",
            "16",
            "16",
            "1",
            "--blocks",
            "1",
            "--repeats",
            "1",
            "--device",
            "cpu",
        )
        self.assertRegex(text, r"(?m)^plain, float32 +1\.00 ")
        self.assertRegex(text, r"(?m)^rrdb, float32 +\d+\.\d\d ")

    def test_a_run_from_file_to_file(self):
        found = json.loads(
            self.said(
                "job",
                "--measure",
                json.dumps([(16, 16, 2), 2, "fast-x{scale}-psnr", "cpu", ".nii.gz", 1]),
            )
        )
        self.assertEqual(found["output"], 32 * 32 * 2 * 2)
        self.assertTrue(all(seconds > 0 for seconds in found["parts"].values()), found)
        self.assertAlmostEqual(found["total"], sum(found["parts"].values()))

    def test_a_step_of_the_training_against_a_plain_one(self):
        text = self.said(
            "training", "--scale", "2", "--batch", "2", "--patch", "32", "--repeats", "1"
        )
        self.assertRegex(text, r"(?m)^ours, bfloat16 +\d+\.\d\d ")
        self.assertRegex(text, r"waiting for data: \d+\.\d % of the time")

    def test_a_comparison_against_its_networks(self):
        self.assertRegex(
            self.said("compare", "--size", "32", "32", "2", "--repeats", "1", "--device", "cpu"),
            r"(?m)^no reference +\d+\.\d\d ",
        )


if __name__ == "__main__":
    unittest.main()
