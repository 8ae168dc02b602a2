"""Volume nodes: conversion to volumes, and output nodes beside their input."""

from __future__ import annotations

import json

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from ..core.errors import SuperResolutionError
from ..core.geometry import SliceAxis, choose_slice_axis
from ..core.io.checks import other_modality
from ..core.messages import Message
from ..core.volume import Volume
from .output_names import outputDescription, outputName
from .steps import Steps, finish

STEP_VOXELS = 2**24
"""Voxels that are copied in a step, which takes about 0.05 s."""

ATTRIBUTE_PREFIX = "MRISuperRes."
MODALITY_TAG, THICKNESS_TAG = "0008,0060", "0018,0050"
SOURCE_IMAGES = "SourceInstanceUIDs"
"""Attribute with the UIDs of the input's DICOM images."""


def whyNotUpsamplable(node: slicer.vtkMRMLNode | None) -> str:
    """Return one sentence about why a node cannot be upsampled, or an empty text if it can."""
    if node is None:
        return _("Choose an input volume.")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return _("“{name}” is a label map. Choose the image it was drawn on.").format(
            name=node.GetName()
        )
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        return _("“{name}” is not a scalar volume. Choose a grayscale image.").format(
            name=node.GetName()
        )
    image = node.GetImageData()
    if image is None or 0 in image.GetDimensions() or image.GetPointData().GetScalars() is None:
        return _("“{name}” has no voxels. Load it again, or choose another volume.").format(
            name=node.GetName()
        )
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        return _(
            "“{name}” has {n} values per voxel. Extract one component as a scalar volume."
        ).format(name=node.GetName(), n=components)
    if not abs(np.linalg.det(ijkToRAS(node)[:3, :3])) > 0:
        return _(
            "“{name}” has no valid geometry. Check spacing and directions in the module Volumes."
        ).format(name=node.GetName())
    return ""


