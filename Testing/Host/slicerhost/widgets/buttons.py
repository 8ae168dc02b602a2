"""Buttons and collapsible containers of CTK."""

from PySide6.QtCore import Property, QRect, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPainter
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QGroupBox, QPushButton, QStyle, QWidget


def showContents(container, opened):
    """Show or hide the child widgets; those hidden before closing stay hidden, as in CTK."""
    for child in container.children():
        if isinstance(child, QWidget):
            if opened:
                child.setVisible(not child.property("_wasHidden"))
            else:
                child.setProperty(
                    "_wasHidden",
                    child.isHidden() and child.testAttribute(Qt.WA_WState_ExplicitShowHide),
                )
                child.hide()


class ctkCollapsibleButton(QAbstractButton):
    """Header that shows or hides the widgets below it; checked means open."""

    cppName = "ctkCollapsibleButton"
    contentsCollapsed = Signal(bool)

    def __init__(self, text="", parent=None):
        if isinstance(text, QWidget):
            text, parent = "", text
        super().__init__(parent)
        self._look = dict(
            collapsedHeight=10, flat=False, contentsLineWidth=1, contentsMidLineWidth=0
        )
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._onToggled)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)

    def _headerHeight(self):
        return self.fontMetrics().height() + 10

    def _onToggled(self, opened):
        showContents(self, opened)
        self.contentsCollapsed.emit(not opened)

    def showEvent(self, event):
        """Hide children that a .ui file adds to a collapsed button."""
        super().showEvent(event)
        if not self.checked:
            for child in self.children():
                if isinstance(child, QWidget) and not child.isHidden():
                    child.setProperty("_wasHidden", False)
                    child.hide()

    def hitButton(self, position):
        return position.y() < self._headerHeight()

    def sizeHint(self):
        contents = self.layout().sizeHint() if self.checked and self.layout() else QSize(0, 0)
        return QSize(max(120, contents.width()), max(self._headerHeight(), contents.height()))

    def paintEvent(self, event):
        painter = QPainter(self)
        header = QRect(0, 0, self.width, self._headerHeight())
        painter.fillRect(header, self.palette.button())
        arrow = QStyle.SP_ArrowDown if self.checked else QStyle.SP_ArrowRight
        self.style().standardIcon(arrow).paint(
            painter, QRect(4, 4, header.height() - 8, header.height() - 8)
        )
        painter.drawText(header.adjusted(header.height(), 0, 0, 0), Qt.AlignVCenter, self.text)
        painter.end()

    collapsed = Property(
        bool, lambda self: not self.checked, lambda self, value: self.setChecked(not value)
    )
    collapsedHeight = Property(
        int,
        lambda self: self._look["collapsedHeight"],
        lambda self, v: self._look.update(collapsedHeight=v),
    )
    flat = Property(
        bool, lambda self: self._look["flat"], lambda self, v: self._look.update(flat=v)
    )
    contentsLineWidth = Property(
        int,
        lambda self: self._look["contentsLineWidth"],
        lambda self, v: self._look.update(contentsLineWidth=v),
    )


class ctkCollapsibleGroupBox(QGroupBox):
    """Group box whose check mark shows or hides its contents."""

    cppName = "ctkCollapsibleGroupBox"

    def __init__(self, title="", parent=None):
        if isinstance(title, QWidget):
            title, parent = "", title
        super().__init__(title, parent)
        self.setCheckable(True)
        self.toggled.connect(self._onToggled)

    def _onToggled(self, opened):
        showContents(self, opened)

    collapsed = Property(
        bool, lambda self: not self.checked, lambda self, value: self.setChecked(not value)
    )


class ctkPushButton(QPushButton):
    cppName = "ctkPushButton"


class ctkMenuButton(QPushButton):
    cppName = "ctkMenuButton"


class ctkCheckablePushButton(ctkPushButton):
    """Push button with an independent check box."""

    cppName = "ctkCheckablePushButton"
    checkBoxToggled = Signal(bool)

    def __init__(self, text="", parent=None):
        if isinstance(text, QWidget):
            text, parent = "", text
        super().__init__(text, parent)
        self._checkState, self._controls, self._userCheckable = Qt.Unchecked, False, True

    def _setCheckState(self, state):
        state = Qt.CheckState(state)
        if state != self._checkState:
            self._checkState = state
            self.checkBoxToggled.emit(state == Qt.Checked)

    def _setControls(self, value):
        self._controls = value
        self.setCheckable(value)

    checkState = Property(int, lambda self: self._checkState.value, _setCheckState)
    checkBoxControlsButton = Property(bool, lambda self: self._controls, _setControls)
    checkBoxUserCheckable = Property(
        bool, lambda self: self._userCheckable, lambda self, v: setattr(self, "_userCheckable", v)
    )


class ctkCheckBox(QCheckBox):
    """Check box with an icon beside its indicator."""

    cppName = "ctkCheckBox"

    def __init__(self, text="", parent=None):
        if isinstance(text, QWidget):
            text, parent = "", text
        super().__init__(text, parent)
        self._indicatorIcon = QIcon()

    indicatorIcon = Property(
        QIcon, lambda self: self._indicatorIcon, lambda self, v: setattr(self, "_indicatorIcon", v)
    )
