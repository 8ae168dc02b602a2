"""The list of the runs of a folder, and the buttons under it."""

import qt
from slicer.i18n import tr as _

from ..runs.record import RunState
from . import run_task, run_texts

HEADINGS = 7
LIMIT = 2_000_000
"""Bytes of a run's events that are read at a time, so that the panel stays alive; a long run has some ten million."""


class RunTable:
    """ui: the widgets of the panel. runs: TrainingRuns. actions: {"open", "resume", "evaluate", "send", "delete": function(record)}."""

    def __init__(self, ui, runs, actions):
        self._ui, self._runs, self._actions = ui, runs, actions
        self._table = ui.runsTable
        self._shown = None  # the texts that are in the table
        self.records = []
        self._table.setColumnCount(HEADINGS)
        self._table.setHorizontalHeaderLabels(
            [
                _("Name"),
                _("State"),
                _("Preset"),
                _("Scale"),
                _("Steps"),
                _("PSNR, dB"),
                _("Started"),
            ]
        )
        self._table.verticalHeader().visible = False
        self._table.connect("itemSelectionChanged()", self.updateButtons)
        self._table.connect("cellDoubleClicked(int,int)", lambda row, column: self._act("open"))
        for name in actions:
            getattr(ui, f"{name}Button").connect(
                "clicked(bool)", lambda checked=False, name=name: self._act(name)
            )

    @property
    def chosen(self):
        """The RunRecord of the chosen row, or None."""
        row = self._table.currentRow()
        return self.records[row] if 0 <= row < len(self.records) else None

    def choose(self, record):
        self._table.selectRow(
            next(row for row, known in enumerate(self.records) if known.path == record.path)
        )

    def refresh(self):
        """Shows what is in the folder now; the choice stays."""
        chosen = self.chosen
        self.records = self._runs.list(LIMIT)
        rows = [self._texts(record) for record in self.records]
        if rows != self._shown:
            self._fill(rows)
            self._shown = rows
            if chosen in self.records:
                self.choose(chosen)
        self.updateButtons()

    def updateButtons(self):
        record = self.chosen
        reasons = {
            "open": "",
            "resume": self._whyNotResumed(record),
            "evaluate": self._whyNotUsed(record, run_task.EVALUATION),
            "send": self._whyNotUsed(record, run_task.EXPORT),
            "delete": _("The run is going on: stop it first.")
            if record and self._runs.isActive(record)
            else "",
        }
        toolTips = {
            "open": _("Show what is known of the run, its curves and its samples"),
            "resume": _("Go on from the last checkpoint"),
            "evaluate": _(
                "Measure the best models on the volumes that the run has not learnt from, beside the interpolations"
            ),
            "send": _("Write the best models of the run to where MRISuperRes finds them"),
            "delete": _("Remove the folder of the run"),
        }
        for name, reason in reasons.items():
            reason = reason if record else _("Choose a run of the list.")
            button = getattr(self._ui, f"{name}Button")
            button.enabled = not reason
            button.toolTip = reason or toolTips[name]

    def _whyNotResumed(self, record):
        if record and self._runs.isActive(record):
            return _("The run is going on already.")
        return _("The run is finished.") if record and record.state is RunState.FINISHED else ""

    def _whyNotUsed(self, record, task):
        if record and self._runs.hasTask(record, task):
            return _("This is being done.")
        return (
            _("The run is not finished.")
            if record and record.state is not RunState.FINISHED
            else ""
        )

    def _texts(self, record):
        best, settings = record.best_psnr, record.settings
        gain = best[0] - best[1] if best and best[1] is not None else None
        psnr = f"{best[0]:.2f}" + (f" ({gain:+.2f})" if gain is not None else "") if best else ""
        return [
            record.name,
            run_texts.stateText(record, self._runs.isStarting(record)),
            settings.get("preset", ""),
            f"×{settings.get('scale', '?')}",
            f"{record.done}/{record.total}",
            psnr,
            run_texts.dateText(record.started),
        ]

    def _fill(self, rows):
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = self._table.item(row, column)
                if item is None:
                    item = qt.QTableWidgetItem("")
                    self._table.setItem(row, column, item)
                item.setText(text)
                item.setToolTip(str(self.records[row].path) if column == 0 else text)
        self._table.resizeColumnsToContents()
        self._table.blockSignals(blocked)

    def _act(self, name):
        if self.chosen is not None:
            self._actions[name](self.chosen)
