"""Messages and progress on standard error; standard output carries results only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

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
        print(text, file=self._stream, flush=True)

    def _show(self, line: str) -> None:
        shown, self._line = self._line, line  # first, as Ctrl-C may interrupt the output
        if line or shown:
            self._stream.write("\r" + line.ljust(len(shown)) + ("" if line else "\r"))
            self._stream.flush()


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
