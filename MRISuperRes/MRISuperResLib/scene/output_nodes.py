"""The output volume, beside its input: same place in space and in the scene, same look, and a record of how it was made."""

import json

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

ATTRIBUTE_PREFIX = "MRISuperRes."
SOURCE_IMAGES = "SourceInstanceUIDs"
"""The attribute that names the DICOM images of the input. They are not those of the output: DICOM.instanceUIDs would say so."""


def outputName(inputName, provenance):
    """A name that no node of the scene has."""
    return slicer.mrmlScene.GenerateUniqueName(
        "{name} SR x{scale} {model}".format(
            name=inputName, scale=provenance["scale"], model=provenance["model"]["name"]
        )
    )


def createOutput(inputNode, array, ijkToRAS, provenance, parentTransformNode=None):
    """A new volume node with a result. All or nothing: where it fails, no node is left in the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLScalarVolumeNode", outputName(inputNode.GetName(), provenance)
    )
    try:
        updateOutput(node, inputNode, array, ijkToRAS, provenance, parentTransformNode)
    except Exception:
        removeNode(node)
        raise
    return node


def removeNode(node):
    """Removes a node with its display and storage nodes and its item, which would stay in the scene, belonging to nothing."""
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


def updateOutput(node, inputNode, array, ijkToRAS, provenance, parentTransformNode=None):
    """Puts a result into an existing volume node, which keeps its ID and its name.

    array: (k, j, i), in the input's scalar type; ijkToRAS: (4, 4), mm.
    parentTransformNode: the transform above the input when its geometry was read.
    """
    with slicer.util.NodeModify(node):
        fillVolume(node, inputNode, array, ijkToRAS, parentTransformNode)
        record(node, inputNode, provenance)
    placeBeside(inputNode, node)


def fillVolume(node, inputNode, array, ijkToRAS, parentTransformNode=None, scalarType=None):
    """Gives a volume node its voxels and its place; it looks like the input. scalarType: of VTK; None: the input's."""
    with slicer.util.NodeModify(node):
        copyDisplay(
            inputNode, node
        )  # before the voxels come, of which automatic levels would be computed
        fillFrame(node, inputNode, array, ijkToRAS, scalarType)
        node.SetAndObserveTransformNodeID(
            parentTransformNode.GetID() if parentTransformNode else None
        )
        # the identity of the DICOM series from which a reused node may once have been loaded
        node.RemoveAttribute("DICOM.instanceUIDs")


def fillFrame(node, inputNode, array, ijkToRAS, scalarType=None):
    """Gives a volume node, which need not be in a scene, its voxels and their place."""
    image = _imageData(
        array, inputNode.GetImageData().GetScalarType() if scalarType is None else scalarType
    )
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(ijkToRAS, dtype=float)))
    node.SetAndObserveImageData(image)
    node.SetVoxelValueQuantity(inputNode.GetVoxelValueQuantity())
    node.SetVoxelValueUnits(inputNode.GetVoxelValueUnits())


def _imageData(array, scalarType):
    """vtkImageData of exactly one scalar type: numpy has one name for several of VTK's integers."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.AllocateScalars(scalarType, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = array.ravel()
    return image


def record(node, inputNode, provenance):
    """Everything that is needed to make the result again, as attributes, which are saved with the scene, and a description for people."""
    attributes = {
        "Notice": provenance["notice"],
        "Date": provenance["date"],
        "InputName": inputNode.GetName(),
        "InputID": inputNode.GetID(),
        SOURCE_IMAGES: inputNode.GetAttribute("DICOM.instanceUIDs"),
        "Model": provenance["model"]["name"],
        "ModelSHA256": provenance["model"]["sha256"],
        "Settings": provenance["job"],
        "Versions": provenance["versions"],
        "Provenance": provenance,
    }
    for name, value in attributes.items():
        # None removes an attribute that an earlier run may have left on the node
        text = (
            value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
        )
        node.SetAttribute(ATTRIBUTE_PREFIX + name, text)
    node.SetDescription(
        _("Super-resolution x{scale} of “{input}” with {model}: {notice}.").format(
            scale=provenance["scale"],
            input=inputNode.GetName(),
            model=provenance["model"]["name"],
            notice=provenance["notice"],
        )
    )


def copyDisplay(inputNode, node):
    """The same gray levels on screen: window and level are fixed, because the automatic ones would differ a little."""
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


def subjectHierarchy():
    """None in a scene without one."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def itemBeside(hierarchy, node):
    """The item of the study or folder in which a node is listed."""
    item = hierarchy.GetItemByDataNode(node)
    return hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()


def placeBeside(inputNode, node):
    """Into the input's study or folder; a node that the user has put elsewhere stays there."""
    hierarchy = subjectHierarchy()
    if hierarchy is None:
        return
    parent = itemBeside(hierarchy, inputNode)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node)
    if hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID():
        hierarchy.SetItemParent(item, parent)
