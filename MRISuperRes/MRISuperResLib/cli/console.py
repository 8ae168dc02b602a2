"""What the user sees: messages and progress on standard error, so that standard output carries results only."""

import sys
import time

from ..core.progress import ProgressMeter

LINE_INTERVAL, LINE_STEP = 2.0, 0.1
"""s and part of the job between two lines of progress that goes to a file or a pipe."""


class Console:
    """stream: where to write; clock: seconds."""

    def __init__(self, stream=None, clock=time.monotonic):
        self._stream = stream or sys.stderr
        self._clock = clock
        self._meter = ProgressMeter(clock)
        self._line = ""
        self._told = None

    def progress(self, done, total):
        """One line that changes, on a terminal; elsewhere a line now and then."""
        progress = self._meter.update(done, total)
        if self._stream.isatty():
            self._show(progress.text())
            return
        now = self._clock()
        if self._told is None:
            self._told = (now, 0)
        when, part = self._told
        if done == total or (now - when >= LINE_INTERVAL and done / total - part >= LINE_STEP):
            self.line(progress.text())
            self._told = (now, done / total)

    def for_another_run(self):
        """This console, whose progress begins anew."""
        self._meter, self._told = ProgressMeter(self._clock), None
        return self

    def message(self, text):
        """A sentence on what was done is a note, any other a warning."""
        self.line(f"{'note' if text.startswith('Taken') else 'warning'}: {text}")

    def error(self, text):
        self.line(f"error: {text}")

    def clear(self):
        """Takes the line of progress away."""
        self._show("")

    def line(self, text):
        """Text that stays."""
        self.clear()
        print(text, file=self._stream, flush=True)

    def _show(self, line):
        if line or self._line:
            self._stream.write("\r" + line.ljust(len(self._line)) + ("" if line else "\r"))
            self._stream.flush()
        self._line = line
