"""Run locks and stop requests: one process at a time works on a run, others may watch it.

    process.json   {"pid", "host", "started", "created"} while a process works on the run
    stop           empty file: requests the process to write a checkpoint and end

A process is identified by its number and its creation time (from psutil), since the number alone
may belong to a later process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.io.atomic import atomic_file, translate_os_errors

from .events import write_failure

PROCESS, STOP = "process.json", "stop"

CREATION_TOLERANCE = 5.0
"""Seconds by which two readings of a creation time may differ after the clock was set."""


@dataclass(frozen=True)
class RunProcess:
    """A process that works on a run.

    Attributes:
        pid: Process number.
        host: Name of the computer.
        started: Time when it locked the run, s since 1970.
        created: Creation time, s since 1970.
    """

    pid: int
    host: str
    started: float
    created: float


class RunUnavailableError(SuperResolutionError):
    """Error: the folder already holds a run, or another process works on it."""


@contextlib.contextmanager
def locked_run(run: str | Path) -> Iterator[None]:
    """Lock a run for this process, and clear an old stop request.

    An exception is written into the events of the run.

    Args:
        run: Existing folder of the run.

    Raises:
        RunUnavailableError: Another process works on the run (kind "settings").
    """
    path = Path(run, PROCESS)
    _lock(path)
    try:
        clear_stop_request(run)
        yield
    except Cancelled:
        raise
    except Exception as e:
        write_failure(run, e)
        raise
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def request_stop(run: str | Path) -> None:
    """Ask the process that works on a run to stop after its current step.

    Raises:
        SuperResolutionError: The folder is not writable (kind "environment").
    """
    path = Path(run, STOP)
    with translate_os_errors(path):
        path.touch()


def clear_stop_request(run: str | Path) -> None:
    """Clear a stop request.

    Raises:
        SuperResolutionError: The folder is not writable (kind "environment").
    """
    path = Path(run, STOP)
    with translate_os_errors(path):
        path.unlink(missing_ok=True)


def is_stop_requested(run: str | Path) -> bool:
    """Return True if a stop was requested."""
    return Path(run, STOP).exists()


def stop_request_time(run: str | Path) -> float | None:
    """Return the time of the stop request, s since 1970; None without one."""
    try:
        return Path(run, STOP).stat().st_mtime
    except OSError:
        return None


def process_of(run: str | Path) -> RunProcess | None:
    """Return the process that works on a run; None if there is none.

    A process of another computer counts as running, since it cannot be checked; so does any
    process if psutil is not installed.
    """
    try:
        process = RunProcess(**json.loads(Path(run, PROCESS).read_text(encoding="utf-8")))
        is_running = process.host != this_host() or _is_running(process)
        return process if is_running else None
    except (OSError, ValueError, TypeError):
        return None


def this_host() -> str:
    """Return the name of this computer as in `RunProcess.host`."""
    return socket.gethostname()


def _lock(path: Path) -> None:
    import psutil

    pid = os.getpid()
    own = RunProcess(pid, this_host(), time.time(), psutil.Process(pid).create_time())
    with atomic_file(path) as temporary:  # replaces the file of a process that was killed
        if process := process_of(path.parent):
            raise RunUnavailableError(
                f"Another process works on the run {path.parent} (number {process.pid} on "
                f"{process.host}): wait for its end, or stop it. If there is no such process, "
                f"delete {path}.",
                "settings",
            )
        temporary.write_text(json.dumps(dataclasses.asdict(own)), encoding="utf-8")


def _is_running(process: RunProcess) -> bool:
    try:
        import psutil
    except ImportError:
        return True
    try:
        found = psutil.Process(process.pid)
        is_same = abs(found.create_time() - process.created) <= CREATION_TOLERANCE
        return is_same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
