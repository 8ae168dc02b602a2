"""Slice views as planes in the world: position, orientation and zoom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk

from ...core.slice_axis import RADIOLOGICAL, VOXEL_AXES, choose_slice_axis
from ..nodes import ijkToRAS

PARALLEL = np.cos(np.radians(0.5))
"""Cosine of the largest angle at which a view still counts as parallel to the slices."""

FORWARD = {"axial": (0, 0, 1), "coronal": (0, 1, 0), "sagittal": (-1, 0, 0)}
"""RAS direction of scrolling forward in Slicer's own views."""


def ijkToWorld(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the matrix from voxel indices to the world, (4, 4), mm.

    It includes linear parent transforms; nonlinear ones are ignored.
    """
    parent = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if parent is not None and parent.IsTransformToWorldLinear():
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix) @ ijkToRAS(node)


def slicePlane(matrix: np.ndarray, axis: int, index: Sequence[float]) -> np.ndarray:
    """Return SliceToRAS, (4, 4), of a view that shows a slice in radiological orientation.

    The screen axes follow the voxel axes, however oblique. If these are not orthogonal, only one
    screen axis can.

    Args:
        matrix: Voxel indices to world, (4, 4).
        axis: 0, 1 or 2 for slices along i, j or k.
        index: (i, j, k) of the center of the view.
    """
    plane = choose_slice_axis(matrix, VOXEL_AXES[axis]).plane
    down, right = (np.array(direction, float) for direction in RADIOLOGICAL[plane])
    one, other = (_unit(matrix[:3, voxelAxis]) for voxelAxis in range(3) if voxelAxis != axis)
    if abs(one @ right) + abs(other @ down) < abs(one @ down) + abs(other @ right):
        one, other = other, one
    x = one if one @ right >= 0 else -one
    y = other if other @ down < 0 else -other
    normal = _unit(np.cross(x, y))
    y = _unit(np.cross(normal, x))
    if normal @ FORWARD[plane] < 0:
        normal = -normal
    result = np.eye(4)
    result[:3, 0], result[:3, 1], result[:3, 2] = x, y, normal
    result[:3, 3] = (matrix @ [*index, 1])[:3]
    return result


def _unit(vector):
    return vector / np.linalg.norm(vector)


def middle(size: Sequence[int]) -> list[int]:
    """Return the index (i, j, k) of the middle voxel."""
    return [n // 2 for n in size]


def shownSlice(
    sliceNode: slicer.vtkMRMLSliceNode, matrix: np.ndarray, axis: int, size: Sequence[int]
) -> int | None:
    """Return the index of the slice in a view; None if the view is oblique to it, or outside.

    Args:
        sliceNode: The view.
        matrix: Voxel indices to world, (4, 4).
        axis: 0, 1 or 2 for slices along i, j or k.
        size: (ni, nj, nk) of the volume.
    """
    sliceToRAS = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
    one, other = (matrix[:3, voxelAxis] for voxelAxis in range(3) if voxelAxis != axis)
    if abs(_unit(np.cross(one, other)) @ sliceToRAS[:3, 2]) < PARALLEL:
        return None
    index = int(np.floor((np.linalg.inv(matrix) @ [*viewCenter(sliceNode), 1])[axis] + 0.5))
    return index if 0 <= index < size[axis] else None


def viewCenter(sliceNode: slicer.vtkMRMLSliceNode) -> np.ndarray:
    """Return the point at the center of a slice view, (3,), mm."""
    width, height, _ = sliceNode.GetDimensions()
    return np.array(sliceNode.GetXYToRAS().MultiplyPoint([width / 2, height / 2, 0, 1])[:3])


def pixelSize(sliceNode: slicer.vtkMRMLSliceNode) -> float:
    """Return the size of a screen pixel in mm."""
    return sliceNode.GetFieldOfView()[0] / max(1, sliceNode.GetDimensions()[0])


def lookAt(
    sliceNode: slicer.vtkMRMLSliceNode,
    sliceToRAS: np.ndarray,
    origin: Sequence[float] = (0, 0, 0),
    size: float | None = None,
) -> None:
    """Set plane, origin and zoom of a slice view.

    Args:
        sliceNode: The view.
        sliceToRAS: Plane, (4, 4).
        origin: Origin of the view in its plane, mm.
        size: Size of a pixel in mm; None keeps the zoom.
    """
    with slicer.util.NodeModify(sliceNode):
        if size is not None:
            width, height, _ = sliceNode.GetDimensions()
            sliceNode.SetFieldOfView(
                size * max(1, width), size * max(1, height), sliceNode.GetFieldOfView()[2]
            )
        sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRAS))
        sliceNode.SetXYZOrigin(*origin)
        sliceNode.UpdateMatrices()
