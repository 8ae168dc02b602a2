"""Label maps and segmentations that come along to the voxels of an output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.labels import check_grid_of_labels, check_labels
from ..core.volume import Volume
from .nodes import ijkToRAS, imageSteps, placeBeside, removeNode
from .output_names import outputKind
from .steps import Steps


@dataclass(frozen=True)
class Segment:
    """A segment: its ID, its label in a label map, and its name, color and terminology."""

    id: str
    label: int
    metadata: slicer.vtkSegment


@dataclass(frozen=True)
class LabelSource:
    """Labels of a node, copied before a task begins.

    Attributes:
        nodeId: ID of the label map or segmentation node.
        name: Its name.
        layers: Label maps on the grid of the volume; one, or one per layer of overlapping segments.
        segments: The segments of every layer; empty for a label map node.
        scalarType: VTK type of a label map node.
    """

    nodeId: str
    name: str
    layers: tuple[Volume, ...]
    segments: tuple[tuple[Segment, ...], ...] = ()
    scalarType: int = vtk.VTK_SHORT

    @classmethod
    def of(
        cls, node: slicer.vtkMRMLDisplayableNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
    ) -> Self:
        """Copy the labels of a node.

        Args:
            node: A label map volume or a segmentation.
            volumeNode: The volume that they were drawn on.

        Raises:
            SuperResolutionError: See `whyNotLabels`; or the values are not labels.
        """
        reason = whyNotLabels(node, volumeNode)
        if reason:
            raise SuperResolutionError(reason)
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            labels = _volumeOf(node)
            check_labels(labels)
            return cls(
                node.GetID(),
                node.GetName(),
                (labels,),
                scalarType=node.GetImageData().GetScalarType(),
            )
        layers, segments = [], []
        for ids in _layers(node):
            layers.append(_exported(node, ids, volumeNode))
            segments.append(
                tuple(
                    Segment(name, number + 1, _metadata(node, name))
                    for number, name in enumerate(ids)
                )
            )
        return cls(node.GetID(), node.GetName(), tuple(layers), tuple(segments))


def whyNotLabels(
    node: slicer.vtkMRMLNode | None, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> str:
    """Return one sentence about why labels cannot come along, or an empty text if they can."""
    if node is None:
        return ""
    name = node.GetName()
    if node.GetParentTransformNode() is not volumeNode.GetParentTransformNode():
        return _(
            "“{name}” and the volume are under different transforms. Put both under one transform."
        ).format(name=name)
    if node.IsA("vtkMRMLSegmentationNode"):
        if not node.GetSegmentation().GetNumberOfSegments():
            return _("“{name}” has no segments. Choose other labels, or none.").format(name=name)
        axes = ijkToRAS(volumeNode)[:3, :3]
        axes = axes / np.linalg.norm(axes, axis=0)
        if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
            return _(
                "The voxel axes of the volume are not perpendicular, which segmentations cannot "
                "represent. Choose a label map."
            )
        return ""
    image = node.GetImageData()
    if image is None or 0 in image.GetDimensions():
        return _("“{name}” has no voxels. Choose other labels, or none.").format(name=name)
    try:
        check_grid_of_labels(_emptyVolume(node), _emptyVolume(volumeNode))
    except SuperResolutionError as error:
        return str(error)
    return ""


def addLabels(
    source: LabelSource, arrays: list[np.ndarray], volume: Volume
) -> Steps[slicer.vtkMRMLDisplayableNode]:
    """Add the labels of an output to the scene in steps; a stop leaves the scene as it was.

    Args:
        source: Where the labels come from.
        arrays: The label map of every layer, (k, j, i), on the grid of the output.
        volume: The output, with its provenance.
    """
    className = "vtkMRMLSegmentationNode" if source.segments else "vtkMRMLLabelMapVolumeNode"
    node = slicer.mrmlScene.AddNewNodeByClass(
        className,
        slicer.mrmlScene.GenerateUniqueName(f"{source.name} {outputKind(volume.provenance or {})}"),
    )
    isComplete = False
    try:
        node.CreateDefaultDisplayNodes()
        if source.segments:
            yield from _fillSegmentation(node, source, arrays, volume.ijk_to_ras)
        else:
            yield from _fillLabelMap(node, source, arrays[0], volume.ijk_to_ras)
        isComplete = True
    finally:
        if not isComplete:
            removeNode(node)
    return node


def placeLabels(
    node: slicer.vtkMRMLDisplayableNode, outputNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Put labels beside their output, under the same transform."""
    node.SetAndObserveTransformNodeID(outputNode.GetTransformNodeID())
    if node.IsA("vtkMRMLSegmentationNode"):
        node.SetReferenceImageGeometryParameterFromVolumeNode(outputNode)
    placeBeside(outputNode, node)


