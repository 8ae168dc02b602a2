"""Worker process: reads requests from stdin, runs jobs and writes events to stdout.

It stays warm between jobs, so that PyTorch and the weights are loaded once. It ends as soon as its
stdin is closed, even during a job, and never outlives its parent. See `protocol` for
requests and events.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import __version__
from ..core.errors import Cancelled, SuperResolutionError, is_out_of_memory
from ..core.system import let_threads_sleep
from .protocol import FOLDER_PREFIX, JOBS, Request, RequestError, parse_request

if TYPE_CHECKING:
    from .jobs import Jobs


class Events:
    """Writer of events that any thread may use.

    Attributes:
        on_closed: Called when the reader of the events has gone.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.on_closed: Callable[[], None] = lambda: None

    def send(self, event: str, **fields: Any) -> None:
        """Write one event."""
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except OSError:
            self.on_closed()


class Worker:
    """Worker that runs jobs in order on the thread of `run`; another thread reads the requests.

    Args:
        requests: Stream of requests.
        events: Writer of events.
        leave: Function that ends the process with an exit status.
        doubles: Test doubles of core functions, see `jobs.Jobs`.
    """

    def __init__(
        self,
        requests: BinaryIO,
        events: Events,
        leave: Callable[[int], Any] = os._exit,
        **doubles: Any,
    ) -> None:
        self._requests, self._events, self._leave = requests, events, leave
        self._doubles = doubles
        events.on_closed = lambda: self._abandon(1)
        self._queue: queue.Queue[Request | None] = queue.Queue()
        # of waiting and running jobs, by id
        self._cancels: dict[str, threading.Event] = {}
        self._folders: dict[str, str | None] = {}
        self._jobs: Jobs | None = None  # made for the first job, since it imports numpy

    def run(self) -> None:
        """Run jobs until a stop request is reached or a device has failed."""
        self._events.send("ready", pid=os.getpid(), version=__version__)
        threading.Thread(target=self._read_requests, daemon=True).start()
        for request in iter(self._queue.get, None):
            event, fields = self._run_job(request)
            # after the exception and the arrays in its frames are released: Windows cannot delete
            # memory-mapped files
            if event != "result" and self._jobs is not None:
                self._jobs.discard(request)
            del self._cancels[request["id"]]
            self._events.send(event, id=request["id"], **fields)
            self._folders.pop(request["id"], None)
            if event == "error" and fields["kind"] == "device":
                return

    def _read_requests(self) -> None:
        for line in self._requests:
            if line.strip():
                try:
                    self._accept(parse_request(line))
                except RequestError as error:
                    log = line[:1000].decode("utf-8", "replace")
                    self._events.send("error", id=None, kind="request", message=str(error), log=log)
        self._abandon(0)

    def _abandon(self, status: int) -> None:
        """End at once and delete the job folders, since the application is gone."""
        for folder in filter(None, list(self._folders.values())):
            # checked again, so that a gap in the validation of requests deletes no user data
            if os.path.basename(folder).startswith(FOLDER_PREFIX):
                shutil.rmtree(folder, ignore_errors=True)
        self._leave(status)

    def _accept(self, request: Request) -> None:
        name, job_id = request["request"], request.get("id")
        if name in JOBS:
            if job_id in self._cancels:
                raise RequestError(f"The worker already has a job “{job_id}”. Start again.")
            self._cancels[request["id"]] = threading.Event()
            self._folders[request["id"]] = request.get("folder")
            self._queue.put(request)
        elif name == "stop":
            self._queue.put(None)
        elif isinstance(job_id, str) and (cancel := self._cancels.get(job_id)) is not None:
            cancel.set()

    def _run_job(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Run a job and return name and fields of its last event."""
        job_id = request["id"]
        is_cancelled = self._cancels[job_id].is_set
        try:
            if is_cancelled():
                raise Cancelled
            # imported here, so that a broken installation is reported like any other error
            from .jobs import Jobs

            if self._jobs is None:
                self._jobs = Jobs(**self._doubles)
            job = self._jobs.job_for(request)
            return "result", job(
                request,
                lambda progress: self._events.send("progress", id=job_id, **progress.to_dict()),
                is_cancelled,
            )
        except Cancelled:
            return "cancelled", {}
        except Exception as error:
            kind, message = _describe(error)
            return "error", {"kind": kind, "message": message, "log": traceback.format_exc()}


def _describe(error: Exception) -> tuple[str, str]:
    """Return kind and message of an error."""
    if isinstance(error, SuperResolutionError):
        return error.kind, str(error)
    if is_out_of_memory(error):
        return "memory", (
            "Out of memory. Close other applications, crop the volume or choose a smaller scale."
        )
    if isinstance(error, ImportError):
        return "packages", (
            f"A Python package cannot be imported ({error}). Install it, or reinstall the "
            "application."
        )
    return "internal", (
        f"Internal error ({type(error).__name__}). Please report it and attach the log."
    )


def take_stdout() -> BinaryIO:
    """Return stdout as the stream of events.

    Descriptor 1 is redirected to stderr, so that output of libraries cannot corrupt the events.
    """
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def main(**doubles: Any) -> None:
    """Run until stdin is closed or a stop request is reached; `doubles` are for tests."""
    let_threads_sleep()
    Worker(sys.stdin.buffer, Events(take_stdout()), **doubles).run()
    sys.stderr.flush()
    os._exit(0)  # a normal exit would wait for the blocked reading thread, or crash
