"""Entry point of the command line: runs a command and returns its exit code."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import platform
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from .. import __version__
from ..core.errors import Cancelled, SuperResolutionError, is_out_of_memory
from ..core.progress import CancelCheck
from ..core.system import COMPARISON_ADDRESS_SPACE, check_address_space, let_threads_sleep
from .console import Console, open_standard_streams, print_result

DONE, INTERNAL_ERROR, USER_ERROR, STOPPED = 0, 1, 2, 128
REQUIRED_PACKAGES = (
    "accelerate",
    "matplotlib",
    "nibabel",
    "numpy",
    "pydicom",
    "safetensors",
    "scipy",
    "SimpleITK",
    "torch",
)

Command = Callable[[Sequence[str], Console, CancelCheck], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `mrisuperres` and return its exit code; see `run_program`."""
    return run_program(_run, arguments)


def entry_point() -> None:
    """Run the console script `mrisuperres`."""
    sys.exit(main())


def run_program(
    run: Command, arguments: Sequence[str] | None = None, raises_at_once: bool = True
) -> int:
    """Run a command and translate its outcome to an exit code.

    Args:
        run: Function (arguments, console, is_cancelled) that returns the text for standard output.
        arguments: The words after the program's name; None: those of the process.
        raises_at_once: False: the first signal only makes is_cancelled() return True, so that the
            command can save its state; a second signal interrupts it.

    Returns:
        0: done. 1: internal error, with a log file. 2: an error that the user can fix.
        130 after Ctrl-C, 143 after SIGTERM.
    """
    open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack a character
    console = Console()
    let_threads_sleep()
    with _stop_signals(raises_at_once) as stop:
        try:
            if text := run(
                sys.argv[1:] if arguments is None else arguments, console, stop.is_requested
            ):
                _print_summary(text, console)
            return DONE
        except SuperResolutionError as error:
            console.error(str(error))
            return USER_ERROR
        except (KeyboardInterrupt, Cancelled) as error:
            console.error(str(error) or "Cancelled; nothing was written.")
            return STOPPED + (stop.signal or signal.SIGINT)
        except SystemExit as exit_request:  # argparse, after --help and --version
            return exit_request.code if isinstance(exit_request.code, int) else DONE
        except Exception as error:
            if is_out_of_memory(error):
                console.error(
                    "Out of memory. Close other applications, crop the volume or choose a smaller "
                    "scale."
                )
                return USER_ERROR
            if isinstance(error, ModuleNotFoundError) and error.name in REQUIRED_PACKAGES:
                console.error(
                    f"The package {error.name} is missing. Install it: pip install {error.name}"
                )
                return USER_ERROR
            console.error(
                f"Internal error ({type(error).__name__}). "
                f"Please report it and attach {_write_log(arguments)}."
            )
            return INTERNAL_ERROR


def _print_summary(text: str, console: Console) -> None:
    """Print what a command has done; a full disk there does not turn a success into a failure."""
    try:
        print_result(text)
    except SuperResolutionError as error:
        console.line(f"warning: {error} All other output is complete.")


def _run(words: Sequence[str], console: Console, is_cancelled: CancelCheck) -> str:
    """Return the text for standard output."""
    from ..core.io.checks import ChoiceError
    from .parser import parse

    arguments = parse(words)
    try:
        return _run_command(arguments, console, is_cancelled)
    except ChoiceError as error:
        if not hasattr(arguments, error.choice):  # the command has no such option
            raise
        raise SuperResolutionError(f"{error.state} Choose one with --{error.choice}.") from error


def _run_command(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Return the text for standard output; each command imports what it needs."""
    if arguments.command == "upsample":
        from . import upsample

        return upsample.run(arguments, console, is_cancelled)
    if arguments.command == "batch":
        from . import batch

        return batch.run(arguments, console, is_cancelled)
    if arguments.command in ("compare", "audit"):
        check_address_space(COMPARISON_ADDRESS_SPACE)
    if arguments.command == "compare":
        from . import compare

        return compare.run(arguments, console, is_cancelled)
    if arguments.command == "audit":
        from . import audit

        return audit.run(arguments, console, is_cancelled)
    from . import models

    text = models.run(arguments)
    if arguments.command in ("models list", "models show"):
        print_result(text)  # the text is all that the command does, so a failure counts
        return ""
    return text


class _Stop:
    """The signal that requested a stop.

    A signal also raises KeyboardInterrupt, which stops reading and loading at once. If a callback
    of a library swallows the exception, the flag stops the command before the next batch.
    """

    def __init__(self, raises: bool) -> None:
        self.signal: int | None = None
        self._raises = raises

    def __call__(self, number: int, frame: FrameType | None) -> None:
        raises, self._raises = self._raises, True
        self.signal = number
        if raises:
            raise KeyboardInterrupt

    def is_requested(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def _stop_signals(raises: bool) -> Iterator[_Stop]:
    stop = _Stop(raises)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _write_log(arguments: Sequence[str] | None) -> str:
    """Write the current traceback to a new file and return its name."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="MRISuperRes-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        versions = f"MRISuperRes {__version__}, Python {platform.python_version()}"
        print(f"{versions}, {platform.platform()}, {datetime.datetime.now().isoformat()}", file=log)
        print(f"arguments: {sys.argv[1:] if arguments is None else arguments}\n", file=log)
        traceback.print_exc(file=log)
    return log.name
