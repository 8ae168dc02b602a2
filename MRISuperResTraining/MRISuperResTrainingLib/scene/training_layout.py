"""The layout of a training: the sample slices side by side, and the curves under them."""

import xml.etree.ElementTree as ElementTree

from slicer.i18n import tr as _

from MRISuperResLib.scene.comparison.layout import registerLayout

from .samples import KINDS

LAYOUT_ID, VIEW_GROUP = 20189, 20189
SLICE_VIEWS = {kind: f"MRISuperResTraining{kind.capitalize()}" for kind in KINDS}
"""Singleton tags, by kind of sample."""
PLOT_VIEWS = "MRISuperResTrainingPsnr", "MRISuperResTrainingLoss"
COLOR = "#8CB0DD"


def layoutDescription():
    """XML; made as a tree, because Slicer accepts malformed text without a word."""
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
            viewcolor=COLOR,
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


def describeLayout(layoutNode):
    """Registers the layout in a vtkMRMLLayoutNode."""
    registerLayout(layoutNode, LAYOUT_ID, layoutDescription())
