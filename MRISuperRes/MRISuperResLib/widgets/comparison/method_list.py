"""The list of methods of one scale that can be compared, each with a check mark."""

import qt
from slicer.i18n import tr as _

from ...core.errors import SuperResolutionError
from ...core.method_names import MethodName
from ...core.methods.registry import INTERPOLATIONS, default_comparison_methods
from ...core.models.store import ModelStore
from ...core.options import FLOOR

BACK_PROJECTED = "+bp"
MOST_ROWS = 12  # that are shown without scrolling


class MethodList:
    """Fills a QListWidget. The name of each method is its item data.

    The state is a text of names that differ from the default: a method that is chosen by default and unchecked, or the other way
    round, so that another scale or installation has its own default. onChanged(text): the user has checked or unchecked one.
    blendWidgets: (label, widget, QComboBox of pairs, ctkSliderWidget, QPushButton), with which blends come into the list; hidden
    where there is no pair.
    """

    def __init__(self, listWidget, blendWidgets, onChanged, store=None):
        self._list, self._onChanged = listWidget, onChanged
        self._blendLabel, self._blendWidget, self._pairBox, self._blendSlider, addButton = (
            blendWidgets
        )
        self._store = store or ModelStore()
        self._scale = None
        self._changed = ()
        self._default = ()
        listWidget.connect("itemChanged(QListWidgetItem*)", self._onItemChanged)
        addButton.connect("clicked(bool)", self._onAddBlend)

    @property
    def names(self):
        """Of the checked methods, in the order of the list."""
        return tuple(name for name, item in self._items() if item.checkState() == qt.Qt.Checked)

    def show(self, scale, changed):
        """changed: the text, see above; names that are not methods of this scale are kept in it, but not shown."""
        self._changed = tuple(changed.split())
        blocked = self._list.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        known = {name for name, _item in self._items()}
        for name in self._changed:
            if name not in known and self._isBlend(name):
                self._addItem(
                    name, _("blend"), _("0 is the PSNR model of the pair, 1 its GAN model")
                )
        for name, item in self._items():
            item.setCheckState(
                qt.Qt.Checked
                if (name in self._default) != (name in self._changed)
                else qt.Qt.Unchecked
            )
        self._list.blockSignals(blocked)
        rows = min(self._list.count, MOST_ROWS)
        self._list.maximumHeight = self._list.minimumHeight = (
            rows * self._list.sizeHintForRow(0) + 2 * self._list.frameWidth
        )

    def forget(self):
        """Models may have come or gone: the next `show` looks for them."""
        self._scale = None

    def _fill(self, scale):
        self._scale, self._default = scale, default_comparison_methods(scale, self._store)
        self._list.clear()
        for name in INTERPOLATIONS:
            self._addItem(name, _("interpolation"))
        self._addItem(
            FLOOR,
            _("the best without learning"),
            _("Bicubic interpolation, corrected until it agrees with the input"),
        )
        cards = self._store.cards(scale)
        for card in cards:
            self._addItem(
                card.name,
                _("PSNR model") if card.stage == "psnr" else _("GAN model"),
                card.summary(),
            )
        for card in cards:
            self._addItem(
                card.name + BACK_PROJECTED,
                _("back-projected"),
                _("{title}\nIts result, corrected until it agrees with the input").format(
                    title=card.title
                ),
            )
        pairs = self._store.pairs(scale)
        self._pairBox.clear()
        self._pairBox.addItems(list(pairs))
        self._pairBox.visible = len(pairs) > 1
        for widget in (self._blendLabel, self._blendWidget):
            widget.visible = bool(pairs)

    def _addItem(self, name, text, toolTip=""):
        """The name comes first, because tables and views have nothing else."""
        self._list.addItem(f"{name} – {text}")
        item = self._list.item(self._list.count - 1)
        item.setData(qt.Qt.UserRole, name)
        item.setToolTip(toolTip)
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)

    def _items(self):
        items = [self._list.item(row) for row in range(self._list.count)]
        return [(item.data(qt.Qt.UserRole), item) for item in items]

    def _isBlend(self, name):
        try:
            method = MethodName.parse(name)
        except SuperResolutionError:
            return False
        return method.alpha is not None and method.base in self._store.pairs(self._scale)

    def _onItemChanged(self, item):
        self._toggle(item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked)

    def _onAddBlend(self, checked=False):
        name = str(MethodName(self._pairBox.currentText, round(self._blendSlider.value, 2)))
        self._toggle(name, True)
        self._list.scrollToBottom()

    def _toggle(self, name, isChecked):
        differs = isChecked != (name in self._default)
        changed = [known for known in self._changed if known != name] + ([name] if differs else [])
        self._onChanged(" ".join(changed))