def ijkToRAS(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the IJK-to-RAS matrix, (4, 4) float64 in mm, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def upsamplableNodes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the volume nodes of the scene that can be upsampled."""
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not node.GetHideFromEditors() and not whyNotUpsamplable(node)
    ]


def isOutput(node: slicer.vtkMRMLNode | None) -> bool:
    """Return True for a node with a provenance: this module made it."""
    return node is not None and bool(node.GetAttribute(ATTRIBUTE_PREFIX + "Provenance"))


def firstUpsamplableNode() -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the first volume node of the scene that can be upsampled, if any."""
    return next(iter(upsamplableNodes()), None)


def sliceAxisOf(node: slicer.vtkMRMLVolumeNode, requested: str) -> SliceAxis:
    """Return the slice axis of a volume node; `requested` is one of `SLICE_AXES`."""
    return choose_slice_axis(ijkToRAS(node), requested, node.GetImageData().GetDimensions())


def sliceCount(node: slicer.vtkMRMLVolumeNode, requested: str) -> int:
    """Return the number of slices to upsample; `requested` is one of `SLICE_AXES`."""
    return node.GetImageData().GetDimensions()[sliceAxisOf(node, requested).index]


def volumeFromNode(node: slicer.vtkMRMLNode | None) -> Volume:
    """Return a volume node as a volume; its array is a view of the voxels and must not be changed.

    Raises:
        SuperResolutionError: The node cannot be upsampled.
    """
    reason = whyNotUpsamplable(node)
    if reason:
        raise SuperResolutionError(reason)
    try:
        array = slicer.util.arrayFromVolume(node)
    except Exception as error:
        raise SuperResolutionError(
            _(
                "The voxel type of “{name}” is not supported. Convert it to another scalar type."
            ).format(name=node.GetName())
        ) from error
    return Volume(
        array, ijkToRAS(node), modalityMessages(node), slice_thickness=sliceThickness(node)
    )


def dicomValues(node: slicer.vtkMRMLVolumeNode, *tags: str) -> list[str]:
    """Return values of the first DICOM image of a node; empty texts if it has none."""
    images = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    # missing until the user chooses a database folder in the module DICOM
    database = getattr(slicer, "dicomDatabase", None)
    isKnown = images and database is not None
    return [database.instanceValue(images[0], tag) if isKnown else "" for tag in tags]


def sliceThickness(node: slicer.vtkMRMLVolumeNode) -> float | None:
    """Return the slice thickness that the DICOM images of a node state, mm; None without."""
    (text,) = dicomValues(node, THICKNESS_TAG)
    try:
        thickness = float(text)
    except ValueError:
        return None
    return thickness if 0 < thickness < float("inf") else None


def modalityMessages(node: slicer.vtkMRMLVolumeNode) -> tuple[Message, ...]:
    """Return a warning if a node was loaded from DICOM images of another modality than MR."""
    (modality,) = dicomValues(node, MODALITY_TAG)
    return (other_modality(node.GetName(), modality),) if modality not in ("", "MR") else ()


def createOutput(
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    volume: Volume,
    parentTransformNode: slicer.vtkMRMLTransformNode | None = None,
    image: vtk.vtkImageData | None = None,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a volume node with a result; if that fails, the scene stays as it was.

    Args:
        inputNode: The volume that was upsampled.
        volume: The result, with its provenance, in the scalar type of the input.
        parentTransformNode: The transform above the input when its geometry was read.
        image: See `fillFrame`.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLScalarVolumeNode", outputName(inputNode.GetName(), volume.provenance)
    )
    try:
        updateOutput(node, inputNode, volume, parentTransformNode, image)
    except Exception:
        removeNode(node)
        raise
    return node


def updateOutput(
    node: slicer.vtkMRMLScalarVolumeNode,
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    volume: Volume,
    parentTransformNode: slicer.vtkMRMLTransformNode | None = None,
    image: vtk.vtkImageData | None = None,
) -> None:
    """Replace the content of a volume node, which keeps its ID and name; see `createOutput`."""
    with slicer.util.NodeModify(node):
        fillVolume(node, inputNode, volume, parentTransformNode, image)
        recordProvenance(node, inputNode, volume.provenance)
    placeBeside(inputNode, node)


def addTemporaryNode(className: str, name: str) -> slicer.vtkMRMLNode:
    """Add a node that is not saved, and hidden from the start, or node lists would show it."""
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)


