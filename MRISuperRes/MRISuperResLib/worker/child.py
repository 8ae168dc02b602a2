"""The child process that does the work: requests come in on stdin, events go out on stdout, one JSON object a line.

Requests                                            Events
  upsample  id job input ijkToRAS output folder        ready      pid version
  compare  id job input ijkToRAS output folder        progress   id done total rate remaining
  install  id path                                    result     id, and what jobs.py adds
  import   id path name                               cancelled  id
  cancel   id                                         error      id|null kind message log
  stop     (after the jobs that came before)

Arrays travel as .npy files. The worker stays warm between jobs, so that torch and the weights are loaded once, and it
ends as soon as its stdin is closed, also in the middle of a job: it never outlives its parent, and then removes the folders
of its jobs (`folder`, which may be left out). After an error of kind "device" it ends, too: a process in which a GPU has failed
can't use it any more.
"""

import json
import os
import queue
import shutil
import sys
import threading
import traceback

from .. import __version__
from ..core.errors import Cancelled, SuperResolutionError
from ..core.progress import ProgressMeter

FOLDER_PREFIX = "MRISuperRes-"
"""Of the folder of a job: no other one is ever removed."""


class RequestError(Exception):
    """A request that cannot be understood; the worker answers and lives on."""


class Events:
    """Writes events, from any thread. on_deaf(): called where nobody listens any more."""

    def __init__(self, stream):
        self._stream, self._lock = stream, threading.Lock()
        self.on_deaf = lambda: None

    def send(self, event, **fields):
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except OSError:
            self.on_deaf()

    def send_error(self, job_id, kind, message, log=""):
        self.send("error", id=job_id, kind=kind, message=message, log=log)


