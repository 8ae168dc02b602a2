"""Installation of made-up wheels by pip in an environment of the test, offline."""

import os
import subprocess
import sys
import tempfile
import unittest
import venv
import zipfile
from pathlib import Path
from unittest import mock

import slicer
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.packages import PackageState
from panel_testing import answer_next


class RealPipTest(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="with a space "))
        self.wheels = Path(folder, "wheels")
        self.wheels.mkdir()
        venv.create(Path(folder, "environment"), with_pip=False)
        self.environment = Path(folder, "environment")
        self.site = site = next(self.environment.rglob("site-packages"))
        with zipfile.ZipFile(self.make("numpy", "1.26")) as wheel:
            wheel.extractall(site)
        for name, double in (
            ("_exists", lambda name: (site / name).exists()),
            ("installed_version", lambda name: self.version(name) or ""),
            ("checkPackages", self.check),
        ):
            self.enterContext(mock.patch.object(packages, name, double))
        self.enterContext(mock.patch.dict(vars(slicer.util), pip_install=self.pip))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        kept |= {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.enterContext(mock.patch.dict(os.environ, kept, clear=True))
        answer_next(True)

    def make(self, name, version, *needs):
        """Make a wheel of an empty package."""
        info = f"{name}-{version}.dist-info"
        path = self.wheels / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", f"__version__ = {version!r}")
            wheel.writestr(
                f"{info}/METADATA",
                "\n".join(
                    [
                        "Metadata-Version: 2.1",
                        f"Name: {name}",
                        f"Version: {version}",
                        *(f"Requires-Dist: {need}" for need in needs),
                        "",
                    ]
                ),
            )
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")
        return path

    def pip(self, arguments):
        python = [sys.executable, "-m", "pip", "--python", str(self.environment)]
        subprocess.run([*python, "install", "--quiet", *arguments], check=True, capture_output=True)

    def version(self, name):
        return next(
            (
                path.name.removesuffix(".dist-info").split("-")[1]
                for path in self.site.glob(f"{name}-*.dist-info")
            ),
            None,
        )

    def check(self, names):
        return {
            name: PackageState(
                name,
                "usable" if (self.site / name / "__init__.py").exists() else "broken",
                reason="no __init__",
            )
            for name in names
        }

    def test_packages_are_installed_from_the_folder_of_the_variables_and_numpy_is_kept(self):
        self.make("torch", "2.5", "numpy")
        self.make("safetensors", "0.5")
        self.make("numpy", "2.9")
        self.assertTrue(packages.installPackages(["torch", "safetensors"]))
        self.assertEqual(
            [self.version(name) for name in ("torch", "safetensors", "numpy")],
            ["2.5", "0.5", "1.26"],
        )

    def test_version_that_would_replace_numpy_is_skipped(self):
        self.make("torch", "2.5", "numpy<2")
        self.make("torch", "2.6", "numpy>=2")
        self.make("numpy", "2.9")
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual([self.version(name) for name in ("torch", "numpy")], ["2.5", "1.26"])

    def test_nothing_is_installed_if_every_version_would_replace_numpy(self):
        self.make("torch", "2.6", "numpy>=2")
        self.make("numpy", "2.9")
        with self.assertRaisesRegex(RuntimeError, "torch could not be installed"):
            packages.installPackages(["torch"])
        self.assertEqual([self.version(name) for name in ("torch", "numpy")], [None, "1.26"])

    def test_missing_dependency_is_an_error(self):
        self.make("torch", "2.5", "sympy")
        with self.assertRaisesRegex(RuntimeError, "torch could not be installed"):
            packages.installPackages(["torch"])
        self.assertIsNone(self.version("torch"))

    def test_damaged_installation_is_repaired(self):
        self.make("torch", "2.5", "numpy")
        self.assertTrue(packages.installPackages(["torch"]))
        (self.site / "torch" / "__init__.py").unlink()
        answer_next(True)
        self.assertTrue(packages.installPackages(["torch"]))
        self.assertEqual(self.version("numpy"), "1.26")


if __name__ == "__main__":
    unittest.main()
