"""The events of a run while they come in: every call of `read` goes on where the last one ended."""

import json
from pathlib import Path

from . import events

MOST_STEPS = 5000
"""Of the events "step" of a long run every second one is forgotten as soon as there are more, again and again: a curve has no more pixels."""


class EventReader:
    """events: of a run, without those of steps that were done again later, after a kill or a "nan". path: its folder.

    is_behind: whether the last call of `read` has left something, because of its limit.
    """

    def __init__(self, path):
        self._file = Path(path, events.FILE)
        self._place, self._rest = 0, b""
        self.events, self._steps, self.is_behind = [], 0, False

    def read(self, limit=None):
        """Takes in the lines that were written since the last call, whole ones only; returns whether there were any. limit: bytes."""
        try:
            with open(self._file, "rb") as file:
                size = file.seek(0, 2)
                if size < self._place:  # another file
                    self._place, self._rest, self.events = 0, b"", []
                file.seek(self._place)
                new = file.read(limit)
        except OSError:
            return False
        self._place += len(new)
        self.is_behind = self._place < size
        *lines, self._rest = (self._rest + new).split(b"\n")
        taken = [self._take(line) for line in lines]
        return any(taken)

    def _take(self, line):
        try:
            event = json.loads(line)
        except ValueError:  # the process was killed while it wrote
            return False
        if event["event"] in ("start", "nan"):
            stage, step = event["stage"], event.get("back_to", event["step"])
            self.events = [old for old in self.events if not events.is_later(old, stage, step)]
        self.events.append(event)
        if event["event"] == "step":
            self._steps += 1
            if self._steps > MOST_STEPS:
                self._forget_steps()
        return True

    def _forget_steps(self):
        """All but every second, counted from the last."""
        steps = [event for event in self.events if event["event"] == "step"]
        forgotten = set(map(id, steps[-2::-2]))
        self.events = [event for event in self.events if id(event) not in forgotten]
        self._steps = len(steps) - len(forgotten)
