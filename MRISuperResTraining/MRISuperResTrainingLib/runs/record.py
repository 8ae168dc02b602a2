"""Records of runs: their state and curves, read from the folder while they are trained and later.

Imports no torch, since the application and the command line share it.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from MRISuperResLib.core.models.card import STAGES

from ..options.settings import THROUGH_PLANE
from . import lock
from .events import Event, EventReader, baseline_of

DESCRIPTION, REQUEST, LOG, SAMPLES = "run.json", "settings.json", "log.txt", "samples.npz"
"""run.json: written by the training. settings.json: the requested settings, written before the
training starts. log.txt: output of the training. samples.npz: see `runs.folder`."""


class RunState(enum.Enum):
    """State of a run."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Stopped on request; can be resumed."""
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process was killed, or the computer switched off; can be resumed."""


STATES = {
    "stopped": RunState.STOPPED,
    "end": RunState.FINISHED,
    "error": RunState.FAILED,
    "start": RunState.INTERRUPTED,
}
"""State of a run without a process, by the last of these events."""


class RunRecord:
    """Record of a run; `update` reads news from its folder.

    Args:
        path: Folder of the run.

    Attributes:
        process: Process that works on the run.
        state: State of the run.
        message: Reason of a failure.
        best_psnr: (PSNR of the best model of stage 1, that of the baseline or None), dB;
            None before the first validation.
        version: Changes when there are new events.
        skipped: (path, reason) of files that were left out before the run started.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reader = EventReader(path)
        self._description: dict[str, Any] = {}
        self._stamp: tuple[str, int] | None = None
        self._latest: dict[str, tuple[int, Event]] = {}  # by kind, with the number of the event
        self.process: lock.RunProcess | None = None
        self.state, self.message = RunState.INTERRUPTED, ""
        self.best_psnr: tuple[float, float | None] | None = None
        self.version = 0
        self.skipped: list[tuple[str, str]] = []

    @classmethod
    def is_run(cls, path: str | Path) -> bool:
        """Return True if a folder holds a run."""
        return any(Path(path, name).is_file() for name in (DESCRIPTION, REQUEST))

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        return self._reader.events

    @property
    def is_behind(self) -> bool:
        """True if the last update did not reach the last event."""
        return self._reader.is_behind

    def update(self, limit: int | None = None) -> bool:
        """Read news from the folder.

        Args:
            limit: Largest number of bytes of events to read.

        Returns:
            True if anything has changed.
        """
        before = self.process, self._stamp, self.state
        self.process = lock.process_of(self.path)
        self._read_description()
        has_news = self._reader.read(limit)
        if has_news:
            self.version += 1
            self._latest = {
                event["event"]: (number, event) for number, event in enumerate(self.events)
            }
            self.best_psnr = self._find_best_psnr()
        self.state, self.message = self._find_state()
        return has_news or before != (self.process, self._stamp, self.state)

    def _read_description(self) -> None:
        for name in (DESCRIPTION, REQUEST):
            path = self.path / name
            try:
                stamp = name, path.stat().st_mtime_ns
                if stamp != self._stamp:
                    values = json.loads(path.read_text(encoding="utf-8"))
                    self._description = values if name == DESCRIPTION else {"settings": values}
                    self._stamp = stamp
                return
            except (OSError, ValueError):
                continue

    def _find_state(self) -> tuple[RunState, str]:
        """The state, and the reason of a failure."""
        if self.process:
            return RunState.RUNNING, ""
        last = self._last(*STATES)
        state = STATES[last["event"]] if last else RunState.INTERRUPTED
        if last and state is RunState.FAILED:
            return state, last["message"]
        if state is RunState.INTERRUPTED and lock.is_stop_requested(self.path):
            # a run that is stopped before its first step writes no event
            return RunState.STOPPED, ""
        return state, ""

    @property
    def has_begun(self) -> bool:
        """True if the run can be resumed."""
        return (self.path / DESCRIPTION).is_file()

    @property
    def description(self) -> dict[str, Any]:
        """Content of run.json; before it exists, {"settings": …}; {} if neither can be read."""
        return self._description

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the run, as JSON values."""
        return self._description.get("settings") or {}

    @property
    def scale_text(self) -> str:
        """The upsampling factor as text: "×2", or "up to ×8" of the network between slices."""
        scale = f"×{self.settings.get('scale', '?')}"
        network = (self.settings.get("generator") or {}).get("network")
        return f"up to {scale}" if network == THROUGH_PLANE else scale

    @property
    def baseline(self) -> str:
        """The interpolation beside which the last validation has its scores."""
        return baseline_of(self._last("validation") or {})

    def steps(self, stage: str) -> int:
        """Return the number of steps of a stage; 0 without that stage."""
        count: int = (self.settings.get(stage) or {}).get("steps", 0)
        return count

    @property
    def total(self) -> int:
        """Number of steps of both stages."""
        return sum(map(self.steps, STAGES))

    @property
    def position(self) -> tuple[str | None, int]:
        """(stage, steps done in it); (None, 0) before the first step."""
        event = self._last("step", "validation", "checkpoint", "stage", "stopped", "nan")
        if event is None:
            return None, 0
        return event["stage"], event["back_to"] if "back_to" in event else event["step"]

    @property
    def done(self) -> int:
        """Steps done in both stages together."""
        if self.state is RunState.FINISHED:
            return self.total
        stage, step = self.position
        return self.offset(stage) + step

    def offset(self, stage: str | None) -> int:
        """Return the number of steps before a stage."""
        return self.steps("psnr") if stage == "gan" else 0

    @property
    def rate(self) -> tuple[float | None, float | None]:
        """(steps/s, seconds left in the stage); None if unknown."""
        event = self._last("step", "stage")
        return (event.get("rate"), event.get("remaining")) if event else (None, None)

    @property
    def started(self) -> float:
        """Time of the first event, else of the folder, s since 1970."""
        if self.events:
            first: float = self.events[0]["time"]
            return first
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def _find_best_psnr(self) -> tuple[float, float | None] | None:
        scores = self.validations("psnr", "psnr") or self.validations("gan", "psnr")
        if not scores:
            return None
        _, value, baseline = max(scores, key=lambda score: score[1])
        return value, baseline

    def validations(self, stage: str, name: str) -> list[tuple[int, float, float | None]]:
        """Return the curve of a score.

        Args:
            stage: "psnr" or "gan".
            name: Name of the score.

        Returns:
            (step of both stages, value, value of the baseline or None).
        """
        offset = self.offset(stage)
        return [
            (
                offset + event["step"],
                event["scores"][name],
                (event.get(baseline_of(event)) or {}).get(name),
            )
            for event in self.events
            if event["event"] == "validation"
            and event["stage"] == stage
            and name in event["scores"]
        ]

    def losses(self, stage: str) -> dict[str, list[tuple[int, float]]]:
        """Return the curves of the losses: {name: [(step of both stages, value)]}.

        Norms of gradients and the outputs of the discriminator are left out.
        """
        offset = self.offset(stage)
        curves: dict[str, list[tuple[int, float]]] = {}
        for event in self.events:
            if event["event"] == "step" and event["stage"] == stage:
                for name, value in event["losses"].items():
                    if not name.endswith("norm") and name not in ("real", "fake"):
                        curves.setdefault(name, []).append((offset + event["step"], value))
        return curves

    def _last(self, *kinds: str) -> Event | None:
        """The latest event of some kinds."""
        found = [self._latest[kind] for kind in kinds if kind in self._latest]
        return max(found, key=lambda entry: entry[0])[1] if found else None


def runs_in(
    folder: str | Path, known: Iterable[RunRecord] = (), limit: int | None = None
) -> list[RunRecord]:
    """Return updated records of the runs in a folder, the newest first.

    Args:
        folder: Folder with run folders.
        known: Records to update instead of reading the runs again.
        limit: As for `RunRecord.update`.
    """
    records = {record.path: record for record in known}
    try:
        paths = [
            path for path in Path(folder).iterdir() if path.is_dir() and RunRecord.is_run(path)
        ]
    except OSError:
        return []
    found = [records.get(path) or RunRecord(path) for path in paths]
    for record in found:
        record.update(limit)
    return sorted(found, key=lambda record: record.started, reverse=True)
