"""The nodes of one comparison, in one folder beside the input."""

import json
import logging

import slicer
import vtk

from ...core import slice_axis
from ...core.errors import SuperResolutionError
from ...core.options import ComparisonOptions
from ..output_nodes import ATTRIBUTE_PREFIX, removeNode, subjectHierarchy
from . import tables as tables

HUB_MODULE = "MRISuperResComparison"
REFERENCE, LOW, OUTPUT, MAP, COLORS = "reference", "low", "output", "map", "colors"
TABLE, DOTS_TABLE, SLICE_TABLE, CHART, SERIES = (
    "table",
    "dotsTable",
    "sliceTable",
    "chart",
    "series",
)
ROLES = (SERIES, CHART, TABLE, DOTS_TABLE, SLICE_TABLE, REFERENCE, LOW, OUTPUT, MAP, COLORS)
"""Of the hub's references, in the order in which the nodes are removed."""

PARTNER = ATTRIBUTE_PREFIX + "Partner"
"""Attribute of the output of a GAN model or a blend: the PSNR model of its pair, where that is compared, too."""
KNOWN = ATTRIBUTE_PREFIX + "Known"
FOLDER = ATTRIBUTE_PREFIX + "Comparison"
"""Attribute of the hub and of the folder, by which the folder is found."""


class ComparisonNodes:
    """A comparison in the scene. Any of its nodes may be deleted or renamed at any time: what is gone is None, or missing.

    hub: a hidden node that refers to all the others and knows what they do not say. It is saved with the scene, so that the
    comparison can be shown again in another session, and after its removal nothing here refers to a node of the next scene.
    """

    def __init__(self, hub):
        # here, because they import scipy, for which the start of the application should not wait
        from ...core.comparison.lesions import LesionScore
        from ...core.comparison.scores import ScoreTable

        self.hub = hub
        known = json.loads(hub.GetAttribute(KNOWN))
        self.title, self.messages = known["title"], known["messages"]
        self.job = ComparisonOptions.from_dict(known["job"])
        self.axis = slice_axis.SliceAxis(**known["axis"])
        self.table = ScoreTable.from_dict(known["table"])
        self.dots = [LesionScore(**dot) for dot in known["dots"]]

    @classmethod
    def inScene(cls):
        """All comparisons of the scene, the oldest first; without those that another version has saved in a way of its own."""
        found = []
        for hub in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            if hub.GetAttribute("ModuleName") == HUB_MODULE:
                try:
                    found.append(cls(hub))
                except (KeyError, TypeError, ValueError, SuperResolutionError) as error:
                    logging.warning(
                        f"MRISuperRes: a comparison of this scene can't be shown ({error})"
                    )
        return found

    def __eq__(self, other):
        return isinstance(other, ComparisonNodes) and self.hub is other.hub

    __hash__ = None

    @property
    def isPresent(self):
        """Whether there is still something to compare."""
        return bool(self.outputs)

    @property
    def reference(self):
        """The truth that the methods were to restore, or None."""
        return self._first(REFERENCE)

    @property
    def low(self):
        """What the methods were given."""
        return self._first(LOW)

    @property
    def outputs(self):
        """{method name: volume node} in the order of the job."""
        nodes = {node.GetAttribute(ATTRIBUTE_PREFIX + "Model"): node for node in self.nodes(OUTPUT)}
        return {method: nodes[method] for method in self.job.methods if method in nodes}

    @property
    def tableNode(self):
        return self._first(TABLE)

    @property
    def dotsTableNode(self):
        """None where no dot found its place."""
        return self._first(DOTS_TABLE)

    @property
    def sliceTableNode(self):
        return self._first(SLICE_TABLE)

    @property
    def plotChartNode(self):
        return self._first(CHART)

    @property
    def report(self):
        """What there is to say about it besides the numbers of the table."""
        return "\n".join([*self.messages, *(dot.text() for dot in self.dots)])

    def showMetric(self, key):
        """Lets the plot show a metric of the table."""
        if self.plotChartNode is not None:
            tables.showMetric(self.plotChartNode, self.table.metric(key))

    def nodes(self, role):
        """What is still there of the nodes of one of ROLES."""
        if not slicer.mrmlScene.IsNodePresent(self.hub):
            return []
        found = [
            self.hub.GetNthNodeReference(role, n)
            for n in range(self.hub.GetNumberOfNodeReferences(role))
        ]
        return [node for node in found if node is not None]

    def _first(self, role):
        return next(iter(self.nodes(role)), None)

    def add(self, role, node, under=None):
        """Makes a node a part of the comparison; it goes with it, and is listed in its folder, or under another node. Returns the node."""
        self.hub.AddNodeReferenceID(role, node.GetID())
        hierarchy = subjectHierarchy()
        if hierarchy is not None and role != COLORS:
            parent = hierarchy.GetItemByDataNode(under) if under else self._folderItem(hierarchy)
            if parent:
                hierarchy.SetItemParent(
                    hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node), parent
                )
        return node

    def makeFolder(self, parentItem):
        """The folder for all that is added."""
        hierarchy = subjectHierarchy()
        if hierarchy is not None:
            hierarchy.SetItemAttribute(
                hierarchy.CreateFolderItem(parentItem, self.title),
                FOLDER,
                self.hub.GetAttribute(FOLDER),
            )

    def _folderItem(self, hierarchy):
        """0 where the user has removed it."""
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

    def remove(self):
        """Takes everything out of the scene; the folder only where the user has put nothing else into it."""
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
