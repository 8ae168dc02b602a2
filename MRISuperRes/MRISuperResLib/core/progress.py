"""Progress of a task: slices done, speed and time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Progress:
    """The state of a running task.

    Attributes:
        done: Slices that are finished.
        total: Slices in all.
        rate: Slices per second; None until the first slice is finished.
        remaining: Estimated time left in seconds; None until the first slice is finished.
    """

    done: int
    total: int
    rate: float | None = None
    remaining: float | None = None

    def text(self) -> str:
        """Return one line, such as "12/60 slices, 4.1 slices/s, 12 s left"."""
        if self.rate is None or self.remaining is None:
            return f"{self.done}/{self.total} slices"
        speed = f"{self.rate:.0f}" if self.rate >= 100 else f"{self.rate:.3g}"
        left = f", {format_duration(self.remaining)} left" if self.done < self.total else ""
        return f"{self.done}/{self.total} slices, {speed} slices/s{left}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the progress that `to_dict` described; other keys are ignored."""
        return cls(values["done"], values["total"], values["rate"], values["remaining"])


ProgressCallback = Callable[[Progress], None]
"""Called with the progress of a task, first with nothing done."""
CancelCheck = Callable[[], bool]
"""Called between batches; the task is cancelled when it returns True."""


class ProgressMeter:
    """Meter of the speed of a task, which starts at the first update."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start: float | None = None

    def update(self, done: int, total: int) -> Progress:
        """Return the progress after `done` of `total` slices."""
        now = self._clock()
        if self._start is None:
            self._start = now
        elapsed = now - self._start
        if not done or elapsed <= 0:
            return Progress(done, total)
        rate = done / elapsed
        return Progress(done, total, rate, (total - done) / rate)


class PartsProgress:
    """Progress over several inputs that are processed one after the other.

    Attributes:
        number: Index of the current input, counted from 0.
        count: Number of inputs.

    Args:
        slices: Number of slices of every input.
    """

    def __init__(self, slices: list[int]) -> None:
        self.number, self.count = 0, len(slices)
        self._slices, self._meter = slices, ProgressMeter()

    def whole(self, progress: Progress) -> Progress:
        """Return the progress over all inputs, given that of the current one."""
        done = sum(self._slices[: self.number]) + progress.done
        return self._meter.update(done, sum(self._slices))


def format_elapsed(seconds: float) -> str:
    """Return a measured duration: below one minute with tenths, as "3.4 s"."""
    return f"{seconds:.1f} s" if seconds < 59.5 else format_duration(seconds)


def format_duration(seconds: float) -> str:
    """Return an estimated or long duration as "12 s", "3 min 05 s" or "1 h 02 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
