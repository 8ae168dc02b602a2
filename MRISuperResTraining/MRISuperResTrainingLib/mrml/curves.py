"""The curves of a run as nodes: a table, its lines and a chart, for the losses and for the validation."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from MRISuperResLib.mrml.comparison_tables import COLOURS

STEP = "step"
MOST_POINTS = 1000
"""Of a line: more than a plot has pixels make it slow and no better."""

STAGES = "psnr", "gan"


def lossCurves(record):
    """{text of the legend: [(step, log10 of the loss)]}. record: core.run.record.RunRecord. Losses differ by orders of magnitude."""
    curves = {}
    for stage in STAGES:
        for name, points in record.losses(stage).items():
            text = f"{_lossName(name)}, {_stageName(stage)}" if name == "content" else _lossName(name)
            curves[text] = [(step, np.log10(value)) for step, value in points if value > 0]
    return {text: points for text, points in curves.items() if points}


def psnrCurves(record):
    """{text of the legend: [(step, dB)]} of the validation."""
    curves, bicubic = {}, []
    for stage in STAGES:
        scores = record.validations(stage, "psnr")
        if scores:
            curves[_("network, {stage}").format(stage=_stageName(stage))] = [(step, value) for step, value, _reference in scores]
            bicubic += [(step, reference) for step, _value, reference in scores if reference is not None]
    if bicubic:
        curves[_("bicubic")] = bicubic
    return curves


def _lossName(name):
    return {"content": _("L1"), "fft": _("spectrum"), "perceptual": _("perceptual"), "adversarial": _("adversarial"),
            "discriminator": _("discriminator")}.get(name, name)


def _stageName(stage):
    return _("stage 1") if stage == "psnr" else _("stage 2")


class Curves:
    """A chart in the scene that is filled again and again; never saved with the scene.

    name: of the chart. title: of its y axis. markers: whether the points are shown.
    """

    def __init__(self, name, title, markers=False):
        self._name, self._title, self._markers = name, title, markers
        self._nodes = {}  # {text: (table node, series node)}
        self.chart = None

    def show(self, curves, total):
        """curves: {text: [(step, value)]}; total: the number of steps of the run."""
        if self.chart is None or not slicer.mrmlScene.IsNodePresent(self.chart):
            self.remove()
            self.chart = self._add("vtkMRMLPlotChartNode", self._name)
            _describe(self.chart, self._title)
        for text in [text for text in self._nodes if text not in curves]:
            self._removeLine(text)
        for text, points in curves.items():
            if text not in self._nodes:
                self._addLine(text)
            _fill(self._nodes[text][0], self._title, points)
        self.chart.SetXAxisRangeAuto(False)
        self.chart.SetXAxisRange(0, max(total, 1))

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

    def _addLine(self, text):
        table, series = self._add("vtkMRMLTableNode", f"{self._name} {text}"), self._add("vtkMRMLPlotSeriesNode", text)
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
        used = {known.GetColor() for _table, known in self._nodes.values()}
        series.SetColor(*next((colour for colour in COLOURS if colour not in used), COLOURS[-1]))
        self._nodes[text] = table, series
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def _removeLine(self, text):
        table, series = self._nodes.pop(text)
        if self.chart is not None and slicer.mrmlScene.IsNodePresent(self.chart):
            self.chart.RemovePlotSeriesNodeID(series.GetID())
        for node in (series, table):
            _removeNode(node)


def _fill(tableNode, title, points):
    thinned = points[::-max(1, -(-len(points) // MOST_POINTS))][::-1]  # the last point is among them
    thinned = np.array(thinned * (2 if len(thinned) == 1 else 1), float).reshape(-1, 2)  # a line needs two
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
