"""A client of the worker, which starts the process as the application does."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY_FOLDER = os.path.join(os.path.dirname(os.path.dirname(HERE)), "MRISuperRes")
PATIENCE = 60  # seconds until a hanging worker is killed, so that its test fails
IDENTITY = np.eye(4).tolist()


class WorkerClient:
    """A running worker and its folder.

    Args:
        double: Name of a test double in worker_doubles.py; None for the core.
        prelude: Statements that the child runs first.
    """

    def __init__(self, double=None, prelude="pass"):
        program = (
            f"import sys; sys.path[:0] = {[LIBRARY_FOLDER, HERE]!r}; {prelude}; "
            "from MRISuperResLib.worker.child import main; "
        )
        program += (
            f"import worker_doubles; main(upsample=worker_doubles.{double})" if double else "main()"
        )
        self.folder = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            [shutil.which("PythonSlicer") or sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._watchdog = threading.Timer(PATIENCE, self.process.kill)
        self._watchdog.start()
        self.ready = self.event()

    def close(self):
        with self.process:  # closes the pipes, waits
            pass
        self._watchdog.cancel()
        shutil.rmtree(self.folder)

    def send(self, request):
        self.send_line(json.dumps(request).encode())

    def send_line(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def upsample(self, job_id, volume=None, **fields):
        """Send an upsample request for a small volume; `fields` replace those of the request."""
        if volume is None:
            volume = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
        np.save(self.path("input.npy"), volume)
        request = {
            "request": "upsample",
            "id": job_id,
            "options": {"model": "bicubic"},
            "input": self.path("input.npy"),
            "ijkToRAS": IDENTITY,
            "output": self.path("output.npy"),
        }
        self.send({**request, **fields})

    def path(self, name):
        return os.path.join(self.folder, name)

    def event(self):
        """Return the next event; None at the end of the stream."""
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def end_of_job(self):
        """Return the next event other than progress."""
        event = self.event()
        while event is not None and event["event"] == "progress":
            event = self.event()
        return event

    def events_until_end(self):
        """Return (events, stderr) until the worker ends by itself; stdin stays open."""
        events = list(iter(self.event, None))
        return events, self.process.stderr.read().decode(errors="replace")

    def close_stdin(self):
        self.process.stdin.close()
        return self.events_until_end()
