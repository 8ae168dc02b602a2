"""The part of the panel that says what is learnt from: volumes of the scene, and files."""

import os

import qt
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError

from ..data.sources import read_sources
from ..scene import dataset

NAME, ANATOMY, SUBJECT = range(3)  # columns
WARNING = "⚠ "


class DatasetPanel:
    """ui: the widgets of the panel. onChanged(): something else was chosen, or said of a volume."""

    def __init__(self, ui, onChanged):
        self._ui, self._onChanged = ui, onChanged
        self._table, self._isRefreshPending = ui.volumesTable, False
        self._looked = (
            None,
            [],
            [],
        )  # path, sources and skipped files of the folder or list that was looked at last
        self._table.setColumnCount(3)
        self._table.setHorizontalHeaderLabels([_("Volume"), _("Anatomy"), _("Subject")])
        self._table.verticalHeader().visible = False
        self._table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        self._table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        ui.filesLineEdit.connect("editingFinished()", self.lookAtFiles)
        ui.filesButton.connect("clicked(bool)", self._onChooseFile)
        ui.folderButton.connect("clicked(bool)", self._onChooseFolder)

    @property
    def volumes(self):
        """What was chosen, as TrainingRuns.start takes it: volume nodes and paths."""
        return dataset.chosenNodes() + ([self.files] if self.files else [])

    @property
    def files(self):
        return self._ui.filesLineEdit.text.strip()

    def whyNot(self):
        """Why nothing can be learnt from what is chosen, in one sentence; empty where it can."""
        if self.files and not os.path.exists(self.files):
            return _("There is no file or folder {path}: check the name.").format(path=self.files)
        if not self.volumes:
            return _("Choose volumes to learn from: check some of the list, or name a folder.")
        if self._looked[0] == self.files and self.files and not self._subjects():
            return _("There is no volume in {path}: choose another folder or list.").format(
                path=self.files
            )
        return ""

    def refresh(self):
        """Shows the volumes of the scene."""
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
                (ANATOMY, _item(dataset.anatomyOf(node), editable)),
                (SUBJECT, _item(dataset.subjectOf(node), editable)),
            ):
                item.setToolTip(item.text())
                self._table.setItem(row, column, item)
        self._table.blockSignals(blocked)
        self.update()

    def refreshLater(self):
        """Once, when everything else has been done: a node that is added has no image yet."""
        if not self._isRefreshPending:
            self._isRefreshPending = True
            qt.QTimer.singleShot(0, self._refreshNow)

    def cleanup(self):
        self._isRefreshPending = False  # what is pending comes to nothing

    def update(self):
        text = self._summary()
        self._ui.datasetLabel.text = text
        self._ui.datasetLabel.styleSheet = "color: #a04000" if WARNING in text else "color: gray"

    def lookAtFiles(self):
        """Looks into the folder or list that is named. Not while its name is being typed: half a name may be a folder of a million files."""
        path = self.files
        if path and self._looked[0] != path and os.path.exists(path):
            with slicer.util.tryWithErrorDisplay(
                _("The files could not be listed."), waitCursor=True
            ):
                try:
                    self._looked = path, *read_sources([path])
                except SuperResolutionError as error:
                    self._looked = path, [], []
                    raise RuntimeError(str(error)) from error
        self.update()
        self._onChanged()

    def _summary(self):
        lines, subjects = [], self._subjects()
        if self.files and self._looked[0] != self.files:
            lines.append(_("The files are listed when they are needed."))
        elif len(subjects) == 1:
            lines.append(
                WARNING
                + _(
                    "Only one subject, {subject}: some of its slices are held back, which says little about other people. "
                    "Add at least one subject."
                ).format(subject=subjects[0])
            )
        elif subjects:
            volumes = len(dataset.chosenNodes()) + len(self._foundFiles()[0])
            lines.append(
                _(
                    "{volumes} volumes of {subjects} subjects; whole subjects are held back to see how good the network is."
                ).format(volumes=volumes, subjects=len(subjects))
            )
        skipped = self._foundFiles()[1]
        if skipped:
            lines.append(
                _("{n} files are left out; {path}: {reason}").format(
                    n=len(skipped), path=skipped[0][0], reason=skipped[0][1]
                )
            )
        return "\n".join(lines)

    def _foundFiles(self):
        return self._looked[1:] if self.files and self._looked[0] == self.files else ([], [])

    def _subjects(self):
        return sorted(
            {dataset.subjectOf(node) for node in dataset.chosenNodes()}
            | {source.subject for source in self._foundFiles()[0]}
        )

    def _onItemChanged(self, item):
        """A check mark counts for all selected rows."""
        selected = [
            row for row in range(self._table.rowCount) if self._table.item(row, NAME).isSelected()
        ]
        rows = selected if item.row() in selected else [item.row()]
        for row in rows:
            node = slicer.mrmlScene.GetNodeByID(self._table.item(row, NAME).data(qt.Qt.UserRole))
            if node is None:
                continue
            if item.column() == NAME:
                dataset.choose(node, item.checkState() == qt.Qt.Checked)
            else:
                (dataset.setAnatomy if item.column() == ANATOMY else dataset.setSubject)(
                    node, item.text()
                )
        self.refreshLater()  # the table is still busy with the item

    def _refreshNow(self):
        if self._isRefreshPending:
            self._isRefreshPending = False
            self.refresh()
            self._onChanged()

    def _onChooseFile(self, checked=False):
        self._take(
            qt.QFileDialog.getOpenFileName(
                self._table,
                _("Volumes to learn from"),
                self.files,
                _(
                    "Lists, recipes and volumes (*.txt *.tsv *.csv *.json *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd)"
                ),
            )
        )

    def _onChooseFolder(self, checked=False):
        self._take(
            qt.QFileDialog.getExistingDirectory(self._table, _("Volumes to learn from"), self.files)
        )

    def _take(self, path):
        if path:
            self._ui.filesLineEdit.text = path
            self.lookAtFiles()


def _item(text, flags):
    item = qt.QTableWidgetItem(text)
    item.setFlags(flags)
    return item