def removeNode(node: slicer.vtkMRMLNode) -> None:
    """Remove a node with its display nodes, storage node and subject hierarchy item."""
    companions = (
        [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
        if node.IsA("vtkMRMLDisplayableNode")
        else []
    )
    companions += [node.GetStorageNode()] if node.IsA("vtkMRMLStorableNode") else []
    hierarchy = subjectHierarchy()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    if item:
        hierarchy.RemoveItem(item, False, False)
    slicer.mrmlScene.RemoveNode(node)
    for companion in companions:
        if companion is not None and slicer.mrmlScene.IsNodePresent(companion):
            slicer.mrmlScene.RemoveNode(companion)


def fillVolume(
    node: slicer.vtkMRMLScalarVolumeNode,
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    volume: Volume,
    parentTransformNode: slicer.vtkMRMLTransformNode | None = None,
    image: vtk.vtkImageData | None = None,
) -> None:
    """Set voxels, position and display of a volume node; it is displayed like the input.

    Args:
        node: The node to fill.
        inputNode: The volume whose display and units are copied.
        volume: Voxels and geometry.
        parentTransformNode: The transform to place the node under.
        image: See `fillFrame`.
    """
    with slicer.util.NodeModify(node):
        # before the voxels, which would trigger automatic levels
        copyDisplay(inputNode, node)
        fillFrame(node, inputNode, volume, image)
        node.SetAndObserveTransformNodeID(
            parentTransformNode.GetID() if parentTransformNode else None
        )
        # a reused node may have been loaded from a DICOM series
        node.RemoveAttribute("DICOM.instanceUIDs")


def fillFrame(
    node: slicer.vtkMRMLScalarVolumeNode,
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    volume: Volume,
    image: vtk.vtkImageData | None = None,
) -> None:
    """Set voxels and geometry of a volume node, which need not be in a scene.

    Args:
        node: The node to fill.
        inputNode: The volume whose units and scalar type are copied.
        volume: Voxels and geometry.
        image: The voxels as an image; None to copy them now, in the scalar type of the input.
    """
    if image is None:
        image = finish(imageSteps(volume.array, inputNode.GetImageData().GetScalarType()))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
    node.SetAndObserveImageData(image)
    node.SetVoxelValueQuantity(inputNode.GetVoxelValueQuantity())
    node.SetVoxelValueUnits(inputNode.GetVoxelValueUnits())


def imageSteps(array: np.ndarray, scalarType: int) -> Steps[vtk.vtkImageData]:
    """Copy voxels into an image in steps.

    Args:
        array: Voxels (k, j, i).
        scalarType: VTK type, since several VTK integers have the same numpy type.
    """
    image = _emptyImage(array.shape, scalarType)
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(array.shape)
    count = max(1, STEP_VOXELS // (array.shape[1] * array.shape[2]))
    for start in range(0, len(array), count):
        voxels[start : start + count] = array[start : start + count]
        yield
    return image


def _emptyImage(shape: tuple[int, ...], scalarType: int) -> vtk.vtkImageData:
    """Return an image with space for voxels (k, j, i)."""
    image = vtk.vtkImageData()
    image.SetDimensions(*shape[::-1])
    image.AllocateScalars(scalarType, 1)
    return image


def recordProvenance(
    node: slicer.vtkMRMLNode, inputNode: slicer.vtkMRMLNode, provenance: dict
) -> None:
    """Record provenance as node attributes, saved with the scene, and as a description."""
    attributes = {
        "Notice": provenance["notice"],
        "Date": provenance["date"],
        "InputName": inputNode.GetName(),
        "InputID": inputNode.GetID(),
        SOURCE_IMAGES: inputNode.GetAttribute("DICOM.instanceUIDs"),
        "Model": provenance["model"]["name"],
        "ModelSHA256": provenance["model"]["sha256"],
        "Settings": provenance["options"],
        "Versions": provenance["versions"],
        "Provenance": provenance,
    }
    for name, value in attributes.items():
        # None removes an attribute of an earlier result
        text = (
            value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
        )
        node.SetAttribute(ATTRIBUTE_PREFIX + name, text)
    node.SetDescription(outputDescription(inputNode.GetName(), provenance))


def copyDisplay(inputNode: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode) -> None:
    """Copy the display; window and level are fixed, since automatic ones would differ slightly."""
    node.CreateDefaultDisplayNodes()
    source, display = inputNode.GetDisplayNode(), node.GetDisplayNode()
    if source is None or not source.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(source.GetWindow(), source.GetLevel())
    display.SetAutoThreshold(False)
    display.SetThreshold(source.GetLowerThreshold(), source.GetUpperThreshold())
    display.SetApplyThreshold(source.GetApplyThreshold())
    display.SetInterpolate(source.GetInterpolate())
    display.SetAndObserveColorNodeID(source.GetColorNodeID())


def subjectHierarchy() -> slicer.vtkMRMLSubjectHierarchyNode | None:
    """Return the subject hierarchy of the scene, if any."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def itemBeside(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, node: slicer.vtkMRMLNode) -> int:
    """Return the item of the study or folder that contains a node."""
    item = hierarchy.GetItemByDataNode(node)
    return hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()


def placeBeside(inputNode: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode) -> None:
    """Move a node to the study or folder of its input, unless the user put it elsewhere."""
    hierarchy = subjectHierarchy()
    if hierarchy is None:
        return
    parent = itemBeside(hierarchy, inputNode)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node)
    if hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID():
        hierarchy.SetItemParent(item, parent)
