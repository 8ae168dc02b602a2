"""Table of an evaluation: a row per method, the best mean in bold."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

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
