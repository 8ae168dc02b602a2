"""Panel of the module: starts runs, and follows those that are active."""

from __future__ import annotations

import contextlib
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.widgets import packages

from ..runs.record import RunRecord
from ..scene.parameters import MRISuperResTrainingParameterNode, applyPreset, trainingSettings
from .dataset_panel import DatasetPanel
from .run_section import RunSection
from .run_tasks import RunTaskKind
from .runs import TrainingRuns, modelName
from .tables import RunTable

TITLE = _("MRI Super Resolution Training")
FIXED_BETWEEN_SLICES = "scale", "generator", "degradation"
"""Choices that the preset between slices fixes: a disabled box shows its value."""
POLL_INTERVAL = 1000
"""Milliseconds between two looks at active runs."""


class TrainingPanel:
    """The panel.

    Attributes:
        parameters: Parameter node; None while there is no scene.
        dataset: Section with the training volumes.
        run: Section of the opened run.
        table: Table of all runs.

    Args:
        ui: Widgets of the panel.
        runs: The runs.
    """

    def __init__(self, ui: Any, runs: TrainingRuns) -> None:
        self._ui, self._runs = ui, runs
        self.parameters: MRISuperResTrainingParameterNode | None = None
        self._reason: str | None = None
        self.dataset = DatasetPanel(ui, self.update)
        self.run = RunSection(
            ui,
            runs,
            {
                "stop": self._stop,
                "kill": self._kill,
                "resume": self._resume,
                "evaluate": self._evaluate,
                "send": self._send,
            },
        )
        self.table = RunTable(
            ui, runs, {"open": self._open, "resume": self._resume, "delete": self._delete}
        )
        ui.runsFolderLineEdit.text = runs.folder
        ui.runsFolderLineEdit.connect("editingFinished()", self._onFolderEdited)
        ui.runsFolderButton.connect("clicked(bool)", self._onChooseFolder)
        ui.vggButton.connect("clicked(bool)", self._onChooseVgg)
        ui.presetComboBox.connect("activated(int)", self._onPresetChosen)
        ui.startButton.connect("clicked(bool)", self._onStart)
        self.timer = qt.QTimer()
        self.timer.setInterval(POLL_INTERVAL)
        self.timer.connect("timeout()", self.poll)
        self.refresh()

    def refresh(self) -> None:
        """Read scene and folder again, and open an active run if none is open."""
        self.dataset.refresh()
        self.poll()
        active = [record for record in self.table.records if self._runs.isActive(record)]
        if active and self.run.record is None:
            self.run.show(active[0])
            self.table.choose(active[0])
        self.update()

    def show(self, parameters: MRISuperResTrainingParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        self.parameters = parameters
        if parameters is not None:
            self._showFixed(parameters.preset.isBetweenSlices)
        self.update()

    def update(self) -> None:
        """Enable the button Start, or disable it with a reason."""
        self.dataset.update()
        reason = self._whyNot()
        if reason != self._reason:
            self._ui.statusLabel.text = reason or _("Ready.")
        self._reason = reason
        self._ui.startButton.enabled = not reason
        self._ui.startButton.toolTip = reason or _(
            "Train in a separate process, which continues when Slicer is closed"
        )

    def poll(self) -> None:
        """Read the folder of the runs; the timer repeats this while a run or a task is active."""
        for task in self._runs.takeEndedTasks():
            self._onTaskEnded(task)
        for task in self._runs.tasks:
            self._ui.statusLabel.text = f"{self._taskTitle(task)} {task.progressText}"
        self.table.refresh()
        if self.run.record is not None:
            if self.run.record in self.table.records:
                self.run.update()
            else:
                self.run.show(None)
        isBusy = any(
            self._runs.isActive(record) or record.is_behind for record in self.table.records
        ) or bool(self._runs.tasks)
        if isBusy != self.timer.active:
            (self.timer.start if isBusy else self.timer.stop)()

    def cleanup(self) -> None:
        """Release timer and views; the panel is being deleted. Runs continue."""
        self.timer.stop()
        self.dataset.cleanup()
        self.run.cleanup()

    def _whyNot(self):
        if self.parameters is None:
            return _("The scene is being closed.")
        try:
            trainingSettings(self.parameters)
        except SuperResolutionError as error:
            return str(error)
        return self.dataset.whyNot()

    def _showFixed(self, isBetweenSlices):
        """Show what the preset fixes in place of the choices, which it leaves as they are."""
        ui = self._ui
        for name in FIXED_BETWEEN_SLICES:
            getattr(ui, f"{name}ComboBox").visible = not isBetweenSlices
            getattr(ui, f"{name}FixedComboBox").visible = isBetweenSlices
        for widget in (ui.ganStepsSpinBox, ui.vggLineEdit, ui.vggButton):
            widget.enabled = not isBetweenSlices
        ui.ganStepsSpinBox.toolTip = (
            _("The network between slices has no GAN stage")
            if isBetweenSlices
            else _("Stage 2: adversarial loss, sharp, may hallucinate detail; 0 skips it")
        )

    def _onPresetChosen(self, index):
        applyPreset(self.parameters)

    def _onStart(self, checked=False):
        with self._errorsShown(_("Cannot start the training.")):
            if self._havePackages():
                self.dataset.readFiles()
                record = self._runs.start(
                    self.dataset.volumes,
                    trainingSettings(self.parameters),
                    self.parameters.runName,
                    self.parameters.device.value,
                )
                self._ui.statusLabel.text = _("Started: {name}").format(name=record.name)
                self._follow(record)

    def _resume(self, record):
        with self._errorsShown(_("Cannot resume the run.")):
            if self._havePackages():
                self._runs.resume(record, self._device)
                self._follow(record)

    @property
    def _device(self):
        return self.parameters.device.value if self.parameters else "auto"

    def _follow(self, record: RunRecord) -> None:
        """Open a run that has just started."""
        self.poll()
        self.table.choose(record)
        self.run.show(record)
        self.run.openViews()

    def _havePackages(self):
        missing = packages.missingPackages(training=True)
        return not missing or packages.installPackages(missing)

    def _stop(self, record):
        with self._errorsShown(_("Cannot stop the run.")):
            self._runs.stop(record)
        self.poll()

    def _kill(self, record):
        if slicer.util.confirmOkCancelDisplay(
            _(
                "The process of “{name}” does not answer. Killing it loses the steps since the "
                "last checkpoint. Kill it?"
            ).format(name=record.name),
            TITLE,
        ):
            self._runs.kill(record)
            self.poll()

    def _open(self, record):
        self.run.show(record)
        self.run.openViews()

    def _evaluate(self, record):
        with self._errorsShown(_("Cannot evaluate the run.")):
            self._runs.startEvaluation(record, self._device)
        self.poll()

    def _delete(self, record):
        if slicer.util.confirmOkCancelDisplay(
            _("Delete the run “{name}” and its models in {path}?").format(
                name=record.name, path=record.path
            ),
            TITLE,
        ):
            with self._errorsShown(_("Cannot delete the run.")):
                if self.run.record is record:
                    self.run.show(None)
                self._runs.delete(record)
            self.poll()

    def _send(self, record):
        name = modelName(record.name)
        known = {card.name for card in ModelStore().cards()} & {name, f"{name}-psnr", f"{name}-gan"}
        if known and not slicer.util.confirmOkCancelDisplay(
            _("MRISuperRes already has {names}. Replace?").format(names=", ".join(sorted(known))),
            TITLE,
        ):
            return
        with self._errorsShown(_("Cannot send the models.")):
            self._runs.startExport(record, name)
        self.poll()

    @staticmethod
    def _taskTitle(task):
        if task.kind is RunTaskKind.EXPORT:
            return _("Sending “{name}” to MRISuperRes…").format(name=task.name)
        return _("Evaluating “{name}”…").format(name=task.record.name)

    def _onTaskEnded(self, task):
        if task.error:
            text = task.error
        elif task.kind is RunTaskKind.EXPORT:
            text = _("Models of “{name}” sent to MRISuperRes ({folder}).").format(
                name=task.name, folder=task.folder
            )
        else:
            text = _("Evaluation of “{name}” done.").format(name=task.record.name)
            self.run.showEvaluation(task.record)
        self._ui.statusLabel.text = text
        if task.error:
            slicer.util.errorDisplay(text)

    @contextlib.contextmanager
    def _errorsShown(self, title):
        with slicer.util.tryWithErrorDisplay(title, waitCursor=True):
            try:
                yield
            except Exception as error:
                self._ui.statusLabel.text = str(error)
                raise

    def _onFolderEdited(self):
        folder = self._ui.runsFolderLineEdit.text.strip()
        if folder and folder != self._runs.folder:
            self._runs.folder = folder
            self.run.show(None)
            self.poll()
        self._ui.runsFolderLineEdit.text = self._runs.folder

    def _onChooseFolder(self, checked=False):
        path = qt.QFileDialog.getExistingDirectory(
            self._ui.runsTable, _("Runs folder"), self._runs.folder
        )
        if path:
            self._ui.runsFolderLineEdit.text = path
            self._onFolderEdited()

    def _onChooseVgg(self, checked=False):
        path = qt.QFileDialog.getOpenFileName(
            self._ui.runsTable,
            _("VGG19 weights"),
            self._ui.vggLineEdit.text,
            _("Weights (*.npz *.pth *.pt)"),
        )
        if path:
            self._ui.vggLineEdit.text = path
