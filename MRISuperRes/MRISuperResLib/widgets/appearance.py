"""Appearance of a panel: tabs as high as their contents, colors and wrapping of texts."""

from __future__ import annotations

from collections.abc import Sequence

import qt

TEXT_ROLE = "textRole"
"""Property of labels in a .ui file: one of MUTED and WARNING."""
MUTED, WARNING = "muted", "warning"
WARNING_COLORS = {"light": "#983c00", "dark": "#ffb454"}
"""Contrast of at least 5:1 with the window of the theme."""
MUTED_PERCENT = 70
"""Share of the text color in a muted text; the rest is the color of the window."""


class Tabs:
    """Tabs of which only the current one takes space.

    A QTabWidget is as high as the highest of its tabs, so a short tab would have to be scrolled.

    Args:
        tabWidget: QTabWidget.
        contents: The only child widget of each tab, in the order of the tabs.
    """

    def __init__(self, tabWidget, contents: Sequence) -> None:
        self._contents = contents
        tabWidget.connect("currentChanged(int)", self._onCurrentChanged)
        self._onCurrentChanged(tabWidget.currentIndex)

    def _onCurrentChanged(self, current):
        for index, widget in enumerate(self._contents):
            widget.visible = index == current


def colorTexts(ui) -> None:
    """Color muted texts and warnings to suit the light or dark theme of the application.

    Palettes are set, not style sheets, which tooltips and child widgets would take over.

    Args:
        ui: Widgets of a panel, as returned by `slicer.util.childWidgetVariables`.
    """
    for widget in vars(ui).values():
        role = widget.property(TEXT_ROLE)
        if role:
            colorText(widget, role)


def colorText(label, role: str) -> None:
    """Color the text of a label as MUTED or WARNING."""
    color = qt.QColor(textColor(role, label.parentWidget().palette))
    palette = qt.QPalette()  # everything else keeps following the theme
    # a label in a ctkCollapsibleButton is painted with the text color of buttons
    for colorRole in (qt.QPalette.WindowText, qt.QPalette.ButtonText):
        palette.setColor(colorRole, color)
    label.palette = palette


def textColor(role: str, palette) -> str:
    """Return the color of a text, such as "#545454".

    Args:
        role: MUTED or WARNING.
        palette: QPalette of the widget around the text.
    """
    window = palette.color(qt.QPalette.Window)
    if role == WARNING:
        return WARNING_COLORS["dark" if window.lightness() < 128 else "light"]
    text = palette.color(qt.QPalette.WindowText)
    red, green, blue = (
        (MUTED_PERCENT * of(text) + (100 - MUTED_PERCENT) * of(window)) // 100
        for of in (lambda c: c.red(), lambda c: c.green(), lambda c: c.blue())
    )
    return f"#{red:02x}{green:02x}{blue:02x}"


def breakable(name: str) -> str:
    """Return a name with zero-width spaces, so that it wraps in a narrow panel."""
    return name.replace("_", "_\u200b")


def showText(label, text: str) -> None:
    """Show a text in a label, which is hidden without a text."""
    label.text = text
    label.visible = bool(text)
