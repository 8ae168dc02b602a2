"""One picture of a comparison: its view, its zoom view, and the text in them."""

import slicer
import vtk
from slicer.i18n import tr as _

from ...scene.comparison.layout import MAIN_VIEW_GROUP, ZOOM_VIEW_GROUP
from .view_overlay import ViewOverlay


class ComparisonCell:
    """title: what the user reads. method: its name in the table; None for the reference and the input. volumeNode: what is shown.

    onCompositeModified(caller, event): called when another volume was put into the view, or its link switched.
    """

    def __init__(self, title, method, volumeNode, onCompositeModified):
        self.title, self.method = title, method
        self._volumeId, self._mapId = volumeNode.GetID(), None
        self._onCompositeModified, self._observer = onCompositeModified, None
        self._mainWidget = self._zoomWidget = None

    @property
    def volumeNode(self):
        """None after it has been deleted."""
        return slicer.mrmlScene.GetNodeByID(self._volumeId)

    @property
    def mapNode(self):
        """What lies over the picture; None where there is nothing, or nothing any more."""
        return slicer.mrmlScene.GetNodeByID(self._mapId) if self._mapId else None

    @property
    def mainNode(self):
        return self._mainWidget.mrmlSliceNode()

    @property
    def zoomNode(self):
        """None where there are no zoom views."""
        return self._zoomWidget.mrmlSliceNode() if self._zoomWidget else None

    @property
    def isLinked(self):
        return bool(self._composite(self._mainWidget).GetLinkedControl())

    @property
    def showsItsVolume(self):
        """False where the user, or another module, has put something else into the view."""
        return (
            self._composite(self._mainWidget).GetBackgroundVolumeID() == self._volumeId
            and self.volumeNode is not None
        )

    def enter(self, mainWidget, zoomWidget):
        """Takes its views, qMRMLSliceWidgets; zoomWidget may be None."""
        self._mainWidget, self._zoomWidget = mainWidget, zoomWidget
        self._overlay = ViewOverlay(mainWidget)
        self._zoomOverlay = ViewOverlay(zoomWidget) if zoomWidget else None
        if zoomWidget:
            zoomWidget.sliceController().hide()  # no room, and what it offers is in the view above
        self.fill()
        composite = self._composite(mainWidget)
        self._observer = (
            composite,
            composite.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onCompositeModified),
        )

    def leave(self):
        """The views are empty, and as they were before."""
        if self._observer is None:
            return
        composite, tag = self._observer
        composite.RemoveObserver(tag)
        for widget, overlay in (
            (self._mainWidget, self._overlay),
            (self._zoomWidget, self._zoomOverlay),
        ):
            if widget:
                self._composite(widget).SetForegroundVolumeID(None)
                self._composite(widget).SetBackgroundVolumeID(None)
                overlay.remove()
        self._observer = None

    def fill(self):
        """Puts its volume and its map where they belong, and links the views."""
        for widget, group in (
            (self._mainWidget, MAIN_VIEW_GROUP),
            (self._zoomWidget, ZOOM_VIEW_GROUP),
        ):
            if widget is None:
                continue
            widget.mrmlSliceNode().SetViewGroup(
                group
            )  # a scene that was saved and loaded knows no groups
            composite = self._composite(widget)
            with slicer.util.NodeModify(composite):
                composite.SetDoPropagateVolumeSelection(
                    False
                )  # a volume that is loaded meanwhile stays out
                composite.SetBackgroundVolumeID(self._volumeId if self.volumeNode else None)
                composite.SetForegroundVolumeID(self._mapId if widget is self._mainWidget else None)
                composite.SetForegroundOpacity(1)  # the colors of the legend, not mixed with gray
                composite.SetLabelVolumeID(None)
                composite.SetLinkedControl(True)
                composite.SetHotLinkedControl(True)

    def showMap(self, node):
        """Lays a map over the picture, not over the zoomed one, where the image stays to be seen; None takes it away."""
        self._mapId = node.GetID() if node else None
        composite = self._composite(self._mainWidget)
        composite.SetForegroundVolumeID(self._mapId)
        composite.SetForegroundOpacity(1)

    def write(self, text, zoomText):
        """text: below the title."""
        title = self.title
        if self.volumeNode is None:
            title, text = _("{title}: deleted").format(title=title), ""
        elif not self.showsItsVolume:
            other = slicer.mrmlScene.GetNodeByID(
                self._composite(self._mainWidget).GetBackgroundVolumeID() or ""
            )
            title, text = other.GetName() if other else "", ""
        self._overlay.show("\n".join(filter(None, (title, text))))
        if self._zoomOverlay:
            self._zoomOverlay.show(zoomText)

    @staticmethod
    def _composite(widget):
        return widget.sliceLogic().GetSliceCompositeNode()
