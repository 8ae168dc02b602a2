"""The comparison on screen: all pictures side by side, moving together, with their names and numbers."""

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ...core import geometry, slice_axis
from ...scene.comparison.display import ComparisonDisplay
from ...scene.comparison.layout import (
    COMPARISON_LAYOUT_ID,
    describeLayout,
    mainViewNames,
    zoomViewNames,
)
from ...scene.comparison.linked_slices import DEFAULT_LENS, LinkedSlices
from ...scene.slice_plane import ijkToWorld, middle, shownSlice, slicePlane
from .cell import ComparisonCell
from .view_overlay import scoreText


class ComparisonViews:
    """Shows a comparison until `close`, or until the user chooses another layout, closes the scene or deletes its volumes.

    nodes: mrml.comparison_nodes.ComparisonNodes. onClosed(): called at the end, whoever has closed it.
    One comparison is shown at a time: opening another one closes the first.
    """

    _shown = None

    def __init__(self, nodes, onClosed=None):
        self._nodes, self._onClosed = nodes, onClosed
        self._isOpen, self._hasZoom = False, True
        self._lens, self._position = DEFAULT_LENS, None
        self._cells, self._sceneObservers, self._links, self._display, self._mapDisplay = (
            [],
            [],
            None,
            None,
            None,
        )

    @property
    def isOpen(self):
        return self._isOpen

    def open(self):
        """Returns whether it is shown: not without a main window, nor where the volumes have been deleted."""
        layoutManager, pictures = slicer.app.layoutManager(), self._pictures()
        if self._isOpen or layoutManager is None or not pictures:
            return self._isOpen
        self.closeShown()
        ComparisonViews._shown, self._isOpen = self, True
        self._layoutManager, self._layoutBefore = layoutManager, layoutManager.layout
        if (
            self._layoutBefore == COMPARISON_LAYOUT_ID
        ):  # of a scene that was saved while it was shown
            self._layoutBefore = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        try:
            self._show(pictures)
        except Exception:
            self.close()
            raise
        return True

    def _show(self, pictures):
        self._cells = [ComparisonCell(*picture, self._onCompositeModified) for picture in pictures]
        volumes = [cell.volumeNode for cell in self._cells]
        self._display = ComparisonDisplay(volumes)
        self._matrix, self._axis, self._size = (
            ijkToWorld(volumes[0]),
            self._nodes.axis.axis,
            volumes[0].GetImageData().GetDimensions(),
        )
        self._position = (self._matrix @ [*middle(self._size), 1])[:3]
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
        qt.QTimer.singleShot(0, self._fit)  # the views get their sizes when Qt comes to it

    def _middlePlane(self):
        return slicePlane(self._matrix, self._axis, middle(self._size))

    def close(self):
        """Brings back the layout that was shown before, and the look of the volumes."""
        self._close(True)

    @staticmethod
    def closeShown():
        """Closes whatever comparison is shown."""
        if ComparisonViews._shown is not None:
            ComparisonViews._shown.close()

    def showZoom(self, visible):
        """Whether there is a zoom view under each picture."""
        if visible != self._hasZoom and self._isOpen:
            self._leave()
            self._hasZoom = visible
            self._enter()
            self._links.follow(0)
        self._hasZoom = visible

    def showMaps(self, maps):
        """Lays maps over the pictures, until they are closed. maps: {method: volume node or None}; {}: none at all."""
        if not self._isOpen:
            return
        if self._mapDisplay is not None:
            self._mapDisplay.close()
        before = self._shownMaps()
        self._mapDisplay = ComparisonDisplay([node for node in maps.values() if node is not None])
        for cell in self._cells:
            cell.showMap(maps.get(cell.method))
        _updateLegends([*before, *self._shownMaps()])

    def _shownMaps(self):
        return [cell.mapNode for cell in self._cells if cell.mapNode is not None]

    @property
    def lensFactor(self):
        """How many times larger than the picture the zoom view under it is; dragging with the right button changes it, too."""
        return self._lens

    @lensFactor.setter
    def lensFactor(self, factor):
        self._lens = factor
        if self._links is not None:
            self._links.lens = factor

    @property
    def pointOfInterest(self):
        """(3,), mm, in the world: the middle of the zoom views; None before the views have been opened."""
        return self._position

    @pointOfInterest.setter
    def pointOfInterest(self, position):
        self._position = np.array(position, float)
        if self._links is not None:
            self._links.position = position

    def _pictures(self):
        """(title, method, volume node) of what is to be shown, the truth or the input first."""
        reference, low = self._nodes.reference, self._nodes.low
        first = (
            (_("reference"), None, reference) if reference is not None else (_("input"), None, low)
        )
        pictures = [
            first,
            *((method, method, node) for method, node in self._nodes.outputs.items()),
        ]
        pictures = [
            picture
            for picture in pictures
            if picture[2] is not None and picture[2].GetImageData() is not None
        ]
        return pictures if len(pictures) > 1 else []

    def _enter(self):
        """Puts the pictures into the views of the layout."""
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
            self._links.fit(geometry.corners(self._matrix, self._size), sliceToRAS)

    def _close(self, restoreLayout):
        if not self._isOpen:
            return
        self._isOpen, ComparisonViews._shown = False, None
        self._layoutManager.disconnect("layoutChanged(int)", self._onLayoutChanged)
        for tag in self._sceneObservers:
            slicer.mrmlScene.RemoveObserver(tag)
        self._leave()
        for display in filter(None, (self._display, self._mapDisplay)):
            display.close()
        _updateLegends(self._shownMaps())
        self._cells, self._sceneObservers, self._display, self._mapDisplay = [], [], None, None
        if restoreLayout:
            self._layoutManager.setLayout(self._layoutBefore)
        if self._onClosed:
            self._onClosed()

    def _onMoved(self):
        """Another slice, another place, or another scale."""
        self._position, self._lens = self._links.position, self._links.lens
        self._write()

    def _write(self):
        for cell in self._cells:
            index = shownSlice(cell.mainNode, self._matrix, self._axis, self._size)
            if cell.method is not None:
                text = scoreText(self._nodes.table, cell.method, index)
            else:
                text = "" if index is None else f"{slice_axis.VOXEL_AXES[self._axis]} = {index}"
            cell.write(text, f"{cell.title} ×{self._lens:.3g}")

    def _onCompositeModified(self, caller, event):
        self._write()

    def _onLayoutChanged(self, layout):
        """Said at every change of the layout node, also where a view is maximized."""
        if layout != COMPARISON_LAYOUT_ID:
            self._close(False)

    def _onSceneClose(self, caller, event):
        self.close()

    def _onNodeRemoved(self, caller, event):
        if not any(cell.method and cell.volumeNode for cell in self._cells):
            self.close()
        else:
            self._write()

    def _onImported(self, caller, event):
        """Slice nodes that were saved with a scene overwrite those of the same name."""
        for cell in self._cells:
            cell.fill()
        self._fit(self._middlePlane())


def _updateLegends(volumeNodes):
    """Views notice that the volume of a color legend was shown or taken away only when its legend changes."""
    for volume in volumeNodes:
        for n in range(volume.GetNumberOfDisplayNodes()):
            display = volume.GetNthDisplayNode(n)
            if display is not None and display.IsA("vtkMRMLColorLegendDisplayNode"):
                display.Modified()
