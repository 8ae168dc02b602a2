"""Point of interest of the zoom views: a markups point to drag, and a frame around their area."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

from ..nodes import removeNode

COLOR = (0.9, 0.76, 0.36)
ACTIVE_COLOR = (1.0, 0.95, 0.6)


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
    """Add a node that is hidden from the start, or node lists would show it."""
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node = slicer.mrmlScene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetVisibility2D(True)
    display.SetVisibility3D(False)
    for viewNodeId in viewNodeIds:
        display.AddViewNodeID(viewNodeId)
    return node
