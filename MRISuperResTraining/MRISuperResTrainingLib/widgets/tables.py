"""Tables of the panel: the runs in a folder with their buttons, and the evaluation of a run."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ..runs.record import RunRecord, RunState
from .run_tasks import RunTaskKind
from .runs import TrainingRuns

RunAction = Callable[[RunRecord], None]
READ_LIMIT = 2_000_000
"""Bytes of events of a run that one refresh reads, so that the panel stays responsive; a long run
has some ten million."""

SUMMARY, REPORT = "summary.csv", "evaluation.md"
METRICS = {
    "psnr": (_("PSNR (dB)"), 2, max),
    "ssim_wang": (_("SSIM"), 4, max),
    "rmse": (_("RMSE"), 2, min),
    "lpips": (_("LPIPS"), 4, min),
    "vgg_distance": (_("VGG distance"), 4, min),
    "niqe": (_("NIQE"), 2, min),
    "pi": (_("PI"), 2, min),
    "inconsistency": (_("Inconsistency"), 2, min),
}
"""{name in the file: (heading, digits, function that finds the best)}; the report has more."""

MAX_ROWS = 12
"""Rows that are visible without scrolling."""
SCROLL_BAR_HEIGHT = 20
"""Pixels."""


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


class EvaluationTable:
    """Table of an evaluation with the button that opens its report; hidden without one.

    Args:
        ui: Widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui, self._folder, self._stamp = ui, None, None
        ui.evaluationTable.verticalHeader().visible = False
        ui.reportButton.connect("clicked(bool)", self._onReport)
        self._setVisible(False)

    def show(self, folder: Path | None) -> None:
        """Show the evaluation in a folder, or nothing if there is none."""
        stamp = _stamp(folder / SUMMARY) if folder else None
        if stamp == self._stamp:
            return
        self._folder, self._stamp = folder, stamp
        rows = _read(folder / SUMMARY) if stamp else []
        self._setVisible(bool(rows))
        if rows:
            self._fill(rows)

    def _setVisible(self, visible):
        for widget in (self._ui.evaluationTable, self._ui.reportButton):
            widget.visible = visible

    def _fill(self, rows):
        table = self._ui.evaluationTable
        metrics = [metric for metric in METRICS if any(row["metric"] == metric for row in rows)]
        methods = list(dict.fromkeys((row["anatomy"], row["scale"], row["method"]) for row in rows))
        values = {(row["anatomy"], row["scale"], row["method"], row["metric"]): row for row in rows}
        table.setColumnCount(2 + len(metrics))
        table.setHorizontalHeaderLabels(
            [_("Anatomy"), _("Method"), *(METRICS[metric][0] for metric in metrics)]
        )
        table.setRowCount(len(methods))
        for number, (anatomy, scale, method) in enumerate(methods):
            isFirst = number == 0 or methods[number - 1][:2] != (anatomy, scale)
            table.setItem(number, 0, _item(f"{anatomy}, ×{scale}" if isFirst else ""))
            table.setItem(number, 1, _item(method))
            for column, metric in enumerate(metrics, start=2):
                table.setItem(
                    number,
                    column,
                    _value(values.get((anatomy, scale, method, metric)), metric, rows),
                )
        table.resizeColumnsToContents()
        table.resizeRowsToContents()
        shown = min(len(methods), MAX_ROWS)
        height = (
            sum(table.rowHeight(row) for row in range(shown))
            + table.horizontalHeader().sizeHint.height()
            + SCROLL_BAR_HEIGHT
        )
        table.minimumHeight = table.maximumHeight = height

    def _onReport(self, checked=False):
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder / REPORT)))


def stateText(record: RunRecord, isStarting: bool = False, isStopping: bool = False) -> str:
    """Return the state of a run in one word."""
    if record.is_behind:
        return _("reading…")
    if isStarting and record.state is not RunState.RUNNING:
        return _("starting")
    if isStopping and record.state is RunState.RUNNING:
        return _("stopping")
    return {
        RunState.RUNNING: _("running"),
        RunState.STOPPED: _("stopped"),
        RunState.FINISHED: _("finished"),
        RunState.FAILED: _("failed"),
        RunState.INTERRUPTED: _("interrupted"),
    }[record.state]


def dateText(seconds: float) -> str:
    """Return date and time of day; an empty text for 0."""
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds else ""


def _value(row, metric, rows):
    """The cell of a row of the file; empty without one."""
    if row is None or not row["mean"]:
        return _item("")
    _heading, digits, best = METRICS[metric]
    item = _item(f"{float(row['mean']):.{digits}f}")
    values = [
        float(other["mean"])
        for other in rows
        if other["mean"] and all(other[key] == row[key] for key in ("anatomy", "scale", "metric"))
    ]
    if float(row["mean"]) == best(values):
        font = item.font()
        font.setBold(True)
        item.setFont(font)
    toolTip = _("{n} subjects").format(n=row["subjects"])
    if row["low"]:
        toolTip = _("95% confidence interval {low} to {high}, {n} subjects").format(
            low=f"{float(row['low']):.{digits}f}",
            high=f"{float(row['high']):.{digits}f}",
            n=row["subjects"],
        )
    item.setToolTip(toolTip)
    return item


def _item(text):
    item = qt.QTableWidgetItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    return item


def _stamp(path):
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError:
        return None


def _read(path):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError):
        return []
