"""Slice views that move together, and zoom views that show the surroundings of one point at the same slice."""

import numpy as np
import slicer
import vtk

from ..slice_plane import lookAt, pixelSize, viewCenter
from .point_of_interest import PointOfInterest

LENS_RANGE = (1.5, 40.0)
DEFAULT_LENS = 4.0


class LinkedSlices:
    """Slicer's own links copy some steps of the mouse only (not the place of a zoom with Ctrl and the wheel), and zoom views of
    another scale can't be linked by them at all. So every change in one view is brought to the others here, as long as the
    user has not switched off the link of that view.

    mainNodes: slice nodes of the pictures. zoomNodes: those of the zoom views in the same order, or none.
    isLinked(n): whether the n-th main view leads the others. onChanged(): called after each change.
    """

    def __init__(self, mainNodes, zoomNodes, isLinked, onChanged, position, lens=DEFAULT_LENS):
        """position: of the point of interest, (3,), mm in the world. lens: how much larger than the picture a zoom view is."""
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

    def fit(self, corners, sliceToRAS=None):
        """All views show the same plane, and all of the volume. corners: (n, 3) of the volume. sliceToRAS: default, as it is now."""
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

    def close(self):
        for node, tag in self._observers:
            node.RemoveObserver(tag)
        self._observers = []
        if self._point is not None:
            self._point.remove()

    @property
    def lens(self):
        return self._lens

    @lens.setter
    def lens(self, lens):
        self._lens = float(np.clip(lens, *LENS_RANGE))
        self._moveZooms()

    @property
    def position(self):
        return self._position.copy()

    @position.setter
    def position(self, position):
        """Scrolls to the slice of the point, too."""
        self._position = np.array(position, float)
        self._scrollTo(0, self._position)

    def _onPointMoved(self):
        if not self._isMoving:
            self.position = self._point.position

    def _onMainModified(self, node, event):
        if self._isHeard(node, self._mains):
            before, self._known[node] = self._known[node], _state(node)
            # a view that gets another size keeps its own field of view: nobody has zoomed
            self.follow(self._mains.index(node), resized=self._known[node].size != before.size)

    def _onZoomModified(self, node, event):
        if not self._isHeard(node, self._zooms):
            return
        n = self._zooms.index(node)
        if _userFlags(node):
            self._position = viewCenter(node)
            self._lens = float(np.clip(pixelSize(self._mains[n]) / pixelSize(node), *LENS_RANGE))
            self._scrollTo(n, self._position)
        else:  # it has got another size, or all views were reset
            self._moveZooms()

    def _isHeard(self, node, group):
        """Whether a change has to be brought to the others.

        While the user works in a view, Slicer's own link changes the others of its group in its own way, before and after each
        event of that view: only that view is heard then, and each time, so that all end up where they belong.
        """
        if self._isMoving:
            return False
        if node.GetInteractionFlags():
            return True
        return _state(node) != self._known[node] and not any(
            other.GetInteractionFlags() for other in group
        )

    def _scrollTo(self, n, position):
        """Moves the n-th main view to the slice of a point, and all that follow it."""
        node = self._mains[n]
        sliceToRAS = _sliceToRAS(node)
        sliceToRAS[:3, 3] += sliceToRAS[:3, 2] * (
            sliceToRAS[:3, 2] @ (position - sliceToRAS[:3, 3])
        )
        self._move(node, sliceToRAS, node.GetXYZOrigin())
        self.follow(n)

    def follow(self, n, resized=False):
        """The other main views take over what the n-th shows, and the zoom views look at its slice."""
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
        # a slice node that is just working out its own matrices does not take over others: it is heard again when it has done so
        self._known[node] = (
            _state(node) if _isSettled(node) else _State((tuple(node.GetDimensions()), ()))
        )


class _State(tuple):
    """What a slice view shows: its size in pixels, and where they lie."""

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
    """Whether the pixels lie where the field of view has them."""
    width = np.linalg.norm(slicer.util.arrayFromVTKMatrix(node.GetXYToRAS())[:3, 0])
    return abs(width - pixelSize(node)) < 1e-6 * pixelSize(node)


def _userFlags(node):
    """What the user is doing in a slice view: scroll, pan or zoom; 0 where he does nothing of it."""
    return node.GetInteractionFlags() & (
        node.SliceToRASFlag | node.XYZOriginFlag | node.FieldOfViewFlag
    )


def _sliceToRAS(node):
    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())


def _projected(point, sliceToRAS):
    """The point, moved straight into the plane of a slice."""
    normal = sliceToRAS[:3, 2]
    return point + normal * (normal @ (sliceToRAS[:3, 3] - point))


def _corners(node):
    """The corners of what a slice view shows, (4, 3), in order around it."""
    width, height, _ = node.GetDimensions()
    return [
        node.GetXYToRAS().MultiplyPoint([x, y, 0, 1])[:3]
        for x, y in ((0, 0), (width, 0), (width, height), (0, height))
    ]
