"""List of the models of one scale, with figures and card of the current one and a blend slider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

import qt
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.method_name import MethodName
from ..core.models.card import DEVICE_KINDS, ModelCard
from ..core.models.card_figures import AUDIT_LEGEND
from ..core.models.store import ModelStore
from ..core.resampling import INTERPOLATIONS
from .appearance import breakable

STAGES = {"psnr": _("{title}: PSNR model"), "gan": _("{title}: GAN model")}
BLEND = "@"
"""Ends the item data of a pair, since a pair may share its name with a model."""


class ModelSelector:
    """A QComboBox of models, blends of pairs, and interpolations; item data is the method name.

    Args:
        comboBox: QComboBox to fill.
        cardWidgets: (QLabel for a line on what the model is worth, QLabel for the model card,
            ctkCollapsibleButton around the card). The card is hidden for interpolations.
        blendWidgets: (label, ctkSliderWidget), visible for a model of a pair: 0 is the PSNR model
            of the pair, 1 its GAN model.
        onChosen: Called with the method name after the user chose a model or a blend.
        store: Installed models; None: those of the application.
    """

    def __init__(
        self,
        comboBox,
        cardWidgets: tuple,
        blendWidgets: tuple,
        onChosen: Callable[[str], None],
        store: ModelStore | None = None,
    ) -> None:
        self._comboBox, self._onChosen = comboBox, onChosen
        self._summaryLabel, self._cardLabel, self._cardButton = cardWidgets
        self._summaryLabel.textFormat = qt.Qt.PlainText  # model cards must not inject markup
        self._blendLabel, self._blendSlider = blendWidgets
        self._store = store or ModelStore()
        self._scale = None
        self._cards, self._pairs, self._defaults = {}, {}, {}  # of the scale; by kind of device
        comboBox.connect("currentIndexChanged(int)", self._onIndexChanged)
        self._blendSlider.connect("valueChanged(double)", self._onBlended)

    @property
    def name(self) -> str | None:
        """Method name of the current item; None in an empty list."""
        chosen = self._comboBox.currentData
        if chosen not in self._pairs:
            return chosen
        return str(MethodName(chosen.removesuffix(BLEND), round(self._blendSlider.value, 2)))

    @property
    def text(self) -> str:
        """Text of the current item."""
        return self._comboBox.currentText

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """Model cards of the current item: two for a blend, none for an interpolation."""
        chosen = self._comboBox.currentData
        return self._pairs.get(chosen) or tuple(card for card in [self._cards.get(chosen)] if card)

    def show(self, scale: int, name: str, deviceKind: str) -> None:
        """List the models of a scale and select one without a call of `onChosen`.

        Args:
            scale: 2, 4 or 8.
            name: Method name; if it is not in the list, the default model is selected.
            deviceKind: "cpu" or "gpu", for the default model.
        """
        blocked = self._comboBox.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        item, alpha = _item(name)
        index = self._comboBox.findData(item) if item else -1
        self._comboBox.setCurrentIndex(
            index if index >= 0 else self._comboBox.findData(self._defaults[deviceKind])
        )
        self._comboBox.blockSignals(blocked)
        self._showBlend(alpha if index >= 0 else None)
        self._showSummary()

    def forget(self) -> None:
        """Read the installed models again at the next `show`."""
        self._scale = None

    def _fill(self, scale):
        self._scale = scale
        self._cards = {card.name: card for card in self._store.cards(scale)}
        self._pairs = {pair + BLEND: cards for pair, cards in self._store.pairs(scale).items()}
        self._defaults = {
            kind: self._store.default_model(scale, kind).name if self._cards else "bicubic"
            for kind in DEVICE_KINDS
        }
        self._comboBox.clear()
        for card in self._cards.values():
            self._comboBox.addItem(STAGES[card.stage].format(title=card.title), card.name)
        for pair in self._pairs:
            text = _("{pair}: blend").format(pair=pair.removesuffix(BLEND))
            self._comboBox.addItem(text, pair)
        for name in INTERPOLATIONS:
            self._comboBox.addItem(_("{name} interpolation").format(name=name.capitalize()), name)

    def _pair(self):
        """Return (item, α of the current model) of its pair; α is None for the blend itself."""
        chosen = self._comboBox.currentData
        for pair, (psnr, gan) in self._pairs.items():
            places = {psnr.name: 0.0, gan.name: 1.0, pair: None}
            if chosen in places:
                return pair, places[chosen]
        return None, None

    def _showBlend(self, alpha):
        """Show or hide the slider; None keeps its position for a blend."""
        pair, place = self._pair()
        for widget in (self._blendLabel, self._blendSlider):
            widget.visible = pair is not None
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
        """Select the blend of the pair if one of its models was selected."""
        blocked = self._comboBox.blockSignals(True)
        self._comboBox.setCurrentIndex(self._comboBox.findData(self._pair()[0]))
        self._comboBox.blockSignals(blocked)
        self._showSummary()
        self._onChosen(self.name)

    def _showSummary(self):
        cards = self.cards
        self.describe(cards, _("Blend: see the cards of both models") if len(cards) > 1 else "")

    def describe(self, cards: Sequence[ModelCard], summary: str = "") -> None:
        """Show the cards of all networks of a run, and what the first one is worth.

        Args:
            cards: The cards, the most important one first; none for interpolations.
            summary: Text in place of the worth of the first card.
        """
        if not cards:
            text = _("Restores no detail, hallucinates none")
        else:
            text = benefit(cards[0]) or cards[0].limits or _("Not measured on held-out volumes")
        self._summaryLabel.text = summary or text
        self._cardLabel.text = "".join(map(cardHtml, cards))
        self._cardButton.visible = bool(cards)


def _item(name):
    """Return (item data, α or None) of a method name; (None, None) for other methods."""
    try:
        method = MethodName.parse(name)
    except SuperResolutionError:
        return None, None
    if method.back_projected:
        return None, None
    return (method.base, None) if method.alpha is None else (method.base + BLEND, method.alpha)


def benefit(card: ModelCard) -> str:
    """Return the mean gain on held-out volumes by anatomy in one line; empty if not measured."""
    gains = card.gains()
    if not gains:
        return ""
    figures = ", ".join(
        f"{anatomy} {sum(values) / len(values):+.1f}" for anatomy, values in gains.items()
    )
    return _("PSNR over {baseline}: {figures} dB").format(
        baseline=_("B-spline") if card.is_through_plane else _("bicubic"), figures=figures
    )


def cardHtml(card: ModelCard) -> str:
    """Return a model card as rich text for a QLabel."""
    parts = [
        *map(_paragraph, card.summary().splitlines()),
        _paragraph(
            _("{name}; device: {device}; license: {license}").format(
                name=card.name,
                device=card.made_for.upper(),
                license=card.license or _("not stated"),
            )
        ),
    ]
    for heading, header, rows in card.metric_tables():
        parts.append(_paragraph(_("{metric}, held-out volumes:").format(metric=heading)))
        parts.append(_scores(header, rows))
    for heading, header, rows in card.audit_tables():
        parts += [_paragraph(f"{heading}:"), _scores(header, rows)]
    if card.audit:
        parts.append(_paragraph(AUDIT_LEGEND))
    training = card.training
    if training.get("data"):
        parts.append(
            _paragraph(
                _(
                    "Trained for {steps} steps (loss: {loss}; degradation: {degradation}) on:"
                ).format(
                    steps=training.get("steps", "?"),
                    loss=training.get("loss", "?"),
                    degradation=training.get("degradation", "?"),
                )
            )
        )
        keys = ("path", "contrast", "license", "source")
        parts.append(
            _list(
                ", ".join(str(file[key]) for key in keys if file.get(key))
                for file in training["data"]
            )
        )
    return "".join(parts)


def _scores(header, rows):
    """Return a table with the column of the model first, since the panel may be narrow."""
    return _table(
        ["", _("this model"), *header[1:-1]],
        [[first, model, *baselines] for first, *baselines, model in rows],
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul style='margin-left: 12px; -qt-list-indent: 0'>{items}</ul>"


def _table(header, rows):
    cells = ["".join(f"<th align='left'>{escape(cell)}</th>" for cell in header)]
    rows = [[breakable(name), *others] for name, *others in rows]
    cells += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table cellspacing='2' style='font-size: small'>{body}</table>"
