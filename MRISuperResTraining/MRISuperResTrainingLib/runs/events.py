"""Events of a run: one JSON object per line of events.jsonl, and the same numbers for TensorBoard.

Every event has "event", "time" (s since 1970), "stage" ("psnr" or "gan") and "step" (steps done in
the stage). The events and their further fields:

    start       run started or resumed: "resumed", "processes", "device", "precision",
                "steps" {stage: number}, "messages" on the data
    stage       stage started: "steps"
    step        from time to time: "steps", "losses" {name: mean since the last report},
                "learning_rate", "rate" (steps/s), "remaining" (s, of the stage)
    validation  "scores" {name: mean over the held-out slices}, "baseline" ("bicubic", or "bspline"
                of the network between slices), its scores under its name, "by" (the score that
                selects the best model), "best" (bool), "messages"
    checkpoint  checkpoint written
    nan         training diverged: "back_to" (the step from which it continues), "messages"
    stopped     run stopped on request, after a checkpoint
    error       run failed: "message" (text), "kind" (see SuperResolutionError, or "internal");
                stage and step are empty
    end         run finished

"messages" are MRISuperResLib.core.messages.Message objects as JSON values.

With --report FILE, `evaluate` and `export` write a report for the program that started them, also
as JSON lines:

    {"progress": {…}}    from time to time: the fields of MRISuperResLib.core.progress.Progress
    {"failure": {…}}     at the end of a command that failed: "kind" and "message"

Imports no torch, except for TensorBoard.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.progress import Progress

FILE = "events.jsonl"
TENSORBOARD = "tensorboard"

MAX_STEP_EVENTS = 5000
"""Above this number of events "step", every second one is dropped: curves have fewer pixels."""

Event = dict[str, Any]
EventCallback = Callable[[Event], None]


def baseline_of(event: Event) -> str:
    """Return the interpolation beside which an event "validation" has its scores.

    Older runs name none: "bicubic".
    """
    name: str = event.get("baseline", "bicubic")
    return name


class EventLog:
    """Writer of the events of a run.

    Args:
        folder: Folder of the run.
        listener: Called with every event.
        is_writer: False in all processes except the first: nothing is written.
    """

    def __init__(
        self, folder: Path, listener: EventCallback | None = None, is_writer: bool = True
    ) -> None:
        self._listener = listener
        self._file = _open(Path(folder, FILE)) if is_writer else None
        self._board = _tensorboard(Path(folder, TENSORBOARD)) if is_writer else None

    def write(self, event: str, stage: str, step: int, **values: Any) -> None:
        """Write an event.

        Args:
            event: Kind of the event.
            stage: "psnr" or "gan".
            step: Steps done in the stage.
            **values: Further fields.
        """
        if self._file is None:
            return
        record = {"event": event, "time": time.time(), "stage": stage, "step": step, **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        if self._board:
            for kind in ("losses", "scores"):
                for name, value in values.get(kind, {}).items():
                    self._board.add_scalar(f"{stage}/{name}", value, step)
            if "learning_rate" in values:
                self._board.add_scalar(f"{stage}/learning_rate", values["learning_rate"], step)
        if self._listener:
            self._listener(record)

    def close(self) -> None:
        """Close the files."""
        if self._file:
            self._file.close()
        if self._board:
            self._board.close()


def write_failure(run: str | Path, error: Exception) -> None:
    """Write the event "error" of an exception, once; do nothing without the folder.

    Args:
        run: Folder of the run.
        error: The exception.
    """
    if getattr(error, "is_logged", False):
        return
    error.is_logged = True  # type: ignore[attr-defined]
    place = {"event": "error", "time": time.time(), "stage": "", "step": 0}
    record = place | describe_failure(error)
    with contextlib.suppress(OSError), open(Path(run, FILE), "a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(record) + "\n")


def describe_failure(error: Exception) -> dict[str, str]:
    """Return {"kind", "message"} of an exception; see the event "error"."""
    if isinstance(error, SuperResolutionError):
        return {"kind": error.kind, "message": str(error)}
    if isinstance(error, ModuleNotFoundError):
        message = f"The Python package {error.name} is missing: install it (pip install …)."
        return {"kind": "packages", "message": message}
    message = f"Internal error ({type(error).__name__}: {error}). Please report it."
    return {"kind": "internal", "message": message}


class EventReader:
    """Reader of the events of a run while they are written.

    Args:
        folder: Folder of the run.

    Attributes:
        events: The events so far, without those of steps that were repeated later.
        is_behind: True if the last call of `read` left something because of its limit.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = Path(folder, FILE)
        self._position, self._rest = 0, b""
        self.events: list[Event] = []
        self._step_count, self.is_behind = 0, False

    def read(self, limit: int | None = None) -> bool:
        """Read the complete lines that were written since the last call.

        Args:
            limit: Largest number of bytes to read.

        Returns:
            True if there was a new event.
        """
        try:
            with open(self._file, "rb") as file:
                size = file.seek(0, 2)
                if size < self._position:  # another file
                    self._position, self._rest, self.events = 0, b"", []
                file.seek(self._position)
                content = file.read(limit)
        except OSError:
            return False
        self._position += len(content)
        self.is_behind = self._position < size
        *lines, self._rest = (self._rest + content).split(b"\n")
        added = [self._add(line) for line in lines]
        return any(added)

    def _add(self, line: bytes) -> bool:
        try:
            event: Event = json.loads(line)
        except ValueError:  # the process was killed while it wrote
            return False
        if event["event"] in ("start", "nan"):
            stage = event["stage"]
            step: int = event["back_to"] if "back_to" in event else event["step"]
            self.events = [old for old in self.events if not _is_later(old, stage, step)]
        self.events.append(event)
        if event["event"] == "step":
            self._step_count += 1
            if self._step_count > MAX_STEP_EVENTS:
                self._drop_steps()
        return True

    def _drop_steps(self) -> None:
        """Drop every second step, counted from the last."""
        steps = [event for event in self.events if event["event"] == "step"]
        dropped = set(map(id, steps[-2::-2]))
        self.events = [event for event in self.events if id(event) not in dropped]
        self._step_count = len(steps) - len(dropped)


