"""A run in the scene: sample slices as volumes, curves in charts, and the layout of both."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from MRISuperResLib.core.models.card import STAGES
from MRISuperResLib.scene.comparison.layout import registerLayout
from MRISuperResLib.scene.comparison.nodes import PLOT_COLORS
from MRISuperResLib.scene.nodes import removeNode

from ..runs.record import RunRecord
from .dataset import VIEW

KINDS = "low", "output", "high"
"""Kinds of slices in samples.npz: low_0, output_0, high_0, low_1, … float32, about 0 to 1. Between
slices, the rows of low_0, low_1, … are thick slices, whose spacings differ."""

LAYOUT_ID, VIEW_GROUP = 20189, 20189
SLICE_VIEWS = {kind: f"MRISuperResTraining{kind.capitalize()}" for kind in KINDS}
"""Singleton tags of the slice views."""
PLOT_VIEWS = "MRISuperResTrainingPsnr", "MRISuperResTrainingLoss"
VIEW_COLOR = "#8CB0DD"

STEP = "step"
MAX_POINTS = 1000
"""Points of a curve: a plot has no more pixels, and more make it slow."""

LEGEND_SHARE = 0.45
"""Part of the number of steps that is added to their axis, so that the legend hides no curve."""


def layoutDescription() -> str:
    """Return the layout as XML, made as a tree because Slicer accepts malformed text silently."""
    layout = ElementTree.Element("layout", type="vertical", split="true")
    slices = ElementTree.SubElement(
        ElementTree.SubElement(layout, "item", splitSize="600"), "layout", type="horizontal"
    )
    for kind, label in zip(KINDS, ("LR", "SR", "HR")):
        _addView(
            slices,
            "vtkMRMLSliceNode",
            SLICE_VIEWS[kind],
            orientation="Axial",
            viewlabel=label,
            viewcolor=VIEW_COLOR,
            viewgroup=str(VIEW_GROUP),
        )
    plots = ElementTree.SubElement(
        ElementTree.SubElement(layout, "item", splitSize="400"), "layout", type="horizontal"
    )
    for tag, label in zip(PLOT_VIEWS, (_("PSNR"), _("Losses"))):
        _addView(plots, "vtkMRMLPlotViewNode", tag, viewlabel=label)
    return ElementTree.tostring(layout, encoding="unicode")


def _addView(layout, className, tag, **properties):
    view = ElementTree.SubElement(
        ElementTree.SubElement(layout, "item"), "view", {"class": className, "singletontag": tag}
    )
    for name, value in properties.items():
        ElementTree.SubElement(view, "property", name=name, action="default").text = value


def describeLayout(layoutNode: slicer.vtkMRMLLayoutNode) -> None:
    """Register the layout in a layout node."""
    registerLayout(layoutNode, LAYOUT_ID, layoutDescription())


def readSamples(path: str | Path) -> dict[str, list[np.ndarray]] | None:
    """Return {kind: slices (h, w)} of a file samples.npz; None if it is missing or incomplete."""
    try:
        with np.load(path) as file:
            count = sum(name.startswith("low_") for name in file.files)
            samples = {kind: [file[f"{kind}_{n}"] for n in range(count)] for kind in KINDS}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    samples["low"] = [
        _repeatRows(low, len(high)) if low.shape[1] == high.shape[1] else low
        for low, high in zip(samples["low"], samples["high"])
    ]
    return samples if count else None


def _repeatRows(image, count):
    """Thick slices (slices, w) on the grid of the reference: (count, w)."""
    return image[np.arange(count) * len(image) // count]


class SampleVolumes:
    """Three volume nodes at the same place, whose slice n shows sample n; never saved.

    Attributes:
        nodes: {kind: volume node}.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}

    def show(self, samples: dict[str, list[np.ndarray]]) -> None:
        """Show the slices that `readSamples` returned."""
        reference = samples["high"]
        height, width = (max(image.shape[side] for image in reference) for side in (0, 1))
        for kind in KINDS:
            factor = reference[0].shape[0] / samples[kind][0].shape[0]
            self._fill(
                kind, _stack(samples[kind], round(height / factor), round(width / factor)), factor
            )

    def remove(self) -> None:
        """Remove the nodes from the scene."""
        for node in self.nodes.values():
            if slicer.mrmlScene.IsNodePresent(node):
                removeNode(node)
        self.nodes = {}

    def _fill(self, kind, stack, factor):
        node = self.nodes.get(kind)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = self.nodes[kind] = _makeNode(kind)
        slicer.util.updateVolumeFromArray(node, stack)
        # Columns from left to right and rows upwards, as in most NIfTI files. The origin is the
        # center of pixel 0, which covers `factor` pixels of a high-resolution slice.
        matrix = np.diag([-factor, factor, 1.0, 1.0])
        matrix[:2, 3] = -(factor - 1) / 2, (factor - 1) / 2
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetSaveWithScene(False)
            display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
            display.SetInterpolate(False)  # shows the pixels without smoothing
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, 1.0)


