"""Uncertainty maps of outputs: nodes that are found by a reference of their output."""

from __future__ import annotations

import json

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..core.uncertainty import MAP
from .comparison.maps import addMap, brightestOf, fillColors
from .nodes import ATTRIBUTE_PREFIX, removeNode

REFERENCE = ATTRIBUTE_PREFIX + "Uncertainty"
"""Role of the reference from an output to its map."""


def uncertaintyMapOf(
    outputNode: slicer.vtkMRMLScalarVolumeNode | None,
) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the uncertainty map of an output, if it has one."""
    return outputNode.GetNodeReference(REFERENCE) if outputNode is not None else None


def removeUncertaintyMap(outputNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Remove the map of an output that gets other voxels."""
    node = uncertaintyMapOf(outputNode)
    if node is not None:
        colors = node.GetDisplayNode().GetColorNode() if node.GetDisplayNode() else None
        removeNode(node)
        if colors is not None and colors.GetAttribute(REFERENCE):
            slicer.mrmlScene.RemoveNode(colors)


def addUncertaintyMap(
    outputNode: slicer.vtkMRMLScalarVolumeNode, spread: np.ndarray, provenance: dict
) -> None:
    """Add the map of an output to the scene.

    Args:
        outputNode: The output.
        spread: (k, j, i) on its grid, float32, in its intensities.
        provenance: That of the output.
    """
    colors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _("Uncertainty"))
    fillColors(colors)
    colors.SetAttribute(REFERENCE, outputNode.GetID())
    title = _("uncertainty")
    try:
        node = addMap(
            f"{outputNode.GetName()} {title}", title, outputNode, outputNode, spread, colors
        )
    except Exception:
        slicer.mrmlScene.RemoveNode(colors)
        raise
    brightest = brightestOf([node]) or 1
    node.GetDisplayNode().SetWindowLevel(brightest, brightest / 2)
    # marks it as synthetic, and not as a volume to upsample
    record = json.dumps(provenance | {"map": MAP}, sort_keys=True)
    node.SetAttribute(ATTRIBUTE_PREFIX + "Provenance", record)
    node.SetAttribute(ATTRIBUTE_PREFIX + "Notice", provenance["notice"])
    outputNode.SetNodeReferenceID(REFERENCE, node.GetID())
