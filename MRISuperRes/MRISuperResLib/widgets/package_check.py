"""Checks in a child process that packages can be imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ..logic import EventLoop
from ..worker import package_probe
from ..worker.client import END_TIMEOUT, childCommand, toBytes

IMPORT_TIMEOUT = 120000
"""Time for the import of one package, ms: the first import of torch may take a minute."""


@dataclass(frozen=True)
class PackageState:
    """Result of the check of one package.

    Attributes:
        name: Name of the package.
        version: Installed version; empty if unknown.
        state: One of `package_probe.STATES`.
        reason: Why a broken package cannot be imported.
    """

    name: str
    version: str
    state: str
    reason: str = ""

    @property
    def isUsable(self) -> bool:
        """True if the package can be imported and is recent enough."""
        return self.state == package_probe.USABLE

    def word(self) -> str:
        """Return the state in words, such as "not installed"."""
        return {
            package_probe.USABLE: _("usable"),
            package_probe.MISSING: _("not installed"),
            package_probe.OLD: _("too old"),
            package_probe.BROKEN: _("broken"),
        }[self.state]

    def text(self) -> str:
        """Return the state and its reason, such as "broken (No module named 'x')"."""
        if not self.reason:
            return self.word()
        return _("{state} ({reason})").format(state=self.word(), reason=self.reason)


def probeCommand(words: list[str]) -> tuple[str, list[str]]:
    """Return (program, arguments) that run `package_probe` with the given arguments.

    Raises:
        RuntimeError: The Python of the application was not found.
    """
    return childCommand("package_probe", *words)


class PackageCheck:
    """Imports of packages in a child process, one after the other.

    A package that ends the process, or whose import does not end, counts as broken.

    Args:
        packages: {name: (module to import, requirement NAME>=VERSION)}.
        onDone: Called at the end with {name: PackageState}, unless the check was stopped.
        timeout: Time for the import of one package, ms.
    """

    def __init__(
        self,
        packages: dict[str, tuple[str, str]],
        onDone: Callable[[dict[str, PackageState]], None],
        timeout: int = IMPORT_TIMEOUT,
    ) -> None:
        self._waiting, self._onDone = dict(packages), onDone
        self._states, self._output = {}, b""
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(timeout)
        self._timer.connect("timeout()", self._onTimeout)
        self._isTimedOut = False
        self._process = qt.QProcess()
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onProcessError)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onProcessFinished)
        self._start()

    def stop(self) -> None:
        """End the child process; `onDone` is not called any more."""
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
            self._setAllBroken(str(error))
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
                continue  # printed by Python or one of its customizations at the start
            if state.name in self._waiting:
                self._take(state)
            self._timer.start()

    def _take(self, state):
        self._states[state.name] = state
        del self._waiting[state.name]

    def _onTimeout(self):
        self._isTimedOut = True
        self._process.kill()

    def _onProcessError(self, error):
        if error == qt.QProcess.FailedToStart:
            self._setAllBroken(self._process.errorString())

    def _onProcessFinished(self, exitCode, exitStatus):
        self._readOutput()
        self._timer.stop()
        if self._waiting:
            reason = (
                _("the import timed out")
                if self._isTimedOut
                else _("the import ends Python, exit code {code}").format(code=exitCode)
            )
            self._take(PackageState(next(iter(self._waiting)), "", package_probe.BROKEN, reason))
            self._isTimedOut = False
        if self._waiting and self._onDone:
            self._start()
        else:
            self._finish()

    def _setAllBroken(self, reason):
        self._timer.stop()
        for name in list(self._waiting):
            self._take(PackageState(name, "", package_probe.BROKEN, reason))
        self._finish()

    def _finish(self):
        onDone, self._onDone = self._onDone, None
        if onDone:
            onDone(self._states)


def checkPackages(packages: dict[str, tuple[str, str]]) -> dict[str, PackageState]:
    """Return the states of packages; the application repaints meanwhile but takes no input.

    Args:
        packages: {name: (module to import, requirement NAME>=VERSION)}.
    """
    loop, states = EventLoop(), {}

    def take(result):
        states.update(result)
        loop.quit()

    check = PackageCheck(packages, take)  # noqa: F841 - must live until the end
    loop.run(takesInput=False)
    return states
