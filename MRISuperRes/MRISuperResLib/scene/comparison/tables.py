"""Scores of a comparison as nodes: table of means, table of lesions, plot over the slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

if TYPE_CHECKING:
    from ...core.comparison.lesions import LesionScore
    from ...core.comparison.scores import Metric, ScoreTable
    from ...core.slice_axis import SliceAxis

COLORS = (
    (0.0, 0.45, 0.7),
    (0.9, 0.6, 0.0),
    (0.0, 0.62, 0.45),
    (0.8, 0.4, 0.0),
    (0.8, 0.47, 0.65),
    (0.34, 0.71, 0.91),
    (0.0, 0.0, 0.0),
    (0.5, 0.5, 0.5),
)
"""One color per method for a light background: Okabe and Ito's colorblind-safe palette, with gray
instead of yellow."""

SLICE_COLUMN = "slice"
LEGEND_SHARE = 0.6
"""Extension of the slice axis, as a fraction, that keeps the legend clear of the lines."""


def fillTable(
    node: slicer.vtkMRMLTableNode, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Fill a table node with texts."""
    # whole columns at once, since AddColumn of a table node pads short columns
    table = vtk.vtkTable()
    for name, cells in zip(header, zip(*rows)):
        column = vtk.vtkStringArray()
        column.SetName(name)
        for cell in cells:
            column.InsertNextValue(cell)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    node.SetUseColumnNameAsColumnHeader(True)
    node.SetLocked(True)


def lesionRows(lesions: Sequence[LesionScore]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of synthetic lesions: a row per method."""
    diameters = sorted({lesion.diameter for lesion in lesions})
    header = [_("Method"), *(_("{n} voxels").format(n=diameter) for diameter in diameters)]
    cells = {
        (lesion.method, lesion.diameter): f"{lesion.outcome}, {lesion.contrast:.0%}"
        for lesion in lesions
    }
    return header, [
        [method, *(cells[method, diameter] for diameter in diameters)]
        for method in dict.fromkeys(lesion.method for lesion in lesions)
    ]


def fillSliceTable(node: slicer.vtkMRMLTableNode, scores: ScoreTable) -> None:
    """Fill a table node with a column per method and metric, and a row per slice.

    Undefined scores are NaN.
    """
    columns = {
        columnName(method, metric.key): scores.values(method, metric.key)
        for method in scores.methods
        for metric in scores.metrics
    }
    table = vtk.vtkTable()
    for name, values in {SLICE_COLUMN: range(len(next(iter(columns.values())))), **columns}.items():
        column = numpy_to_vtk(np.array(values, dtype=float), deep=True)  # None becomes NaN
        column.SetName(name)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    node.SetUseColumnNameAsColumnHeader(True)
    node.SetLocked(True)


def columnName(method: str, key: str) -> str:
    """Return the name of a column of the slice table."""
    return f"{method} {key}"


def fillSeries(
    node: slicer.vtkMRMLPlotSeriesNode,
    sliceTableNode: slicer.vtkMRMLTableNode,
    method: str,
    number: int,
) -> None:
    """Set up the plot series of one method, whose number selects the color."""
    # the name is the text of the legend, so it is not made unique in the scene
    node.SetName(method)
    node.SetAndObserveTableNodeID(sliceTableNode.GetID())
    node.SetXColumnName(SLICE_COLUMN)
    node.SetPlotType(node.PlotTypeScatter)
    node.SetLineStyle(node.LineStyleSolid)
    # markers, since no line connects the isolated points of a perceptual metric
    node.SetMarkerStyle(node.MarkerStyleCircle)
    node.SetMarkerSize(5)
    node.SetColor(*COLORS[number % len(COLORS)])


def fillChart(
    node: slicer.vtkMRMLPlotChartNode,
    seriesNodes: Sequence[slicer.vtkMRMLPlotSeriesNode],
    axis: SliceAxis,
) -> None:
    """Set up the plot chart of all series."""
    for series in seriesNodes:
        node.AddAndObservePlotSeriesNodeID(series.GetID())
    node.SetTitleVisibility(False)
    node.SetXAxisTitle(_("slice (along {axis})").format(axis=axis.name))
    node.SetLegendFontSize(11)
    node.SetAxisTitleFontSize(12)
    node.SetAxisLabelFontSize(11)


def showMetric(chartNode: slicer.vtkMRMLPlotChartNode, metric: Metric) -> None:
    """Plot a metric over all slices, and reset the zoom of the plot."""
    slices = 2
    for n in range(chartNode.GetNumberOfPlotSeriesNodes()):
        series = chartNode.GetNthPlotSeriesNode(n)
        series.SetYColumnName(columnName(series.GetName(), metric.key))
        slices = max(
            slices, series.GetTableNode().GetNumberOfRows() if series.GetTableNode() else 0
        )
    chartNode.SetXAxisRangeAuto(False)
    chartNode.SetXAxisRange(0, (slices - 1) * (1 + LEGEND_SHARE))
    chartNode.SetYAxisRangeAuto(True)
    chartNode.SetYAxisTitle(metric.heading)
