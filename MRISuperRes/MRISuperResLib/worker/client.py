"""The worker process, seen from the application: started when needed, kept warm between jobs, ended with the application."""

import enum
import json
import os
import shutil
import signal
import sys

import qt
import slicer
from slicer.i18n import tr as _

from .. import __version__

LIBRARY_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CANCEL_TIMEOUT = 5000  # ms that a worker has to answer a cancel request before it is killed
END_TIMEOUT = (
    2000  # ms that a process has to end after its stdin was closed, or after it was killed
)
LOG_LIMIT = 20000  # characters of stderr that are kept


class WorkerState(enum.Enum):
    STOPPED = "stopped"
    IDLE = "idle"
    BUSY = "busy"
    CANCELLING = "cancelling"


def pythonProgram():
    """The Python of the application. Raises RuntimeError where it can't be found."""
    python = shutil.which("PythonSlicer")
    if python is None and "python" in os.path.basename(sys.executable or "").lower():
        python = sys.executable
    if python is None:
        raise RuntimeError(
            _(
                "The Python of this application was not found, so that nothing can be computed: reinstall the application."
            )
        )
    return python


def workerCommand():
    """(program, arguments) of the worker. Raises RuntimeError where no Python can be found."""
    return pythonProgram(), [
        "-c",
        f"import sys; sys.path.insert(0, {LIBRARY_FOLDER!r}); from MRISuperResLib.worker.child import main; main()",
    ]


class WorkerProcess:
    """Runs one job at a time in the worker process (MRISuperResLib/worker.py has the protocol) and answers by a plain callback.

    command: function that returns (program, arguments); process, cancelTimer: QProcess and QTimer or test doubles of them.
    """

    def __init__(self, command=workerCommand, process=None, cancelTimer=None):
        self.state = WorkerState.STOPPED
        self.pid = None  # of the worker itself; PythonSlicer is a launcher with a pid of its own
        self._command = command
        self._onEvent = self._jobId = None
        self._lastError = None  # of a process that is about to end: what is said when it is gone
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
    def isBusy(self):
        return self.state in (WorkerState.BUSY, WorkerState.CANCELLING)

    def run(self, request, onEvent):
        """Sends a request for a job, starting the process where needed; it may be called by the onEvent of the job before.

        onEvent(event) gets every progress event of the job and at the end exactly one event result, cancelled or error,
        whatever happens to the process. Raises RuntimeError while another job is running.
        """
        if self.isBusy:
            raise RuntimeError(
                _("Another volume is being processed: wait until it is finished, or cancel it.")
            )
        self._jobId, self._onEvent = request["id"], onEvent
        starting, self.state = self.state is WorkerState.STOPPED, WorkerState.BUSY
        if starting:
            try:
                self._start()
            except RuntimeError as error:
                self._endJob("error", kind="environment", message=str(error), log="")
        if self.isBusy:  # else it could not be started
            self._send(request)

    def cancel(self):
        """Asks the worker to give up the running job; it is killed if it does not answer in time."""
        if self.state is WorkerState.BUSY:
            self.state = WorkerState.CANCELLING
            self._send({"request": "cancel", "id": self._jobId})
            self._cancelTimer.start()

    def cleanup(self):
        """Ends the process and returns when it is gone; a running job ends as cancelled. The next `run` starts it again."""
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

    def _send(self, request):
        self._process.write(json.dumps(request).encode() + b"\n")

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
                        "The extension was changed while the application was running: restart the application."
                    ),
                }
                self._kill()
        elif self._jobId is None or jobId not in (self._jobId, None):
            self._keepLog(line + "\n")  # too late: its job has ended
        elif name == "progress":
            if self.state is WorkerState.BUSY:
                self._onEvent(event)
        elif name in ("result", "cancelled", "error"):
            fields = {
                field: value for field, value in event.items() if field not in ("event", "id")
            }
            if name == "error" and fields.get("kind") == "device":
                self._lastError = fields  # the worker ends now, and the next run must not find it
                self._cancelTimer.start()
            else:
                self._endJob(name, **fields)

    def _endJob(self, event, **fields):
        """The one way in which a job ends."""
        if self.state is WorkerState.CANCELLING:
            event, fields = "cancelled", {}
        if fields.get("log") and self._log:
            fields["log"] += "\n" + self._log
        jobId, onEvent = self._jobId, self._onEvent
        self._jobId = self._onEvent = None
        self._cancelTimer.stop()
        running = self._process.state() != qt.QProcess.NotRunning
        self.state = WorkerState.IDLE if running else WorkerState.STOPPED
        onEvent({"event": event, "id": jobId, **fields})

    def _onProcessError(self, error):
        if error == qt.QProcess.FailedToStart:  # any other error is followed by finished()
            self._endProcess(
                _(
                    "The worker process could not be started ({reason}): reinstall the extension, or look into the application log."
                ).format(reason=self._process.errorString())
            )

    def _onProcessFinished(self, exitCode, exitStatus):
        jobId, wasReady = self._jobId, self.pid is not None
        self._readOutput()
        self._readLog()
        if self._jobId not in (None, jobId):
            return  # the job's last words were its result, and the next one has started another process
        how = _("signal") if exitStatus == qt.QProcess.CrashExit else _("exit code")
        if wasReady or self.pid is not None:
            message = _(
                "The worker process ended unexpectedly ({how} {code}), perhaps for want of memory: close other programs and start the run again, "
                "or look into the application log."
            )
        else:
            message = _(
                "The worker process could not begin its work ({how} {code}): reinstall the extension, or look into the application log."
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
        """Ends the launcher and the worker behind it; finished() follows."""
        if self.pid is not None:
            try:
                os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            except OSError:
                pass  # it has ended by itself
        self._process.kill()


def toBytes(byteArray):
    """The content of a QByteArray, which is bytes or str, depending on the version."""
    data = byteArray.data()
    return data.encode("utf-8", errors="replace") if isinstance(data, str) else bytes(data or b"")


_shared = None


def sharedWorkerProcess():
    """The one worker process of the application, so that panel and console find it warm."""
    global _shared  # noqa: PLW0603 - made when it is asked for, as it needs the application
    if _shared is None:
        _shared = WorkerProcess()
        slicer.app.connect("aboutToQuit()", _shared.cleanup)
    return _shared
