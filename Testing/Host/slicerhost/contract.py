"""What Slicer 5.8.1 offers to Python, read from contract.json (written by make_contract.py)."""

import functools
import json
from pathlib import Path

_table = json.loads((Path(__file__).parent / "contract.json").read_text(encoding="utf-8"))

# PythonQt answers these although its dir() does not list them.
_ALWAYS = {"name", "exec_", "raise_", "print_"}


def namespace(name):
    """The public names of `qt`, `ctk`, `slicer` or `slicer.util`."""
    return frozenset(_table["namespaces"][name].split())


def knows(className):
    return className in _table["classes"]


@functools.cache
def members(className):
    """All member names that Python may use on an object of this C++ class."""
    entry = _table["classes"][className]
    inherited = members(entry["base"]) if entry["base"] else _ALWAYS
    return frozenset(entry["members"].split()) | inherited


@functools.cache
def signals(className):
    """The signatures of the signals that the class itself and its CTK or qMRML bases declare, as Qt writes them."""
    return frozenset(_table["classes"][className].get("signals", "").split())
