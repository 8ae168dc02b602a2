"""The menu with which models of the user's own come and go."""

import logging
import os
import re
import uuid

import qt
import slicer
from slicer.i18n import tr as _

from ..core.io.writing import translate_os_errors
from ..core.models import user_models
from ..core.models.store import user_models_folder
from ..scene.parameters import Scale
from . import packages
from .scripted_run import asRuntimeError


class UserModels:
    """Installing and importing need PyTorch, and are done by the worker process. ui: the widgets of the panel; logic: MRISuperResLogic.

    models: the ModelSelector. onChanged(): models have come or gone, or the worker has begun or ended with one.
    """

    def __init__(self, ui, logic, models, onChanged):
        self._logic, self._models, self._onChanged = logic, models, onChanged
        self._button, self._label = ui.ownModelsButton, ui.ownModelsLabel
        self.parameters = None  # MRISuperResParameterNode; None while there is no scene
        self.isRunning = False
        self._isDetached = False
        self.menu = qt.QMenu(self._button)
        for text, function in (
            (_("Install a model from a file …"), self.install),
            (_("Import an ESRGAN checkpoint …"), self.importCheckpoint),
            (_("Remove the chosen model …"), self.remove),
            (_("Open the folder of own models"), self.openFolder),
        ):
            self.menu.addAction(text).connect(
                "triggered(bool)", lambda checked=False, function=function: self._try(function)
            )
        self._button.setMenu(self.menu)
        self._tell("")

    def show(self, parameters):
        """The parameter node has changed, or is another one. What was told of the last action is over."""
        self.parameters = parameters
        if not self.isRunning:
            self._tell("")

    def cleanup(self):
        """The panel is going away."""
        self._isDetached = True

    def install(self):
        path = qt.QFileDialog.getOpenFileName(
            self._button,
            _("Install a model"),
            "",
            _("Models, with their cards beside them (*.safetensors *.json)"),
        )
        if path and self._havePackages(packages.missingPackages()):
            self._run(
                {"request": "install", "path": path},
                _("Installing {file} …").format(file=os.path.basename(path)),
            )

    def importCheckpoint(self):
        path = qt.QFileDialog.getOpenFileName(
            self._button,
            _("Import a checkpoint"),
            "",
            _("Checkpoints (*.pth *.pt *.ckpt *.safetensors)"),
        )
        name = self._askName(path) if path else ""
        if name and self._havePackages(packages.missingPackages(checkpoints=True)):
            self._run(
                {"request": "import", "path": path, "name": name},
                _("Importing {file} …").format(file=os.path.basename(path)),
            )

    def remove(self):
        if len(self._models.cards) != 1:
            raise RuntimeError(
                _(
                    "“{name}” is no model: choose one of your own in the list, and remove it then."
                ).format(name=self._models.name)
            )
        name = self._models.cards[0].name
        with asRuntimeError():
            file = user_models.user_weights_path(name)
            if not slicer.util.confirmOkCancelDisplay(
                _("Delete the model “{name}” from {folder}?").format(name=name, folder=file.parent),
                _("MRISuperRes"),
            ):
                return
            user_models.remove(name)
        self._show("", None)
        self._tell(_("Removed: {name}").format(name=name))

    def openFolder(self):
        folder = user_models_folder()
        with asRuntimeError(), translate_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

    def _askName(self, path):
        """Empty where the user has thought better of it."""
        suggestion = re.sub(
            "[^A-Za-z0-9._-]+", "-", os.path.splitext(os.path.basename(path))[0]
        ).lstrip("._-")
        return (
            qt.QInputDialog.getText(
                self._button,
                _("Import a checkpoint"),
                _("Name of the model:"),
                qt.QLineEdit.Normal,
                suggestion,
            )
            or ""
        ).strip()

    def _havePackages(self, missing):
        if not missing:
            return True
        if not packages.installPackages(missing):
            return False
        self._logic.cleanup()  # a worker that has looked for them would not find them
        return True

    def _run(self, request, text):
        self._setRunning(True)
        self._tell(text)
        try:
            self._logic.worker.run({"id": uuid.uuid4().hex, **request}, self._onEvent)
        except RuntimeError as error:
            self._setRunning(False)
            self._tell(str(error))
            raise
        self._onChanged()

    def _setRunning(self, isRunning):
        self.isRunning = isRunning
        self._button.enabled = not isRunning

    def _onEvent(self, event):
        if self._isDetached or event["event"] == "progress":
            return
        self._setRunning(False)
        if event["event"] == "result":
            self._show(event["name"], event["scale"])
            self._tell(_("“{name}” is one of your own models now.").format(name=event["name"]))
        else:
            message = event.get("message") or _("Cancelled: no model was added.")
            self._onChanged()
            self._tell(message)
            if event["event"] == "error":
                logging.error("MRISuperRes: {}\n{}".format(message, event["log"]))
                # later, because the worker is still in the middle of its report
                qt.QTimer.singleShot(0, lambda: slicer.util.errorDisplay(message))

    def _show(self, name, scale):
        """Chooses a model, which may be for another scale; an empty name: the default."""
        self._models.forget()
        if self.parameters is not None:
            if scale is not None:
                self.parameters.scale = Scale(scale)
            self.parameters.model = name
        self._onChanged()

    def _tell(self, text):
        self._label.text = text
        self._label.visible = bool(text)

    def _try(self, function):
        with slicer.util.tryWithErrorDisplay(_("The models were not changed.")):
            function()
