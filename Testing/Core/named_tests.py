"""Lists in Markdown that name tests: `Layer/FileTest: test_that_shows_it`."""

import ast
import re
from functools import cache
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
NAMED = r"`\w+/\w+: test_\w+`"


def rows(name, heading):
    """The cells of every row of the tables of a list in Testing, but for the rows of headings, whose first cell is `heading`."""
    lines = [
        line.strip("|").split(" | ")
        for line in (TESTING / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    return [
        [cell.strip() for cell in row]
        for row in lines
        if row[0].strip("- |") and row[0].strip() != heading
    ]


def missing(cell):
    """The tests that a cell names and that do not exist."""
    return [
        f"{file}: {test}"
        for file, test in re.findall(r"`(\w+/\w+): (\w+)`", cell)
        if test not in _tests_of(file)
    ]


@cache
def _tests_of(file):
    path = TESTING / f"{file}.py"
    tree = ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
