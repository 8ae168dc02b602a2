"""Reports of commands for the program that started them: JSON lines in a file.

    {"progress": {…}}    from time to time: the fields of MRISuperResLib.core.progress.Progress
    {"failure": {…}}     at the end of a command that failed: "kind" and "message"

The exit code of the command tells whether it succeeded; the report tells how far it is, and why it
failed. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from MRISuperResLib.core.errors import Cancelled
from MRISuperResLib.core.progress import Progress

from .events import describe_failure


class TaskReport:
    """Writer of a report; as a context, it writes the exception with which its block ends.

    Args:
        path: File to append to; None: nothing is written.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = path

    def progress(self, progress: Progress) -> None:
        """Write how far the command is."""
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
