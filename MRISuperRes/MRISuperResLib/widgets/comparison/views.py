"""Linked views: images of one body side by side, with names and scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ...core import geometry
from ...core.geometry import SliceAxis
from ...scene.comparison.layout import (
    COMPARISON_LAYOUT_ID,
    ComparisonDisplay,
    describeLayout,
    mainViewNames,
    missingViewSteps,
    zoomViewNames,
)
from ...scene.comparison.linked_slices import DEFAULT_LENS, LinkedSlices
from ...scene.comparison.maps import updateLegends
from ...scene.comparison.nodes import ComparisonNodes
from ...scene.comparison.slice_views import bodyCorners, ijkToWorld, middle, shownSlice, slicePlane
from ...scene.steps import Steps
from .cell import ComparisonCell, scoreText


class LinkedViews:
    """Images side by side, in views that replace the layout of the application.

    They close when the user selects another layout, closes the scene or deletes the volumes.
    Opening other views closes these. A derived class says what is shown (`_images`, `_caption`,
    `_isWorthShowing`).

    Args:
        axis: Slice direction; the views are parallel to the slices.
        onClosed: Called after the views were closed, for whatever reason.
        hasZoom: Show zoomed views below the images.
    """

    _shown: LinkedViews | None = None

    def __init__(
        self, axis: SliceAxis, onClosed: Callable[[], None] | None = None, hasZoom: bool = True
    ) -> None:
        self._axis, self._onClosed = axis.index, onClosed
        self._isOpen, self._hasZoom = False, hasZoom
        self._lens, self._position = DEFAULT_LENS, None
        self._cells, self._sceneObservers = [], []
        self._links = self._display = self._mapDisplay = None

    @property
    def isOpen(self) -> bool:
        """True while the views are shown."""
        return self._isOpen

    def _images(self) -> list[tuple[str, str | None, slicer.vtkMRMLVolumeNode]]:
        """Return [(title, method, volume node)]; the first image gives geometry and window."""
        raise NotImplementedError

    def _caption(self, cell: ComparisonCell, index: int | None) -> str:
        """Return the text below a title; `index`: the slice, None if the view shows several."""
        return "" if index is None else f"{geometry.VOXEL_AXES[self._axis]} = {index}"

    def _isWorthShowing(self) -> bool:
        """Return False if too many volumes were deleted."""
        raise NotImplementedError

    def prepare(self) -> Steps[None]:
        """Build the missing views in steps; `open` would build all of them at once."""
        if slicer.app.layoutManager() is not None:
            yield from missingViewSteps(len(self._shownImages()), self._hasZoom)

    def open(self) -> bool:
        """Show the views.

        Returns:
            False without a main window, or if the volumes were deleted.
        """
        layoutManager = slicer.app.layoutManager()
        images = self._shownImages()
        if self._isOpen or layoutManager is None or len(images) < 2:
            return self._isOpen
        self.closeShown()
        LinkedViews._shown, self._isOpen = self, True
        self._layoutManager = layoutManager
        self._rememberLayout()
        try:
            self._show(images)
        except Exception:
            self.close()
            raise
        return True

    def _shownImages(self):
        return [image for image in self._images() if _hasVoxels(image[2])]

    def _show(self, images):
        self._cells = [ComparisonCell(*image, self._onCompositeModified) for image in images]
        volumes = [cell.volumeNode for cell in self._cells]
        self._display = ComparisonDisplay(volumes)
        self._matrix = ijkToWorld(volumes[0])
        self._size = volumes[0].GetImageData().GetDimensions()
        self._body = bodyCorners(volumes[0], self._matrix)
        self._position = self._body.mean(axis=0)
        self._enter()
        self._fit(self._middlePlane())
        self._layoutManager.connect("layoutChanged(int)", self._onLayoutChanged)
        scene = slicer.mrmlScene
        self._sceneObservers = [
            scene.AddObserver(event, callback)
            for event, callback in (
                (scene.StartCloseEvent, self._onSceneClose),
                (scene.NodeRemovedEvent, self._onNodeRemoved),
                (scene.EndImportEvent, self._onImported),
            )
        ]
        qt.QTimer.singleShot(0, self._fit)  # views have their sizes only then

    def _middlePlane(self):
        return slicePlane(self._matrix, self._axis, middle(self._size))

    def close(self) -> None:
        """Restore the layout and the display settings of the volumes."""
        self._close(True)

    @staticmethod
    def areShown() -> bool:
        """Return True while any linked views are shown."""
        return LinkedViews._shown is not None

    @staticmethod
    def closeShown() -> None:
        """Close the views that are shown, if any."""
        if LinkedViews._shown is not None:
            LinkedViews._shown.close()

    def showZoom(self, visible: bool) -> None:
        """Show or hide the zoomed views below the images."""
        if visible != self._hasZoom and self._isOpen:
            self._leave()
            self._hasZoom = visible
            self._enter()
            self._links.follow(0)
        self._hasZoom = visible

    def showMaps(self, maps: dict[str, slicer.vtkMRMLVolumeNode | None]) -> None:
        """Overlay maps on the images: {method: map}; an empty dict removes all maps."""
        if not self._isOpen:
            return
        if self._mapDisplay is not None:
            self._mapDisplay.close()
        before = self._shownMaps()
        self._mapDisplay = ComparisonDisplay([node for node in maps.values() if node is not None])
        for cell in self._cells:
            cell.showMap(maps.get(cell.method))
        updateLegends([*before, *self._shownMaps()])

    def _shownMaps(self):
        return [cell.mapNode for cell in self._cells if cell.mapNode is not None]

    @property
    def lensFactor(self) -> float:
        """Magnification of the zoomed views; dragging with the right button changes it."""
        return self._lens

    @lensFactor.setter
    def lensFactor(self, factor: float) -> None:
        self._lens = factor
        if self._links is not None:
            self._links.lens = factor

    @property
    def pointOfInterest(self) -> np.ndarray | None:
        """Center of the zoomed views, world coordinates (3,), mm; None before the first opening."""
        return self._position

    @pointOfInterest.setter
    def pointOfInterest(self, position: np.ndarray) -> None:
        self._position = np.array(position, float)
        if self._links is not None:
            self._links.position = position

    def _enter(self):
        """Put the images into the views of the layout."""
        count = len(self._cells)
        describeLayout(self._layoutManager.layoutLogic().GetLayoutNode(), count, self._hasZoom)
        self._layoutManager.setLayout(COMPARISON_LAYOUT_ID)
        for cell, main, zoom in zip(self._cells, mainViewNames(count), zoomViewNames(count)):
            cell.enter(
                self._layoutManager.sliceWidget(main),
                self._layoutManager.sliceWidget(zoom) if self._hasZoom else None,
            )
        self._links = LinkedSlices(
            [cell.mainNode for cell in self._cells],
            [cell.zoomNode for cell in self._cells if cell.zoomNode],
            lambda n: self._cells[n].isLinked,
            self._onMoved,
            self._position,
            self._lens,
        )

    def _leave(self):
        if self._links is not None:
            self._links.close()
            self._links = None
        for cell in self._cells:
            cell.leave()

    def _fit(self, sliceToRAS=None):
        if self._isOpen:
            self._links.fit(self._body, sliceToRAS)

    def _close(self, restoreLayout):
        if not self._isOpen:
            return
        self._isOpen, LinkedViews._shown = False, None
        self._layoutManager.disconnect("layoutChanged(int)", self._onLayoutChanged)
        for tag in self._sceneObservers:
            slicer.mrmlScene.RemoveObserver(tag)
        self._leave()
        for display in filter(None, (self._display, self._mapDisplay)):
            display.close()
        updateLegends(self._shownMaps())
        self._cells, self._sceneObservers, self._display, self._mapDisplay = [], [], None, None
        if restoreLayout:
            self._restoreLayout()
        if self._onClosed:
            self._onClosed()

    def _rememberLayout(self):
        layoutNode = self._layoutManager.layoutLogic().GetLayoutNode()
        self._layoutBefore = self._layoutManager.layout
        self._maximizedBefore = [
            layoutNode.GetMaximizedViewNode(n)
            for n in range(layoutNode.GetNumberOfMaximizedViewNodes())
        ]
        if self._layoutBefore == COMPARISON_LAYOUT_ID:  # loaded from a scene saved with open views
            self._layoutBefore = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
            self._maximizedBefore = []

    def _restoreLayout(self):
        self._layoutManager.setLayout(self._layoutBefore)
        layoutNode = self._layoutManager.layoutLogic().GetLayoutNode()
        for viewNode in self._maximizedBefore:
            if viewNode.GetScene() is not None:
                layoutNode.AddMaximizedViewNode(viewNode)

    def _onMoved(self):
        """Slice, position or magnification changed."""
        self._position, self._lens = self._links.position, self._links.lens
        self._write()

    def _write(self):
        for cell in self._cells:
            index = shownSlice(cell.mainNode, self._matrix, self._axis, self._size)
            cell.write(self._caption(cell, index), f"{cell.title} ×{self._lens:.3g}")

    def _onCompositeModified(self, caller, event):
        self._write()

    def _onLayoutChanged(self, layout):
        """Close for another layout only: the signal also follows the maximization of a view."""
        if layout != COMPARISON_LAYOUT_ID:
            self._close(False)

    def _onSceneClose(self, caller, event):
        self.close()

    def _onNodeRemoved(self, caller, event):
        if self._isWorthShowing():
            self._write()
        else:
            self.close()

    def _onImported(self, caller, event):
        """Restore the slice nodes, which an imported scene overwrites."""
        for cell in self._cells:
            cell.fill()
        self._fit(self._middlePlane())


class ComparisonViews(LinkedViews):
    """The views of a comparison: reference or input, and the outputs with their scores.

    Args:
        nodes: Comparison to show.
        onClosed: See LinkedViews.
    """

    def __init__(self, nodes: ComparisonNodes, onClosed: Callable[[], None] | None = None) -> None:
        super().__init__(nodes.axis, onClosed)
        self._nodes = nodes

    def _images(self):
        """Return reference or input, then the outputs."""
        reference = self._nodes.reference
        if reference is not None:
            first = (_("reference"), None, reference)
        else:
            first = (_("input"), None, self._nodes.low)
        return [first, *((method, method, node) for method, node in self._nodes.outputs.items())]

    def _caption(self, cell, index):
        if cell.method is None:
            return super()._caption(cell, index)
        return scoreText(self._nodes.table, cell.method, index)

    def _isWorthShowing(self):
        return any(cell.method and cell.volumeNode for cell in self._cells)


def _hasVoxels(volumeNode):
    return volumeNode is not None and volumeNode.GetImageData() is not None
