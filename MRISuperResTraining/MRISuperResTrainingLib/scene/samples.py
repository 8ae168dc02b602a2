"""Sample slices of a run as volumes, and the layout that shows them above the curves."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.scene.comparison.layout import registerLayout
from MRISuperResLib.scene.nodes import removeNode

from .dataset import VIEW

KINDS = "low", "output", "high"
"""Kinds of slices in samples.npz: low_0, output_0, high_0, low_1, … float32, about 0 to 1."""

LAYOUT_ID, VIEW_GROUP = 20189, 20189
SLICE_VIEWS = {kind: f"MRISuperResTraining{kind.capitalize()}" for kind in KINDS}
"""Singleton tags of the slice views."""
PLOT_VIEWS = "MRISuperResTrainingPsnr", "MRISuperResTrainingLoss"
COLOR = "#8CB0DD"


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
    return samples if count else None


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
