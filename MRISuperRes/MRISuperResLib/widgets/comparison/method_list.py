"""List of the methods of one scale that can be compared, each with a check mark."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ...core.errors import SuperResolutionError
from ...core.methods.registry import default_comparison_methods
from ...core.models.store import ModelStore
from ...core.options import FLOOR, MethodName
from ...core.resampling import INTERPOLATIONS

BACK_PROJECTED = "+bp"
MAX_VISIBLE_ROWS = 12
"""Rows shown without scrolling."""


class MethodList:
    """A QListWidget of methods; item data is the method name.

    The state is a text of method names that differ from the default of the scale: checked but not
    a default, or the other way round. So another scale or installation has its own default.

    Args:
        listWidget: QListWidget to fill.
        blendWidgets: (label, container, QComboBox of pairs, ctkSliderWidget, QPushButton) that add
            blends to the list; hidden without a pair of models.
        onChanged: Called with the new state after the user checked or unchecked a method.
        store: Installed models; None: those of the application.
    """

    def __init__(
        self,
        listWidget,
        blendWidgets: tuple,
        onChanged: Callable[[str], None],
        store: ModelStore | None = None,
    ) -> None:
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
    def names(self) -> tuple[str, ...]:
        """Names of the checked methods, in the order of the list."""
        return tuple(name for name, item in self._items() if item.checkState() == qt.Qt.Checked)

    def show(self, scale: int, changed: str) -> None:
        """List the methods of a scale.

        Args:
            scale: 2, 4 or 8.
            changed: The state. Names of other scales are kept in it but not shown.
        """
        self._changed = tuple(changed.split())
        blocked = self._list.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        known = {name for name, _item in self._items()}
        for name in self._changed:
            if name not in known and self._isBlend(name):
                self._addItem(name, _("blend"), _("0: PSNR model of the pair, 1: GAN model"))
        for name, item in self._items():
            isChecked = (name in self._default) != (name in self._changed)
            item.setCheckState(qt.Qt.Checked if isChecked else qt.Qt.Unchecked)
        self._list.blockSignals(blocked)
        rows = min(self._list.count, MAX_VISIBLE_ROWS)
        self._list.maximumHeight = self._list.minimumHeight = (
            rows * self._list.sizeHintForRow(0) + 2 * self._list.frameWidth
        )

    def forget(self) -> None:
        """Read the installed models again at the next `show`."""
        self._scale = None

    def _fill(self, scale):
        self._scale, self._default = scale, default_comparison_methods(scale, self._store)
        self._list.clear()
        for name in INTERPOLATIONS:
            self._addItem(name, _("interpolation"))
        self._addItem(
            FLOOR,
            _("best without learning"),
            _("Bicubic interpolation with iterative back-projection"),
        )
        cards = self._store.cards(scale)
        for card in cards:
            stage = _("PSNR model") if card.stage == "psnr" else _("GAN model")
            self._addItem(card.name, stage, card.summary())
        for card in cards:
            self._addItem(
                card.name + BACK_PROJECTED,
                _("back-projected"),
                _("{title} with iterative back-projection").format(title=card.title),
            )
        pairs = self._store.pairs(scale)
        self._pairBox.clear()
        self._pairBox.addItems(list(pairs))
        self._pairBox.visible = len(pairs) > 1
        for widget in (self._blendLabel, self._blendWidget):
            widget.visible = bool(pairs)

    def _addItem(self, name, text, toolTip=""):
        """Add a method; its name comes first, since tables and views show only the name."""
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
        changed = [other for other in self._changed if other != name] + ([name] if differs else [])
        self._onChanged(" ".join(changed))
