"""Access to files, CMake lists and git history of the project for tests."""

import re
import shutil
import subprocess
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MODULES = ("MRISuperRes", "MRISuperResTraining")


def files(*patterns):
    """Return the files of the project, without build folder and hidden folders."""
    folders = [
        folder
        for folder in PROJECT.iterdir()
        if folder.is_dir() and folder.name != "build" and not folder.name.startswith(".")
    ]
    found = {
        path
        for pattern in patterns
        for place in ([PROJECT.glob(pattern)] + [folder.rglob(pattern) for folder in folders])
        for path in place
    }
    return sorted(path for path in found if path.is_file())


def cmake_values(text, name):
    """Return the words of set(NAME …), with earlier ${variables} expanded."""
    text = re.sub(r"#.*", "", text)
    values = {}
    for variable, words in re.findall(r"\bset\s*\(\s*(\w+)\s+([^)]*)\)", text):
        values[variable] = expanded(words, values).replace('"', "").split()
    return values[name]


def expanded(text, values):
    return re.sub(r"\$\{(\w+)\}", lambda match: " ".join(values.get(match[1], [match[0]])), text)


def git(*words):
    """Return the output of a git command; skip the test outside a clone."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        raise unittest.SkipTest("not a clone of the repository, or git is missing")
    return subprocess.run(
        ["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=True
    ).stdout