class Worker:
    """Runs jobs in order on the thread that calls `run`; requests are read on a thread of their own.

    requests: binary stream; events: Events; leave: ends the process; doubles: test doubles of the core's functions, see jobs.Jobs.
    """

    def __init__(self, requests, events, leave=os._exit, **doubles):
        self._requests, self._events, self._leave, self._doubles = requests, events, leave, doubles
        events.on_deaf = lambda: self._abandon(1)
        self._jobs = queue.Queue()
        self._cancels, self._folders = (
            {},
            {},
        )  # job id -> threading.Event, folder or None, for the jobs that are waiting or running
        self._runner = None  # made with the first job: it imports numpy

    def run(self):
        """Returns after a stop request, and where a device has failed."""
        self._events.send("ready", pid=os.getpid(), version=__version__)
        threading.Thread(target=self._read_requests, daemon=True).start()
        for request in iter(self._jobs.get, None):
            if self._run_job(request) == "device":
                return

    def _read_requests(self):
        for line in self._requests:
            if line.strip():
                try:
                    self._accept(line)
                except RequestError as error:
                    self._events.send_error(
                        None, "request", str(error), line[:1000].decode("utf-8", "replace")
                    )
        self._abandon(0)

    def _abandon(self, code):
        """The parent is gone: nobody waits for the job that may be running, or puts its things in order."""
        for folder in filter(None, list(self._folders.values())):
            shutil.rmtree(folder, ignore_errors=True)
        self._leave(code)

    def _accept(self, line):
        try:
            request = json.loads(line)
            name = request["request"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RequestError(
                "The worker received a line that is not a request: restart the run."
            ) from None
        if isinstance(name, str) and name in JOBS:
            check_request(request)
            if request["id"] in self._cancels:
                raise RequestError(
                    f"The worker already has a job “{request['id']}”: give every job an id of its own."
                )
            self._cancels[request["id"]], self._folders[request["id"]] = (
                threading.Event(),
                request.get("folder"),
            )
            self._jobs.put(request)
        elif name == "cancel":
            cancel = (
                self._cancels.get(request.get("id")) if isinstance(request.get("id"), str) else None
            )
            if cancel is not None:  # else the job has ended meanwhile
                cancel.set()
        elif name == "stop":
            self._jobs.put(None)
        else:
            known = (
                f"no request “{name[:50]}”"
                if isinstance(name, str)
                else "no request without a name"
            )
            raise RequestError(
                f"The worker knows {known}: the two sides have different versions, restart the application."
            )

    def _run_job(self, request):
        """Returns the kind of error with which it has ended, or None."""
        job_id = request["id"]
        cancelled = self._cancels[job_id].is_set
        try:
            event, fields = "result", self._compute(request, cancelled)
        except Cancelled:
            event, fields = "cancelled", {}
        except SuperResolutionError as error:
            event, fields = (
                "error",
                {"kind": error.kind, "message": str(error), "log": traceback.format_exc()},
            )
        except ImportError as error:
            event, fields = (
                "error",
                {
                    "kind": "packages",
                    "log": traceback.format_exc(),
                    "message": f"A part of Python can't be imported ({error}): install it, or reinstall the application.",
                },
            )
        except MemoryError:
            event, fields = (
                "error",
                {
                    "kind": "memory",
                    "log": traceback.format_exc(),
                    "message": "The memory of this computer is not enough for this volume: close other programs, crop the volume or "
                    "choose a smaller scale.",
                },
            )
        except Exception as error:
            event, fields = (
                "error",
                {
                    "kind": "internal",
                    "log": traceback.format_exc(),
                    "message": f"This could not be done because of an unexpected error ({type(error).__name__}): "
                    "please report it with the application log.",
                },
            )
        # not before the exception is gone, and with it the arrays of its frames: on Windows the files behind them could not be deleted
        if event != "result" and self._runner is not None:
            self._runner.discard(request)
        del self._cancels[job_id]
        self._events.send(event, id=job_id, **fields)
        self._folders.pop(job_id, None)
        return fields.get("kind") if event == "error" else None

    def _compute(self, request, cancelled):
        """The fields of the result event."""
        if cancelled():
            raise Cancelled
        from . import jobs  # here, so that a broken installation is answered like any other error

        if self._runner is None:
            self._runner = jobs.Jobs(**self._doubles)
        meter = ProgressMeter()

        def progress(done, total):
            now = meter.update(done, total)
            self._events.send(
                "progress",
                id=request["id"],
                done=done,
                total=total,
                rate=now.rate,
                remaining=now.remaining,
            )

        return self._runner.run(request, progress, cancelled)


def _is_text(value):
    return isinstance(value, str)


def _is_object(value):
    return isinstance(value, dict)


def _is_path(value):
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_folder(value):
    return value is None or (_is_path(value) and os.path.basename(value).startswith(FOLDER_PREFIX))


def _is_matrix(value):
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(
            isinstance(row, list) and len(row) == 4 and all(map(_is_coordinate, row))
            for row in value
        )
    )


def _is_coordinate(value):
    return type(value) is float or (
        type(value) is int and abs(value) < 2**63
    )  # a larger one has no place in an array of floats


_VOLUME = {
    "id": _is_text,
    "job": _is_object,
    "input": _is_path,
    "output": _is_path,
    "folder": _is_folder,
    "ijkToRAS": _is_matrix,
}
JOBS = {
    "upsample": _VOLUME,
    "compare": _VOLUME,
    "install": {"id": _is_text, "path": _is_path},
    "import": {"id": _is_text, "path": _is_path, "name": _is_text},
}
"""{request: {field: whether a value is valid}} of those that are jobs."""


def check_request(request):
    """Raises RequestError unless the request for a job has its fields."""
    for field, is_valid in JOBS[request["request"]].items():
        if not is_valid(request.get(field)):
            raise RequestError(
                f"The worker received a request without a valid “{field}”: restart the run."
            )


def take_stdout():
    """The stream for events. Descriptor 1 itself is pointed at stderr, so that no library's print can get between the events."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def main(**doubles):
    """Runs until stdin is closed or a stop request has been reached. doubles: only for tests, see Worker."""
    Worker(sys.stdin.buffer, Events(take_stdout()), **doubles).run()
    sys.stderr.flush()
    os._exit(0)  # the reading thread cannot be woken: an ordinary end would wait for it, or crash
