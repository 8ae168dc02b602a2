"""The child process that does the work: requests come in on stdin, events go out on stdout, one JSON object a line.

Requests                                            Events
  upscale  id job input ijkToRAS output               ready      pid version
  compare  id job input ijkToRAS output               progress   id done total rate remaining
  install  id path                                    result     id, and what worker_jobs.py adds
  import   id path name                               cancelled  id
  cancel   id                                         error      id|null kind message log
  stop     (after the jobs that came before)

Arrays travel as .npy files. The worker stays warm between jobs, so that torch and the weights are loaded once, and it
ends as soon as its stdin is closed, also in the middle of a job: it never outlives its parent.
"""

import json
import os
import queue
import sys
import threading
import traceback

from . import __version__
from .core.errors import Cancelled, MRISuperResError
from .core.progress import ProgressMeter

_VOLUME = {"id": str, "job": dict, "input": str, "output": str, "ijkToRAS": list}
JOBS = {"upscale": _VOLUME, "compare": _VOLUME, "install": {"id": str, "path": str}, "import": {"id": str, "path": str, "name": str}}
"""{request: {field: type}} of those that are jobs."""


class RequestError(Exception):
    """A request that cannot be understood; the worker answers and lives on."""


class Events:
    """Writes events, from any thread. A parent that no longer listens ends the process."""

    def __init__(self, stream):
        self._stream, self._lock = stream, threading.Lock()

    def send(self, event, **fields):
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except OSError:
            os._exit(1)

    def send_error(self, job_id, kind, message, log=""):
        self.send("error", id=job_id, kind=kind, message=message, log=log)


class Worker:
    """Runs jobs in order on the thread that calls `run`; requests are read on a thread of their own.

    requests: binary stream; events: Events; doubles: test doubles of the core's functions, see worker_jobs.Jobs.
    """

    def __init__(self, requests, events, **doubles):
        self._requests, self._events, self._doubles = requests, events, doubles
        self._jobs = queue.Queue()
        self._cancels = {}  # job id -> threading.Event, for the jobs that are waiting or running
        self._runner = None  # made with the first job: it imports numpy

    def run(self):
        self._events.send("ready", pid=os.getpid(), version=__version__)
        threading.Thread(target=self._read_requests, daemon=True).start()
        for request in iter(self._jobs.get, None):
            self._run_job(request)

    def _read_requests(self):
        for line in self._requests:
            if line.strip():
                try:
                    self._accept(line)
                except RequestError as error:
                    self._events.send_error(None, "request", str(error), line[:1000].decode("utf-8", "replace"))
        os._exit(0)  # the parent is gone: nobody waits for the job that may be running

    def _accept(self, line):
        try:
            request = json.loads(line)
            name = request["request"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RequestError("The worker received a line that is not a request: restart the run.") from None
        if isinstance(name, str) and name in JOBS:
            check_request(request)
            if request["id"] in self._cancels:
                raise RequestError(f"The worker already has a job “{request['id']}”: give every job an id of its own.")
            self._cancels[request["id"]] = threading.Event()
            self._jobs.put(request)
        elif name == "cancel":
            cancel = self._cancels.get(request.get("id")) if isinstance(request.get("id"), str) else None
            if cancel is not None:  # else the job has ended meanwhile
                cancel.set()
        elif name == "stop":
            self._jobs.put(None)
        else:
            raise RequestError(f"The worker knows no request “{name}”: the two sides have different versions, restart the application.")

    def _run_job(self, request):
        job_id = request["id"]
        cancelled = self._cancels[job_id].is_set
        try:
            event, fields = "result", self._compute(request, cancelled)
        except Cancelled:
            event, fields = "cancelled", {}
        except MRISuperResError as error:
            event, fields = "error", {"kind": error.kind, "message": str(error), "log": traceback.format_exc()}
        except MemoryError:
            event, fields = "error", {"kind": "memory", "log": traceback.format_exc(),
                                      "message": "The memory of this computer is not enough for this volume: close other programs, crop the volume or "
                                                 "choose a smaller scale."}
        except Exception as error:
            event, fields = "error", {"kind": "internal", "log": traceback.format_exc(),
                                      "message": f"This could not be done because of an unexpected error ({type(error).__name__}): "
                                                 "please report it with the application log."}
        # not before the exception is gone, and with it the arrays of its frames: on Windows the files behind them could not be deleted
        if event != "result" and self._runner is not None:
            self._runner.discard(request)
        del self._cancels[job_id]
        self._events.send(event, id=job_id, **fields)

    def _compute(self, request, cancelled):
        """The fields of the result event."""
        if cancelled():
            raise Cancelled
        from . import worker_jobs  # here, so that a broken installation is answered like any other error

        if self._runner is None:
            self._runner = worker_jobs.Jobs(**self._doubles)
        meter = ProgressMeter()

        def progress(done, total):
            now = meter.update(done, total)
            self._events.send("progress", id=request["id"], done=done, total=total, rate=now.rate, remaining=now.remaining)

        return self._runner.run(request, progress, cancelled)


def check_request(request):
    """Raises RequestError unless the request for a job has its fields, in their types."""
    for field, kind in JOBS[request["request"]].items():
        if not isinstance(request.get(field), kind):
            raise RequestError(f"The worker received a request without a valid “{field}”: restart the run.")
    rows = request.get("ijkToRAS")
    if rows is not None and (len(rows) != 4 or any(not isinstance(row, list) or len(row) != 4 or not all(type(x) in (int, float) for x in row) for row in rows)):
        raise RequestError("The worker received a request whose “ijkToRAS” is no 4×4 matrix: restart the run.")


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
