"""A result beside its input, and where it is inconsistent with it: views and their controls."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.comparison.before_after import ConsistencyMap, UpsampledPair
from ..scene.comparison.maps import updateLegends
from ..scene.uncertainty import uncertaintyMapOf
from .appearance import showText
from .comparison.views import LinkedViews
from .idle_steps import IdleSteps

OUTPUT = "output"
"""Method of the output's cell."""


class BeforeAfterViews(LinkedViews):
    """Input and output of a run side by side.

    Args:
        pair: Input and output.
        onClosed: See LinkedViews.

    Attributes:
        pair: Input and output.
    """

    def __init__(self, pair: UpsampledPair, onClosed: Callable[[], None]) -> None:
        super().__init__(pair.viewAxis, onClosed, hasZoom=False)
        self.pair = pair

    def _images(self):
        return [
            (_("input"), None, self.pair.input),
            (_outputTitle(self.pair), OUTPUT, self.pair.output),
        ]

    def _isWorthShowing(self):
        return all(cell.volumeNode for cell in self._cells)

    def holdInput(self, isHeld: bool) -> None:
        """Show the input in place of the output, or the output and its map again."""
        if self.isOpen:
            before, after = self._cells
            after.borrow(before if isHeld else None)
            updateLegends(self._shownMaps())
            self._write()

    def replaceOutput(self, pair: UpsampledPair) -> None:
        """Show another output of the same input in the same place, without a map."""
        self.showMaps({})
        self.pair = pair
        self._cells[1].replace(_outputTitle(pair), pair.output)
        self._display.add(pair.output, source=pair.input)
        self._write()