def _layers(node: slicer.vtkMRMLSegmentationNode) -> list[list[str]]:
    """Return the IDs of segments that do not overlap, in one list per layer."""
    segmentation = node.GetSegmentation()
    everything = list(segmentation.GetSegmentIDs())
    layers = [
        list(segmentation.GetSegmentIDsForLayer(n)) for n in range(segmentation.GetNumberOfLayers())
    ]
    # without binary label maps, every segment may overlap the others
    isComplete = sorted(name for layer in layers for name in layer) == sorted(everything)
    return layers if isComplete else [[name] for name in everything]


def _exported(
    node: slicer.vtkMRMLSegmentationNode,
    ids: list[str],
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> Volume:
    """Return segments as a label map on the grid of a volume: 1 for the first, and so on."""
    tables = slicer.util.getNodesByClass("vtkMRMLColorTableNode")
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    names = vtk.vtkStringArray()
    for name in ids:
        names.InsertNextValue(name)
    try:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.ExportSegmentsToLabelmapNode(node, names, labels, volumeNode):
            raise SuperResolutionError(
                _("“{name}” could not be converted to a label map.").format(name=node.GetName())
            )
        exported = _volumeOf(labels)
        return Volume(exported.array.copy(), exported.ijk_to_ras, is_labels=True)
    finally:
        removeNode(labels)
        for table in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
            if table not in tables:  # made by the export
                slicer.mrmlScene.RemoveNode(table)


def _metadata(node: slicer.vtkMRMLSegmentationNode, name: str) -> slicer.vtkSegment:
    segment = slicer.vtkSegment()
    segment.DeepCopyMetadata(node.GetSegmentation().GetSegment(name))
    return segment


def _volumeOf(node: slicer.vtkMRMLLabelMapVolumeNode) -> Volume:
    return Volume(slicer.util.arrayFromVolume(node), ijkToRAS(node), is_labels=True)


def _emptyVolume(node: slicer.vtkMRMLVolumeNode) -> Volume:
    """Return a volume at the place of a node, without its voxels, which take long to check."""
    shape = node.GetImageData().GetDimensions()[::-1]
    return Volume(np.broadcast_to(np.zeros((), np.uint8), shape), ijkToRAS(node))


def _fillLabelMap(node, source, array, matrix):
    original = slicer.mrmlScene.GetNodeByID(source.nodeId)
    image = yield from imageSteps(array, source.scalarType)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveImageData(image)
    if original is not None and original.GetDisplayNode() is not None:
        node.GetDisplayNode().SetAndObserveColorNodeID(original.GetDisplayNode().GetColorNodeID())


def _fillSegmentation(node, source, arrays, matrix):
    for segments, array in zip(source.segments, arrays):
        for segment in segments:
            node.GetSegmentation().AddSegment(segment.metadata, segment.id)
            inside = (array == segment.label).astype(np.uint8)
            image = slicer.vtkOrientedImageData()
            image.ShallowCopy((yield from imageSteps(inside, vtk.VTK_UNSIGNED_CHAR)))
            image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
            slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
                image, node, segment.id
            )
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
