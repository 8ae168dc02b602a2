"""The events of a run while they come in: every call of `read` goes on where the last one ended."""

import json
from pathlib import Path

from ..loop import events


class EventReader:
    """events: of a run, without those of steps that were done again later, after a kill or a "nan". path: its folder."""

    def __init__(self, path):
        self._file = Path(path, events.FILE)
        self._place, self._rest = 0, b""
        self.events = []

    def read(self):
        """Takes in the lines that were written since the last call, whole ones only; returns whether there were any."""
        try:
            with open(self._file, "rb") as file:
                if file.seek(0, 2) < self._place:  # another file
                    self._place, self._rest, self.events = 0, b"", []
                file.seek(self._place)
                new = file.read()
        except OSError:
            return False
        self._place += len(new)
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
        return True
