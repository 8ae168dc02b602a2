"""The list of models of one scale, with the card of the chosen one below."""

from slicer.i18n import tr as _

from ..core.methods import BASELINES
from ..core.models import ModelStore


class ModelSelector:
    """Fills a QComboBox with models and baselines. The name of each is its item data.

    onChosen(name): the user has chosen another model.
    """

    def __init__(self, comboBox, summaryLabel, onChosen, store=None):
        self._comboBox, self._summaryLabel, self._onChosen = comboBox, summaryLabel, onChosen
        self._store = store or ModelStore()
        self._scale = self._default = None
        self._cards = {}  # of the scale that is shown, by name
        comboBox.connect("currentIndexChanged(int)", self._onIndexChanged)

    @property
    def name(self):
        """Of the model that is shown; None in an empty list."""
        return self._comboBox.currentData

    def show(self, scale, name):
        """Shows the models of a scale and chooses one; the default model where that one is not among them."""
        blocked = self._comboBox.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        index = self._comboBox.findData(name) if name else -1
        self._comboBox.setCurrentIndex(index if index >= 0 else self._comboBox.findData(self._default))
        self._comboBox.blockSignals(blocked)
        self._showSummary()

    def _fill(self, scale):
        self._scale = scale
        self._cards = {card.name: card for card in self._store.cards(scale)}
        self._default = self._store.default_name(scale) if self._cards else "bicubic"
        self._comboBox.clear()
        for card in self._cards.values():
            self._comboBox.addItem(card.title, card.name)
        for baseline in BASELINES:
            self._comboBox.addItem(_("{name} interpolation").format(name=baseline.capitalize()), baseline)

    def _onIndexChanged(self, index):
        self._showSummary()
        if self.name:
            self._onChosen(self.name)

    def _showSummary(self):
        if self.name in BASELINES:
            text = _("Plain interpolation, to compare with: invents nothing, restores nothing.")
        else:
            card = self._cards[self.name]
            text = card.summary().removeprefix(card.title).strip()  # the list shows the title
        self._summaryLabel.text = text
        self._comboBox.toolTip = text
