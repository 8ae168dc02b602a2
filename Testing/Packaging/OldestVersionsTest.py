"""The oldest supported versions of the dependencies do the main job."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "Cli"))
from made_dicom import grid, stored, write_mr_series

PROJECT = Path(__file__).resolve().parents[2]
REQUIREMENTS = PROJECT / "requirements-oldest.txt"
WITHOUT = {"torch", "safetensors"}
"""Packages required by the networks only."""
CORE_TESTS = ("GeometryTest", "IntensityTest", "ResampleTest", "SliceAxisTest", "ScoresTest")
MAIN_JOB = """
import numpy as np
import MRISuperResLib as sr
array = np.random.default_rng(0).integers(0, 900, (5, 40, 48)).astype(np.int16)
volume = sr.Volume(array, np.diag([-1.0, -1.0, 3.0, 1.0]))
for name in ("in.nii.gz", "in.nrrd", "in.mha"):
    volume.save(name)
    result = sr.upsample(name, scale=2, model="bicubic")
    result.save("out-" + name)
    assert (sr.Volume.read("out-" + name).array == result.array).all(), name
sr.compare("in.nii.gz", ["bicubic", "bicubic+bp"], scale=2).to_csv("scores.csv")
"""
DICOM_JOB = """
import MRISuperResLib as sr
from MRISuperResLib.cli.main import main
assert main(["upsample", "series", "derived", "--dicom", "--scale", "2", "--model", "bicubic"]) == 0
volume, derived = sr.Volume.read("series"), sr.Volume.read("derived")
assert derived.size == (2 * volume.size[0], 2 * volume.size[1], volume.size[2]), derived.size
difference = abs(derived.array - sr.upsample(volume, scale=2, model="bicubic").array)
assert difference.max() <= 1, difference.max()
"""


def oldest_python():
    """Return the Python of build/env-oldest, beside the environment that runs this test."""
    scripts = Path(sys.executable).parent
    return scripts.parents[1] / "env-oldest" / scripts.name / Path(sys.executable).name


class OldestVersionsTest(unittest.TestCase):
    def setUp(self):
        self.python = oldest_python()
        if not self.python.exists():
            self.skipTest(
                "build/env-oldest is missing: cmake --build build --target oldest-environment"
            )

    def run_oldest(self, *words, folder):
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run(
            [str(self.python), *words],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=500,
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_the_environment_has_the_oldest_stated_versions(self):
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        stated = dict(re.split(r">=", word) for word in project["dependencies"])
        pinned = dict(
            re.findall(r"^([\w-]+)==([\d.]+)\.\*$", REQUIREMENTS.read_text(), re.MULTILINE)
        )
        self.assertEqual(pinned, {name: stated[name] for name in set(stated) - WITHOUT})
        ask = "import importlib.metadata as m; print(*(m.version(name) for name in %r))"
        printed = self.run_oldest("-c", ask % list(pinned), folder=PROJECT).split()
        for version, (name, oldest) in zip(printed, pinned.items(), strict=True):
            self.assertTrue(version.startswith(f"{oldest}."), f"{name} {version}")

    def test_volumes_are_read_upsampled_compared_and_written(self):
        with tempfile.TemporaryDirectory() as folder:
            self.run_oldest("-c", MAIN_JOB, folder=folder)
            self.assertIn("bicubic+bp", Path(folder, "scores.csv").read_text(encoding="utf-8"))

    def test_dicom_series_are_read_and_written(self):
        with tempfile.TemporaryDirectory() as folder:
            series = Path(folder, "series")
            series.mkdir()
            write_mr_series(series, stored(), grid())
            self.run_oldest("-c", DICOM_JOB, folder=folder)

    def test_the_numerical_tests_of_the_core_pass(self):
        words = ["-m", "unittest", "--quiet", *CORE_TESTS]
        self.run_oldest(*words, folder=PROJECT / "Testing" / "Core")


if __name__ == "__main__":
    unittest.main()
