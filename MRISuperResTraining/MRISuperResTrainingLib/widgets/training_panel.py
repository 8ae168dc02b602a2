"""The panel: brings its parts together, starts runs, and looks from time to time at those that go on."""

import contextlib

import qt
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.widgets import packages

from ..scene.parameters import takePreset, trainingSettings
from . import run_task
from .dataset_panel import DatasetPanel
from .run_section import RunSection
from .run_table import RunTable
from .runs import modelName

POLL_INTERVAL = 1000  # ms


class TrainingPanel:
    """ui: the widgets of the panel. runs: TrainingRuns."""

    def __init__(self, ui, runs):
        self._ui, self._runs = ui, runs
        self.parameters = None  # MRISuperResTrainingParameterNode; None while there is no scene
        self._reason = None
        self.dataset = DatasetPanel(ui, self.update)
        self.run = RunSection(
            ui, runs, {"stop": self._stop, "kill": self._kill, "resume": self._resume}
        )
        self.table = RunTable(
            ui,
            runs,
            {
                "open": self._open,
                "resume": self._resume,
                "evaluate": self._evaluate,
                "send": self._send,
                "delete": self._delete,
            },
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

    def refresh(self):
        """Looks at scene and folder anew, and shows the run that goes on, where none is shown."""
        self.dataset.refresh()
        self.poll()
        active = [record for record in self.table.records if self._runs.isActive(record)]
        if active and self.run.record is None:
            self.run.show(active[0])
            self.table.choose(active[0])
        self.update()

    def show(self, parameters):
        """The parameter node has changed, or is another one."""
        self.parameters = parameters
        self.update()

    def update(self):
        self.dataset.update()
        reason = self._whyNot()
        if reason != self._reason:
            self._ui.statusLabel.text = reason or _("Ready.")
        self._reason = reason
        self._ui.startButton.enabled = not reason
        self._ui.startButton.toolTip = reason or _(
            "Train in a process of its own, which goes on when the panel is left and when the application ends"
        )

    def poll(self):
        """Looks at the folder of the runs; as long as one goes on, this is done again and again."""
        for task in self._runs.takeEndedTasks():
            self._onTaskEnded(task)
        for task in self._runs.tasks:
            self._ui.statusLabel.text = f"{self._taskTitle(task)} {task.lastLine}"
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

    def cleanup(self):
        """The panel is going away; runs go on."""
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

    # starting

    def _onPresetChosen(self, index):
        takePreset(self.parameters)

    def _onStart(self, checked=False):
        with self._errorsShown(_("The training could not be started.")):
            if self._havePackages():
                self.dataset.lookAtFiles()
                record = self._runs.start(
                    self.dataset.volumes,
                    trainingSettings(self.parameters),
                    self.parameters.runName,
                    self.parameters.device.value,
                )
                self._ui.statusLabel.text = _("Started: {name}").format(name=record.name)
                self._follow(record)

    def _resume(self, record):
        with self._errorsShown(_("The training could not go on.")):
            if self._havePackages():
                self._runs.resume(
                    record, self.parameters.device.value if self.parameters else "auto"
                )
                self._follow(record)

    def _follow(self, record):
        """Shows a run that has just been started."""
        self.poll()
        self.table.choose(record)
        self.run.show(record)
        self.run.openViews()

    def _havePackages(self):
        missing = packages.missingPackages(training=True)
        return not missing or packages.installPackages(missing)

    # what the buttons do with a run

    def _stop(self, record):
        with self._errorsShown(_("The training could not be stopped.")):
            self._runs.stop(record)
        self.poll()

    def _kill(self, record):
        if slicer.util.confirmOkCancelDisplay(
            _(
                "The process of “{name}” does not answer. If it is ended by force, it loses the steps since its last checkpoint. "
                "End it?"
            ).format(name=record.name),
            _("MRISuperRes training"),
        ):
            self._runs.kill(record)
            self.poll()

    def _open(self, record):
        self.run.show(record)
        self.run.openViews()

    def _evaluate(self, record):
        with self._errorsShown(_("The run could not be evaluated.")):
            self._runs.startEvaluation(
                record, self.parameters.device.value if self.parameters else "auto"
            )
        self.poll()

    def _delete(self, record):
        if slicer.util.confirmOkCancelDisplay(
            _("Delete the run “{name}” with its models, in {path}?").format(
                name=record.name, path=record.path
            ),
            _("MRISuperRes training"),
        ):
            with self._errorsShown(_("The run could not be deleted.")):
                if self.run.record is record:
                    self.run.show(None)
                self._runs.delete(record)
            self.poll()

    def _send(self, record):
        name = modelName(record.name)
        known = {card.name for card in ModelStore().cards()} & {f"{name}-psnr", f"{name}-gan"}
        if known and not slicer.util.confirmOkCancelDisplay(
            _("There is a model {names} already. Replace it?").format(
                names=", ".join(sorted(known))
            ),
            _("MRISuperRes training"),
        ):
            return
        with self._errorsShown(_("The models could not be sent.")):
            self._runs.startExport(record, name)
        self.poll()

    @staticmethod
    def _taskTitle(task):
        if task.kind == run_task.EXPORT:
            return _("Sending “{name}” to MRISuperRes …").format(name=task.name)
        return _("Evaluating “{name}” …").format(name=task.record.name)

    def _onTaskEnded(self, task):
        if task.error:
            text = task.error
        elif task.kind == run_task.EXPORT:
            text = _("MRISuperRes has the models of “{name}” now, in {folder}.").format(
                name=task.name, folder=task.folder
            )
        else:
            text = _("“{name}” has been evaluated.").format(name=task.record.name)
            self.run.show(task.record)
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

    # paths

    def _onFolderEdited(self):
        folder = self._ui.runsFolderLineEdit.text.strip()
        if folder and folder != self._runs.folder:
            self._runs.folder = folder
            self.run.show(None)
            self.poll()
        self._ui.runsFolderLineEdit.text = self._runs.folder

    def _onChooseFolder(self, checked=False):
        path = qt.QFileDialog.getExistingDirectory(
            self._ui.runsTable, _("Folder of the runs"), self._runs.folder
        )
        if path:
            self._ui.runsFolderLineEdit.text = path
            self._onFolderEdited()

    def _onChooseVgg(self, checked=False):
        path = qt.QFileDialog.getOpenFileName(
            self._ui.runsTable,
            _("Weights of VGG19"),
            self._ui.vggLineEdit.text,
            _("Weights (*.npz *.pth *.pt)"),
        )
        if path:
            self._ui.vggLineEdit.text = path
