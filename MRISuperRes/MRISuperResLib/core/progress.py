"""How fast a job goes and how long it will take."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """done, total: slices; rate: slices/s, remaining: s, both None until the first slice is done."""

    done: int
    total: int
    rate: float | None
    remaining: float | None

    def text(self) -> str:
        if self.rate is None or self.remaining is None:
            return f"{self.done}/{self.total} slices"
        return f"{self.done}/{self.total} slices, {self.rate:.3g} slices/s, {format_duration(self.remaining)} left"


class ProgressMeter:
    """Turns (done, total) reports into rates, measured since the first report."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._started = None

    def update(self, done: int, total: int) -> Progress:
        now = self._clock()
        if self._started is None:
            self._started = now
        elapsed = now - self._started
        if not done or elapsed <= 0:
            return Progress(done, total, None, None)
        rate = done / elapsed
        return Progress(done, total, rate, (total - done) / rate)


def format_duration(seconds: float) -> str:
    """12 s, 3 min 05 s, 1 h 02 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
