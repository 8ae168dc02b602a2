"""Who works on a run, and how he is asked to stop. One process at a time works on a run, which other processes may watch.

process.json   {"pid", "host", "started" (s since 1970), "identity"} while a process works on the run
stop           an empty file: the process writes a checkpoint and ends
"""

import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError

from . import events

PROCESS, STOP = "process.json", "stop"


@contextlib.contextmanager
def working_on(run):
    """Marks a run, a folder that is there, as worked on by this process; forgets an old wish to stop. A failure is written into the events.

    Raises SuperResolutionError (kind "settings") where another process works on it.
    """
    path = Path(run, PROCESS)
    _take(path)
    try:
        forget_stop(run)
        yield
    except Cancelled:
        raise
    except Exception as e:
        _write_failure(run, e)
        raise
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def ask_to_stop(run):
    """The process that works on the run ends after its present step."""
    with _os_errors(run):
        Path(run, STOP).touch()


def forget_stop(run):
    with _os_errors(run):
        Path(run, STOP).unlink(missing_ok=True)


def is_asked_to_stop(run):
    return Path(run, STOP).exists()


def asked_to_stop(run):
    """When it was asked to, s since 1970, or None."""
    try:
        return Path(run, STOP).stat().st_mtime
    except OSError:
        return None


def process_of(run):
    """{"pid", "host", "started"} of the process that works on a run, or None. Of a process on another computer it is not known whether it is alive."""
    try:
        process = json.loads(Path(run, PROCESS).read_text(encoding="utf-8"))
        return (
            process
            if process["host"] != this_host() or _identity(process["pid"]) == process["identity"]
            else None
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def this_host():
    """As process_of names it."""
    return socket.gethostname()


def _take(path):
    content = {
        "pid": os.getpid(),
        "host": this_host(),
        "started": time.time(),
        "identity": _identity(os.getpid()),
    }
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with _os_errors(path.parent):
        part.write_text(json.dumps(content), encoding="utf-8")
        try:
            if process := process_of(path.parent):
                raise SuperResolutionError(
                    f"Another process works on the run {path.parent} (number {process['pid']} on {process['host']}): wait for its end, or stop it. "
                    f"Where there is no such process, delete {path}.",
                    "settings",
                )
            os.replace(part, path)  # whole from the first moment; a stale file is taken over
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _os_errors(run):
    try:
        yield
    except OSError as e:
        raise SuperResolutionError(
            f"The folder {run} can't be written ({e.strerror or e}): check that it is there and that you may write to it.",
            "environment",
        ) from e


def _write_failure(run, error):
    message = (
        str(error)
        if isinstance(error, SuperResolutionError)
        else f"The training failed ({type(error).__name__}: {error})."
    )
    with contextlib.suppress(OSError), open(Path(run, events.FILE), "a", encoding="utf-8") as file:
        file.write(
            "\n"
            + json.dumps(
                {"event": "error", "time": time.time(), "stage": "", "step": 0, "message": message}
            )
            + "\n"
        )


def _identity(pid):
    """A text that no other process has, also not one that got the same number later; None where there is no such process."""
    if sys.platform == "linux":
        try:
            # the second field, the name, is in parentheses, and may hold anything
            fields = (
                Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            )
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    return str(pid) if _is_alive(pid) else None


def _is_alive(pid):
    if sys.platform == "win32":
        import ctypes

        query_limited_information, still_active = 0x1000, 259
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(query_limited_information, False, pid)
        code = ctypes.c_ulong()
        try:
            return bool(
                handle
                and kernel.GetExitCodeProcess(handle, ctypes.byref(code))
                and code.value == still_active
            )
        finally:
            kernel.CloseHandle(handle)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
