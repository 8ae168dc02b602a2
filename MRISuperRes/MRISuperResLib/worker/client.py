"""Client of the worker process, which is started on demand and stays warm between jobs."""

from __future__ import annotations

import enum
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .. import __version__
from .protocol import Event, Request

LIBRARY_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CANCEL_TIMEOUT = 5000
"""Milliseconds from a cancel request until an unresponsive worker is killed."""
END_TIMEOUT = 2000
"""Milliseconds until a process must have ended after its stdin was closed or it was killed."""
LOG_LIMIT = 20000
"""Characters of stderr that are kept."""


class WorkerState(enum.Enum):
    """State of the worker process."""

    STOPPED = "stopped"
    IDLE = "idle"
    BUSY = "busy"
    CANCELLING = "cancelling"


def pythonProgram() -> str:
    """Return the Python of the application.

    Raises:
        RuntimeError: It was not found.
    """
    python = shutil.which("PythonSlicer")
    if python is None and "python" in os.path.basename(sys.executable or "").lower():
        python = sys.executable
    if python is None:
        raise RuntimeError(
            _("The Python of the application was not found. Reinstall the application.")
        )
    return python


def childCommand(module: str, *words: str) -> tuple[str, list[str]]:
    """Return program and arguments that call `main` of a module of this folder.

    Args:
        module: Name of the module, such as "child".
        words: Its command-line arguments.

    Raises:
        RuntimeError: The Python of the application was not found.
    """
    return pythonProgram(), [
        "-c",
        f"import sys; sys.path.insert(0, {LIBRARY_FOLDER!r}); "
        f"from MRISuperResLib.worker.{module} import main; main()",
        *words,
    ]


def workerCommand() -> tuple[str, list[str]]:
    """Return program and arguments of the worker; see `childCommand`."""
    return childCommand("child")


