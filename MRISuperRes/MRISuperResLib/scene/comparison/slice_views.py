"""Slice views: plane, zoom, and the point of interest that zoom views follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

from ...core.geometry import RADIOLOGICAL, VOXEL_AXES, choose_slice_axis, corners
from ...core.intensity import HIGH_PERCENTILE, LOW_PERCENTILE
from ..nodes import addTemporaryNode, ijkToRAS, removeNode

PARALLEL = np.cos(np.radians(0.5))
"""Cosine of the largest angle at which a view still counts as parallel to the slices."""

FORWARD = {"axial": (0, 0, 1), "coronal": (0, 1, 0), "sagittal": (-1, 0, 0)}
"""RAS direction of scrolling forward in Slicer's own views."""

BODY_SAMPLES = 2**19
"""Voxels from which the box around the body is found, which takes about 0.02 s."""
AIR = 0.1
"""Fraction of the intensity range up to which a voxel counts as air."""
SPECKS = 0.005
"""Fraction of a plane of voxels that noise and artifacts in the air may fill."""
BODY_MARGIN = 0.03
"""Air that is shown at each side, as a fraction of the size of the body."""

COLOR = (0.9, 0.76, 0.36)
ACTIVE_COLOR = (1.0, 0.95, 0.6)


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


def bodyCorners(node: slicer.vtkMRMLVolumeNode, matrix: np.ndarray) -> np.ndarray:
    """Return the corners of the box around the body, with a margin, (8, 3), mm in the world.

    Without air around the body, it is the box of the volume.

    Args:
        node: The volume.
        matrix: Voxel indices to world, (4, 4).
    """
    array = slicer.util.arrayFromVolume(node)
    stride = max(1, round((array.size / BODY_SAMPLES) ** (1 / 3)))
    sample = np.nan_to_num(array[::stride, ::stride, ::stride])
    low, high = np.percentile(sample, (LOW_PERCENTILE, HIGH_PERCENTILE))
    body = sample > low + AIR * (high - low)
    first, size = [], []
    for axis in (2, 1, 0):
        count = array.shape[axis]
        shares = body.mean(axis=tuple(other for other in range(3) if other != axis))
        planes = np.flatnonzero(shares > SPECKS)
        start, end = (planes[0] * stride, (planes[-1] + 1) * stride) if planes.size else (0, count)
        margin = BODY_MARGIN * (end - start)
        first.append(max(0, start - margin))
        size.append(min(count, end + margin) - first[-1])
    shifted = matrix.copy()
    shifted[:3, 3] = (matrix @ [*first, 1])[:3]
    return corners(shifted, size)


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


class PointOfInterest:
    """A point that the user can drag, and a frame around the area of the zoom views.

    Both nodes are temporary: hidden from node lists, and not saved with the scene. The position
    remains if the user deletes the point.

    Args:
        position: Initial position, (3,), mm in the world.
        viewNodeIds: IDs of the views that show point and frame.
        onMoved: Called when the user has moved the point.
    """

    def __init__(
        self, position: ArrayLike, viewNodeIds: Sequence[str], onMoved: Callable[[], None]
    ) -> None:
        self._position, self._onMoved = np.array(position, float), onMoved
        self._frame = _addFrame(viewNodeIds)
        self._point = _addPoint(self._position, viewNodeIds)
        self._observer = self._point.AddObserver(
            slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._onPointModified
        )

    @property
    def position(self) -> np.ndarray:
        """Position, (3,), mm in the world."""
        return self._position.copy()

    @position.setter
    def position(self, position: ArrayLike) -> None:
        self._position = np.array(position, float)
        if self._isPresent and not np.allclose(self._pointPosition(), self._position, atol=1e-6):
            self._point.SetNthControlPointPositionWorld(0, *self._position)

    @property
    def _isPresent(self):
        return self._point.GetScene() is not None and self._point.GetNumberOfControlPoints() > 0

    def _pointPosition(self):
        position = [0.0, 0.0, 0.0]
        self._point.GetNthControlPointPositionWorld(0, position)
        return position

    def _onPointModified(self, caller, event):
        if self._isPresent and not np.allclose(self._pointPosition(), self._position, atol=1e-6):
            self._position = np.array(self._pointPosition())
            self._onMoved()

    def frame(self, corners: Sequence[Sequence[float]]) -> None:
        """Draw the frame; `corners`: four points in the world, in order around it."""
        if self._frame.GetScene() is not None:
            points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
            for corner in corners:
                points.InsertNextPoint(*corner)
            lines.InsertNextCell(5, [0, 1, 2, 3, 0])
            outline = vtk.vtkPolyData()
            outline.SetPoints(points)
            outline.SetLines(lines)
            self._frame.SetAndObserveMesh(outline)

    def remove(self) -> None:
        """Remove both nodes."""
        self._point.RemoveObserver(self._observer)
        for node in (self._point, self._frame):
            if node.GetScene() is not None:
                removeNode(node)


def _addPoint(position, viewNodeIds):
    point = _add("vtkMRMLMarkupsFiducialNode", "MRISuperRes point of interest", viewNodeIds)
    display = point.GetDisplayNode()
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetGlyphScale(3)
    display.SetPointLabelsVisibility(False)
    display.SetSelectedColor(*COLOR)
    display.SetActiveColor(*ACTIVE_COLOR)
    point.AddControlPointWorld(*position)
    point.SetFixedNumberOfControlPoints(True)
    return point


def _addFrame(viewNodeIds):
    """Add a model that is drawn on any slice and ignores the mouse."""
    frame = _add("vtkMRMLModelNode", "MRISuperRes zoomed area", viewNodeIds)
    display = frame.GetDisplayNode()
    display.SetSliceDisplayModeToProjection()
    display.SetSliceIntersectionThickness(2)
    display.SetColor(*COLOR)
    return frame


def _add(className, name, viewNodeIds):
    node = addTemporaryNode(className, name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetVisibility2D(True)
    display.SetVisibility3D(False)
    for viewNodeId in viewNodeIds:
        display.AddViewNodeID(viewNodeId)
    return node
