"""Table of the runs in a folder, and the buttons below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from ..runs.record import RunRecord, RunState
from .run_section import RunAction, dateText, stateText
from .run_tasks import RunTaskKind
from .runs import TrainingRuns

READ_LIMIT = 2_000_000
"""Bytes of events of a run that one refresh reads, so that the panel stays responsive; a long run
has some ten million."""


class RunTable:
    """Table of runs.

    Attributes:
        records: The runs in the order of the rows.

    Args:
        ui: Widgets of the panel.
        runs: The runs.
        actions: Functions of the buttons: "open", "resume", "evaluate", "send" and "delete".
    """

    def __init__(self, ui: Any, runs: TrainingRuns, actions: Mapping[str, RunAction]) -> None:
        self._ui, self._runs, self._actions = ui, runs, actions
        self._table = ui.runsTable
        self._shown: list[list[str]] | None = None  # texts in the table
        self.records: list[RunRecord] = []
        headings = [
            _("Name"),
            _("State"),
            _("Preset"),
            _("Scale"),
            _("Steps"),
            _("PSNR (dB)"),
            _("Started"),
        ]
        self._table.setColumnCount(len(headings))
        self._table.setHorizontalHeaderLabels(headings)
        self._table.verticalHeader().visible = False
        self._table.connect("itemSelectionChanged()", self.updateButtons)
        self._table.connect("cellDoubleClicked(int,int)", lambda row, column: self._act("open"))
        for name in actions:
            getattr(ui, f"{name}Button").connect(
                "clicked(bool)", lambda checked=False, name=name: self._act(name)
            )

    @property
    def chosen(self) -> RunRecord | None:
        """The run of the selected row, or None."""
        row = self._table.currentRow()
        return self.records[row] if 0 <= row < len(self.records) else None

    def choose(self, record: RunRecord) -> None:
        """Select the row of a run."""
        self._table.selectRow(
            next(row for row, known in enumerate(self.records) if known.path == record.path)
        )

    def refresh(self) -> None:
        """Show what is in the folder now; the selection stays."""
        chosen = self.chosen
        self.records = self._runs.list(READ_LIMIT)
        rows = [self._texts(record) for record in self.records]
        if rows != self._shown:
            self._fill(rows)
            self._shown = rows
            if chosen in self.records:
                self.choose(chosen)
        self.updateButtons()

    def updateButtons(self) -> None:
        """Enable the buttons that the selected run allows, or disable them with a reason."""
        record = self.chosen
        isActive = record is not None and self._runs.isActive(record)
        reasons = {
            "open": "",
            "resume": self._whyNotResumed(record),
            "evaluate": self._whyNotUsed(record, RunTaskKind.EVALUATION),
            "send": self._whyNotUsed(record, RunTaskKind.EXPORT),
            "delete": _("The run is active. Stop it first.") if isActive else "",
        }
        toolTips = {
            "open": _("Show the run with its curves and sample slices"),
            "resume": _("Continue from the last checkpoint"),
            "evaluate": _("Measure the best models on held-out subjects, beside interpolations"),
            "send": _("Install the best models of the run in MRISuperRes"),
            "delete": _("Delete the folder of the run"),
        }
        for name, reason in reasons.items():
            reason = reason if record else _("Select a run.")
            button = getattr(self._ui, f"{name}Button")
            button.enabled = not reason
            button.toolTip = reason or toolTips[name]

    def _whyNotResumed(self, record):
        if record and self._runs.isActive(record):
            return _("The run is active.")
        return _("The run is finished.") if record and record.state is RunState.FINISHED else ""

    def _whyNotUsed(self, record, kind):
        if record and self._runs.hasTask(record, kind):
            return _("In progress.")
        if record and record.state is not RunState.FINISHED:
            return _("The run is not finished.")
        return ""

    def _texts(self, record):
        best, settings = record.best_psnr, record.settings
        gain = best[0] - best[1] if best and best[1] is not None else None
        psnr = f"{best[0]:.2f}" + (f" ({gain:+.2f})" if gain is not None else "") if best else ""
        return [
            record.name,
            stateText(record, self._runs.isStarting(record)),
            settings.get("preset", ""),
            f"×{settings.get('scale', '?')}",
            f"{record.done}/{record.total}",
            psnr,
            dateText(record.started),
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
