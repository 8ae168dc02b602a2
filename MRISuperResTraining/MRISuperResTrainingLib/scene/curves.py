"""Curves of a run in the scene: a table and a plot series per curve, and a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from MRISuperResLib.core.models.card import STAGES
from MRISuperResLib.scene.comparison.nodes import PLOT_COLORS

from ..runs.record import RunRecord

STEP = "step"
MAX_POINTS = 1000
"""Points of a curve: a plot has no more pixels, and more make it slow."""

LEGEND_SHARE = 0.45
"""Part of the number of steps that is added to their axis, so that the legend hides no curve."""


class Line(NamedTuple):
    """A curve.

    Attributes:
        text: Text in the legend.
        color: Index of one of PLOT_COLORS.
        points: (step of both stages, value).
    """

    text: str
    color: int
    points: list[tuple[int, float]]


def lossLines(record: RunRecord) -> list[Line]:
    """Return the curves of log10 of the losses, which differ by orders of magnitude."""
    names = {
        ("psnr", "content"): _("L1, stage 1"),
        ("psnr", "fft"): _("FFT, stage 1"),
        ("gan", "content"): _("L1, stage 2"),
        ("gan", "perceptual"): _("perceptual"),
        ("gan", "adversarial"): _("adversarial"),
        ("gan", "discriminator"): _("discriminator"),
    }
    losses = {stage: record.losses(stage) for stage in STAGES}
    lines = [
        Line(
            text,
            color,
            [(step, math.log10(value)) for step, value in losses[stage].get(name, ()) if value > 0],
        )
        for color, ((stage, name), text) in enumerate(names.items())
    ]
    return [line for line in lines if line.points]


def psnrLines(record: RunRecord) -> list[Line]:
    """Return the curves of the PSNR on the validation slices, dB."""
    scores = {stage: record.validations(stage, "psnr") for stage in STAGES}
    lines = [
        Line(text, color, [(step, value) for step, value, _bicubic in scores[stage]])
        for color, (stage, text) in enumerate((("psnr", _("stage 1")), ("gan", _("stage 2"))))
    ]
    bicubic = [
        (step, value)
        for stage in STAGES
        for step, _network, value in scores[stage]
        if value is not None
    ]
    lines.append(Line(_("bicubic"), len(PLOT_COLORS) - 1, bicubic))
    return [line for line in lines if line.points]


class Curves:
    """A chart that grows with a run; never saved with the scene.

    Attributes:
        chart: The chart node; None before the first call of `show`.

    Args:
        name: Name of the chart.
        title: Title of its y axis.
        markers: Show a marker at every point.
    """

    def __init__(self, name: str, title: str, markers: bool = False) -> None:
        self._name, self._title, self._markers = name, title, markers
        self._nodes = {}  # {text: (table node, series node)}
        self.chart = None

    def show(self, lines: Sequence[Line], total: int) -> None:
        """Show curves in place of those before.

        Args:
            lines: The curves.
            total: Number of steps of the run.
        """
        if self.chart is None or not slicer.mrmlScene.IsNodePresent(self.chart):
            self.remove()
            self.chart = self._add("vtkMRMLPlotChartNode", self._name)
            _describe(self.chart, self._title)
        for text in set(self._nodes) - {line.text for line in lines}:
            self._removeLine(text)
        for line in lines:
            if line.text not in self._nodes:
                self._addLine(line)
            _fill(self._nodes[line.text][0], self._title, line.points)
        self.chart.SetXAxisRangeAuto(False)
        self.chart.SetXAxisRange(0, max(total, 1) * (1 + LEGEND_SHARE))

    def remove(self) -> None:
        """Remove all nodes from the scene."""
        for text in list(self._nodes):
            self._removeLine(text)
        _removeNode(self.chart)
        self.chart = None

    def _add(self, className, name):
        node = slicer.mrmlScene.AddNewNodeByClass(className, name)
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        return node

    def _addLine(self, line):
        text = line.text
        table, series = (
            self._add("vtkMRMLTableNode", f"{self._name} {text}"),
            self._add("vtkMRMLPlotSeriesNode", text),
        )
        series.SetName(text)  # AddNewNodeByClass numbers a name that another chart uses too
        _fill(table, self._title, [])
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(STEP)
        series.SetYColumnName(self._title)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetLineStyle(series.LineStyleSolid)
        series.SetLineWidth(2)
        series.SetMarkerStyle(series.MarkerStyleCircle if self._markers else series.MarkerStyleNone)
        series.SetMarkerSize(6)
        series.SetColor(*PLOT_COLORS[line.color])
        self._nodes[text] = table, series
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def _removeLine(self, text):
        table, series = self._nodes.pop(text)
        if self.chart is not None and slicer.mrmlScene.IsNodePresent(self.chart):
            self.chart.RemovePlotSeriesNodeID(series.GetID())
        for node in (series, table):
            _removeNode(node)


def _fill(tableNode, title, points):
    every = max(1, -(-len(points) // MAX_POINTS))
    thinned = points[::-every][::-1]  # counted from the end, so that the last point is kept
    if len(thinned) == 1:
        thinned = thinned * 2  # a plot needs two points
    thinned = np.array(thinned, float).reshape(-1, 2)
    table = vtk.vtkTable()
    for name, values in zip((STEP, title), thinned.T):
        column = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
        column.SetName(name)
        table.AddColumn(column)
    tableNode.SetAndObserveTable(table)
    tableNode.SetUseColumnNameAsColumnHeader(True)


def _describe(chart, title):
    chart.SetTitleVisibility(False)
    chart.SetXAxisTitle(_("step"))
    chart.SetYAxisTitle(title)
    chart.SetYAxisRangeAuto(True)
    chart.SetLegendFontSize(11)
    chart.SetAxisTitleFontSize(12)
    chart.SetAxisLabelFontSize(11)


def _removeNode(node):
    if node is not None and slicer.mrmlScene.IsNodePresent(node):
        slicer.mrmlScene.RemoveNode(node)
