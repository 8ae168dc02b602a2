"""The curves of a run as nodes: a table, its lines and a chart, for the losses and for the validation."""

import math
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from MRISuperResLib.core.models.card import STAGES
from MRISuperResLib.scene.comparison.tables import COLORS

STEP = "step"
MOST_POINTS = 1000
"""Of a line: more than a plot has pixels make it slow and no better."""

LEGEND_SHARE = 0.45
"""So much is added to the axis of the steps, so that the legend hides no line."""


class Line(NamedTuple):
    """text: of the legend. color: number of one of COLORS. points: [(step of both stages, value)]."""

    text: str
    color: int
    points: list


def lossLines(record):
    """[Line] with log10 of the losses, which differ by orders of magnitude. record: core.run.record.RunRecord."""
    names = {
        ("psnr", "content"): _("L1, stage 1"),
        ("psnr", "fft"): _("spectrum"),
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


def psnrLines(record):
    """[Line] of the PSNR on the validation slices, dB."""
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
    return [line for line in [*lines, Line(_("bicubic"), len(COLORS) - 1, bicubic)] if line.points]


class Curves:
    """A chart in the scene that is filled again and again; never saved with the scene.

    name: of the chart. title: of its y axis. markers: whether the points are shown.
    """

    def __init__(self, name, title, markers=False):
        self._name, self._title, self._markers = name, title, markers
        self._nodes = {}  # {text: (table node, series node)}
        self.chart = None

    def show(self, lines, total):
        """lines: [Line]; total: the number of steps of the run."""
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

    def remove(self):
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
        series.SetName(text)  # of the legend, also where another chart has a line of this name
        _fill(table, self._title, [])
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(STEP)
        series.SetYColumnName(self._title)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetLineStyle(series.LineStyleSolid)
        series.SetLineWidth(2)
        series.SetMarkerStyle(series.MarkerStyleCircle if self._markers else series.MarkerStyleNone)
        series.SetMarkerSize(6)
        series.SetColor(*COLORS[line.color])
        self._nodes[text] = table, series
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def _removeLine(self, text):
        table, series = self._nodes.pop(text)
        if self.chart is not None and slicer.mrmlScene.IsNodePresent(self.chart):
            self.chart.RemovePlotSeriesNodeID(series.GetID())
        for node in (series, table):
            _removeNode(node)


def _fill(tableNode, title, points):
    thinned = points[:: -max(1, -(-len(points) // MOST_POINTS))][
        ::-1
    ]  # the last point is among them
    thinned = np.array(thinned * (2 if len(thinned) == 1 else 1), float).reshape(
        -1, 2
    )  # a line needs two
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
