"""The wheel, installed into a fresh environment outside the source tree, does the main job."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
import venv
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("MRISuperRes", "MRISuperResTraining", "README.md", "LICENSE", "pyproject.toml")
MAIN_JOB = """
import sys
import MRISuperResLib as sr
assert not {"torch", "nibabel", "pydicom", "scipy"} & set(sys.modules), "importing is not light"
volume = sr.upsample("in.nii.gz", scale=2)
volume.save("out.nii.gz")
table = sr.compare("in.nii.gz", ["bicubic", "fast-x2-psnr"], scale=2)
table.to_csv("scores.csv")
assert [card.name for card in sr.list_models(2)] == ["fast-x2-psnr", "fast-x2-gan"]
import MRISuperResTrainingLib as srt
print(sr.__file__, volume.size, *volume.spacing, srt.train.__name__)
"""
PHANTOM = """
import numpy as np
from MRISuperResLib import Volume
rows, columns = np.mgrid[-1:1:64j, -1:1:72j]
slice_ = 900 * (rows**2 + columns**2 < 0.8) * (1 + np.cos(9 * rows) * np.cos(7 * columns)) / 2
Volume(np.stack([slice_] * 3).astype(np.int16), np.diag([1.0, 1.0, 3.0, 1.0])).save("in.nii.gz")
"""


class WheelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        sources = cls.folder / "sources"
        sources.mkdir()
        for name in SOURCES:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, sources / name)
        build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        cls.run_python(sys.executable, *build, "--wheel-dir", cls.folder, sources)
        (cls.wheel,) = cls.folder.glob("mrisuperres-*.whl")
        shutil.rmtree(sources)
        environment = cls.folder / "environment"
        venv.create(environment, with_pip=True)
        scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
        cls.scripts, cls.python = scripts, scripts / "python"
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = cls.run_python(cls.python, "-c", ask).strip()
        # the dependencies of the test environment, without the paths of its own .pth files
        dependencies = sysconfig.get_path("purelib")
        Path(packages, "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
        cls.run_python(cls.python, "-m", "pip", "install", "--quiet", "--no-deps", cls.wheel)
        cls.work = cls.folder / "work"
        cls.work.mkdir()
        cls.run_python(cls.python, "-c", PHANTOM)

    @classmethod
    def run_python(cls, *command):
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        folder = getattr(cls, "work", cls.folder)
        result = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=500,
        )
        if result.returncode:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def test_the_wheel_holds_both_libraries_the_models_and_the_type_markers(self):
        names = zipfile.ZipFile(self.wheel).namelist()
        for name in (
            "MRISuperResLib/py.typed",
            "MRISuperResTrainingLib/py.typed",
            "MRISuperResLib/core/upsampling.py",
            "MRISuperResTrainingLib/training/trainer.py",
            "MRISuperResLib/shipped_models/fast-x2-psnr.json",
            "MRISuperResLib/shipped_models/fast-x8-gan.safetensors",
        ):
            self.assertIn(name, names)
        self.assertFalse([name for name in names if name.startswith(("Testing", "slicerhost"))])

    def test_the_python_api_does_the_main_job_outside_the_source_tree(self):
        printed = self.run_python(self.python, "-c", MAIN_JOB)
        file, *rest = printed.split(" ", 1)
        self.assertTrue(Path(file).is_relative_to(self.folder), file)
        self.assertEqual(rest, ["(144, 128, 3) 0.5 0.5 3.0 train\n"])
        self.assertIn("fast-x2-psnr", (self.work / "scores.csv").read_text(encoding="utf-8"))

    def test_the_command_line_upsamples_and_lists_models_as_json(self):
        program = self.scripts / "mrisuperres"
        self.run_python(program, "upsample", "in.nii.gz", "cli.nii.gz", "--scale", "2")
        record = json.loads((self.work / "cli.nii.gz.json").read_text(encoding="utf-8"))
        self.assertEqual(record["model"]["name"], "fast-x2-psnr")
        cards = json.loads(self.run_python(program, "models", "list", "--json"))
        shipped = PROJECT / "MRISuperRes" / "MRISuperResLib" / "shipped_models"
        self.assertEqual(
            {card["name"] for card in cards}, {path.stem for path in shipped.glob("*.safetensors")}
        )
        self.assertEqual(sorted({card["scale"] for card in cards}), [2, 4, 8])

    def test_the_training_command_prints_its_help(self):
        printed = self.run_python(self.scripts / "mrisuperres-train", "--help")
        self.assertIn("train", printed)


if __name__ == "__main__":
    unittest.main()
