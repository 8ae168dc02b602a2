"""Python interface of Slicer 5.8.1, read from contract.json (written by make_contract.py)."""

import functools
import json
from pathlib import Path

_table = json.loads((Path(__file__).parent / "contract.json").read_text(encoding="utf-8"))

# Members that PythonQt has although its dir() does not list them.
_ALWAYS = {"name", "exec_", "raise_", "print_"}


def namespace(name):
    """Return the public names of `qt`, `ctk`, `slicer` or `slicer.util`."""
    return frozenset(_table["namespaces"][name].split())


def lists(className):
    return className in _table["classes"]


@functools.cache
def members(className):
    """Return all member names that Python may use on an object of this C++ class."""
    entry = _table["classes"][className]
    inherited = members(entry["base"]) if entry["base"] else _ALWAYS
    return frozenset(entry["members"].split()) | inherited


@functools.cache
def signals(className):
    """Return the signal signatures of the class and its CTK or qMRML bases, as Qt writes them."""
    return frozenset(_table["classes"][className].get("signals", "").split())
