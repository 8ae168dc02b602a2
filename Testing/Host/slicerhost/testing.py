"""Helpers for tests of panels and MRML code."""

import os
import re
import time
from pathlib import Path

from . import dialogs, problems


def wait_until(condition, timeout=30.0, message="the condition did not become true"):
    """Process events until condition() is true.

    Args:
        condition: Function without arguments.
        timeout: Limit in seconds.
        message: Start of the error message.

    Returns:
        The value of condition().

    Raises:
        AssertionError: condition() is still false after `timeout` seconds.
    """
    import qt

    loop, timer = qt.QEventLoop(), qt.QTimer()
    # wakes the loop, so that the condition is also checked without other events
    timer.setInterval(10)
    timer.start()
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{message} within {timeout} s")
        loop.processEvents(qt.QEventLoop.WaitForMoreEvents)
    timer.stop()
    return value


def wait_for_signal(sender, signature, timeout=30.0):
    """Process events until the sender emits the signal."""
    came = []
    slot = lambda: came.append(True)  # noqa: E731
    sender.connect(signature, slot)
    try:
        wait_until(lambda: came, timeout, f"the signal {signature} did not come")
    finally:
        sender.disconnect(signature, slot)


def process_events(rounds=3):
    """Process queued signals and deletions."""
    import slicer

    for _ in range(rounds):
        slicer.app.processEvents()


def expect_error(pattern):
    """Expect a matching error display, or exception in a slot, in the `with` block."""
    return problems.expect(pattern)


def shown_dialogs(pattern=""):
    """Return the dialogs shown since the test began: objects with .kind, .text and .detail."""
    return [d for d in dialogs.shown if re.search(pattern, d.text)]


answer_next = dialogs.answer


def open_module(name):
    """Enter a module and return its Python widget."""
    import slicer

    slicer.app.moduleManager()._enter(name)
    return slicer.util.getModuleWidget(name)


def leave_module():
    """Call exit() of the current module."""
    import slicer

    slicer.app.moduleManager()._enter(None)


def click(button):
    """Click a button, or the mark of a check box; a disabled one does nothing."""
    import qt
    from PySide6.QtTest import QTest

    isCheckBox = isinstance(button, qt.QCheckBox)
    mark = qt.QPoint(8, button.height // 2) if isCheckBox else qt.QPoint()
    QTest.mouseClick(button, qt.Qt.LeftButton, pos=mark)


def double_click(widget):
    """Double-click the center of a widget."""
    import qt
    from PySide6.QtTest import QTest

    QTest.mouseDClick(widget, qt.Qt.LeftButton)


def press_key(widget, key):
    """Press and release a key, for example qt.Qt.Key_Down."""
    from PySide6.QtTest import QTest

    QTest.keyClick(widget, key)


def type_text(widget, text):
    """Type a text into a widget."""
    from PySide6.QtTest import QTest

    QTest.keyClicks(widget, text)


def turn_wheel(widget, steps=1, at=None, modifiers=None):
    """Turn the mouse wheel over a widget.

    Args:
        widget: Qt widget.
        steps: Number of steps; positive is away from the user.
        at: (x, y) in pixels in the widget; default: its center.
        modifiers: Keyboard modifiers.
    """
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    place = _place(widget, at)
    for _ in range(abs(steps)):
        QApplication.sendEvent(
            widget,
            QWheelEvent(
                place,
                QPointF(widget.mapToGlobal(place.toPoint())),
                QPoint(),
                QPoint(0, 120 if steps > 0 else -120),
                Qt.NoButton,
                modifiers or Qt.NoModifier,
                Qt.NoScrollPhase,
                False,
            ),
        )
    process_events()


def drag(widget, start, end, button=None, modifiers=None, steps=4):
    """Drag the mouse over a widget.

    Args:
        widget: Qt widget.
        start: (x, y) of the button press, in pixels in the widget.
        end: (x, y) of the button release.
        button: Mouse button; default: left.
        modifiers: Keyboard modifiers.
        steps: Number of mouse moves.
    """
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    button = button or Qt.LeftButton

    def send(kind, x, y, changed, held):
        place = QPointF(x, y)
        QApplication.sendEvent(
            widget,
            QMouseEvent(
                kind,
                place,
                QPointF(widget.mapToGlobal(place.toPoint())),
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


def screenshot(widget, name, size=None):
    """Save a picture of a Qt widget, or a module's Python widget, as NAME.png; return the path."""
    widget = getattr(widget, "parent", widget) if not hasattr(widget, "grab") else widget
    if size is not None:
        widget.resize(*size)
    widget.show()
    process_events()
    folder = screenshot_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    if not widget.grab().save(str(path)):
        raise OSError(f"cannot write {path}")
    return path


def screenshot_folder():
    """Return $MRISUPERRES_SCREENSHOTS, or build/screenshots of the project."""
    default = Path(__file__).resolve().parents[3] / "build" / "screenshots"
    return Path(os.environ.get("MRISUPERRES_SCREENSHOTS", default))


def real_data(*parts):
    """Return a path of the real test data; skip the test if it is missing.

    The folder is $MRISUPERRES_TEST_DATA, or shared/data beside the project.
    """
    import unittest

    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("MRISUPERRES_TEST_DATA", default)).joinpath(*parts)
    if not path.exists():
        raise unittest.SkipTest(f"test data is missing: {path}")
    return path
