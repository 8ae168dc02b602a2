"""The part of the panel that upsamples many volumes of the scene, and tells of each what became of it."""

import qt
from slicer.i18n import tr as _

from ..scene.output_nodes import ATTRIBUTE_PREFIX
from ..scene.sequence_nodes import sequenceOf
from ..scene.tasks import TaskState
from ..scene.volume_nodes import upsamplableNodes
from .task_panel import TaskPanel

VOLUME, RESULT = range(2)  # columns
MOST_ROWS = 8  # that are shown without scrolling


class BatchPanel(TaskPanel):
    """A table of volumes with check marks, and the button. ui: the widgets of the panel. upsampling: the UpsamplePanel, whose settings count for all;
    the rest: see TaskPanel.

    Results of runs are not offered: they would be enlarged again.
    """

    cancelToolTip = _("Stop after the present slice; the volumes that are finished stay")

    def __init__(self, ui, logic, upsampling, onBusyChanged):
        self.failureTitle = _("The volumes could not be upsampled.")
        self._upsampling, self._isRefreshPending = upsampling, False
        self._unchecked = set()  # IDs of volumes; all others are checked
        self._table, self._section, self._needLabel = (
            ui.manyTable,
            ui.manyCollapsibleButton,
            ui.manyNeedLabel,
        )
        self._table.setColumnCount(2)
        self._table.setHorizontalHeaderLabels([_("Volume"), _("Result")])
        self._table.verticalHeader().visible = False
        self._table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        self._table.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)
        ui.manyAllButton.connect("clicked(bool)", lambda checked=False: self._checkAll(True))
        ui.manyNoneButton.connect("clicked(bool)", lambda checked=False: self._checkAll(False))
        self._section.collapsed = True
        self._section.connect("contentsCollapsed(bool)", lambda collapsed: self.refreshLater())
        super().__init__(
            logic,
            (ui.manyButton, ui.manyProgressBar, ui.manyProgressLabel, ui.manyStatusLabel),
            _("Upsample the checked volumes"),
            _("One after the other, with the model and the settings above"),
            onBusyChanged,
        )

    @property
    def nodes(self):
        """The checked volumes."""
        return [node for node in self._offered() if node.GetID() not in self._unchecked]

    def show(self, parameters):
        if parameters is None:  # the scene is being closed
            self._unchecked.clear()
        super().show(parameters)
        self.refreshLater()

    def update(self):
        if not self._section.collapsed:
            nodes = self.nodes if self.parameters is not None else []
            self._needLabel.text = (
                "\n".join(filter(None, self._upsampling.describeNeed(nodes))) if nodes else ""
            )
        super().update()

    def refreshLater(self):
        """Once, when everything else has been done: a node that is added has no image yet."""
        if not self._isRefreshPending:
            self._isRefreshPending = True
            qt.QTimer.singleShot(0, self._refreshNow)

    def cleanup(self):
        super().cleanup()
        self._isRefreshPending = False  # what is pending comes to nothing

    def _refreshNow(self):
        if self._isRefreshPending:
            self._isRefreshPending = False
            self._fill()
            self.update()

    @staticmethod
    def _offered():
        return [
            node
            for node in upsamplableNodes()
            if not _isResult(node) and not _isResult(sequenceOf(node))
        ]

    def _fill(self):
        nodes, results = (
            self._offered(),
            {result.inputId: result for result in self.job.results} if self.job is not None else {},
        )
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(nodes))
        for row, node in enumerate(nodes):
            pattern = "{name}" if sequenceOf(node) is None else _("{name} (present frame)")
            check = _item(
                pattern.format(name=node.GetName()), qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable
            )
            check.setData(qt.Qt.UserRole, node.GetID())
            check.setCheckState(
                qt.Qt.Unchecked if node.GetID() in self._unchecked else qt.Qt.Checked
            )
            result = results.get(node.GetID())
            for column, item in (
                (VOLUME, check),
                (
                    RESULT,
                    _item(resultText(result) if result is not None else "", qt.Qt.ItemIsEnabled),
                ),
            ):
                item.setToolTip(item.text())
                self._table.setItem(row, column, item)
        self._table.blockSignals(blocked)
        rows = max(1, min(len(nodes), MOST_ROWS))
        height = (
            self._table.horizontalHeader().height + rows * self._table.rowHeight(0) if nodes else 60
        )
        self._table.maximumHeight = self._table.minimumHeight = height + 2 * self._table.frameWidth

    def _onItemChanged(self, item):
        change = (
            self._unchecked.discard if item.checkState() == qt.Qt.Checked else self._unchecked.add
        )
        change(item.data(qt.Qt.UserRole))
        self.update()

    def _checkAll(self, areChecked):
        self._unchecked = set() if areChecked else {node.GetID() for node in self._offered()}
        self._fill()
        self.update()

    def _whyNotInput(self):
        if not self._offered():
            return _("Load volumes into the scene.")
        return "" if self.nodes else _("Check one volume at least.")

    def _inputText(self):
        return _("{count} volumes").format(count=len(self.nodes))

    def _startJob(self, onProgress, onFinished):
        return self._logic.startBatch(
            self.nodes,
            self._upsampling.settings,
            lambda *progress: onProgress(*progress, part=self._part()),
            onFinished,
            self._onChanged,
        )

    def _part(self):
        return _("Volume {number} of {count}: ").format(
            number=self.job.number + 1, count=len(self.job.results)
        )

    def _onChanged(self, job):
        self.job = job
        self._fill()

    def _resultText(self):
        return _("{done} of {count} volumes").format(
            done=len(self.job.finished), count=len(self.job.results)
        )

    def _showResult(self):
        """The results are in the table; no view shows many volumes."""


def resultText(result):
    """A VolumeResult in a few words."""
    if result.state is TaskState.FINISHED:
        return (
            result.outputNode.GetName()
            if result.outputNode is not None
            else _("finished, and deleted since")
        )
    if result.state is TaskState.RUNNING:
        return _("running …")
    return result.message or _("waiting …")


def _isResult(node):
    return node is not None and node.GetAttribute(ATTRIBUTE_PREFIX + "Notice") is not None


def _item(text, flags):
    item = qt.QTableWidgetItem(text)
    item.setFlags(flags)
    return item
