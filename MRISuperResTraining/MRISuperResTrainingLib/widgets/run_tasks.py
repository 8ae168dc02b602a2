"""Processes of the panel: trainings, which outlive the application, and tasks with their models.

The state of a training is read from the folder of its run (`runs.record`). This module keeps only
what is not there yet: the process between its start and its first event.
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.worker.client import LIBRARY_FOLDER, pythonProgram

from ..runs import lock
from ..runs.events import failure_message, last_progress
from ..runs.record import LOG, RunRecord

TRAINING_FOLDER = str(Path(__file__).resolve().parents[2])
DETACHED_ON_WINDOWS = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP

CommandLine = Callable[[Sequence[str]], tuple[str, list[str]]]
"""Returns (program, arguments) for the words of a command of the training."""

_children: dict[str, tuple[subprocess.Popen, float]] = {}
"""{folder of a run: (process, start time, s since 1970)}; kept so that no zombies are left."""


def trainingCommand(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return (program, arguments) of the command line of the training.

    Raises:
        RuntimeError: There is no Python.
    """
    code = (
        f"import sys; sys.path[:0] = {[TRAINING_FOLDER, LIBRARY_FOLDER]!r}; "
        "from MRISuperResTrainingLib.__main__ import main; sys.exit(main())"
    )
    return pythonProgram(), ["-c", code, *words]


def startTraining(
    run: Path,
    words: Sequence[object],
    device: str = "auto",
    command: CommandLine = trainingCommand,
) -> subprocess.Popen:
    """Start a training in a separate process, which writes into the log of the run.

    Args:
        run: Folder of the run.
        words: Words of the command.
        device: "auto", "cpu" or "cuda:N".
        command: Makes the command line.

    Raises:
        SuperResolutionError: The process cannot start (kind "environment").
        RuntimeError: There is no Python.
    """
    program, arguments = command([str(word) for word in words])
    options = (
        {"creationflags": DETACHED_ON_WINDOWS}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    try:
        with open(Path(run, LOG), "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=str(run),
                env=_environment(device),
                **options,
            )
    except OSError as error:
        raise _startError(run, error) from error
    _children[str(run)] = child, time.time()
    return child


def trainingStartTime(run: Path) -> float | None:
    """Return when the running process of a run was started by this application, s since 1970.

    None if this application started none, or it has ended.
    """
    child, started = _children.get(str(run), (None, None))
    if child is not None and child.poll() is not None:
        del _children[str(run)]
        started = None
    return started


def killTraining(run: Path) -> None:
    """Kill the process of a run; the steps since its last checkpoint are lost."""
    process = lock.process_of(run)
    if process is not None and process.host == lock.this_host():
        with contextlib.suppress(OSError):  # it may have ended
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    child, _started = _children.get(str(run), (None, None))
    if child is not None:
        child.kill()  # PythonSlicer is a launcher with a process number of its own


class RunTaskKind(enum.Enum):
    """Purpose of a task; the value is part of the names of its files."""

    EXPORT = "export"
    EVALUATION = "evaluation"


class RunTask:
    """A command of the training that uses the models of a run, in a separate process.

    Args:
        kind: What the command does.
        record: The run.
        folder: Folder of the result.
        command: Makes the command line.
        words: Words of the command.
        name: Name of the exported models.

    Raises:
        SuperResolutionError: The process cannot start (kind "environment").
        RuntimeError: There is no Python.
    """

    def __init__(
        self,
        kind: RunTaskKind,
        record: RunRecord,
        folder: Path,
        command: CommandLine,
        words: Sequence[object],
        name: str = "",
    ) -> None:
        self.kind, self.record, self.folder, self.name = kind, record, folder, name
        self._log = record.path / f"{kind.value}.txt"
        self._report = record.path / f"{kind.value}.jsonl"
        program, arguments = command([str(word) for word in (*words, "--report", self._report)])
        try:
            self._report.unlink(missing_ok=True)
            with open(self._log, "w", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    [program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        except OSError as error:
            raise _startError(record.path, error) from error

    @property
    def isRunning(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    @property
    def progressText(self) -> str:
        """Progress, such as "2/5 volumes"; empty until it is known."""
        progress = last_progress(self._report)
        if progress is None:
            return ""
        return _("{done}/{total} volumes").format(done=progress.done, total=progress.total)

    @property
    def error(self) -> str:
        """Why the ended task failed; empty if it succeeded."""
        code = self._process.returncode
        if code == 0:
            return ""
        return failure_message(self._report) or _(
            "The process ended with exit code {code}. See {log}."
        ).format(code=code, log=self._log)

    def wait(self) -> None:
        """Wait until the process has ended."""
        self._process.wait()


def _startError(folder, error):
    return SuperResolutionError(
        _("Cannot start in {folder} ({reason}). Check that you may write to the folder.").format(
            folder=folder, reason=error.strerror or error
        ),
        "environment",
    )


def _environment(device):
    environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "ACCELERATE_USE_CPU": "true"}
    elif device.startswith("cuda:"):
        environment["CUDA_VISIBLE_DEVICES"] = device.removeprefix("cuda:")
    return environment
