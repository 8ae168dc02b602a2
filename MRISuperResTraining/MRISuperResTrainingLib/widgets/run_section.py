"""The part of the panel that shows one run: where it is, what it learns from, how to stop it and go on."""

import time

from slicer.i18n import tr as _

from ..runs import lock
from ..runs.record import RunState
from . import run_texts
from .evaluation_table import EvaluationTable
from .runs import EVALUATION_FOLDER
from .training_views import TrainingViews

STOP_TIMEOUT = 60.0
"""s after which a process that was asked to stop may be ended by force: a step of a large network on a CPU takes long."""


class RunSection:
    """ui: the widgets of the panel. runs: TrainingRuns. actions: {"stop", "kill", "resume": function(record)}, what the button does."""

    def __init__(self, ui, runs, actions):
        self._ui, self._runs, self._actions = ui, runs, actions
        self._action = None
        self.record = None  # the run that is shown
        self.views = TrainingViews(self._updateButtons)
        self._evaluation = EvaluationTable(ui)
        ui.stopButton.connect("clicked(bool)", self._onAction)
        ui.viewsButton.connect("clicked(bool)", self._onViews)
        self.show(None)

    def show(self, record):
        """Shows a run, or with None that there is none."""
        if record is None:
            self.views.close()
        elif self.views.isOpen:
            self.views.open(record)
        self.record = record
        self.update()

    def update(self):
        """What is new of the run."""
        record, ui = self.record, self._ui
        ui.runTitleLabel.text = (
            run_texts.titleText(record)
            if record
            else _("Start a run, or open one of the list below.")
        )
        for widget in (ui.progressBar, ui.progressLabel, ui.stopButton, ui.viewsButton):
            widget.visible = record is not None
        details = run_texts.detailsText(record) if record else ""
        if details != ui.detailsTextEdit.plainText:
            ui.detailsTextEdit.plainText = details
        ui.detailsTextEdit.visible = bool(details)
        message = record.message if record else ""
        if record is not None:
            isStarting = self._runs.isStarting(record)
            ui.runTitleLabel.text += (
                f" – {run_texts.stateText(record, isStarting, self._stopping() is not None)}"
            )
            ui.progressBar.setRange(0, max(record.total, 1))
            ui.progressBar.value = record.done
            ui.progressLabel.text = (
                run_texts.progressText(record)
                if self._runs.isActive(record) or record.events
                else ""
            )
            message = "" if isStarting else message
        ui.runMessageLabel.text = message
        ui.runMessageLabel.visible = bool(message)
        self._evaluation.show(record.path / EVALUATION_FOLDER if record else None)
        self._updateButtons()
        self.views.update()

    def openViews(self):
        self.views.open(self.record)
        self._updateButtons()

    def cleanup(self):
        self.views.close()

    def _stopping(self):
        """s since the run was asked to stop, or None."""
        asked = (
            lock.stop_request_time(self.record.path) if self._runs.isActive(self.record) else None
        )
        return None if asked is None else time.time() - asked

    def _updateButtons(self):
        ui, record = self._ui, self.record
        if record is None:
            return
        stopping = self._stopping()
        text, self._action, toolTip = (
            _("Stop"),
            "stop",
            _("Ends the training after its present step; it can go on from there"),
        )
        if not self._runs.isActive(record):
            text, self._action, toolTip = _("Resume"), "resume", _("Go on from the last checkpoint")
        elif stopping is not None and stopping < STOP_TIMEOUT:
            text, self._action, toolTip = (
                _("Stopping …"),
                None,
                _("The process ends after its present step"),
            )
        elif stopping is not None:
            text, self._action, toolTip = (
                _("End by force…"),
                "kill",
                _("The process does not answer. It loses the steps since its last checkpoint"),
            )
        ui.stopButton.text, ui.stopButton.toolTip = text, toolTip
        ui.stopButton.enabled = self._action is not None and not (
            self._action == "resume" and record.state is RunState.FINISHED
        )
        ui.viewsButton.text = (
            _("Close curves and samples") if self.views.isOpen else _("Show curves and samples")
        )

    def _onAction(self, checked=False):
        self._actions[self._action](self.record)

    def _onViews(self, checked=False):
        if self.views.isOpen:
            self.views.close()
        else:
            self.openViews()
