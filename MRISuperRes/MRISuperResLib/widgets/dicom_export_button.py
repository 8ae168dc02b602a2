"""The button of the panel that writes a result as a DICOM series."""

import os
import re

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.dicom_export import whyNotExportable


class DicomExportButton:
    """result(): the output node that would be written, or None. logic: MRISuperResLogic. onWritten(message): it was."""

    def __init__(self, button, logic, result, onWritten):
        self._button, self._logic, self._result, self._onWritten = button, logic, result, onWritten
        button.connect("clicked(bool)", self._onClicked)

    def update(self, isRunning):
        """isRunning: whether a run goes on, which may replace the result."""
        reason = whyNotExportable(self._result())
        self._button.enabled = not reason and not isRunning
        self._button.toolTip = reason or _(
            "Write a DICOM series, marked as synthetic, of the same patient and study as the input"
        )

    def _onClicked(self, checked=False):
        node = self._result()
        if node is None:  # deleted since
            self.update(False)
            return
        parent = qt.QFileDialog.getExistingDirectory(
            self._button, _("Where the folder with the DICOM series is made")
        )
        if parent:
            folder = os.path.join(parent, re.sub(r'[\\/:*?"<>|]', "_", node.GetName()))
            with slicer.util.tryWithErrorDisplay(
                _("The DICOM series could not be written."), waitCursor=True
            ):
                self._logic.exportDicom(node, folder)
                self._onWritten(_("Written: {folder}").format(folder=folder))
