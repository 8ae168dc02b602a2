"""One image of a comparison: its view, its zoomed view, and the text in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
import vtk
from slicer.i18n import tr as _

from ...scene.comparison.layout import MAIN_VIEW_GROUP, ZOOM_VIEW_GROUP

if TYPE_CHECKING:
    from ...core.comparison.scores import ScoreTable

UPPER_LEFT = 2
FONT_SIZE, MIN_FONT_SIZE = 15, 10
MAX_LINE_HEIGHT = 0.1
"""Fraction of the height of the view."""


class ViewOverlay:
    """The only text in a slice view, in its upper left corner.

    It uses the overlay annotation, because the DataProbe module rewrites the other annotation at
    every slice. That one, which names the volume again, is hidden.

    Args:
        sliceWidget: qMRMLSliceWidget.
    """

    def __init__(self, sliceWidget) -> None:
        self._view = sliceWidget.sliceView()
        self._annotation = sliceWidget.overlayCornerAnnotation()
        self._hidden = self._view.cornerAnnotation()
        self._visibilityBefore = self._hidden.GetVisibility()
        self._hidden.SetVisibility(False)
        self._textBefore = self._annotation.GetText(UPPER_LEFT) or ""
        self._sizesBefore = (
            self._annotation.GetMaximumFontSize(),
            self._annotation.GetMinimumFontSize(),
            self._annotation.GetMaximumLineHeight(),
        )
        self._fontBefore = vtk.vtkTextProperty()
        self._fontBefore.ShallowCopy(self._annotation.GetTextProperty())
        self._setSizes(FONT_SIZE, MIN_FONT_SIZE, MAX_LINE_HEIGHT)
        font = self._annotation.GetTextProperty()
        font.SetFontFamilyToArial()
        font.SetColor(1, 1, 1)
        font.ShadowOn()
        font.SetBackgroundColor(0, 0, 0)
        font.SetBackgroundOpacity(0.4)  # legible on bright fat

    def show(self, text: str) -> None:
        """Show a text."""
        if text != self._annotation.GetText(UPPER_LEFT):
            self._annotation.SetText(UPPER_LEFT, text)
            self._view.scheduleRender()

    def remove(self) -> None:
        """Restore the annotation."""
        self._setSizes(*self._sizesBefore)
        self._annotation.GetTextProperty().ShallowCopy(self._fontBefore)
        self._hidden.SetVisibility(self._visibilityBefore)
        self.show(self._textBefore)

    def _setSizes(self, largest, smallest, lineHeight):
        self._annotation.SetMaximumFontSize(largest)
        self._annotation.SetMinimumFontSize(smallest)
        self._annotation.SetMaximumLineHeight(lineHeight)


def scoreText(table: ScoreTable, method: str, index: int | None) -> str:
    """Return the main scores of a method in one line.

    Args:
        table: Scores of the comparison.
        method: Method name.
        index: Slice number; None for the means over all slices.
    """
    keys = {metric.key for metric in table.metrics}
    shown = [key for key in ("psnr", "ssim_wang") if key in keys] or [
        key for key in ("inconsistency", "niqe", "pi") if key in keys
    ]
    parts = []
    for metric in map(table.metric, shown):
        if index is None:
            value = table.mean(method, metric.key)
        else:
            value = table.values(method, metric.key)[index]
        unit = " dB" if metric.unit == "dB" and value is not None else ""
        parts.append(f"{metric.title} {metric.text(value)}{unit}")
    text = "  ".join(parts)
    return _("mean {scores}").format(scores=text) if index is None else text


class ComparisonCell:
    """One image of a comparison in its slice views.

    Args:
        title: Text to show in the view.
        method: Method name in the score table; None for the reference and the input.
        volumeNode: Volume to show.
        onCompositeModified: Called as onCompositeModified(caller, event) after the volume or the
            link of the view has changed.
    """

    def __init__(
        self,
        title: str,
        method: str | None,
        volumeNode: slicer.vtkMRMLVolumeNode,
        onCompositeModified: Callable,
    ) -> None:
        self.method = method
        self._title, self._volumeId, self._mapId = title, volumeNode.GetID(), None
        self._lender: ComparisonCell | None = None
        self._onCompositeModified, self._observer = onCompositeModified, None
        self._mainWidget = self._zoomWidget = None

    @property
    def title(self) -> str:
        """Text to show in the view."""
        return self._shown._title

    @property
    def volumeNode(self) -> slicer.vtkMRMLVolumeNode | None:
        """The volume; None after it was deleted."""
        return slicer.mrmlScene.GetNodeByID(self._volumeId)

    @property
    def _shown(self):
        """The cell whose image the views show, mostly this one."""
        return self._lender or self

    @property
    def mapNode(self) -> slicer.vtkMRMLVolumeNode | None:
        """The map over the image; None without a map, or after it was deleted."""
        return slicer.mrmlScene.GetNodeByID(self._mapId) if self._mapId else None

    @property
    def mainNode(self) -> slicer.vtkMRMLSliceNode:
        """The slice node of the main view."""
        return self._mainWidget.mrmlSliceNode()

    @property
    def zoomNode(self) -> slicer.vtkMRMLSliceNode | None:
        """The slice node of the zoomed view; None while zoomed views are hidden."""
        return self._zoomWidget.mrmlSliceNode() if self._zoomWidget else None

    @property
    def isLinked(self) -> bool:
        """True if the slice view scrolls and zooms with the other linked views."""
        return bool(self._composite(self._mainWidget).GetLinkedControl())

    @property
    def showsItsVolume(self) -> bool:
        """True until the user or another module shows another volume in the view."""
        return (
            self._composite(self._mainWidget).GetBackgroundVolumeID() == self._shown._volumeId
            and self._shown.volumeNode is not None
        )

    def enter(self, mainWidget, zoomWidget) -> None:
        """Show the image in its qMRMLSliceWidgets; zoomWidget may be None."""
        self._mainWidget, self._zoomWidget = mainWidget, zoomWidget
        self._overlay = ViewOverlay(mainWidget)
        self._zoomOverlay = ViewOverlay(zoomWidget) if zoomWidget else None
        if zoomWidget:
            zoomWidget.sliceController().hide()  # the view above has the same controls
        self.fill()
        composite = self._composite(mainWidget)
        self._observer = (
            composite,
            composite.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onCompositeModified),
        )

    def leave(self) -> None:
        """Empty the views and restore their text."""
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

    def fill(self) -> None:
        """Put volume and map into the views and link the views."""
        for widget, group in (
            (self._mainWidget, MAIN_VIEW_GROUP),
            (self._zoomWidget, ZOOM_VIEW_GROUP),
        ):
            if widget is None:
                continue
            sliceNode = widget.mrmlSliceNode()
            sliceNode.SetViewGroup(group)  # not restored by a loaded scene
            # a loaded scene reports an oblique plane as an error, and its views are made anew
            sliceNode.SetSaveWithScene(False)
            composite = self._composite(widget)
            with slicer.util.NodeModify(composite):
                # volumes loaded meanwhile must not replace the image
                composite.SetDoPropagateVolumeSelection(False)
                shown, hasMap = self._shown, widget is self._mainWidget and not self._lender
                composite.SetBackgroundVolumeID(shown._volumeId if shown.volumeNode else None)
                composite.SetForegroundVolumeID(self._mapId if hasMap else None)
                composite.SetForegroundOpacity(1)  # the colors of the legend, unmixed
                composite.SetLabelVolumeID(None)
                composite.SetLinkedControl(True)
                composite.SetHotLinkedControl(True)

    def replace(self, title: str, volumeNode: slicer.vtkMRMLVolumeNode) -> None:
        """Show another volume, without a map."""
        self._title, self._volumeId, self._mapId = title, volumeNode.GetID(), None
        self.fill()

    def borrow(self, lender: ComparisonCell | None) -> None:
        """Show the image of another cell instead, None to show its own image and map again."""
        self._lender = lender
        self.fill()

    def showMap(self, node: slicer.vtkMRMLVolumeNode | None) -> None:
        """Overlay a map on the image, None to remove it. The zoomed view keeps the image."""
        self._mapId = node.GetID() if node else None
        composite = self._composite(self._mainWidget)
        composite.SetForegroundVolumeID(None if self._lender else self._mapId)
        composite.SetForegroundOpacity(1)

    def write(self, text: str, zoomText: str) -> None:
        """Show a text below the title of the main view, and one in the zoomed view."""
        title = self.title
        if self._shown.volumeNode is None:
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
