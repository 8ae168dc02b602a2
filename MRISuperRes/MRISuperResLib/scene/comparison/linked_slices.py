"""Linked slice views, and zoom views around one point on the same slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

from .slice_views import PointOfInterest, lookAt, pixelSize, viewCenter

LENS_RANGE = (1.5, 40.0)
DEFAULT_LENS = 4.0


class LinkedSlices:
    """Views that follow each other while the user keeps their link on.

    Slicer's own links copy only some mouse actions (not the origin of a zoom with Ctrl and wheel),
    and cannot link views of different zoom. Every change in one view is therefore copied here.

    Args:
        mainNodes: Slice nodes of the images.
        zoomNodes: Slice nodes of the zoom views in the same order, or none.
        isLinked: Called as isLinked(n); returns True if the others follow the n-th main view.
        onChanged: Called after each change.
        position: Point of interest, (3,), mm in the world.
        lens: Magnification of the zoom views, relative to the images.
    """

    def __init__(
        self,
        mainNodes: Sequence[slicer.vtkMRMLSliceNode],
        zoomNodes: Sequence[slicer.vtkMRMLSliceNode],
        isLinked: Callable[[int], bool],
        onChanged: Callable[[], None],
        position: ArrayLike,
        lens: float = DEFAULT_LENS,
    ) -> None:
        self._mains, self._zooms, self._isLinked, self._onChanged = (
            list(mainNodes),
            list(zoomNodes),
            isLinked,
            onChanged,
        )
        self._lens, self._isMoving = lens, False
        self._point = (
            PointOfInterest(position, [node.GetID() for node in self._mains], self._onPointMoved)
            if self._zooms
            else None
        )
        self._position = np.array(position, float)
        self._known = {node: _state(node) for node in (*self._mains, *self._zooms)}
        observers = [(node, self._onMainModified) for node in self._mains] + [
            (node, self._onZoomModified) for node in self._zooms
        ]
        self._observers = [
            (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, callback))
            for node, callback in observers
        ]

    def fit(self, corners: ArrayLike, sliceToRAS: np.ndarray | None = None) -> None:
        """Show a box as large as possible in all views, in the same plane.

        Args:
            corners: Corners of the box, (n, 3), mm in the world.
            sliceToRAS: The plane, (4, 4); None for the current one.
        """
        sliceToRAS = (_sliceToRAS(self._mains[0]) if sliceToRAS is None else sliceToRAS).copy()
        inPlane = np.asarray(corners) @ sliceToRAS[:3, :2]
        low, high = inPlane.min(axis=0), inPlane.max(axis=0)
        sliceToRAS[:3, 3] = _projected(sliceToRAS[:3, :2] @ ((low + high) / 2), sliceToRAS)
        size = max(
            max((high - low) / np.maximum(1, node.GetDimensions()[:2])) for node in self._mains
        )
        for node in self._mains:
            self._move(node, sliceToRAS, (0, 0, 0), size)
        self.follow(0)

    def close(self) -> None:
        """Unlink the views and remove the point of interest."""
        for node, tag in self._observers:
            node.RemoveObserver(tag)
        self._observers = []
        if self._point is not None:
            self._point.remove()

    @property
    def lens(self) -> float:
        """Magnification of the zoom views, relative to the images."""
        return self._lens

    @lens.setter
    def lens(self, lens: float) -> None:
        self._lens = float(np.clip(lens, *LENS_RANGE))
        self._moveZooms()

    @property
    def position(self) -> np.ndarray:
        """Point of interest, (3,), mm in the world; setting it scrolls to its slice."""
        return self._position.copy()

    @position.setter
    def position(self, position: ArrayLike) -> None:
        self._position = np.array(position, float)
        self._scrollTo(0, self._position)

    def _onPointMoved(self):
        if not self._isMoving:
            self.position = self._point.position

    def _onMainModified(self, node, event):
        if self._shouldFollow(node, self._mains):
            before, self._known[node] = self._known[node], _state(node)
            # a resized view keeps its field of view, since the user has not zoomed
            self.follow(self._mains.index(node), resized=self._known[node].size != before.size)

    def _onZoomModified(self, node, event):
        if not self._shouldFollow(node, self._zooms):
            return
        n = self._zooms.index(node)
        if _userFlags(node):
            self._position = viewCenter(node)
            self._lens = float(np.clip(pixelSize(self._mains[n]) / pixelSize(node), *LENS_RANGE))
            self._scrollTo(n, self._position)
        else:  # resized, or all views were reset
            self._moveZooms()

    def _shouldFollow(self, node, group):
        """Return True if the other views must follow a change of this one.

        While the user works in a view, Slicer's own link changes the others of its group before and
        after each event. The others then follow only that view, at every event.
        """
        if self._isMoving:
            return False
        if node.GetInteractionFlags():
            return True
        return _state(node) != self._known[node] and not any(
            other.GetInteractionFlags() for other in group
        )

    def _scrollTo(self, n, position):
        """Move the n-th main view, and all that follow it, to the slice of a point."""
        node = self._mains[n]
        sliceToRAS = _sliceToRAS(node)
        sliceToRAS[:3, 3] += sliceToRAS[:3, 2] * (
            sliceToRAS[:3, 2] @ (position - sliceToRAS[:3, 3])
        )
        self._move(node, sliceToRAS, node.GetXYZOrigin())
        self.follow(n)

    def follow(self, n: int, resized: bool = False) -> None:
        """Copy the plane of the n-th main view to the others and to the zoom views.

        Args:
            n: Index of the main view.
            resized: True if only its size changed, which no other view follows.
        """
        leader = self._mains[n]
        sliceToRAS, origin, size = _sliceToRAS(leader), leader.GetXYZOrigin(), pixelSize(leader)
        if not resized and self._isLinked(n):
            for node in self._mains:
                if node is not leader:
                    self._move(node, sliceToRAS, origin, size)
        self._position = _projected(self._position, sliceToRAS)
        self._moveZooms()

    def _moveZooms(self):
        for main, zoom in zip(self._mains, self._zooms):
            sliceToRAS = _sliceToRAS(main)
            sliceToRAS[:3, 3] = _projected(self._position, sliceToRAS)
            self._move(zoom, sliceToRAS, (0, 0, 0), pixelSize(main) / self._lens)
        if self._point is not None:
            self._isMoving = True
            try:
                self._point.position = self._position
                self._point.frame(_corners(self._zooms[0]))
            finally:
                self._isMoving = False
        self._onChanged()

    def _move(self, node, *place):
        self._isMoving = True
        try:
            lookAt(node, *place)
        finally:
            self._isMoving = False
        # a node that is updating its matrices ignores changes, so the others follow it afterwards
        self._known[node] = (
            _state(node) if _isSettled(node) else _State((tuple(node.GetDimensions()), ()))
        )


class _State(tuple):
    """State of a slice view: its size in pixels, and the positions of the pixels."""

    @property
    def size(self):
        return self[0]


def _state(node):
    return _State(
        (
            tuple(node.GetDimensions()),
            tuple(slicer.util.arrayFromVTKMatrix(node.GetXYToRAS()).ravel()),
        )
    )


def _isSettled(node):
    """Return True if pixel positions and field of view agree."""
    width = np.linalg.norm(slicer.util.arrayFromVTKMatrix(node.GetXYToRAS())[:3, 0])
    return abs(width - pixelSize(node)) < 1e-6 * pixelSize(node)


def _userFlags(node):
    """Return the interaction flags of a scroll, pan or zoom by the user; 0 if there is none."""
    return node.GetInteractionFlags() & (
        node.SliceToRASFlag | node.XYZOriginFlag | node.FieldOfViewFlag
    )


def _sliceToRAS(node):
    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())


def _projected(point, sliceToRAS):
    """Project a point onto the plane of a slice."""
    normal = sliceToRAS[:3, 2]
    return point + normal * (normal @ (sliceToRAS[:3, 3] - point))


def _corners(node):
    """Return the corners of a slice view, (4, 3), in order around it."""
    width, height, _ = node.GetDimensions()
    return [
        node.GetXYToRAS().MultiplyPoint([x, y, 0, 1])[:3]
        for x, y in ((0, 0), (width, 0), (width, height), (0, height))
    ]
