"""Tells whether packages can be imported, in a process of its own: metadata also say yes after an installation that is broken.

    python -c "…; from MRISuperResLib.worker.package_probe import main; main()" NAME MODULE DISTRIBUTION MINIMUM …

answers with a line of JSON for each: {"name", "version" or "", "state", "reason"}; state: one of STATES. A package that ends the process has no line.
"""

import contextlib
import importlib
import importlib.metadata
import json
import os
import re
import sys

USABLE, MISSING, OLD, BROKEN = STATES = ("usable", "missing", "old", "broken")


def main(words=None):
    """words: four for each package, see above."""
    words = sys.argv[1:] if words is None else words
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints when it is imported must not get between the answers
    for number in range(0, len(words), 4):
        print(json.dumps(probe(*words[number : number + 4])), file=stream, flush=True)
    os._exit(0)  # some packages crash when the process ends


def probe(name, module, distribution, minimum):
    """The answer for one package. module: what is imported of it; minimum: the oldest version that will do."""
    version = installed_version(distribution)
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # a broken package raises whatever it likes
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        return {
            "name": name,
            "version": version,
            "state": MISSING if missing else BROKEN,
            "reason": "" if missing else first_line(error),
        }
    version = version or str(getattr(imported, "__version__", ""))
    return {
        "name": name,
        "version": version,
        "state": OLD if is_older(version, minimum) else USABLE,
        "reason": "",
    }


def installed_version(distribution):
    """What the metadata say; empty where there are none."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution) or ""
    return ""


def is_older(version, minimum):
    """Of the numbers at the beginning of both; an unknown version is not older."""
    numbers = [
        [int(part) for part in re.match(r"\d*(?:\.\d+)*", text)[0].split(".") if part]
        for text in (version, minimum)
    ]
    return bool(numbers[0]) and numbers[0] < numbers[1]


def first_line(error):
    return next(iter(str(error).splitlines()), "") or type(error).__name__
