"""Tabs of the panel: the runs in a folder, and the evaluation of the opened run."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from ..runs.record import RunRecord, RunState
from .run_tasks import RunTaskKind
from .runs import EVALUATION_FOLDER, TrainingRuns

RunAction = Callable[[RunRecord], None]
READ_LIMIT = 2_000_000
"""Bytes of events of a run that one refresh reads, so that the panel stays responsive; a long run
has some ten million."""

SUMMARY, REPORT = "summary.csv", "evaluation.md"
BETWEEN_SLICES = "1"
"""Scale of models between slices in these files."""
METRICS = {
    "psnr": (_("PSNR (dB)"), _("Peak signal-to-noise ratio; higher is better"), 2, max),
    "ssim_wang": (_("SSIM"), _("Structural similarity (Wang et al.); higher is better"), 4, max),
    "rmse": (_("RMSE"), _("Root mean square error, of 255; lower is better"), 2, min),
    "lpips": (_("LPIPS"), _("Learned perceptual distance; lower is better"), 4, min),
    "vgg_distance": (_("VGG"), _("Distance of VGG19 features; lower is better"), 4, min),
    "niqe": (_("NIQE"), _("Natural image quality, no reference; lower is better"), 2, min),
    "pi": (_("PI"), _("Perceptual index, no reference; lower is better"), 2, min),
    "inconsistency": (
        _("Incons."),
        _("Inconsistency: difference from the input after degradation, of 255; lower is better"),
        2,
        min,
    ),
}
"""{name in the file: (heading, its tooltip, digits, function that finds the best)}; the report has
more."""

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
        actions: Functions of the buttons: "open", "resume" and "delete".
    """

    def __init__(self, ui: Any, runs: TrainingRuns, actions: Mapping[str, RunAction]) -> None:
        self._ui, self._runs, self._actions = ui, runs, actions
        self._table = ui.runsTable
        self._shown: list[list[str]] | None = None  # texts in the table
        self.records: list[RunRecord] = []
        headings = [_("Run"), _("State"), _("PSNR (dB)")]
        self._table.setColumnCount(len(headings))
        self._table.setHorizontalHeaderLabels(headings)
        self._table.horizontalHeaderItem(2).setToolTip(
            _("Best validation PSNR, and gain over interpolation")
        )
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
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
        isFinished = record is not None and record.state is RunState.FINISHED
        whyNotResumed = _("The run is finished.") if isFinished else ""
        for name, toolTip, reason in (
            ("open", _("Show the run with its curves and sample slices"), ""),
            (
                "resume",
                _("Continue from the last checkpoint"),
                _("The run is active.") if isActive else whyNotResumed,
            ),
            (
                "delete",
                _("Delete the folder of the run"),
                _("The run is active. Stop it first.") if isActive else "",
            ),
        ):
            _enable(self._ui, name, toolTip, reason if record else _("Select a run."))

    def _texts(self, record):
        best, settings = record.best_psnr, record.settings
        gain = best[0] - best[1] if best and best[1] is not None else None
        psnr = f"{best[0]:.2f}" + (f" ({gain:+.2f})" if gain is not None else "") if best else ""
        return [
            record.name,
            stateText(record, self._runs.isStarting(record)),
            psnr,
            _("{preset}, {scale}, {done} of {total} steps, started {date}").format(
                preset=settings.get("preset") or _("custom settings"),
                scale=record.scale_text,
                done=record.done,
                total=record.total,
                date=dateText(record.started) or "–",
            ),
        ]

    def _fill(self, rows):
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(rows))
        for row, (*texts, toolTip) in enumerate(rows):
            for column, text in enumerate(texts):
                item = self._table.item(row, column)
                if item is None:
                    item = qt.QTableWidgetItem("")
                    self._table.setItem(row, column, item)
                item.setText(text)
                item.setToolTip(toolTip)
        self._table.blockSignals(blocked)

    def _act(self, name):
        if self.chosen is not None:
            self._actions[name](self.chosen)


