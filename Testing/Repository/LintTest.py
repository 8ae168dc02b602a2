"""The code is formatted and has no findings of ruff, and ruff finds mistakes."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from repository import PROJECT

MISTAKES = {
    "F401": "import os\n",
    "F821": "print(undefined)\n",
    "B006": "def append(value, values=[]):\n    values.append(value)\n",
    "E722": "try:\n    print()\nexcept:\n    pass\n",
    "ERA001": "# print(1)\n",
    "PGH004": "import os  # noqa\n",
    "RUF100": "x = 1  # noqa: F401\n",
    "E501": f"x = '{'x' * 100}'\n",
    "ANN001": "def double(value) -> int:\n    return 2 * value\n",
    "D103": "def double(value: int) -> int:\n    return 2 * value\n",
    "N802": "def makeDouble(value: int) -> int:\n    return 2 * value\n",
}


def ruff(folder):
    """Return the findings: [(file name without extension, rule, "FILE:LINE: RULE text")]."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json"]
    command += ["--config", str(PROJECT / "pyproject.toml"), str(folder)]
    # paths in the settings are relative to the project
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    if result.returncode not in (0, 1):
        raise AssertionError(result.stderr)
    return [
        (
            Path(found["filename"]).stem,
            found["code"],
            f"{found['filename']}:{found['location']['row']}: {found['code']} {found['message']}",
        )
        for found in json.loads(result.stdout)
    ]


class LintTest(unittest.TestCase):
    def test_the_project_has_no_findings(self):
        self.assertFalse("\n".join(text for _, _, text in ruff(PROJECT)))

    def test_the_code_is_formatted(self):
        command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "--quiet", "."]
        result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_mistakes_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            for rule, code in MISTAKES.items():
                Path(folder, f"{rule}.py").write_text(code, encoding="utf-8")
            found = {(name, rule) for name, rule, _ in ruff(folder)}
        self.assertLessEqual({(rule, rule) for rule in MISTAKES}, found)


if __name__ == "__main__":
    unittest.main()
