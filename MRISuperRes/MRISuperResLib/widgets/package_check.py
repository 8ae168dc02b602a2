"""What became of the packages, looked at in a child process: whether they can be imported, and why not."""

import json
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ..worker import package_probe
from ..worker.client import END_TIMEOUT, LIBRARY_FOLDER, pythonProgram, toBytes
from .event_loop import EventLoop

PATIENCE = 120000  # ms for the import of one package: the first one of torch may take a minute on a slow disk


@dataclass(frozen=True)
class PackageState:
    """version: as installed, empty where it is not known; state: one of package_probe.STATES; reason: of a broken one, in the words of Python."""

    name: str
    version: str
    state: str
    reason: str = ""

    @property
    def isUsable(self):
        return self.state == package_probe.USABLE

    def word(self):
        return {
            package_probe.USABLE: _("usable"),
            package_probe.MISSING: _("not installed"),
            package_probe.OLD: _("too old"),
            package_probe.BROKEN: _("broken"),
        }[self.state]

    def text(self):
        return (
            _("{state}, {reason}").format(state=self.word(), reason=self.reason)
            if self.reason
            else self.word()
        )


def probeCommand(words):
    """(program, arguments); words: for package_probe. Raises RuntimeError where no Python can be found."""
    return pythonProgram(), [
        "-c",
        f"import sys; sys.path.insert(0, {LIBRARY_FOLDER!r}); from MRISuperResLib.worker.package_probe import main; main()",
        *words,
    ]


class PackageCheck:
    """Imports packages in a child process, one after the other; those that end it, or never end, are broken.

    packages: {name: (module to import, requirement NAME>=VERSION)}. onDone({name: PackageState}): called at the end, unless `stop` was.
    patience: ms for the import of one.
    """

    def __init__(self, packages, onDone, patience=PATIENCE):
        self._waiting, self._onDone = dict(packages), onDone
        self._states, self._output = {}, b""
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(patience)
        self._timer.connect("timeout()", self._onTimeout)
        self._hasHung = False
        self._process = qt.QProcess()
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onProcessError)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onProcessFinished)
        self._start()

    def stop(self):
        """The end is of no interest any more."""
        self._onDone = None
        self._timer.stop()
        self._process.kill()
        self._process.waitForFinished(END_TIMEOUT)

    def _start(self):
        words = []
        for name, (module, requirement) in self._waiting.items():
            words += [name, module, *requirement.split(">=")]
        try:
            program, arguments = probeCommand(words)
        except RuntimeError as error:
            self._allBroken(str(error))
            return
        self._timer.start()
        self._process.start(program, arguments)

    def _readOutput(self):
        self._output += toBytes(self._process.readAllStandardOutput())
        *lines, self._output = self._output.split(b"\n")
        for line in lines:
            try:
                state = PackageState(**json.loads(line))
            except (ValueError, TypeError):
                continue  # what Python itself, or a customization of it, has said before
            if state.name in self._waiting:
                self._take(state)
            self._timer.start()

    def _take(self, state):
        self._states[state.name] = state
        del self._waiting[state.name]

    def _onTimeout(self):
        self._hasHung = True
        self._process.kill()

    def _onProcessError(self, error):
        if error == qt.QProcess.FailedToStart:
            self._allBroken(self._process.errorString())

    def _onProcessFinished(self, exitCode, exitStatus):
        self._readOutput()
        self._timer.stop()
        if self._waiting:
            reason = (
                _("its import does not end")
                if self._hasHung
                else _("it ends Python (code {code})").format(code=exitCode)
            )
            self._take(PackageState(next(iter(self._waiting)), "", package_probe.BROKEN, reason))
            self._hasHung = False
        if self._waiting and self._onDone:
            self._start()
        else:
            self._finish()

    def _allBroken(self, reason):
        self._timer.stop()
        for name in list(self._waiting):
            self._take(PackageState(name, "", package_probe.BROKEN, reason))
        self._finish()

    def _finish(self):
        onDone, self._onDone = self._onDone, None
        if onDone:
            onDone(self._states)


def checkPackages(packages):
    """{name: PackageState}; the application stays alive meanwhile, but takes no input."""
    loop, found = EventLoop(), {}

    def take(states):
        found.update(states)
        loop.quit()

    check = PackageCheck(packages, take)  # noqa: F841 - it must live until the end
    loop.run(takesInput=False)
    return found
