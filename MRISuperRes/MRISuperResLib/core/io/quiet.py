"""Keeps libraries from talking to the user."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet():
    """Nothing that C or C++ code writes to file descriptor 2 meanwhile is seen.

    ITK, GDCM and their codecs print warnings there, beside the exceptions that say what is wrong.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (AttributeError, OSError, ValueError):  # no standard error at all
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
