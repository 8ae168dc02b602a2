"""Check that packages can be imported, in a separate process.

    python -c "…; from MRISuperResLib.worker.package_probe import main; main()" \
        NAME MODULE DISTRIBUTION MINIMUM …

writes one JSON line per package: {"name", "version" or "", "state", "reason"}, the state being one
of `STATES`. A package that ends the process has no line. Package metadata does not suffice,
since it also lists packages of a broken installation.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Sequence

USABLE, MISSING, OLD, BROKEN = STATES = ("usable", "missing", "old", "broken")


def main(arguments: Sequence[str] | None = None) -> None:
    """Probe packages and end the process; `arguments` are four words per package, see above."""
    arguments = sys.argv[1:] if arguments is None else arguments
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps output of packages apart from the answers
    for number in range(0, len(arguments), 4):
        name, module, distribution, minimum = arguments[number : number + 4]
        print(json.dumps(probe(name, module, distribution, minimum)), file=stream, flush=True)
    os._exit(0)  # some packages crash when the process ends normally


def probe(name: str, module: str, distribution: str, minimum: str) -> dict[str, str]:
    """Check one package.

    Args:
        name: Name of the package, as in `ModuleNotFoundError.name`.
        module: Module to import.
        distribution: Name in the package metadata.
        minimum: Oldest version that is accepted.
    """
    version = installed_version(distribution)
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        return {
            "name": name,
            "version": version,
            "state": MISSING if missing else BROKEN,
            "reason": "" if missing else first_line(error),
        }
    version = version or str(getattr(imported, "__version__", ""))
    state = OLD if is_older(version, minimum) else USABLE
    return {"name": name, "version": version, "state": state, "reason": ""}


def installed_version(distribution: str) -> str:
    """Return the version in the package metadata, or an empty text."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution) or ""
    return ""


def is_older(version: str, minimum: str) -> bool:
    """Compare the leading numbers of two versions; an unknown version is not older."""
    return bool(_numbers(version)) and _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> list[int]:
    leading = re.match(r"\d*(?:\.\d+)*", version)
    return [int(part) for part in leading[0].split(".") if part] if leading else []


def first_line(error: Exception) -> str:
    """Return the first line of an error message, or the name of its class."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
