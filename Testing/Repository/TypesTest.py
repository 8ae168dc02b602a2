"""The libraries have no type errors, and mypy finds mistakes."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from repository import PROJECT

MISTAKES = {
    "an unknown option": "UpsamplingOptions(scal=2)",
    "an unknown field": "UpsamplingOptions().scal",
    "text for a number": "UpsamplingOptions(scale='2')",
    "too many arguments": "geometry.spacing([[1.0]], 2)",
    "too few arguments": "geometry.upsampled_ijk_to_ras([[1.0]])",
    "a sum of text and number": "MethodName('fast').base + 2",
    "an unknown keyword of the public API": "sr.upsample('in.nii.gz', scael=2)",
    "a result of the public API used as text": "sr.upsample('in.nii.gz').upper()",
}
IMPORTS = """\
import MRISuperResLib as sr
from MRISuperResLib.core import geometry
from MRISuperResLib.core.method_name import MethodName
from MRISuperResLib.core.options import UpsamplingOptions
"""


def mypy(*words):
    """Return the lines "FILE:LINE: error: TEXT" that mypy prints."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *map(str, words)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=500)
    if result.returncode not in (0, 1):
        raise AssertionError(result.stdout + result.stderr)
    return [line for line in result.stdout.splitlines() if ": error: " in line]


class TypesTest(unittest.TestCase):
    def test_the_libraries_have_no_type_errors(self):
        self.assertFalse("\n".join(mypy()))

    def test_mistakes_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mistakes.py")
            file.write_text(IMPORTS + "\n".join(MISTAKES.values()) + "\n", encoding="utf-8")
            found = mypy(file)
        first = IMPORTS.count("\n") + 1
        for line, mistake in enumerate(MISTAKES, first):
            with self.subTest(mistake):
                self.assertTrue([text for text in found if f"mistakes.py:{line}:" in text], found)


if __name__ == "__main__":
    unittest.main()
