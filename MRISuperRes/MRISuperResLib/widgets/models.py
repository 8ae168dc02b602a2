"""The list of models of one scale, with the card of the chosen one below, and a slider between the two models of a pair."""

import qt
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.method_names import MethodName
from ..core.methods.registry import INTERPOLATIONS
from ..core.models.card import DEVICE_KINDS
from ..core.models.store import ModelStore
from .card_text import asPlainText, cardHtml

STAGES = {"psnr": _("{title}: PSNR model"), "gan": _("{title}: GAN model")}
BLEND = "@"
"""Ends the item data of a pair, which may have the name of a model."""


class ModelSelector:
    """Fills a QComboBox with models, blends of pairs, and baselines. The name of each is its item data.

    cardWidgets: (QLabel for a few lines of the model card, QLabel for all of it, ctkCollapsibleButton around it: hidden where there
    is no card). blendWidgets: (label, ctkSliderWidget), shown while the chosen model belongs to a pair: 0 is the pair's PSNR model, 1 its
    GAN model. onChosen(name): the user has chosen another model, or another blend.
    """

    def __init__(self, comboBox, cardWidgets, blendWidgets, onChosen, store=None):
        self._comboBox, self._onChosen = comboBox, onChosen
        self._summaryLabel, self._cardLabel, self._cardButton = cardWidgets
        self._summaryLabel.textFormat = qt.Qt.PlainText  # nothing in a card is taken for markup
        self._blendLabel, self._blendSlider = blendWidgets
        self._store = store or ModelStore()
        self._scale = None
        self._cards, self._pairs, self._defaults = (
            {},
            {},
            {},
        )  # of the scale that is shown, by name; by machine
        comboBox.connect("currentIndexChanged(int)", self._onIndexChanged)
        self._blendSlider.connect("valueChanged(double)", self._onBlended)

    @property
    def name(self):
        """Of the model that is shown; None in an empty list."""
        chosen = self._comboBox.currentData
        return (
            str(MethodName(chosen.removesuffix(BLEND), round(self._blendSlider.value, 2)))
            if chosen in self._pairs
            else chosen
        )

    @property
    def cards(self):
        """Of the models that are shown as chosen: of a blend two, of an interpolation none."""
        chosen = self._comboBox.currentData
        return self._pairs.get(chosen) or tuple(card for card in [self._cards.get(chosen)] if card)

    def show(self, scale, name, machine):
        """Shows the models of a scale and chooses one; where that one is not among them, the default model for a machine ("cpu" or "gpu")."""
        blocked = self._comboBox.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        item, alpha = _item(name)
        index = self._comboBox.findData(item) if item else -1
        self._comboBox.setCurrentIndex(
            index if index >= 0 else self._comboBox.findData(self._defaults[machine])
        )
        self._comboBox.blockSignals(blocked)
        self._showBlend(alpha if index >= 0 else None)
        self._showSummary()

    def forget(self):
        """Models may have come or gone: the next `show` looks for them."""
        self._scale = None

    def _fill(self, scale):
        self._scale = scale
        self._cards = {card.name: card for card in self._store.cards(scale)}
        self._pairs = {pair + BLEND: cards for pair, cards in self._store.pairs(scale).items()}
        self._defaults = {
            machine: self._store.default_name(scale, machine) if self._cards else "bicubic"
            for machine in DEVICE_KINDS
        }
        self._comboBox.clear()
        for card in self._cards.values():
            self._comboBox.addItem(STAGES[card.stage].format(title=card.title), card.name)
        for blend in self._pairs:
            self._comboBox.addItem(
                _("{pair}: blend of the PSNR and the GAN model").format(
                    pair=blend.removesuffix(BLEND)
                ),
                blend,
            )
        for baseline in INTERPOLATIONS:
            self._comboBox.addItem(
                _("{name} interpolation").format(name=baseline.capitalize()), baseline
            )

    def _pair(self):
        """(item, where the chosen model stands in it: 0, 1, or None for the blend itself) of its pair; (None, None) without one."""
        chosen = self._comboBox.currentData
        for blend, (psnr, gan) in self._pairs.items():
            places = {psnr.name: 0.0, gan.name: 1.0, blend: None}
            if chosen in places:
                return blend, places[chosen]
        return None, None

    def _showBlend(self, alpha):
        """alpha: of the blend that is chosen; None leaves the slider where it is."""
        blend, place = self._pair()
        for widget in (self._blendLabel, self._blendSlider):
            widget.visible = blend is not None
        place = alpha if place is None else place
        if place is not None:
            blocked = self._blendSlider.blockSignals(True)
            self._blendSlider.value = place
            self._blendSlider.blockSignals(blocked)

    def _onIndexChanged(self, index):
        self._showBlend(None)
        self._showSummary()
        if self.name:
            self._onChosen(self.name)

    def _onBlended(self, alpha):
        """The slider leads from a plain model to a blend."""
        blocked = self._comboBox.blockSignals(True)
        self._comboBox.setCurrentIndex(self._comboBox.findData(self._pair()[0]))
        self._comboBox.blockSignals(blocked)
        self._showSummary()
        self._onChosen(self.name)

    def _showSummary(self):
        name = self._comboBox.currentData
        if name in INTERPOLATIONS:
            text = _("Plain interpolation, to compare with: invents nothing, restores nothing.")
        elif name in self._pairs:
            text = _(
                "Between “{psnr}” (0: faithful, smooth) and “{gan}” (1: sharp, may invent detail): the weights of both are mixed."
            ).format(psnr=self._pairs[name][0].title, gan=self._pairs[name][1].title)
        else:
            card = self._cards[name]
            text = card.summary().removeprefix(card.title).strip()  # the list shows the title
        self._summaryLabel.text = text
        self._cardLabel.text = "".join(map(cardHtml, self.cards))
        self._cardButton.visible = bool(self.cards)
        self._comboBox.toolTip = asPlainText(text)


def _item(name):
    """(item data, α or None) of a method name; item None for a name that is no model's."""
    try:
        method = MethodName.parse(name)
    except SuperResolutionError:
        return None, None
    if method.back_projected:
        return None, None
    return (method.base, None) if method.alpha is None else (method.base + BLEND, method.alpha)
