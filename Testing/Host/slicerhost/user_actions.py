"""Actions of the user on the test host.

panel_testing/user_actions.py does the same in Slicer and describes the actions; docstrings here say
what differs.
"""

import subprocess
import sys
from pathlib import Path
from unittest import mock

from panel_testing.waiting import process_events

RUN = Path(__file__).resolve().parents[1] / "run.py"


def open_module(name):
    import slicer

    slicer.app.moduleManager()._enter(name)
    return slicer.util.getModuleWidget(name)


def leave_module():
    """Call exit() of the current module."""
    import slicer

    slicer.app.moduleManager()._enter(None)


def show_beside_views(test, panel, shares=(2, 3)):
    """Return a window with the panel beside the views, as in the main window.

    Args:
        test: TestCase; the window is taken apart after it.
        panel: Scroll area of the panel.
        shares: Relative widths of panel and views.
    """
    import qt
    import slicer

    window, parts = qt.QWidget(), (panel, slicer.app.layoutManager().viewport())
    layout = qt.QHBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    for part, stretch in zip(parts, shares):
        layout.addWidget(part, stretch)

    def take_apart():
        """Keep panel and views, which the window would delete with itself."""
        for part in parts:
            part.setParent(None)
        window.hide()

    test.addCleanup(take_apart)
    return window


def click(button):
    """Click a button, or the mark of a check box; a disabled one does nothing."""
    import qt
    from PySide6.QtTest import QTest

    isCheckBox = isinstance(button, qt.QCheckBox)
    mark = qt.QPoint(8, button.height // 2) if isCheckBox else qt.QPoint()
    QTest.mouseClick(button, qt.Qt.LeftButton, pos=mark)


def double_click(view):
    import qt
    from PySide6.QtTest import QTest

    QTest.mouseDClick(view, qt.Qt.LeftButton)


def press_key(widget, key):
    from PySide6.QtTest import QTest

    QTest.keyClick(widget, key)


def type_text(widget, text):
    from PySide6.QtTest import QTest

    QTest.keyClicks(widget, text)


def turn_wheel(view, steps=1, at=None, modifiers=None):
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    place = _place(view, at)
    for _ in range(abs(steps)):
        QApplication.sendEvent(
            view,
            QWheelEvent(
                place,
                QPointF(view.mapToGlobal(place.toPoint())),
                QPoint(),
                QPoint(0, 120 if steps > 0 else -120),
                Qt.NoButton,
                modifiers or Qt.NoModifier,
                Qt.NoScrollPhase,
                False,
            ),
        )
    process_events()


def drag(view, start, end, button=None, modifiers=None, steps=4):
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    button = button or Qt.LeftButton

    def send(kind, x, y, changed, held):
        place = QPointF(x, y)
        QApplication.sendEvent(
            view,
            QMouseEvent(
                kind,
                place,
                QPointF(view.mapToGlobal(place.toPoint())),
                changed,
                held,
                modifiers or Qt.NoModifier,
            ),
        )

    send(QEvent.MouseMove, *start, Qt.NoButton, Qt.NoButton)
    send(QEvent.MouseButtonPress, *start, button, button)
    for n in range(1, steps + 1):
        send(
            QEvent.MouseMove,
            *(a + (b - a) * n / steps for a, b in zip(start, end)),
            Qt.NoButton,
            button,
        )
    send(QEvent.MouseButtonRelease, *end, button, Qt.NoButton)
    process_events()


def _place(widget, at):
    from PySide6.QtCore import QPointF

    return QPointF(*at) if at else QPointF(widget.width / 2, widget.height / 2)


def emit_application_signal(name):
    """Emit a signal of the application, for example aboutToQuit."""
    import slicer

    getattr(slicer.app, name).emit()


def registered_samples(category):
    import SampleData

    return [source for source in SampleData.sources if source["category"] == category]


def serve_files(test, files):
    """Serve files from a network double, with no sample registered, until the test ends.

    Args:
        test: TestCase.
        files: {url: bytes}.

    Returns:
        The dict of served files, which the test may change.
    """
    import SampleData

    test.enterContext(mock.patch.object(SampleData, "sources", []))
    return test.enterContext(mock.patch.object(SampleData, "served", dict(files)))


def start_application(path):
    """Start another application that runs a test file; return its subprocess.Popen."""
    return subprocess.Popen(
        [sys.executable, RUN, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
