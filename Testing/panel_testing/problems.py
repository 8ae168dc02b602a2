"""Problems that raise no exception in the test: in slots, observers and dialogs.

Slicer only prints such errors. The runner calls `take()` after every test and fails the test
if there are any.
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
    """Return the problems since the last call."""
    taken = list(_recorded)
    _recorded.clear()
    return taken


@contextlib.contextmanager
def expect(pattern, kinds=("error display", "exception")):
    """Expect a problem in the block whose text matches a regular expression.

    Matching problems do not fail the test. An error display and the exception that caused it
    (slicer.util.tryWithErrorDisplay) count as one problem.

    Yields:
        The list of matching problems, filled at the end of the block.
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
    """Record exceptions that PySide and VTK pass to sys.excepthook.

    They come from virtual methods and observers, and do not reach the test otherwise.
    """

    def hook(kind, value, trace):
        record_exception(value.with_traceback(trace))
        sys.__excepthook__(kind, value, trace)

    sys.excepthook = hook
    sys.unraisablehook = lambda unraisable: hook(
        unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
    )
    threading.excepthook = lambda args: hook(args.exc_type, args.exc_value, args.exc_traceback)
