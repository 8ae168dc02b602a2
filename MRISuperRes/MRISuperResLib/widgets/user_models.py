"""Menu to install, import and remove user models."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..core.io.atomic import translate_os_errors
from ..core.models.store import user_models_folder
from ..core.models.user_models import remove_model, user_weights_path
from ..scene.parameters import MRISuperResParameterNode, Output, Scale
from ..scene.scripting import asRuntimeError
from . import packages
from .appearance import showText
from .models import ModelSelector
from .output_grid import BetweenSlicesSelector


class UserModels:
    """The button “Manage models…” and its menu.

    Installation and import need PyTorch and run in the worker process.

    Args:
        ui: Widgets of the panel.
        logic: MRISuperResLogic.
        current: Returns the list of models whose current item is shown.
        onChanged: Called when models were added or removed, or the worker became busy or idle.
    """

    def __init__(
        self,
        ui,
        logic,
        current: Callable[[], ModelSelector | BetweenSlicesSelector],
        onChanged: Callable[[], None],
    ) -> None:
        self._logic, self._currentList, self._onChanged = logic, current, onChanged
        self._button, self._label = ui.userModelsButton, ui.userModelsLabel
        self._current = ui.currentModelLabel
        self.parameters: MRISuperResParameterNode | None = None
        self.isRunning = False
        self._isDetached = False
        self.menu = qt.QMenu(self._button)
        for text, function in (
            (_("Install model…"), self.install),
            (_("Import checkpoint…"), self.importCheckpoint),
            (_("Remove current model…"), self.remove),
            (_("Open model folder"), self.openFolder),
        ):
            self.menu.addAction(text).connect(
                "triggered(bool)", lambda checked=False, function=function: self._try(function)
            )
        self._button.setMenu(self.menu)
        self._showMessage("")

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, None while there is no scene, and hide the last message."""
        self.parameters = parameters
        self._current.text = self._currentList().text
        if not self.isRunning:
            self._showMessage("")

    def cleanup(self) -> None:
        """Ignore later events of the worker; the panel is being deleted."""
        self._isDetached = True

    def install(self) -> None:
        """Install a model that the user selects in a file dialog."""
        path = qt.QFileDialog.getOpenFileName(
            self._button,
            _("Install model"),
            "",
            _("Models with their model cards (*.safetensors *.json)"),
        )
        if path and self._havePackages(packages.missingPackages()):
            self._run(
                {"request": "install", "path": path},
                _("Installing {file} …").format(file=os.path.basename(path)),
            )

    def importCheckpoint(self) -> None:
        """Import a checkpoint that the user selects and names in dialogs."""
        path = qt.QFileDialog.getOpenFileName(
            self._button,
            _("Import checkpoint"),
            "",
            _("Checkpoints (*.pth *.pt *.ckpt *.safetensors)"),
        )
        name = self._askName(path) if path else ""
        if name and self._havePackages(packages.missingPackages(checkpoints=True)):
            self._run(
                {"request": "import", "path": path, "name": name},
                _("Importing {file} …").format(file=os.path.basename(path)),
            )

    def remove(self) -> None:
        """Remove the current model after a question.

        Raises:
            RuntimeError: It is not a user model.
        """
        models = self._currentList()
        if len(models.cards) != 1:
            raise RuntimeError(
                _("“{name}” is not a model. Select a user model to remove.").format(
                    name=models.name
                )
            )
        card = models.cards[0]
        name = card.name
        with asRuntimeError():
            file = user_weights_path(name)
            if not slicer.util.confirmOkCancelDisplay(
                _("Delete the model “{name}” from {folder}?").format(name=name, folder=file.parent),
                _("MRISuperRes"),
            ):
                return
            remove_model(name)
        if self.parameters is not None and card.is_through_plane:
            self.parameters.betweenSlices = ""
        elif self.parameters is not None:
            self.parameters.model = ""
        self._onChanged()
        self._showMessage(_("Removed “{name}”.").format(name=name))

    def openFolder(self) -> None:
        """Open the folder of the user models in the file manager."""
        folder = user_models_folder()
        with asRuntimeError(), translate_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

    def _askName(self, path):
        """Return the name of the new model; empty if the user cancelled."""
        stem = os.path.splitext(os.path.basename(path))[0]
        suggestion = re.sub("[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")
        name = qt.QInputDialog.getText(
            self._button, _("Import checkpoint"), _("Model name:"), qt.QLineEdit.Normal, suggestion
        )
        return (name or "").strip()

    def _havePackages(self, missing):
        if not missing:
            return True
        if not packages.installPackages(missing):
            return False
        self._logic.cleanup()  # a running worker remembers failed imports
        return True

    def _run(self, request, text):
        self._setRunning(True)
        self._showMessage(text)
        try:
            self._logic.worker.run({"id": uuid.uuid4().hex, **request}, self._onEvent)
        except RuntimeError as error:
            self._setRunning(False)
            self._showMessage(str(error))
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
            self._select(event)
            self._showMessage(_("Installed “{name}”.").format(name=event["name"]))
        else:
            message = event.get("message") or _("Cancelled. No model was added.")
            self._onChanged()
            self._showMessage(message)
            if event["event"] == "error":
                logging.error("MRISuperRes: {}\n{}".format(message, event["log"]))
                # later, because a dialog would block the report of the worker
                qt.QTimer.singleShot(0, lambda: slicer.util.errorDisplay(message))

    def _select(self, event):
        """Select a new model, with an output that it can make."""
        parameters = self.parameters
        if parameters is not None and event["scale"] is None:  # between slices
            if parameters.output is Output.SCALE:
                parameters.output = Output.ISOTROPIC
            parameters.betweenSlices = event["name"]
        elif parameters is not None:
            parameters.output, parameters.scale = Output.SCALE, Scale(event["scale"])
            parameters.model = event["name"]
        self._onChanged()

    def _showMessage(self, text):
        showText(self._label, text)

    def _try(self, function):
        with slicer.util.tryWithErrorDisplay(_("The models were not changed.")):
            function()
