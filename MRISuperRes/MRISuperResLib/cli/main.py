"""Runs a command and turns everything that can happen into an exit code and one sentence."""

import contextlib
import datetime
import io
import os
import platform
import signal
import sys
import tempfile
import threading
import traceback

from .. import __version__
from ..core.errors import Cancelled, SuperResolutionError

DONE, INTERNAL_ERROR, USER_ERROR, STOPPED = 0, 1, 2, 128


def main(argv=None):
    """The command line of MRISuperRes; see run_program."""
    return run_program(_run, argv)


def run_program(run, argv=None, ends_at_once=True):
    """What all command lines of this extension share.

    run(argv, console, cancelled): does what is asked for and returns the text for standard output. argv: the words after the
    program's name. ends_at_once: False where run is to put something in order after the first signal, which it is told by cancelled().
    Returns the exit code: 0 done; 2 whatever the user can mend, with one sentence on standard error; 130 after Ctrl-C
    (143 after SIGTERM); 1 for an error of ours, with the name of a log file.
    """
    from .console import Console

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal that lacks a character must not end the run
    console = Console()
    with _stop_signals(ends_at_once) as stop:
        try:
            if text := run(sys.argv[1:] if argv is None else argv, console, stop.asked):
                print(text, flush=True)
            return DONE
        except SuperResolutionError as e:
            console.error(str(e))
            return USER_ERROR
        except (KeyboardInterrupt, Cancelled) as e:
            console.error(str(e) or "stopped, nothing was written.")
            return STOPPED + (stop.signal or signal.SIGINT)
        except SystemExit as e:  # argparse, after --help and --version
            return e.code or DONE
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        except MemoryError:
            console.error(
                "There is not enough memory: close other programs, crop the volume or choose a smaller scale."
            )
            return USER_ERROR
        except Exception as e:
            if isinstance(e, ModuleNotFoundError) and e.name in (
                "numpy",
                "scipy",
                "SimpleITK",
                "nibabel",
                "pydicom",
                "torch",
                "safetensors",
                "accelerate",
            ):
                console.error(
                    f"The package {e.name} is missing: install it (pip install {e.name})."
                )
                return USER_ERROR
            console.error(
                f"MRISuperRes failed, and it is not your fault ({type(e).__name__}): please report it with the file {_write_log(argv)}."
            )
            return INTERNAL_ERROR


def _run(argv, console, cancelled):
    """The text for standard output. What is heavy to import is imported only for the command that needs it."""
    from .parser import parse

    arguments = parse(argv)
    if arguments.command == "upsample":
        from . import upsample

        return upsample.run(arguments, console, cancelled)
    if arguments.command == "batch":
        from . import batch

        return batch.run(arguments, console, cancelled)
    if arguments.command == "compare":
        from . import compare

        return compare.run(arguments, console, cancelled)
    if arguments.command == "audit":
        from . import audit

        return audit.run(arguments, console, cancelled)
    from . import models

    return models.run(arguments)


class _Stop:
    """Which signal asked to stop. It is raised, too, to end reading and loading at once; but an exception may get lost in a
    library's callback, and then the flag ends the run between two batches. Of a run that does not end at once the second signal is raised."""

    def __init__(self, raises):
        self.signal, self._raises = None, raises

    def __call__(self, number, frame):
        raises, self._raises = self._raises, True
        self.signal = number
        if raises:
            raise KeyboardInterrupt

    def asked(self):
        return self.signal is not None


@contextlib.contextmanager
def _stop_signals(ends_at_once):
    stop = _Stop(ends_at_once)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _write_log(argv):
    """The traceback that is being handled, in a file of its own; returns its name."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="MRISuperRes-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        print(
            f"MRISuperRes {__version__}, Python {platform.python_version()}, {platform.platform()}, {datetime.datetime.now().isoformat()}",
            file=log,
        )
        print(f"arguments: {sys.argv[1:] if argv is None else argv}\n", file=log)
        traceback.print_exc(file=log)
    return log.name
