"""Section of the panel with the training volumes: nodes of the scene, and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.widgets import appearance

from ..data.sources import ANATOMIES, Skipped, Source, read_sources
from ..scene import dataset

NAME, ANATOMY, SUBJECT = range(3)  # columns
ANATOMY_WIDTH, SUBJECT_WIDTH = 7, 58
"""Width of the columns, wide letters and pixels: the name has the rest of a narrow panel."""
WARNING = "⚠ "
MAX_TOOLTIP = 120
"""Characters."""


class DatasetPanel:
    """Section with the training volumes.

    Args:
        ui: Widgets of the panel.
        onChanged: Called when a choice or a statement about a volume has changed.
    """

    def __init__(self, ui: Any, onChanged: Callable[[], None]) -> None:
        self._ui, self._onChanged = ui, onChanged
        self._table, self._isRefreshPending = ui.volumesTable, False
        # path, volumes and skipped files of the folder or list that was read last
        self._read: tuple[str | None, list[Source], Skipped] = (None, [], [])
        self._table.setColumnCount(3)
        self._table.setHorizontalHeaderLabels([_("Volume"), _("Anatomy"), _("Subject")])
        self._table.verticalHeader().visible = False
        self._table.horizontalHeader().setSectionResizeMode(NAME, qt.QHeaderView.Stretch)
        self._table.setColumnWidth(SUBJECT, SUBJECT_WIDTH)
        for column, toolTip in enumerate(
            (
                _("Check the volumes to train on"),
                _("Guessed from names; each anatomy gets an equal share of the samples"),
                _("Volumes of one subject are on the same side of the split"),
            )
        ):
            self._table.horizontalHeaderItem(column).setToolTip(toolTip)
        self._table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        ui.filesLineEdit.connect("editingFinished()", self.readFiles)
        ui.filesButton.connect("clicked(bool)", self._onChooseFile)
        ui.folderButton.connect("clicked(bool)", self._onChooseFolder)

    @property
    def volumes(self) -> list[slicer.vtkMRMLScalarVolumeNode | str]:
        """The chosen volume nodes and paths, as for `TrainingRuns.start`."""
        return dataset.chosenNodes() + ([self.files] if self.files else [])

    @property
    def files(self) -> str:
        """The path of additional files, or an empty text."""
        return self._ui.filesLineEdit.text.strip()

    def whyNot(self) -> str:
        """Return one sentence on why the choice cannot be trained on, or an empty text."""
        if self.files and not os.path.exists(self.files):
            return _("No such file or folder: {path}. Check the path.").format(path=self.files)
        if not self.volumes:
            return _("No training volumes. Check some in the list, or name a folder.")
        if self.files and self._read[0] == self.files and not self._subjects():
            return _("No volumes in {path}. Choose another folder or list.").format(path=self.files)
        return ""

    def refresh(self) -> None:
        """Show the volumes of the scene."""
        nodes = dataset.trainableNodes()
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(nodes))
        for row, node in enumerate(nodes):
            check = _item(
                node.GetName(),
                qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable,
            )
            check.setData(qt.Qt.UserRole, node.GetID())
            check.setCheckState(qt.Qt.Checked if dataset.isChosen(node) else qt.Qt.Unchecked)
            editable = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEditable
            for column, item in (
                (NAME, check),
                (SUBJECT, _item(dataset.subjectOf(node), editable)),
            ):
                item.setToolTip(item.text())
                self._table.setItem(row, column, item)
            self._showAnatomy(row, dataset.anatomyOf(node))
        self._table.blockSignals(blocked)
        self.update()

    def refreshLater(self) -> None:
        """Refresh once after all pending events: a node that is being added has no image yet."""
        if not self._isRefreshPending:
            self._isRefreshPending = True
            qt.QTimer.singleShot(0, self._refreshNow)

    def cleanup(self) -> None:
        """Drop a pending refresh; the panel is being deleted."""
        self._isRefreshPending = False

    def update(self) -> None:
        """Show how many volumes and subjects are chosen, and what was skipped."""
        text, isWarning = self._summary()
        skipped = self._foundFiles()[1]
        toolTip = ""
        if skipped:
            path, reason = skipped[0]
            name = os.path.basename(path)
            text += _("\nSkipped files: {n}, first {name}").format(n=len(skipped), name=name)
            toolTip = reason if len(reason) <= MAX_TOOLTIP else reason[: MAX_TOOLTIP - 1] + "…"
        self._ui.datasetLabel.toolTip = toolTip
        self._ui.datasetLabel.text = WARNING * isWarning + text.strip()
        role = appearance.WARNING if isWarning else appearance.MUTED
        appearance.colorText(self._ui.datasetLabel, role)

    def readFiles(self) -> None:
        """Read the chosen folder or list.

        Not called while a path is typed: half of it may be a folder with a million files.
        """
        path = self.files
        if path and self._read[0] != path and os.path.exists(path):
            with slicer.util.tryWithErrorDisplay(_("Cannot list the files."), waitCursor=True):
                try:
                    self._read = path, *read_sources([path])
                except SuperResolutionError as error:
                    self._read = path, [], []
                    raise RuntimeError(str(error)) from error
        self.update()
        self._onChanged()

    def _summary(self):
        """(text, whether it is a warning)."""
        subjects = self._subjects()
        if self.files and self._read[0] != self.files:
            return _("Files are listed when the training starts."), False
        if len(subjects) == 1:
            text = _("Only one subject, {subject}: add another to validate on.")
            return text.format(subject=subjects[0]), True
        if subjects:
            volumes = len(dataset.chosenNodes()) + len(self._foundFiles()[0])
            text = _("{volumes} volumes, {subjects} subjects; some are held out.")
            return text.format(volumes=volumes, subjects=len(subjects)), False
        return "", False

    def _foundFiles(self):
        """The volumes and the skipped files at the path."""
        return self._read[1:] if self.files and self._read[0] == self.files else ([], [])

    def _subjects(self):
        return sorted(
            {dataset.subjectOf(node) for node in dataset.chosenNodes()}
            | {source.subject for source in self._foundFiles()[0]}
        )

    def _showAnatomy(self, row, anatomy):
        box = self._table.cellWidget(row, ANATOMY)
        if box is None:
            box = self._makeAnatomyBox(row)
        box.setCurrentText(anatomy)
        box.lineEdit().setCursorPosition(0)
        box.toolTip = anatomy

    def _makeAnatomyBox(self, row):
        """A box to choose or type an anatomy."""
        box = ctk.ctkComboBox()
        box.scrollWheelEffect = ctk.ctkComboBox.NeverScroll  # scrolling the table changes nothing
        box.setEditable(True)
        box.setInsertPolicy(ctk.ctkComboBox.NoInsert)
        box.addItems(ANATOMIES)
        box.setFrame(False)
        box.setMinimumContentsLength(ANATOMY_WIDTH)
        box.setSizeAdjustPolicy(ctk.ctkComboBox.AdjustToMinimumContentsLengthWithIcon)
        box.connect("activated(int)", lambda index: self._onAnatomyChanged(row, box.currentText))
        box.lineEdit().connect(
            "editingFinished()", lambda: self._onAnatomyChanged(row, box.currentText)
        )
        self._table.setCellWidget(row, ANATOMY, box)
        self._table.setColumnWidth(ANATOMY, box.sizeHint.width())
        # after the table, not after the last widget of the panel
        before = self._table.cellWidget(row - 1, ANATOMY) if row else self._table
        qt.QWidget.setTabOrder(before, box)
        return box

    def _onAnatomyChanged(self, row, text):
        node = self._nodeOf(row)  # None if the volume is removed while its anatomy is typed
        if node is not None and text != dataset.anatomyOf(node):
            self._state(row, lambda node: dataset.setAnatomy(node, text))

    def _onItemChanged(self, item):
        if item.column() == NAME:
            isChosen = item.checkState() == qt.Qt.Checked
            self._state(item.row(), lambda node: dataset.choose(node, isChosen))
        else:
            self._state(item.row(), lambda node: dataset.setSubject(node, item.text()))

    def _state(self, row, setValue):
        """Call a function for the volume of a row, or for all selected ones if it is selected."""
        selected = [
            other
            for other in range(self._table.rowCount)
            if self._table.item(other, NAME).isSelected()
        ]
        for node in map(self._nodeOf, selected if row in selected else [row]):
            if node is not None:
                setValue(node)
        self.refreshLater()  # not now: the table still uses the item

    def _nodeOf(self, row):
        return slicer.mrmlScene.GetNodeByID(self._table.item(row, NAME).data(qt.Qt.UserRole))

    def _refreshNow(self):
        if self._isRefreshPending:
            self._isRefreshPending = False
            self.refresh()
            self._onChanged()

    def _onChooseFile(self, checked=False):
        filters = (
            "*.txt *.tsv *.csv *.json *.nii *.nii.gz *.hdr *.nrrd *.nhdr *.mha *.mhd *.mgz *.mgh "
            "*.mnc *.PAR *.HEAD"  # no translation
        )
        self._setPath(
            qt.QFileDialog.getOpenFileName(
                self._table,
                _("Training volumes"),
                self.files,
                _("Lists, recipes and volumes ({extensions})").format(extensions=filters),
            )
        )

    def _onChooseFolder(self, checked=False):
        self._setPath(
            qt.QFileDialog.getExistingDirectory(self._table, _("Training volumes"), self.files)
        )

    def _setPath(self, path):
        if path:
            self._ui.filesLineEdit.text = path
            self.readFiles()


def _item(text, flags):
    item = qt.QTableWidgetItem(text)
    item.setFlags(flags)
    return item