class EvaluationTab:
    """Tab of the opened run: evaluates it, shows the scores, and sends its models to MRISuperRes.

    Args:
        ui: Widgets of the panel.
        runs: The runs.
        actions: Functions of the buttons: "evaluate" and "send".
    """

    def __init__(self, ui: Any, runs: TrainingRuns, actions: Mapping[str, RunAction]) -> None:
        self._ui, self._runs, self._actions = ui, runs, actions
        self._record: RunRecord | None = None
        self._stamp: tuple[str, int] | None = None  # of the scores in the table
        ui.evaluationTable.verticalHeader().visible = False
        ui.evaluationTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        ui.reportButton.connect("clicked(bool)", self._onReport)
        for name in ("evaluate", "send"):
            getattr(ui, f"{name}Button").connect(
                "clicked(bool)", lambda checked=False, name=name: self._actions[name](self._record)
            )

    def show(self, record: RunRecord | None) -> None:
        """Show what is new of a run; None if none is opened."""
        self._record = record
        stamp = _stamp(self._folder / SUMMARY) if record else None
        if stamp != self._stamp:
            self._stamp = stamp
            self._fill(_read(self._folder / SUMMARY) if stamp else [])
        hasScores = self._ui.evaluationTable.rowCount > 0
        for widget in (self._ui.evaluationTable, self._ui.reportButton):
            widget.visible = hasScores
        reason = self._whyNot(RunTaskKind.EVALUATION)
        self._ui.evaluationLabel.text = (
            _("Means over held-out subjects, the best in bold.")
            if hasScores
            else reason or _("Not evaluated yet.")
        )
        _enable(
            self._ui,
            "evaluate",
            _("Measure the best models on held-out subjects, beside interpolations"),
            reason,
        )
        _enable(
            self._ui,
            "send",
            _("Install the best models of the run in MRISuperRes"),
            self._whyNot(RunTaskKind.EXPORT),
        )

    @property
    def _folder(self):
        return self._record.path / EVALUATION_FOLDER

    def _whyNot(self, kind):
        if self._record is None:
            return _("Open a run first.")
        if self._runs.hasTask(self._record, kind):
            return _("In progress.")
        if self._record.state is not RunState.FINISHED:
            return _("The run is not finished.")
        return ""

    def _fill(self, rows):
        table = self._ui.evaluationTable
        metrics = [metric for metric in METRICS if any(row["metric"] == metric for row in rows)]
        values = {(row["anatomy"], row["scale"], row["method"], row["metric"]): row for row in rows}
        methods: dict[tuple[str, str], dict[str, None]] = {}
        for row in rows:
            methods.setdefault((row["anatomy"], row["scale"]), {})[row["method"]] = None
        table.clearSpans()
        table.setColumnCount(1 + len(metrics))
        table.setHorizontalHeaderLabels([_("Method"), *(METRICS[name][0] for name in metrics)])
        for column, metric in enumerate(metrics, start=1):
            table.horizontalHeaderItem(column).setToolTip(METRICS[metric][1])
        table.setRowCount(sum(1 + len(names) for names in methods.values()))
        number = 0
        for (anatomy, scale), names in methods.items():
            place = _("between slices") if scale == BETWEEN_SLICES else f"×{scale}"
            table.setItem(number, 0, _item(f"{anatomy}, {place}"))
            table.setSpan(number, 0, 1, table.columnCount)
            number += 1
            for method in names:
                table.setItem(number, 0, _item(method))
                for column, metric in enumerate(metrics, start=1):
                    row = values.get((anatomy, scale, method, metric))
                    table.setItem(number, column, _value(row, metric, rows))
                number += 1
        table.resizeRowsToContents()
        shown = min(table.rowCount, MAX_ROWS)
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


def _enable(ui, name, toolTip, reason):
    """Enable a button, or disable it with a reason."""
    button = getattr(ui, f"{name}Button")
    button.enabled, button.toolTip = not reason, reason or toolTip


def _value(row, metric, rows):
    """The cell of a row of the file; empty without one."""
    if row is None or not row["mean"]:
        return _item("")
    _heading, _toolTip, digits, best = METRICS[metric]
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