class WorkerProcess:
    """Worker process that runs one job at a time; see `protocol`.

    Attributes:
        state: State of the process.
        pid: ID of the worker itself, once it is ready. The child of the application is the
            launcher PythonSlicer, which has another ID.

    Args:
        command: Returns (program, arguments).
        process: A QProcess, or a test double.
        cancelTimer: A QTimer, or a test double.
    """

    def __init__(
        self,
        command: Callable[[], tuple[str, list[str]]] = workerCommand,
        process: qt.QProcess | None = None,
        cancelTimer: qt.QTimer | None = None,
    ) -> None:
        self.state = WorkerState.STOPPED
        self.pid: int | None = None
        self._command = command
        self._onEvent: Callable[[Event], None] | None = None
        self._jobId: str | None = None
        # reported when the process has ended
        self._lastError: dict[str, Any] | None = None
        self._output, self._log = b"", ""
        self._process = process or qt.QProcess()
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("readyReadStandardError()", self._readLog)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onProcessError)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onProcessFinished)
        self._cancelTimer = cancelTimer or qt.QTimer()
        self._cancelTimer.setSingleShot(True)
        self._cancelTimer.setInterval(CANCEL_TIMEOUT)
        self._cancelTimer.connect("timeout()", self._kill)

    @property
    def isBusy(self) -> bool:
        """True while a job is running."""
        return self.state in (WorkerState.BUSY, WorkerState.CANCELLING)

    def run(self, request: Request, onEvent: Callable[[Event], None]) -> None:
        """Send the request for a job, and start the process if necessary.

        The `onEvent` of a job may call it for the next one.

        Args:
            request: A request that is a job.
            onEvent: Called as onEvent(event) for the progress events of the job and finally, in any
                case, for one result, cancelled or error event.

        Raises:
            RuntimeError: Another job is running.
        """
        if self.isBusy:
            raise RuntimeError(_("Another task is running. Wait for it, or cancel it."))
        self._jobId, self._onEvent = request["id"], onEvent
        isStarting, self.state = self.state is WorkerState.STOPPED, WorkerState.BUSY
        if isStarting:
            try:
                self._start()
            except RuntimeError as error:
                self._endJob("error", kind="environment", message=str(error), log="")
        if self.isBusy:  # otherwise the process did not start
            self._process.write(toLine(request))

    def cancel(self) -> None:
        """Request the end of the running job; an unresponsive worker is killed."""
        if self.state is WorkerState.BUSY:
            self.state = WorkerState.CANCELLING
            self._process.write(toLine({"request": "cancel", "id": self._jobId}))
            self._cancelTimer.start()

    def callLater(self, callback: Callable[[], None]) -> None:
        """Call a function after all pending events of the application."""
        qt.QTimer.singleShot(0, callback)

    def cleanup(self) -> None:
        """End the process and wait for its end; a running job is cancelled.

        The next `run` starts the process again.
        """
        if self.state is WorkerState.STOPPED:
            return
        if self.isBusy:
            self.state = WorkerState.CANCELLING
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(END_TIMEOUT):
            self._kill()
            self._process.waitForFinished(END_TIMEOUT)

    def _start(self):
        program, arguments = self._command()
        self.pid, self._lastError, self._output, self._log = None, None, b"", ""
        self._process.start(program, arguments)

    def _readOutput(self):
        self._output += toBytes(self._process.readAllStandardOutput())
        *lines, self._output = self._output.split(b"\n")
        for line in lines:
            self._onLine(line.decode("utf-8", errors="replace"))

    def _readLog(self):
        self._keepLog(
            toBytes(self._process.readAllStandardError()).decode("utf-8", errors="replace")
        )

    def _keepLog(self, text):
        self._log = (self._log + text)[-LOG_LIMIT:]

    def _onLine(self, line):
        try:
            event = json.loads(line)
            name, jobId = event["event"], event.get("id")
        except (ValueError, TypeError, KeyError, AttributeError):
            self._keepLog(line + "\n")
            return
        if name == "ready":
            self.pid = event.get("pid")
            if event.get("version") != __version__:
                self._lastError = {
                    "kind": "environment",
                    "log": "",
                    "message": _(
                        "The extension was updated while the application was running. "
                        "Restart the application."
                    ),
                }
                self._kill()
        elif self._jobId is None or jobId not in (self._jobId, None):
            self._keepLog(line + "\n")  # late event of a job that has ended
        elif name == "progress":
            if self.state is WorkerState.BUSY:
                self._onEvent(event)
        elif name in ("result", "cancelled", "error"):
            fields = {
                field: value for field, value in event.items() if field not in ("event", "id")
            }
            if name == "error" and fields.get("kind") == "device":
                self._lastError = fields  # the worker is ending and must not get the next job
                self._cancelTimer.start()
            else:
                self._endJob(name, **fields)

    def _endJob(self, event, **fields):
        """End the running job; every job ends here."""
        if self.state is WorkerState.CANCELLING:
            event, fields = "cancelled", {}
        if fields.get("log") and self._log:
            fields["log"] += "\n" + self._log
        jobId, onEvent = self._jobId, self._onEvent
        self._jobId = self._onEvent = None
        self._cancelTimer.stop()
        isProcessAlive = self._process.state() != qt.QProcess.NotRunning
        self.state = WorkerState.IDLE if isProcessAlive else WorkerState.STOPPED
        onEvent({"event": event, "id": jobId, **fields})

    def _onProcessError(self, error):
        if error == qt.QProcess.FailedToStart:  # finished() follows any other error
            self._endProcess(
                _(
                    "The worker process did not start ({reason}). "
                    "Reinstall the extension, or check the application log."
                ).format(reason=self._process.errorString())
            )

    def _onProcessFinished(self, exitCode, exitStatus):
        jobId, wasReady = self._jobId, self.pid is not None
        self._readOutput()
        self._readLog()
        if self._jobId not in (None, jobId):
            return  # the job ended with its last output, and the next one started another process
        how = _("signal") if exitStatus == qt.QProcess.CrashExit else _("exit code")
        if wasReady or self.pid is not None:
            message = _(
                "The worker process ended unexpectedly ({how} {code}), possibly out of memory. "
                "Close other applications and try again, or check the application log."
            )
        else:
            message = _(
                "The worker process failed to start up ({how} {code}). "
                "Reinstall the extension, or check the application log."
            )
        self._endProcess(message.format(how=how, code=exitCode))

    def _endProcess(self, message):
        self.pid = None
        if self._jobId is not None:
            self._endJob(
                "error",
                **(self._lastError or {"kind": "crash", "message": message, "log": message}),
            )
        else:
            self.state = WorkerState.STOPPED

    def _kill(self):
        """Kill the launcher and the worker behind it; finished() follows."""
        if self.pid is not None:
            try:
                os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            except OSError:
                pass  # it has already ended
        self._process.kill()


def toLine(request: Request) -> bytes:
    """Return a request as a line of the protocol."""
    return json.dumps(request).encode() + b"\n"


def toBytes(byteArray: qt.QByteArray) -> bytes:
    """Return the content of a QByteArray, which is bytes or str, depending on the version."""
    data = byteArray.data()
    return data.encode("utf-8", errors="replace") if isinstance(data, str) else bytes(data or b"")


_shared: WorkerProcess | None = None


def sharedWorkerProcess() -> WorkerProcess:
    """Return the worker process of the application, which panel and console share."""
    global _shared  # noqa: PLW0603 - made on demand, since it needs the application
    if _shared is None:
        _shared = WorkerProcess()
        slicer.app.connect("aboutToQuit()", _shared.cleanup)
    return _shared


class EventLoop:
    """An event loop that keeps the application responsive, with or without a main window."""

    def __init__(self) -> None:
        self._loop = qt.QEventLoop()
        self._hasQuit = False

    def run(self, takesInput: bool = True) -> None:
        """Process events until `quit`; without `takesInput` those of mouse and keyboard wait."""
        if not self._hasQuit:
            # PythonQt has one of the two names, depending on the version of Qt
            execute = getattr(self._loop, "exec_", None) or self._loop.exec
            execute(qt.QEventLoop.AllEvents if takesInput else qt.QEventLoop.ExcludeUserInputEvents)

    def quit(self) -> None:
        """End `run`."""
        self._hasQuit = True
        self._loop.quit()
