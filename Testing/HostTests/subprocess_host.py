"""Runs of test files in separate processes, for problems that fail a whole run."""

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "Host" / "run.py"


def run_on_host(source, ci=False, arguments=()):
    """Run run.py on a test file with this source; return exit status and output."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "GivenTest.py")
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key != "CI"}
        if ci:
            environment["CI"] = "true"
        done = subprocess.run(
            [sys.executable, RUN, "--module-paths", folder, file, *arguments],
            env=environment,
            text=True,
            timeout=120,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout


def run_body(body, imports="import qt, slicer, ctk", ci=False):
    """Run run.py on a test method with this body; return exit status and output."""
    method = textwrap.indent(textwrap.dedent(body), " " * 8)
    return run_on_host(
        f"import unittest\n{imports}\n\n\n"
        f"class GivenTest(unittest.TestCase):\n    def test_it(self):\n{method}\n",
        ci,
    )