def _makeNode(kind):
    text = {
        "low": _("low-resolution"),
        "output": _("output"),
        "high": _("reference"),
    }[kind]
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(_("Training sample, {kind}").format(kind=text))
    node.SetAttribute(VIEW, kind)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)


def _stack(images, height, width):
    """Slices as an array (n, height, width); smaller ones are centered on black."""
    stack = np.zeros((len(images), height, width), np.float32)
    for plane, image in zip(stack, images):
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        plane[top : top + image.shape[0], left : left + image.shape[1]] = image
    return stack


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
        ("gan", "artifacts"): _("artifacts"),
        ("gan", "mesh"): _("mesh"),
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
        Line(text, color, [(step, value) for step, value, _baseline in scores[stage]])
        for color, (stage, text) in enumerate((("psnr", _("stage 1")), ("gan", _("stage 2"))))
    ]
    baseline = [
        (step, value)
        for stage in STAGES
        for step, _network, value in scores[stage]
        if value is not None
    ]
    lines.append(Line(baselineText(record), len(PLOT_COLORS) - 1, baseline))
    return [line for line in lines if line.points]


def baselineText(record: RunRecord) -> str:
    """Return the name of the interpolation that a run is compared with."""
    return {"bspline": _("B-spline")}.get(record.baseline, record.baseline)


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
            _describeChart(self.chart, self._title)
        for text in set(self._nodes) - {line.text for line in lines}:
            self._removeLine(text)
        for line in lines:
            if line.text not in self._nodes:
                self._addLine(line)
            _fillTable(self._nodes[line.text][0], self._title, line.points)
        self.chart.SetXAxisRangeAuto(False)
        self.chart.SetXAxisRange(0, max(total, 1) * (1 + LEGEND_SHARE))

    def remove(self) -> None:
        """Remove all nodes from the scene."""
        for text in list(self._nodes):
            self._removeLine(text)
        _removeIfPresent(self.chart)
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
        _fillTable(table, self._title, [])
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
            _removeIfPresent(node)


def _fillTable(tableNode, title, points):
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
    tableNode.SetUseColumnTitleAsColumnHeader(True)


def _describeChart(chart, title):
    chart.SetTitleVisibility(False)
    chart.SetXAxisTitle(_("Step"))
    chart.SetYAxisTitle(title)
    chart.SetXAxisTitleVisibility(True)
    chart.SetYAxisTitleVisibility(True)
    chart.SetYAxisRangeAuto(True)
    chart.SetLegendFontSize(11)
    chart.SetAxisTitleFontSize(12)
    chart.SetAxisLabelFontSize(11)


def _removeIfPresent(node):
    if node is not None and slicer.mrmlScene.IsNodePresent(node):
        slicer.mrmlScene.RemoveNode(node)
