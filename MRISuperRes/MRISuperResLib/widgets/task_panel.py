"""What the parts of the panel that start runs have in common."""

import time

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.tasks import TaskState
from ..scene.volume_nodes import whyNotUpsamplable
from . import packages
from .run_panel import RunPanel


class TaskPanel:
    """A part of the panel with a button that starts a run and cancels it.

    A derived class says why it can't be started (`_whyNot`), starts it (`_startJob`), and shows the result (`_resultText`,
    `_showResult`). logic: MRISuperResLogic. widgets: those of a RunPanel. onBusyChanged(): a run has begun or ended.
    """

    failureTitle = ""
    cancelToolTip = _("Stop the run; nothing is changed")

    def __init__(self, logic, widgets, action, toolTip, onBusyChanged):
        self._logic, self._onBusyChanged = logic, onBusyChanged
        self.parameters = None  # MRISuperResParameterNode; None while there is no scene
        self.job = None  # the running or the last SceneTask
        self.rivals = ()  # whatever else has isRunning: there is one worker for all
        self._startTime = None
        self._run = RunPanel(*widgets, action, toolTip, self.cancelToolTip)
        widgets[0].connect("clicked(bool)", self._onButton)

    @property
    def isRunning(self):
        return self.job is not None and self.job.isRunning

    def show(self, parameters):
        """The parameter node has changed, or is another one."""
        self.parameters = parameters
        self.update()

    def update(self):
        if not self.isRunning:
            isBlocked = any(rival.isRunning for rival in self.rivals)
            obstacle = (
                _("Another volume is being processed: wait until it is finished, or cancel it.")
                if isBlocked
                else ""
            )
            self._run.showIdle(self.whyNot(), obstacle)

    def cleanup(self):
        """The panel is going away."""
        if self.job is not None:
            self.job.detach()

    def whyNot(self):
        """Why a run can't be started, in one sentence; empty where it can."""
        if self.parameters is None:
            return _("The scene is being closed.")
        return self._whyNotInput() or self._whyNot()

    def _whyNotInput(self):
        return whyNotUpsamplable(self.parameters.inputVolume)

    def _whyNot(self):
        return ""

    def _inputText(self):
        """What is shown as running."""
        return self.parameters.inputVolume.GetName()

    def _startJob(self, onProgress, onFinished):
        """Returns the SceneTask. Raises an exception with a sentence for the user."""
        raise NotImplementedError

    def _resultText(self):
        raise NotImplementedError

    def _showResult(self):
        raise NotImplementedError

    def _onButton(self, checked=False):
        if self.isRunning:
            self._run.showCancelling()
            self.job.cancel()
        else:
            with slicer.util.tryWithErrorDisplay(self.failureTitle):
                self._start()

    def _start(self):
        self._startTime = time.monotonic()
        self._run.showStart(self._inputText())
        try:
            self.job = self._startJob(self._run.showProgress, self._onFinished)
        except Exception as error:
            self._run.showMessage(str(error), self.whyNot())
            raise
        self._onBusyChanged()

    def _onFinished(self, job):
        self.job = job  # it may end while it is being started
        finished = job.state is TaskState.FINISHED
        self._run.showEnd(
            job,
            self._resultText() if finished else "",
            time.monotonic() - self._startTime,
            self.whyNot(),
        )
        if finished:
            self._showResult()
        elif job.state is TaskState.FAILED:
            # later, because the worker is still in the middle of its report
            qt.QTimer.singleShot(0, lambda: self._onFailed(job))
        self._onBusyChanged()

    def _onFailed(self, job):
        unusable = packages.unusablePackages() if job.errorKind == "packages" else []
        if unusable:
            with slicer.util.tryWithErrorDisplay(_("The packages could not be installed.")):
                if packages.installPackages(unusable):
                    self._logic.cleanup()  # a worker that has failed to import them would fail again
                    self._onButton()
        else:
            slicer.util.errorDisplay(job.message)
