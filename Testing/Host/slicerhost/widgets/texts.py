"""Text, choice and message widgets of CTK."""

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QComboBox, QMessageBox, QTextBrowser


class ctkComboBox(QComboBox):
    """Combo box with a default text for an empty selection, and a choice of what the wheel does."""

    cppName = "ctkComboBox"
    returnRelease = Signal()
    NeverScroll, AlwaysScroll, ScrollWithFocus, ScrollWithNoVScrollBar = range(4)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._defaultText, self._forceDefault = "", False
        self._scrollWheelEffect = self.AlwaysScroll

    def wheelEvent(self, event):
        scrolls = {self.AlwaysScroll: True, self.ScrollWithFocus: self.hasFocus()}
        if scrolls.get(self._scrollWheelEffect, False):
            super().wheelEvent(event)
        else:
            event.ignore()

    def setCurrentUserDataAsString(self, data):
        self.setCurrentIndex(self.findData(data))

    defaultText = Property(
        str, lambda self: self._defaultText, lambda self, v: setattr(self, "_defaultText", v)
    )
    forceDefault = Property(
        bool, lambda self: self._forceDefault, lambda self, v: setattr(self, "_forceDefault", v)
    )
    scrollWheelEffect = Property(
        int,
        lambda self: self._scrollWheelEffect,
        lambda self, v: setattr(self, "_scrollWheelEffect", v),
    )
    currentUserDataAsString = Property(
        str, lambda self: str(self.currentData or ""), setCurrentUserDataAsString
    )


class ctkFittedTextBrowser(QTextBrowser):
    """Text browser as high as its contents, with collapsible details."""

    cppName = "ctkFittedTextBrowser"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed, self._full = True, ""
        self._labels = dict(show="Show details…", hide="Hide details.")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.textChanged.connect(self._fit)

    def _fit(self):
        self.setFixedHeight(int(self.document.size.height()) + 4)

    def setCollapsibleText(self, text):
        self._full = text
        self._show()

    def setCollapsibleHtml(self, text):
        self.setCollapsibleText(text)

    def setCollapsiblePlainText(self, text):
        self.setCollapsibleText(text)

    def collapsibleText(self):
        return self._full

    def _setCollapsed(self, collapsed):
        self._collapsed = collapsed
        self._show()

    def _show(self):
        teaser, _, details = self._full.partition("<more>")
        label = self._labels["show" if self._collapsed else "hide"]
        self.setHtml(
            f"{teaser}{'' if self._collapsed else details} <a href='#'>{label}</a>"
            if details
            else teaser
        )

    collapsed = Property(bool, lambda self: self._collapsed, _setCollapsed)
    showDetailsText = Property(
        str, lambda self: self._labels["show"], lambda self, v: self._labels.update(show=v)
    )
    hideDetailsText = Property(
        str, lambda self: self._labels["hide"], lambda self, v: self._labels.update(hide=v)
    )


class ctkMessageBox(QMessageBox):
    """Message box that dialogs.py records and never shows."""

    cppName = "ctkMessageBox"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._dontShowAgain, self._visible, self._key = False, False, ""

    def setDontShowAgain(self, value):
        self._dontShowAgain = value

    dontShowAgain = Property(bool, lambda self: self._dontShowAgain, setDontShowAgain)
    dontShowAgainVisible = Property(
        bool, lambda self: self._visible, lambda self, v: setattr(self, "_visible", v)
    )
    dontShowAgainSettingsKey = Property(
        str, lambda self: self._key, lambda self, v: setattr(self, "_key", v)
    )
