"""Base of the sections of the panel that start tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from ..core.progress import Progress, format_elapsed
from ..scene.nodes import whyNotUpsamplable
from ..scene.parameters import MRISuperResParameterNode
from ..scene.tasks import BackgroundTask, TaskState
from . import packages


class CanRun(Protocol):
    """Anything that may keep the worker process busy."""

    isRunning: bool


class TaskPanel:
    """A section of the panel with a button that starts a task and cancels it.

    A derived class says why a task cannot start (`_whyNot`), starts it (`_startTask`), and shows
    the result (`_resultText`, `_showResult`).

    Attributes:
        parameters: Parameter node; None while there is no scene.
        task: The running or the last task; None before the first.
        competingTasks: Whatever else uses the worker process.

    Args:
        logic: MRISuperResLogic.
        status: Button, progress and status of the task.
        onBusyChanged: Called after a task has started or ended.
    """

    failureTitle = ""

    def __init__(self, logic, status: TaskStatus, onBusyChanged: Callable[[], None]) -> None:
        self._logic, self._status, self._onBusyChanged = logic, status, onBusyChanged
        self.parameters: MRISuperResParameterNode | None = None
        self.task: BackgroundTask | None = None
        self.competingTasks: Sequence[CanRun] = ()
        self._startTime = 0.0
        status.button.connect("clicked(bool)", self._onButton)

    @property
    def isRunning(self) -> bool:
        """True while the task of this section runs."""
        return self.task is not None and self.task.isRunning

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        self.parameters = parameters
        self.update()

    def update(self) -> None:
        """Enable the button, or disable it with a reason."""
        if not self.isRunning:
            isBlocked = any(task.isRunning for task in self.competingTasks)
            self._status.showIdle(
                self.whyNot(),
                _("Another task is running. Wait for it, or cancel it.") if isBlocked else "",
            )

    def cleanup(self) -> None:
        """Release the task; the panel is being deleted."""
        if self.task is not None:
            self.task.detach()

    def whyNot(self) -> str:
        """Return one sentence on why a task cannot start, or an empty text if it can."""
        if self.parameters is None:
            return _("The scene is being closed.")
        return self._whyNotInput() or self._whyNot()

    def _whyNotInput(self) -> str:
        return whyNotUpsamplable(self.parameters.inputVolume)

    def _whyNot(self) -> str:
        return ""

    def _inputText(self) -> str:
        """Return the text for the running input."""
        return self.parameters.inputVolume.GetName()

    def _havePackages(self) -> bool:
        """Install packages that only this section needs; return False if the task cannot start."""
        return True

    def _startTask(
        self, onProgress: Callable[[Progress], None], onFinished: Callable[[Any], None]
    ) -> BackgroundTask:
        """Start and return the task; raise an error with a sentence for the user."""
        raise NotImplementedError

    def _resultText(self) -> str:
        """Return the text for the result of the finished task."""
        raise NotImplementedError

    def _showResult(self) -> None:
        """Show the result of the finished task."""
        raise NotImplementedError

    def _onButton(self, checked=False):
        if self.isRunning:
            self._status.showCancelling()
            self.task.cancel()
            return
        reason = self.whyNot()
        if reason:  # nodes have changed since the last update
            self._status.showIdle(reason)
            return
        with slicer.util.tryWithErrorDisplay(self.failureTitle):
            if not self._havePackages():
                return
            self._startTime = time.monotonic()
            self._status.showStart(self._inputText())
            try:
                self.task = self._startTask(self._onProgress, self._onFinished)
            except Exception as error:
                self._status.showMessage(str(error), self.whyNot())
                raise
            self._onBusyChanged()

    def _onProgress(self, progress):
        self._status.showProgress(progress, self.task.part)

    def _onFinished(self, task):
        self.task = task  # it may end during its start
        finished = task.state is TaskState.FINISHED
        self._status.showEnd(
            task,
            self._resultText() if finished else "",
            time.monotonic() - self._startTime,
            self.whyNot(),
        )
        if finished:
            self._showResult()
        elif task.state is TaskState.FAILED:
            # later, because a dialog would block the report of the worker
            qt.QTimer.singleShot(0, lambda: self._onFailed(task))
        self._onBusyChanged()

    def _onFailed(self, task):
        unusable = packages.unusablePackages() if task.errorKind == "packages" else []
        if unusable:
            with slicer.util.tryWithErrorDisplay(_("The packages could not be installed.")):
                if packages.installPackages(unusable):
                    self._logic.cleanup()  # a running worker remembers failed imports
                    self._onButton()
        else:
            slicer.util.errorDisplay(task.message)


class TaskStatus:
    """Button, progress bar, status line and details of a task in the panel.

    Args:
        button: QPushButton that starts and cancels the task.
        progressBar: QProgressBar, visible during a task.
        progressLabel: QLabel for slices, speed and time left.
        statusLabel: QLabel for the state of the section and the outcome of the last task.
        details: (ctkCollapsibleButton, QLabel in it) for information on the last result; hidden
            without information.
        action: Text of the button.
        toolTip: Tooltip of the button.
        cancelToolTip: Tooltip of the button during a task.
    """

    def __init__(
        self,
        button,
        progressBar,
        progressLabel,
        statusLabel,
        details: tuple,
        action: str,
        toolTip: str,
        cancelToolTip: str,
    ) -> None:
        self.button, self._progressBar, self._progressLabel = button, progressBar, progressLabel
        self._statusLabel = statusLabel
        self._detailsButton, self._detailsLabel = details
        self._detailsLabel.textFormat = qt.Qt.PlainText
        self._action, self._toolTip, self._cancelToolTip = action, toolTip, cancelToolTip
        self._reason = None
        self._setProgressVisible(False)
        self._showDetails("")

    def showIdle(self, reason: str, obstacle: str = "") -> None:
        """Show the section without a running task.

        Args:
            reason: Why the button is disabled; empty if it is enabled. A new reason replaces the
                message of the last task.
            obstacle: A temporary reason, which leaves the message.
        """
        if reason != self._reason:
            self._statusLabel.text = reason or _("Ready.")
            self._showDetails("")
        self._setButton(reason, obstacle)

    def showStart(self, name: str) -> None:
        """Show the start of a task on the named input."""
        self.button.text = _("Cancel")
        self.button.enabled = True
        self.button.toolTip = self._cancelToolTip
        self._progressBar.setRange(0, 0)  # busy until the first slices are done
        self._progressLabel.text = _("Starting …")
        self._statusLabel.text = _("Running: {name}").format(name=name)
        self._showDetails("")
        self._setProgressVisible(True)

    def showProgress(self, progress: Progress, part: str = "") -> None:
        """Show the progress; `part` names the current frame or volume."""
        if progress.done:
            self._progressBar.setRange(0, progress.total)
            self._progressBar.value = progress.done
        self._progressLabel.text = ": ".join(filter(None, (part, progress.text())))

    def showCancelling(self) -> None:
        """Show that the task will end soon."""
        self.button.enabled = False
        self._statusLabel.text = _("Cancelling …")

    def showMessage(self, message: str, reason: str) -> None:
        """Show the outcome of a task, or why it did not start; for `reason` see `showIdle`."""
        self._setProgressVisible(False)
        self._setButton(reason)
        self._statusLabel.text = message

    def showEnd(self, task: BackgroundTask, result: str, seconds: float, reason: str) -> None:
        """Show the end of a task.

        Args:
            task: The task.
            result: Text for the result of a finished task.
            seconds: Duration.
            reason: See `showIdle`.
        """
        lines = [task.message]
        if task.state is TaskState.FINISHED:
            done = _("Done in {time}: {result}.")
            lines = [done.format(time=format_elapsed(seconds), result=result)]
            lines += [
                _("Warning: {text}").format(text=message.text)
                for message in task.messages
                if message.is_warning
            ]
            details = [message.text for message in task.messages if not message.is_warning]
            self._showDetails("\n".join(details))
        self.showMessage("\n".join(lines), reason)

    def _setButton(self, reason, obstacle=""):
        self._reason = reason
        self.button.text = self._action
        self.button.enabled = not (reason or obstacle)
        self.button.toolTip = reason or obstacle or self._toolTip

    def _setProgressVisible(self, visible):
        self._progressBar.visible = visible
        self._progressLabel.visible = visible

    def _showDetails(self, text):
        self._detailsLabel.text = text
        self._detailsButton.visible = bool(text)
