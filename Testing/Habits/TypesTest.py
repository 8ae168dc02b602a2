"""ty, the type checker, finds nothing, and would find something. What it looks at is in pyproject.toml."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from habits import PROJECT

MISTAKES = {
    "a name that the dataclass lacks": "options.UpsamplingOptions(scal=2)",
    "a field that it lacks": "options.UpsamplingOptions().scal",
    "a text for a number": "options.UpsamplingOptions(scale='2')",
    "too many arguments": "geometry.spacing([[1.0]], 2)",
    "too few arguments": "geometry.upsampled_ijk_to_ras([[1.0]])",
    "a sum of text and number": "method_names.MethodName('fast').base + 2",
    "a result that is no text": "geometry.spacing([[1.0]]).upper()",
    "an array for a text": "slice_axis.choose_slice_axis(geometry.spacing([[1.0]])).name + 1",
}


def ty(*words):
    """["FILE:LINE: what ty says of it"]"""
    command = [
        sys.executable,
        "-m",
        "ty",
        "check",
        "--project",
        str(PROJECT),
        "--output-format",
        "gitlab",
        *map(str, words),
    ]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    if result.returncode not in (0, 1):
        raise AssertionError(result.stderr)
    return [
        f"{found['location']['path']}:{found['location']['positions']['begin']['line']}: {found['description']}"
        for found in json.loads(result.stdout)
    ]


class TypesTest(unittest.TestCase):
    def test_the_core_the_command_lines_and_the_worker_have_no_findings(self):
        self.assertFalse("\n".join(ty()))

    def test_mistakes_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mistakes.py")
            file.write_text(
                "\n".join(
                    [
                        "from MRISuperResLib.core import geometry, options, slice_axis\nfrom MRISuperResLib.core import method_names",
                        *MISTAKES.values(),
                    ]
                ),
                encoding="utf-8",
            )
            found = ty(file)
        for line, mistake in enumerate(MISTAKES, 2):
            with self.subTest(mistake):
                self.assertTrue([text for text in found if f"mistakes.py:{line}:" in text], found)


if __name__ == "__main__":
    unittest.main()
