"""Nodes of a comparison, in one folder beside its input; tables and plot of its scores."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from ...core.comparison.lesions import LesionScore
from ...core.comparison.scores import Metric, ScoreTable
from ...core.errors import SuperResolutionError
from ...core.geometry import SliceAxis
from ...core.messages import Message
from ...core.options import ComparisonOptions
from ..nodes import ATTRIBUTE_PREFIX, removeNode, subjectHierarchy

HUB_MODULE = "MRISuperResComparison"
REFERENCE, LOW, OUTPUT, MAP, COLORS = "reference", "low", "output", "map", "colors"
TABLE, LESION_TABLE, SLICE_TABLE = "table", "lesionTable", "sliceTable"
CHART, SERIES = "chart", "series"
ROLES = (SERIES, CHART, TABLE, LESION_TABLE, SLICE_TABLE, REFERENCE, LOW, OUTPUT, MAP, COLORS)
"""Roles of the hub's node references, in the order in which the nodes are removed."""

PARTNER = ATTRIBUTE_PREFIX + "Partner"
"""Attribute of the output of a GAN model or blend: the PSNR model of its pair, if compared."""
DESCRIPTION = ATTRIBUTE_PREFIX + "Description"
"""Attribute of the hub: title, options and scores as JSON."""
FOLDER = ATTRIBUTE_PREFIX + "Comparison"
"""Attribute that links a hub to its folder."""

PLOT_COLORS = (
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


class ComparisonNodes:
    """A comparison in the scene.

    Any of its nodes may be deleted or renamed at any time; a deleted node is None, or missing.

    Attributes:
        hub: Hidden node, saved with the scene, that references all other nodes and stores options
            and scores, so that another session can show the comparison again.
        title: Name for the user.
        options: The `ComparisonOptions`.
        axis: The slice axis.
        table: Scores of the methods.
        lesions: Scores of the synthetic lesions.
        messages: Messages about the result.
    """

    def __init__(self, hub: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.hub = hub
        values = json.loads(hub.GetAttribute(DESCRIPTION))
        self.title: str = values["title"]
        self.options = ComparisonOptions.from_dict(values["options"])
        self.axis = SliceAxis(**values["axis"])
        self.table: ScoreTable = ScoreTable.from_dict(values["table"])
        self.lesions: list[LesionScore] = [LesionScore(**score) for score in values["lesions"]]
        self.messages = [Message.from_dict(message) for message in values["messages"]]

    @classmethod
    def inScene(cls) -> list[ComparisonNodes]:
        """Return all comparisons of the scene, the oldest first.

        Those that another version saved in an incompatible format are skipped.
        """
        found = []
        for hub in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            if hub.GetAttribute("ModuleName") == HUB_MODULE:
                try:
                    found.append(cls(hub))
                except (KeyError, TypeError, ValueError, SuperResolutionError) as error:
                    logging.warning(
                        f"MRISuperRes: a comparison of this scene cannot be shown ({error})"
                    )
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComparisonNodes) and self.hub is other.hub

    __hash__ = None

    @property
    def isPresent(self) -> bool:
        """True while there is at least one output."""
        return bool(self.outputs)

    @property
    def reference(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The reference that the methods restored, if any."""
        return self._first(REFERENCE)

    @property
    def low(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The low-resolution input of the methods."""
        return self._first(LOW)

    @property
    def outputs(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Output volumes by method name, in the order of the options."""
        nodes = {node.GetAttribute(ATTRIBUTE_PREFIX + "Model"): node for node in self.nodes(OUTPUT)}
        return {method: nodes[method] for method in self.options.methods if method in nodes}

    @property
    def tableNode(self) -> slicer.vtkMRMLTableNode | None:
        """Table of the mean scores."""
        return self._first(TABLE)

    @property
    def lesionTableNode(self) -> slicer.vtkMRMLTableNode | None:
        """Table of the synthetic lesions; None if none could be placed."""
        return self._first(LESION_TABLE)

    @property
    def sliceTableNode(self) -> slicer.vtkMRMLTableNode | None:
        """Table of the scores of every slice."""
        return self._first(SLICE_TABLE)

    @property
    def plotChartNode(self) -> slicer.vtkMRMLPlotChartNode | None:
        """Plot of one metric over the slices."""
        return self._first(CHART)

    @property
    def report(self) -> str:
        """Messages and scores of the synthetic lesions, one per line."""
        lines = [message.text for message in self.messages]
        return "\n".join([*lines, *(lesion.text() for lesion in self.lesions)])

    def showMetric(self, key: str) -> None:
        """Plot a metric of the table."""
        if self.plotChartNode is not None:
            plotMetric(self.plotChartNode, self.table.metric(key))

    def nodes(self, role: str) -> list[slicer.vtkMRMLNode]:
        """Return the nodes of one of `ROLES` that still exist."""
        if not slicer.mrmlScene.IsNodePresent(self.hub):
            return []
        found = [
            self.hub.GetNthNodeReference(role, n)
            for n in range(self.hub.GetNumberOfNodeReferences(role))
        ]
        return [node for node in found if node is not None]

    def _first(self, role: str) -> slicer.vtkMRMLNode | None:
        return next(iter(self.nodes(role)), None)

    def add(
        self, role: str, node: slicer.vtkMRMLNode, under: slicer.vtkMRMLNode | None = None
    ) -> slicer.vtkMRMLNode:
        """Add a node to the comparison, and to its folder or under another node; return it."""
        self.hub.AddNodeReferenceID(role, node.GetID())
        hierarchy = subjectHierarchy()
        if hierarchy is not None and role != COLORS:
            parent = hierarchy.GetItemByDataNode(under) if under else self._folderItem(hierarchy)
            if parent:
                hierarchy.SetItemParent(
                    hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node), parent
                )
        return node

    def makeFolder(self, parentItem: int) -> None:
        """Make the subject hierarchy folder of the comparison."""
        hierarchy = subjectHierarchy()
        if hierarchy is not None:
            hierarchy.SetItemAttribute(
                hierarchy.CreateFolderItem(parentItem, self.title),
                FOLDER,
                self.hub.GetAttribute(FOLDER),
            )

    def _folderItem(self, hierarchy: slicer.vtkMRMLSubjectHierarchyNode) -> int:
        """Return the item of the folder; 0 if the user removed it."""
        items = vtk.vtkIdList()
        hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
        ids = (items.GetId(n) for n in range(items.GetNumberOfIds()))
        return next(
            (
                item
                for item in ids
                if hierarchy.GetItemAttribute(item, FOLDER) == self.hub.GetAttribute(FOLDER)
            ),
            0,
        )

    def remove(self) -> None:
        """Remove all nodes, and the folder unless the user put something else into it."""
        if not slicer.mrmlScene.IsNodePresent(self.hub):
            return
        for role in ROLES:
            for node in self.nodes(role):
                removeNode(node)
        hierarchy = subjectHierarchy()
        folder = self._folderItem(hierarchy) if hierarchy is not None else 0
        if folder and not hierarchy.GetNumberOfItemChildren(folder):
            hierarchy.RemoveItem(folder)
        slicer.mrmlScene.RemoveNode(self.hub)


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
    node.SetUseColumnTitleAsColumnHeader(True)
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
    node.SetUseColumnTitleAsColumnHeader(True)
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
    node.SetColor(*PLOT_COLORS[number % len(PLOT_COLORS)])


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


def plotMetric(chartNode: slicer.vtkMRMLPlotChartNode, metric: Metric) -> None:
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
