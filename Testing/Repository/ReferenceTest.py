"""The API reference is made from the docstrings without warnings."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from repository import PROJECT, cmake_values


class ReferenceTest(unittest.TestCase):
    def test_the_reference_lists_the_public_api_and_is_made_without_warnings(self):
        text = (PROJECT / "CMake" / "Environment.cmake").read_text(encoding="utf-8")
        modules = cmake_values(text, "reference_modules")
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-W", "error", "-m", "pdoc", "--docformat", "google"]
            result = subprocess.run(
                [*command, "--output-directory", folder, *modules],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                timeout=500,
            )
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertNotIn("Warn", result.stderr)
            for page, names in (
                ("MRISuperResLib.html", ("upsample", "compare", "audit", "Volume", "list_models")),
                ("MRISuperResTrainingLib.html", ("train", "evaluate", "export")),
            ):
                html = Path(folder, page).read_text(encoding="utf-8")
                for name in names:
                    with self.subTest(page, name=name):
                        self.assertIn(f'id="{name}"', html)


if __name__ == "__main__":
    unittest.main()
