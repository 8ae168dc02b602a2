"""Layout and display of a comparison: a grid of slice views, all with the same window and level."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

import slicer
import vtk

from ...core.options import MAX_METHODS
from ..steps import Steps

COMPARISON_LAYOUT_ID = 20187
MAIN_VIEW_GROUP, ZOOM_VIEW_GROUP = 20187, 20188
"""Groups of linked views, apart from those of other layouts."""

MAIN_STRETCH, ZOOM_STRETCH = 3, 2
MAIN_COLOR, ZOOM_COLOR = "#8CB0DD", "#E6C35C"


def mainViewNames(count: int) -> list[str]:
    """Return the singleton tags of the views of `count` images."""
    return [f"MRISuperResCompare{n + 1}" for n in range(count)]


def zoomViewNames(count: int) -> list[str]:
    """Return the singleton tags of the zoom views of `count` images."""
    return [f"MRISuperResZoom{n + 1}" for n in range(count)]


def columns(count: int, zoom: bool) -> int:
    """Return the number of columns: one row of images, or two rows if they appear larger in two."""
    return count if count <= (5 if zoom else 3) else math.ceil(count / 2)


def layoutDescription(count: int, zoom: bool) -> str:
    """Return the XML of the layout.

    A grid keeps all columns equally wide even if the last row is not full. The XML is built as a
    tree, since Slicer accepts malformed XML silently.

    Args:
        count: Number of images.
        zoom: Add a zoom view under every image.
    """
    layout = ElementTree.Element("layout", type="grid")
    for n, (main, zoomed) in enumerate(zip(mainViewNames(count), zoomViewNames(count))):
        row, column = divmod(n, columns(count, zoom))
        _addView(
            layout,
            row * (1 + zoom),
            column,
            main,
            str(n + 1),
            MAIN_COLOR,
            MAIN_VIEW_GROUP,
            MAIN_STRETCH,
        )
        if zoom:
            _addView(
                layout,
                row * 2 + 1,
                column,
                zoomed,
                f"{n + 1}+",
                ZOOM_COLOR,
                ZOOM_VIEW_GROUP,
                ZOOM_STRETCH,
            )
    return ElementTree.tostring(layout, encoding="unicode")


def _addView(layout, row, column, tag, label, color, group, stretch):
    item = ElementTree.SubElement(layout, "item", row=str(row), column=str(column))
    attributes = {
        "class": "vtkMRMLSliceNode",
        "singletontag": tag,
        "horizontalStretch": "1",
        "verticalStretch": str(stretch),
    }
    view = ElementTree.SubElement(item, "view", attributes)
    for name, value in (
        ("orientation", "Axial"),
        ("viewlabel", label),
        ("viewcolor", color),
        ("viewgroup", str(group)),
    ):
        ElementTree.SubElement(view, "property", name=name, action="default").text = value


def describeLayout(layoutNode: slicer.vtkMRMLLayoutNode, count: int, zoom: bool) -> None:
    """Register the layout of a comparison; see `layoutDescription` and `registerLayout`."""
    registerLayout(layoutNode, COMPARISON_LAYOUT_ID, layoutDescription(count, zoom))


def registerLayout(layoutNode: slicer.vtkMRMLLayoutNode, layoutId: int, description: str) -> None:
    """Add or replace the XML description of a layout; the views change at once if it is shown."""
    if layoutNode.IsLayoutDescription(layoutId):
        layoutNode.SetLayoutDescription(layoutId, description)
    else:
        layoutNode.AddLayoutDescription(layoutId, description)
    if layoutNode.GetViewArrangement() == layoutId:
        # a loaded scene may select a layout that was unknown until now
        layoutNode.SetViewArrangement(layoutId)


def missingViewSteps(count: int, zoom: bool) -> Steps[None]:
    """Add the missing views of a layout one by one, because each takes about 0.1 s to build.

    The layout manager builds a hidden view for every slice node that is added to the scene. A
    layout shows those with its tags, and would otherwise build all of them at once.
    """
    for view in ElementTree.fromstring(layoutDescription(count, zoom)).iter("view"):
        className, tag = view.get("class"), view.get("singletontag")
        if slicer.mrmlScene.GetSingletonNode(tag, className) is None:
            properties = {each.get("name"): each.text for each in view}
            node = slicer.mrmlScene.CreateNodeByClass(className)
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node.SetName(tag)
            node.SetLayoutName(tag)
            node.SetLayoutLabel(properties["viewlabel"])
            node.SetLayoutColor(
                *(byte / 255 for byte in bytes.fromhex(properties["viewcolor"][1:]))
            )
            node.SetViewGroup(int(properties["viewgroup"]))
            node.SetOrientation(properties["orientation"])
            slicer.mrmlScene.AddNode(node)
            yield


def volumesInViews() -> set[slicer.vtkMRMLVolumeNode]:
    """Return the volumes in the background of the views of the layout."""
    names = mainViewNames(MAX_METHODS + 1)
    ids = (
        composite.GetBackgroundVolumeID()
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        if composite.GetLayoutName() in names
    )
    return {slicer.mrmlScene.GetNodeByID(volumeId) for volumeId in ids if volumeId} - {None}


class ComparisonDisplay:
    """Display of volumes with one window and level, and without interpolation.

    Until `close`, a change of window or level in one volume is copied to the others.

    Args:
        volumeNodes: The volumes; the first one gives the initial window and level.
    """

    def __init__(self, volumeNodes: Iterable[slicer.vtkMRMLScalarVolumeNode]) -> None:
        self._settings: dict[slicer.vtkMRMLDisplayNode, _Settings] = {}
        self._observers: list[tuple[slicer.vtkMRMLDisplayNode, int]] = []
        self._isSharing = False
        for volumeNode in volumeNodes:
            self.add(volumeNode)

    def add(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        source: slicer.vtkMRMLScalarVolumeNode | None = None,
    ) -> None:
        """Display another volume like the others.

        Args:
            volumeNode: The volume.
            source: The volume whose present display it has copied, and whose previous display it
                gets at the end; None: its own.
        """
        display = _displayNode(volumeNode)
        if display in self._settings:
            return
        first = next(iter(self._settings), display)
        known = self._settings.get(_displayNode(source)) if source is not None else None
        self._settings[display] = known or _Settings(display)
        display.SetInterpolate(False)
        display.SetAutoWindowLevel(False)
        self._share(first)
        tag = display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._observers.append((display, tag))

    def close(self) -> None:
        """Restore the previous display of every volume."""
        for display, tag in self._observers:
            display.RemoveObserver(tag)
        self._observers = []
        for display, settings in self._settings.items():
            if display.GetScene() is not None:
                settings.restore(display)
        self._settings = {}

    def _onModified(self, display, event):
        if not self._isSharing:
            self._share(display)

    def _share(self, source):
        window, level = source.GetWindow(), source.GetLevel()
        self._isSharing = True
        try:
            for display in self._settings:
                if (display.GetWindow(), display.GetLevel()) != (window, level):
                    display.SetAutoWindowLevel(False)
                    display.SetWindowLevel(window, level)
        finally:
            self._isSharing = False


class _Settings:
    """Settings of a display node that a comparison changes."""

    def __init__(self, display):
        self._auto = display.GetAutoWindowLevel()
        self._window, self._level = display.GetWindow(), display.GetLevel()
        self._interpolate = display.GetInterpolate()

    def restore(self, display):
        with slicer.util.NodeModify(display):
            display.SetWindowLevel(self._window, self._level)
            display.SetAutoWindowLevel(self._auto)
            display.SetInterpolate(self._interpolate)


def _displayNode(volumeNode):
    if volumeNode.GetDisplayNode() is None:
        volumeNode.CreateDefaultDisplayNodes()
    return volumeNode.GetDisplayNode()
