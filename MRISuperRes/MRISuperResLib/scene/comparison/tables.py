"""The numbers of a comparison as nodes: the table of means, the table of dots, and the plot of a metric along the slices."""

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

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
"""One per method, on a light background: the palette of Okabe and Ito, which color-blind people can tell apart; gray for its yellow."""

SLICE_COLUMN = "slice"
LEGEND_SHARE = 0.6
"""So much is added to the axis of the slices, so that the legend hides no line."""


def fillTable(node, header, rows):
    """A table of texts. Whole columns are set at once: AddColumn of a table node pads a column that is shorter than the table."""
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


def dotRows(dots):
    """(header, rows): for every method, what became of each planted dot. dots: DotScores."""
    diameters = sorted({dot.diameter for dot in dots})
    header = [_("Method"), *(_("{n} voxels").format(n=diameter) for diameter in diameters)]
    found = {(dot.method, dot.diameter): f"{dot.word}, {dot.height:.0%}" for dot in dots}
    return header, [
        [method, *(found[method, diameter] for diameter in diameters)]
        for method in dict.fromkeys(dot.method for dot in dots)
    ]


def fillSliceTable(node, scores):
    """A column of numbers per method and metric, a row per slice; NaN where a metric is not defined. scores: ScoreTable."""
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


def columnName(method, key):
    return f"{method} {key}"


def fillSeries(node, sliceTableNode, method, number):
    """The line of one method, whose number chooses the color. What it shows is said by `showMetric`."""
    node.SetName(
        method
    )  # the text of the legend, also where another comparison has one of this name
    node.SetAndObserveTableNodeID(sliceTableNode.GetID())
    node.SetXColumnName(SLICE_COLUMN)
    node.SetPlotType(node.PlotTypeScatter)
    node.SetLineStyle(node.LineStyleSolid)
    node.SetMarkerStyle(
        node.MarkerStyleCircle
    )  # a perceptual metric has single points, between which no line can be drawn
    node.SetMarkerSize(5)
    node.SetColor(*COLORS[number % len(COLORS)])


def fillChart(node, seriesNodes, axis):
    """axis: slices.SliceAxis."""
    for series in seriesNodes:
        node.AddAndObservePlotSeriesNodeID(series.GetID())
    node.SetTitleVisibility(False)
    node.SetXAxisTitle(_("slice (along {axis})").format(axis=axis.name))
    node.SetLegendFontSize(11)
    node.SetAxisTitleFontSize(12)
    node.SetAxisLabelFontSize(11)


def showMetric(chartNode, metric):
    """metric: comparison.scores.Metric. The user may have zoomed to where it has no values: all of it is shown."""
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
