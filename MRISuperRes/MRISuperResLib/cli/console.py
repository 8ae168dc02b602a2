"""Messages and progress on standard error; standard output carries results only."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from ..core.errors import SuperResolutionError
from ..core.messages import Message
from ..core.progress import Progress

LINE_INTERVAL, LINE_STEP = 2.0, 0.1
"""Minimum interval of progress lines in a file or a pipe: seconds, and fraction of the task."""
WIDTH = 100
"""Characters per line of a table in a file or a pipe."""
GAP = "  "


class Console:
    """Printer of messages and progress.

    Args:
        stream: Output stream; standard error by default.
        clock: Returns seconds.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._line = ""
        self._last_report: tuple[float, float] | None = None

    def progress(self, progress: Progress) -> None:
        """Show the progress: one changing line in a terminal, else occasional lines."""
        if progress.done == 0:
            self._last_report = None
        if self._stream.isatty():
            self._show(progress.text())
            return
        now, share = self._clock(), progress.done / progress.total
        if self._last_report is None:
            self._last_report = (now, 0.0)
        last_time, last_share = self._last_report
        is_due = now - last_time >= LINE_INTERVAL and share - last_share >= LINE_STEP
        if is_due or progress.done == progress.total:
            self.line(progress.text())
            self._last_report = (now, share)

    def messages(self, messages: Iterable[Message]) -> None:
        """Print messages, each with its level."""
        for message in messages:
            self.line(f"{'warning' if message.is_warning else 'note'}: {message.text}")

    def error(self, text: str) -> None:
        """Print an error."""
        self.line(f"error: {text}")

    def line(self, text: str) -> None:
        """Print a line in place of the progress."""
        self._show("")
        self._write(f"{text}\n")

    def _show(self, line: str) -> None:
        shown, self._line = self._line, line  # first, as Ctrl-C may interrupt the output
        if line or shown:
            self._write("\r" + line.ljust(len(shown)) + ("" if line else "\r"))

    def _write(self, text: str) -> None:
        """Write text; without a reader or space for it, drop it, since the results matter more."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            discard(self._stream)


def print_result(text: str) -> None:
    """Print the result of a command on standard output.

    Raises:
        SuperResolutionError: It cannot be written, for example because the disk is full (kind
            "environment").
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise SuperResolutionError(
            f"Standard output cannot be written ({error.strerror}). Check where it leads to.",
            "environment",
        ) from error


def discard(stream: TextIO) -> None:
    """Discard what is still written to a stream, also at the end of the process."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), stream.fileno())


def open_standard_streams() -> None:
    """Open standard streams that are closed, so that no output file takes their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def format_columns(rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """Return the lines of a table with aligned columns.

    Columns that do not fit into `width` characters follow below, after the first column again.
    """
    sizes = [max(map(len, column)) for column in zip(*rows)]
    lines: list[str] = []
    start = 1
    while start < len(sizes):
        end, used = start, sizes[0]
        while end < len(sizes) and (end == start or used + len(GAP) + sizes[end] <= width):
            used += len(GAP) + sizes[end]
            end += 1
        shown = [0, *range(start, end)]
        lines += [GAP.join(row[n].ljust(sizes[n]) for n in shown).rstrip() for row in rows]
        start = end
    return lines
