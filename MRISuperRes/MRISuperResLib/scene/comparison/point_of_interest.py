"""The point that the zoom views look at: a markups point to be dragged, and a frame around what they show."""

import numpy as np
import slicer
import vtk

from ..output_nodes import removeNode

COLOR = (0.9, 0.76, 0.36)
ACTIVE_COLOR = (1.0, 0.95, 0.6)


class PointOfInterest:
    """onMoved(): called when someone else has moved the point.

    The position is known also after the user has deleted the point, which then only can't be dragged any more.
    Both nodes are temporary: hidden from lists, and not saved with the scene.
    """

    def __init__(self, position, viewNodeIds, onMoved):
        """position: (3,), mm, in the world. viewNodeIds: of the views that show it."""
        self._position, self._onMoved = np.array(position, float), onMoved
        self._frame = _addFrame(viewNodeIds)
        self._point = _addPoint(self._position, viewNodeIds)
        self._observer = self._point.AddObserver(
            slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._onPointModified
        )

    @property
    def position(self):
        return self._position.copy()

    @position.setter
    def position(self, position):
        self._position = np.array(position, float)
        if self._isThere and not np.allclose(self._pointPosition(), self._position, atol=1e-6):
            self._point.SetNthControlPointPositionWorld(0, *self._position)

    @property
    def _isThere(self):
        return self._point.GetScene() is not None and self._point.GetNumberOfControlPoints() > 0

    def _pointPosition(self):
        position = [0.0, 0.0, 0.0]
        self._point.GetNthControlPointPositionWorld(0, position)
        return position

    def _onPointModified(self, caller, event):
        if self._isThere and not np.allclose(self._pointPosition(), self._position, atol=1e-6):
            self._position = np.array(self._pointPosition())
            self._onMoved()

    def frame(self, corners):
        """Draws the frame. corners: four points in the world, in order around it."""
        if self._frame.GetScene() is not None:
            points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
            for corner in corners:
                points.InsertNextPoint(*corner)
            lines.InsertNextCell(5, [0, 1, 2, 3, 0])
            outline = vtk.vtkPolyData()
            outline.SetPoints(points)
            outline.SetLines(lines)
            self._frame.SetAndObserveMesh(outline)

    def remove(self):
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
    """A model that is drawn on whatever slice is shown, and that no mouse can touch."""
    frame = _add("vtkMRMLModelNode", "MRISuperRes zoomed area", viewNodeIds)
    display = frame.GetDisplayNode()
    display.SetSliceDisplayModeToProjection()
    display.SetSliceIntersectionThickness(2)
    display.SetColor(*COLOR)
    return frame


def _add(className, name, viewNodeIds):
    """Hidden from the beginning, or else the lists of nodes would show it."""
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