class BeforeAfter:
    """Controls that show the newest output of the input volume beside it.

    They are visible while there is such an output, or while the views are open.

    Args:
        ui: Widgets of the panel.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._inputVolume: slicer.vtkMRMLScalarVolumeNode | None = None
        self._views: BeforeAfterViews | None = None
        self._map: ConsistencyMap | None = None
        self._mapSteps = IdleSteps(_("The consistency map could not be made."))
        self._observers: list[tuple[slicer.vtkMRMLVolumeNode, int]] = []
        self._isRefreshPending = False
        ui.holdInputButton.connect("pressed()", lambda: self._onHold(True))
        ui.holdInputButton.connect("released()", lambda: self._onHold(False))
        ui.consistencyMapButton.connect("toggled(bool)", self._onMapToggled)
        ui.uncertaintyButton.connect("toggled(bool)", self._onUncertaintyToggled)
        ui.beforeAfterButton.connect("clicked(bool)", self._onShowOrClose)
        showText(self._ui.consistencyLabel, "")
        self._updateControls()

    @property
    def isOpen(self) -> bool:
        """True while input and output are shown side by side."""
        return self._views is not None and self._views.isOpen

    def show(self, inputVolume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Offer the newest output of a volume; None while there is no scene or no input."""
        self._inputVolume = inputVolume
        self._updateControls()

    def refreshLater(self) -> None:
        """Look for the newest output again after all pending events."""
        if not self._isRefreshPending:
            self._isRefreshPending = True
            qt.QTimer.singleShot(0, self._refreshNow)

    def open(self, pair: UpsampledPair | None) -> None:
        """Show a pair; views that show the same input keep their place. None does nothing."""
        if pair is None:
            return
        hasMap = self._ui.consistencyMapButton.checked
        hasUncertainty = self._ui.uncertaintyButton.checked
        if self.isOpen and (self._views.pair.input, self._views.pair.viewAxis.index) == (
            pair.input,
            pair.viewAxis.index,
        ):
            self._forgetMap()
            self._views.replaceOutput(pair)
            self._observe(pair)
            if hasMap and not pair.whyNoMap:
                self._startMap()
            elif hasMap:
                self._onNoMap()
            if hasUncertainty:
                self._onUncertaintyToggled(True)
        else:
            views = BeforeAfterViews(pair, self._onClosed)
            if views.open():  # closes other views
                self._views = views
                self._observe(pair)
        self._updateControls()

    def cleanup(self) -> None:
        """Close the views; the panel is being deleted."""
        self._inputVolume, self._isRefreshPending = None, False
        if self.isOpen:
            self._views.close()

    def _pair(self):
        return self._views.pair if self.isOpen else UpsampledPair.newestOf(self._inputVolume)

    def _refreshNow(self):
        if self._isRefreshPending:
            self._isRefreshPending = False
            self._updateControls()

    def _updateControls(self):
        ui, isOpen, pair = self._ui, self.isOpen, self._pair()
        ui.beforeAfterWidget.visible = slicer.app.layoutManager() is not None and pair is not None
        ui.uncertaintyButton.visible = (
            pair is not None and uncertaintyMapOf(pair.output) is not None
        )
        reason = pair.whyNoMap if pair is not None else ""
        ui.consistencyMapButton.enabled = not reason
        ui.consistencyMapButton.toolTip = reason or _(
            "Show where the output, downsampled to the grid of the input, differs from it"
        )
        ui.beforeAfterButton.text = (
            _("Back to previous layout") if isOpen else _("Show beside input")
        )
        ui.beforeAfterButton.toolTip = (
            _("Restore the layout and what its views showed")
            if isOpen
            else _("Show the newest output beside the input")
        )
        ui.holdInputButton.enabled = isOpen

    def _onShowOrClose(self, checked=False):
        if self.isOpen:
            self._views.close()
        else:
            self.open(self._pair())

    def _onHold(self, isHeld):
        if self.isOpen:
            self._views.holdInput(isHeld)

    def _onClosed(self):
        self._forgetMap()
        self._observe(None)
        _check(self._ui.consistencyMapButton, False)
        _check(self._ui.uncertaintyButton, False)
        self._updateControls()

    def _observe(self, pair):
        """Follow the voxels of both volumes: frames of a sequence, or replaced outputs."""
        for node, tag in self._observers:
            node.RemoveObserver(tag)
        volumes = (pair.input, pair.output) if pair is not None else ()
        self._observers = [
            (node, node.AddObserver(node.ImageDataModifiedEvent, self._onVoxelsChanged))
            for node in volumes
        ]

    def _onVoxelsChanged(self, caller, event):
        """Remove the map, and make another one when both volumes are complete."""
        if self._ui.consistencyMapButton.checked:
            self._views.showMaps({})
            self._forgetMap()
            qt.QTimer.singleShot(0, self._renewMap)

    def _renewMap(self):
        if self._ui.consistencyMapButton.checked and self._map is None:
            self._startMap()

    def _onMapToggled(self, checked):
        if checked and not self.isOpen:
            self.open(self._pair())
        if checked and self.isOpen:
            self._views.showMaps({})
            _check(self._ui.uncertaintyButton, False)
            self._startMap()
        else:
            if self.isOpen:
                self._views.showMaps({})
            self._forgetMap()
            _check(self._ui.consistencyMapButton, False)

    def _onUncertaintyToggled(self, checked):
        if checked and not self.isOpen:
            self.open(self._pair())
        node = uncertaintyMapOf(self._views.pair.output) if checked and self.isOpen else None
        if self.isOpen:
            self._views.showMaps({OUTPUT: node} if node is not None else {})
        self._forgetMap()
        _check(self._ui.consistencyMapButton, False)
        _check(self._ui.uncertaintyButton, node is not None)
        if node is not None:
            showText(
                self._ui.consistencyLabel,
                _(
                    "Spread of the network's results for flipped and turned images, in "
                    "intensities. It ranks errors only roughly: dark voxels can be wrong, too."
                ),
            )

    def _startMap(self):
        self._forgetMap()
        self._map = ConsistencyMap(self._views.pair)
        showText(self._ui.consistencyLabel, _("Computing the map …"))
        self._mapSteps.start(self._map.steps(), self._onMapMade, onFailure=self._onNoMap)

    def _onMapMade(self):
        if self._map.node is None:
            self._onNoMap()
            return
        self._views.showMaps({OUTPUT: self._map.node})
        showText(
            self._ui.consistencyLabel,
            _(
                "Mean inconsistency: {mean:.2f} % of the intensity range; "
                "bright voxels are inconsistent."
            ).format(mean=self._map.mean),
        )

    def _onNoMap(self):
        _check(self._ui.consistencyMapButton, False)
        showText(self._ui.consistencyLabel, "")

    def _forgetMap(self):
        self._mapSteps.stop()
        if self._map is not None:
            self._map.remove()
            self._map = None
        showText(self._ui.consistencyLabel, "")


def _outputTitle(pair):
    return _("output: {model} {kind}").format(model=pair.model, kind=pair.kind)


def _check(button, isChecked):
    blocked = button.blockSignals(True)
    button.checked = isChecked
    button.blockSignals(blocked)
