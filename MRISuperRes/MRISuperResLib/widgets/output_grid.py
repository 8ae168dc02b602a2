"""Choice of the output: a scale, isotropic voxels or a spacing, and the method between slices."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.models.card import ModelCard
from ..core.models.store import ModelStore
from ..core.options import ADAPTATION_STEPS, UpsamplingOptions
from ..core.slice_profile import BASELINE, INTERPOLATIONS
from ..scene.parameters import MRISuperResParameterNode, Output, Scale


class OutputSelector:
    """Combo box of the outputs, and the rows that only some of them have.

    Args:
        ui: Widgets of the panel.
    """

    def __init__(self, ui) -> None:
        self._comboBox, self._parameters = ui.outputComboBox, None
        self._spacingRow = (ui.spacingLabel, ui.spacingWidget)
        self._betweenRows = (
            *(ui.betweenSlicesLabel, ui.betweenSlicesComboBox, ui.partialVolumeLabel),
            *(ui.sliceThicknessLabel, ui.sliceThicknessSpinBox),
        )
        self._modelRow = (ui.modelLabel, ui.modelComboBox)
        self._blendRow = (ui.blendLabel, ui.blendSlider)
        for scale in Scale:
            self._comboBox.addItem(scale.label(), scale.name)
        self._comboBox.addItem(_("Isotropic"), Output.ISOTROPIC.name)
        self._comboBox.addItem(_("Spacing…"), Output.SPACING.name)
        self._comboBox.connect("currentIndexChanged(int)", self._onIndexChanged)
        self.show(None)

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        self._parameters = parameters
        output = parameters.output if parameters is not None else Output.SCALE
        if parameters is not None:
            item = parameters.scale.name if output is Output.SCALE else output.name
            blocked = self._comboBox.blockSignals(True)
            self._comboBox.setCurrentIndex(self._comboBox.findData(item))
            self._comboBox.blockSignals(blocked)
        for widget in self._spacingRow:
            widget.visible = output is Output.SPACING

    def showMethods(self, isInPlane: bool, isBetweenSlices: bool) -> None:
        """Show the rows of the methods that the output needs."""
        for widget in self._modelRow:
            widget.visible = isInPlane
        if not isInPlane:
            for widget in self._blendRow:
                widget.visible = False
        for widget in self._betweenRows:
            widget.visible = isBetweenSlices

    def options(
        self,
        model: str | None = None,
        betweenSlices: str | None = None,
        hasUncertainty: bool = False,
        isAdapted: bool = False,
    ) -> UpsamplingOptions:
        """Return the options of the parameter node.

        Args:
            model: In-plane method; None: the default, which a grid needs for every volume anew.
            betweenSlices: Method between slices, for a grid.
            hasUncertainty: Also request the uncertainty map.
            isAdapted: Adapt the network between slices to the volume first, for a grid.
        """
        parameters = self._parameters
        common = {
            "model": model,
            "slice_axis": parameters.sliceAxis.value,
            "device": parameters.device.value,
            "precision": parameters.precision.value,
            "uncertainty": hasUncertainty,
        }
        if parameters.output is Output.SCALE:
            return UpsamplingOptions(scale=parameters.scale.value, **common)
        spacing = (parameters.spacingI, parameters.spacingJ, parameters.spacingK)
        isIsotropic = parameters.output is Output.ISOTROPIC
        return UpsamplingOptions(
            isotropic=isIsotropic,
            spacing=None if isIsotropic else spacing,
            between_slices=betweenSlices,
            slice_thickness=parameters.sliceThickness or None,
            adapt=ADAPTATION_STEPS if isAdapted else 0,
            **common,
        )

    def _onIndexChanged(self, index):
        item = self._comboBox.currentData
        if self._parameters is None or not item:
            return
        if item in Scale.__members__:
            self._parameters.scale = Scale[item]
            self._parameters.output = Output.SCALE
        else:
            self._parameters.output = Output[item]


class BetweenSlicesSelector:
    """Combo box of the models and interpolations between slices; item data is the name.

    Args:
        comboBox: QComboBox to fill.
        onChosen: Called with the name after the user chose one.
        store: Installed models; None: those of the application.
    """

    def __init__(
        self, comboBox, onChosen: Callable[[str], None], store: ModelStore | None = None
    ) -> None:
        self._comboBox, self._store = comboBox, store or ModelStore()
        self._cards: dict[str, ModelCard] | None = None
        comboBox.connect("currentIndexChanged(int)", lambda index: onChosen(self.name))

    @property
    def name(self) -> str:
        """Name of the current item."""
        return self._comboBox.currentData

    @property
    def text(self) -> str:
        """Text of the current item."""
        return self._comboBox.currentText

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """Card of the current model; none for an interpolation."""
        return tuple(card for card in [(self._cards or {}).get(self.name)] if card)

    def show(self, name: str) -> None:
        """Select a method; if it is not in the list, the default: a network if there is one."""
        blocked = self._comboBox.blockSignals(True)
        if self._cards is None:
            self._fill()
        index = self._comboBox.findData(name) if name else -1
        if index < 0:
            index = 0 if self._cards else self._comboBox.findData(BASELINE)
        self._comboBox.setCurrentIndex(index)
        self._comboBox.blockSignals(blocked)

    def forget(self) -> None:
        """Read the installed models again at the next `show`."""
        self._cards = None

    def _fill(self):
        cards = [card for card in self._store.cards() if card.is_through_plane]
        try:  # the default comes first
            default = self._store.through_plane_model().name
        except SuperResolutionError:
            default = ""
        cards.sort(key=lambda card: card.name != default)
        self._cards = {card.name: card for card in cards}
        self._comboBox.clear()
        for card in cards:
            self._comboBox.addItem(card.title, card.name)
        titles = {
            "linear": _("Linear interpolation"),
            "bspline": _("Cubic B-spline interpolation"),
            "fourier": _("Fourier interpolation"),
        }
        for name in INTERPOLATIONS:
            self._comboBox.addItem(titles[name], name)