def _is_later(event: Event, stage: str, step: int) -> bool:
    """True if a run that returned to `step` of `stage` repeats the steps of an event."""
    if event["event"] in ("start", "nan", "stopped", "error"):
        return False
    is_next_stage = (event["stage"], stage) == ("gan", "psnr")
    return is_next_stage or (event["stage"] == stage and event["step"] > step)


def _open(path: Path) -> TextIO:
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - closed with the EventLog
    file.seek(max(0, file.tell() - 1))
    if file.read() not in ("", "\n"):
        file.write("\n")  # ends the line in which a process was killed
    return file


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))  # type: ignore[no-untyped-call]


class TaskReport:
    """Writer of a report; as a context manager, it also writes the exception of its block.

    Args:
        path: File to append to; None: nothing is written.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = path

    def progress(self, progress: Progress) -> None:
        """Write the progress of the command."""
        self._write({"progress": progress.to_dict()})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, Cancelled):
            self._write({"failure": describe_failure(error)})

    def _write(self, entry: dict[str, Any]) -> None:
        if self._path:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def last_progress(path: str | Path) -> Progress | None:
    """Return the latest progress in a report; None if there is none."""
    found = [entry["progress"] for entry in _entries(path) if "progress" in entry]
    return Progress.from_dict(found[-1]) if found else None


def failure_message(path: str | Path) -> str:
    """Return the reason of a failure in a report; an empty text if it holds none."""
    found = [entry["failure"] for entry in _entries(path) if "failure" in entry]
    return found[-1]["message"] if found else ""


def _entries(path: str | Path) -> Iterator[dict[str, Any]]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:  # a line that is being written
            continue
