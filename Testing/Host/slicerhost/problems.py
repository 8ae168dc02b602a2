"""What went wrong where no exception can reach the test: in slots, in observers, in dialogs, in use of the interface.

Slicer prints such errors and goes on. The runner asks `take()` after every test and fails it.
"""

import contextlib
import re
import sys
import threading
import traceback
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    kind: str  # "exception", "error display", "question", "interface"
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text.rstrip()}"


_recorded = []


def record(kind, text):
    _recorded.append(Problem(kind, str(text)))


def record_exception(exception):
    record("exception", "".join(traceback.format_exception(exception)))


def take():
    """The problems since the last call."""
    taken = list(_recorded)
    _recorded.clear()
    return taken


@contextlib.contextmanager
def expect(pattern, kinds=("error display", "exception")):
    """The block must cause a problem whose text matches the regular expression; those that match are forgiven.

    An error display and the exception that caused it (slicer.util.tryWithErrorDisplay) count together.
    Yields the list that holds the forgiven problems after the block.
    """
    before = take()
    found = []
    yield found
    for problem in take():
        matches = problem.kind in kinds and re.search(pattern, problem.text)
        (found if matches else before).append(problem)
    _recorded[:0] = before
    if not found:
        others = "\n".join(map(str, before)) or "nothing"
        raise AssertionError(f"expected a problem that matches {pattern!r}, got: {others}")


def watch_uncaught_exceptions():
    """PySide and VTK hand exceptions of virtual methods and observers to sys.excepthook, and go on."""

    def hook(kind, value, trace):
        record_exception(value.with_traceback(trace))
        sys.__excepthook__(kind, value, trace)

    sys.excepthook = hook
    sys.unraisablehook = lambda unraisable: hook(
        unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
    )
    threading.excepthook = lambda args: hook(args.exc_type, args.exc_value, args.exc_traceback)
