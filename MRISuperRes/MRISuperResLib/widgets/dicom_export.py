"""Button that writes a result as a DICOM series."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.dicom_export import whyNotExportable


class DicomExportButton:
    """Button that writes a result as a DICOM series.

    Args:
        button: QPushButton.
        logic: MRISuperResLogic.
        result: Returns the output node to write, or None.
        onWritten: Called with a message after the series was written.
    """

    def __init__(
        self, button, logic, result: Callable[[], object], onWritten: Callable[[str], None]
    ) -> None:
        self._button, self._logic, self._result, self._onWritten = button, logic, result, onWritten
        button.connect("clicked(bool)", self._onClicked)

    def update(self, isRunning: bool) -> None:
        """Enable the button unless the result cannot be written or a task may replace it."""
        reason = whyNotExportable(self._result())
        self._button.enabled = not reason and not isRunning
        self._button.toolTip = reason or _(
            "Write a DICOM series, marked as synthetic, to the study of the input"
        )

    def _onClicked(self, checked=False):
        node = self._result()
        if node is None:  # deleted since the last update
            self.update(False)
            return
        parent = qt.QFileDialog.getExistingDirectory(
            self._button, _("Parent folder of the DICOM series")
        )
        if parent:
            folder = os.path.join(parent, re.sub(r'[\\/:*?"<>|]', "_", node.GetName()))
            with slicer.util.tryWithErrorDisplay(
                _("The DICOM series could not be written."), waitCursor=True
            ):
                self._logic.exportDicom(node, folder)
                self._onWritten(_("Written to {folder}.").format(folder=folder))
