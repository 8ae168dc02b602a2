"""Nodes of a comparison, in one folder beside its input."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import slicer
import vtk

from ...core.errors import SuperResolutionError
from ...core.messages import Message
from ...core.options import ComparisonOptions
from ...core.slice_axis import SliceAxis
from ..nodes import ATTRIBUTE_PREFIX, removeNode, subjectHierarchy
from . import tables

if TYPE_CHECKING:
    from ...core.comparison.lesions import LesionScore
    from ...core.comparison.scores import ScoreTable

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
        # imported here, since scipy would delay the start of the application
        from ...core.comparison.lesions import LesionScore
        from ...core.comparison.scores import ScoreTable

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
            tables.showMetric(self.plotChartNode, self.table.metric(key))

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
