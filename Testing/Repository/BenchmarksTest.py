"""Every benchmark runs on the smallest sizes and prints its table."""

import json
import subprocess
import sys
import unittest

from repository import PROJECT

sys.path.append(str(PROJECT / "Testing" / "Benchmarks"))
import job_benchmark


class BenchmarksTest(unittest.TestCase):
    def run_benchmark(self, name, *words):
        script = PROJECT / "Testing" / "Benchmarks" / f"{name}_benchmark.py"
        command = [sys.executable, script, *words]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_the_network_benchmark_compares_with_a_plain_network(self):
        words = "--size 16 16 1 --blocks 1 --repeats 1 --device cpu".split()
        text = self.run_benchmark("network", *words)
        self.assertRegex(text, r"(?m)^plain, float32 +1\.00 ")
        self.assertRegex(text, r"(?m)^rrdb, float32 +\d+\.\d\d ")

    def test_the_job_benchmark_measures_every_part_of_a_task(self):
        task = json.dumps([(16, 16, 2), 2, "fast-x{scale}-psnr", "cpu", ".nii.gz", 1])
        found = json.loads(self.run_benchmark("job", "--measure", task))
        self.assertEqual(found["output"], 32 * 32 * 2 * 2)
        self.assertTrue(all(seconds > 0 for seconds in found["parts"].values()), found)
        self.assertAlmostEqual(found["total"], sum(found["parts"].values()))

    def test_the_job_benchmark_measures_the_worker(self):
        ready, overheads = job_benchmark.measure_worker((16, 16, 2), 2, "bicubic", "cpu", 2)
        self.assertTrue(all(seconds > 0 for seconds in (ready, *overheads)))
        self.assertEqual(len(overheads), 2)

    def test_the_training_benchmark_compares_with_a_plain_step(self):
        words = "--scale 2 --batch 2 --patch 32 --repeats 1".split()
        text = self.run_benchmark("training", *words)
        self.assertRegex(text, r"(?m)^ours, bfloat16 +\d+\.\d\d ")
        self.assertRegex(text, r"waiting for data: \d+\.\d % of the time")

    def test_the_comparison_benchmark_compares_with_the_networks_alone(self):
        words = "--size 32 32 2 --repeats 1 --device cpu".split()
        self.assertRegex(self.run_benchmark("compare", *words), r"(?m)^no reference +\d+\.\d\d ")


if __name__ == "__main__":
    unittest.main()
