"""Where slice views and the slices of a volume lie in the world."""

import numpy as np
import slicer
import vtk

from ..core import slice_axis
from .volume_nodes import ijkToRAS

PARALLEL = np.cos(np.radians(0.5))
"""A view that is turned by less shows one slice; a larger turn is meant."""


FORWARDS = {"axial": (0, 0, 1), "coronal": (0, 1, 0), "sagittal": (-1, 0, 0)}
"""Where scrolling forwards goes in Slicer's own views, in RAS."""


def ijkToWorld(node):
    """(4, 4), mm: with the linear part of what lies above the volume. A warped volume counts as if it were not warped."""
    parent = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if parent is not None and parent.IsTransformToWorldLinear():
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix) @ ijkToRAS(node)


def slicePlane(matrix, axis, index):
    """SliceToRAS (4, 4) of a view that shows a slice as a radiologist expects it.

    matrix: IJK to world. axis: 0, 1 or 2 for slices along i, j or k. index: (i, j, k) of the view's middle.
    Right and up on screen run along the voxel axes, however oblique; where these are not at right angles, only one of them can.
    """
    plane = slice_axis.choose_slice_axis(matrix, slice_axis.VOXEL_AXES[axis]).plane
    down, right = (np.array(direction, float) for direction in slice_axis.ON_SCREEN[plane])
    one, other = (_unit(matrix[:3, voxelAxis]) for voxelAxis in range(3) if voxelAxis != axis)
    if abs(one @ right) + abs(other @ down) < abs(one @ down) + abs(other @ right):
        one, other = other, one
    x = one if one @ right >= 0 else -one
    y = other if other @ down < 0 else -other
    normal = _unit(np.cross(x, y))
    y = _unit(np.cross(normal, x))
    if normal @ FORWARDS[plane] < 0:
        normal = -normal
    result = np.eye(4)
    result[:3, 0], result[:3, 1], result[:3, 2] = x, y, normal
    result[:3, 3] = (matrix @ [*index, 1])[:3]
    return result


def _unit(vector):
    return vector / np.linalg.norm(vector)


def middle(size):
    """(i, j, k) of a point in the middle of the middle slice, whatever its axis: for slice numbers are whole."""
    return [n // 2 for n in size]


def shownSlice(sliceNode, matrix, axis, size):
    """The number of the slice that a view shows, or None where its plane is turned against the slices or lies outside.

    matrix, axis: as in slicePlane. size: (i, j, k) of the volume.
    """
    sliceToRAS = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
    one, other = (matrix[:3, voxelAxis] for voxelAxis in range(3) if voxelAxis != axis)
    if abs(_unit(np.cross(one, other)) @ sliceToRAS[:3, 2]) < PARALLEL:
        return None
    index = int(np.floor((np.linalg.inv(matrix) @ [*viewCenter(sliceNode), 1])[axis] + 0.5))
    return index if 0 <= index < size[axis] else None


def viewCenter(sliceNode):
    """(3,), mm: the point in the middle of a slice view."""
    width, height, _ = sliceNode.GetDimensions()
    return np.array(sliceNode.GetXYToRAS().MultiplyPoint([width / 2, height / 2, 0, 1])[:3])


def pixelSize(sliceNode):
    """mm on the screen's pixel."""
    return sliceNode.GetFieldOfView()[0] / max(1, sliceNode.GetDimensions()[0])


def lookAt(sliceNode, sliceToRAS, origin=(0, 0, 0), size=None):
    """Turns a slice view. sliceToRAS: (4, 4). origin: of the view in its plane. size: of a pixel in mm; None leaves the zoom."""
    with slicer.util.NodeModify(sliceNode):
        if size is not None:
            width, height, _ = sliceNode.GetDimensions()
            sliceNode.SetFieldOfView(
                size * max(1, width), size * max(1, height), sliceNode.GetFieldOfView()[2]
            )
        sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRAS))
        sliceNode.SetXYZOrigin(*origin)
        sliceNode.UpdateMatrices()
