"""Section of the panel that upsamples several volumes and reports on each."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.batch import VolumeResult
from ..scene.nodes import isOutput, upsamplableNodes
from ..scene.parameters import MRISuperResParameterNode
from ..scene.sequences import sequenceOf
from ..scene.tasks import TaskState
from .appearance import breakable
from .task_panel import TaskPanel, TaskStatus
from .upsample import UpsamplePanel

VOLUME, RESULT = range(2)
"""Columns of the table."""
MAX_VISIBLE_ROWS = 8
"""Rows shown without scrolling."""
MIN_HEIGHT = 60
"""Minimum height of the table, px."""


class BatchPanel(TaskPanel):
    """Table of volumes with check marks, and the button that upsamples them; see TaskPanel.

    Results of the module are not listed, since they would be upsampled again.

    Args:
        ui: Widgets of the panel.
        logic: MRISuperResLogic.
        upsampling: Section with the options for all volumes.
        onBusyChanged: Called after a task has started or ended.
    """

    def __init__(
        self, ui, logic, upsampling: UpsamplePanel, onBusyChanged: Callable[[], None]
    ) -> None:
        self.failureTitle = _("The volumes could not be upsampled.")
        self._upsampling, self._isRefreshPending = upsampling, False
        self._unchecked = set()  # IDs of volumes; all others are checked
        self._table, self._estimateLabel = ui.batchTable, ui.batchEstimateLabel
        self._tabs, self._index = ui.tabs, ui.tabs.indexOf(ui.batchTab)
        self._table.setColumnCount(2)
        self._table.setHorizontalHeaderLabels([_("Volume"), _("Result")])
        self._table.verticalHeader().visible = False
        self._table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        self._table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        ui.batchAllButton.connect("clicked(bool)", lambda checked=False: self._checkAll(True))
        ui.batchNoneButton.connect("clicked(bool)", lambda checked=False: self._checkAll(False))
        self._tabs.connect("currentChanged(int)", lambda index: self.refreshLater())
        status = TaskStatus(
            ui.batchButton,
            ui.batchProgressBar,
            ui.batchProgressLabel,
            ui.batchStatusLabel,
            (ui.batchDetailsButton, ui.batchDetailsLabel),
            _("Upsample checked volumes"),
            _("Upsample one volume after the other with the options of the tab Upsample"),
            _("Cancel the task; finished volumes are kept"),
        )
        super().__init__(logic, status, onBusyChanged)

    @property
    def nodes(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """The checked volumes."""
        return [node for node in self._available() if node.GetID() not in self._unchecked]

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        if parameters is None:
            self._unchecked.clear()
        super().show(parameters)
        self.refreshLater()

    def update(self) -> None:
        """Update estimate and button."""
        if self._tabs.currentIndex == self._index:
            nodes = self.nodes if self.parameters is not None else []
            lines = self._upsampling.describeEstimate(nodes) if nodes else ()
            self._estimateLabel.text = "\n".join(filter(None, lines))
        super().update()

    def refreshLater(self) -> None:
        """List the volumes after all pending events, since a new node has no image yet."""
        if not self._isRefreshPending:
            self._isRefreshPending = True
            qt.QTimer.singleShot(0, self._refreshNow)

    def cleanup(self) -> None:
        """Release the task; the panel is being deleted."""
        super().cleanup()
        self._isRefreshPending = False

    def _refreshNow(self):
        if self._isRefreshPending:
            self._isRefreshPending = False
            self._fill()
            self.update()

    @staticmethod
    def _available():
        return [
            node
            for node in upsamplableNodes()
            if not isOutput(node) and not isOutput(sequenceOf(node))
        ]

    def _fill(self):
        nodes = self._available()
        results = self.task.results if self.task is not None else []
        texts = {result.inputId: resultText(result) for result in results}
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(nodes))
        for row, node in enumerate(nodes):
            pattern = "{name}" if sequenceOf(node) is None else _("{name} (current frame)")
            name = pattern.format(name=node.GetName())
            check = _item(name, qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            check.setData(qt.Qt.UserRole, node.GetID())
            check.setCheckState(
                qt.Qt.Unchecked if node.GetID() in self._unchecked else qt.Qt.Checked
            )
            self._table.setItem(row, VOLUME, check)
            self._table.setItem(
                row, RESULT, _item(texts.get(node.GetID(), ""), qt.Qt.ItemIsEnabled)
            )
        self._table.blockSignals(blocked)
        self._table.resizeRowsToContents()  # long names wrap
        rows = range(min(len(nodes), MAX_VISIBLE_ROWS))
        height = self._table.horizontalHeader().height + sum(map(self._table.rowHeight, rows))
        height = max(height, MIN_HEIGHT)
        self._table.maximumHeight = self._table.minimumHeight = height + 2 * self._table.frameWidth

    def _onItemChanged(self, item):
        isChecked = item.checkState() == qt.Qt.Checked
        change = self._unchecked.discard if isChecked else self._unchecked.add
        change(item.data(qt.Qt.UserRole))
        self.update()

    def _checkAll(self, areChecked):
        self._unchecked = set() if areChecked else {node.GetID() for node in self._available()}
        self._fill()
        self.update()

    def _whyNotInput(self) -> str:
        if not self._available():
            return _("Load volumes into the scene.")
        return "" if self.nodes else _("Check at least one volume.")

    def _inputText(self) -> str:
        return _("{count} volumes").format(count=len(self.nodes))

    def _startTask(self, onProgress, onFinished):
        return self._logic.startBatch(
            self.nodes, self._upsampling.options, onProgress, onFinished, self._onChanged
        )

    def _onChanged(self, task):
        self.task = task
        self._fill()

    def _resultText(self) -> str:
        return _("{done} of {count} volumes").format(
            done=len(self.task.finished), count=len(self.task.results)
        )

    def _showResult(self) -> None:
        """Show nothing else: the table lists the results."""


def resultText(result: VolumeResult) -> str:
    """Return what became of one volume in a few words."""
    if result.state is TaskState.FINISHED:
        return result.outputNode.GetName() if result.outputNode is not None else _("deleted")
    if result.state is TaskState.RUNNING:
        return _("running …")
    return result.message or _("waiting …")


def _item(text, flags):
    item = qt.QTableWidgetItem(breakable(text))
    item.setFlags(flags)
    item.setToolTip(text)
    return item
