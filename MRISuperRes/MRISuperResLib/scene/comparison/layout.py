"""The layout of a comparison: one slice view for each picture and, where it is wanted, a zoom view under it."""

import math
import xml.etree.ElementTree as ElementTree

from ..layouts import registerLayout

COMPARISON_LAYOUT_ID = 20187
MAIN_VIEW_GROUP, ZOOM_VIEW_GROUP = 20187, 20188
"""Views are linked within their group, so that no other view follows, nor is followed."""

MAIN_STRETCH, ZOOM_STRETCH = 3, 2
MAIN_COLOR, ZOOM_COLOR = "#8CB0DD", "#E6C35C"


def mainViewNames(count):
    """The singleton tags of the views of `count` pictures."""
    return [f"MRISuperResCompare{n + 1}" for n in range(count)]


def zoomViewNames(count):
    return [f"MRISuperResZoom{n + 1}" for n in range(count)]


def columns(count, zoom):
    """How many pictures stand side by side; they are in one row, or in two where they are larger then."""
    return count if count <= (5 if zoom else 3) else math.ceil(count / 2)


def layoutDescription(count, zoom):
    """The XML of the layout for `count` pictures; zoom: whether there are zoom views.

    A grid, so that the columns are equally wide also where the last row is not full. It is made as a tree, because Slicer
    accepts malformed text without a word.
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


def describeLayout(layoutNode, count, zoom):
    """Registers the layout in a vtkMRMLLayoutNode, or changes it; where it is shown, the views change at once."""
    registerLayout(layoutNode, COMPARISON_LAYOUT_ID, layoutDescription(count, zoom))
