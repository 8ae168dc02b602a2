"""Helpers for tests of the panel and of MRML code."""

import os
import re
import time
from pathlib import Path

from . import dialogs, problems


def wait_until(condition, timeout=30.0, message="the condition did not become true"):
    """Process events until condition() is true; AssertionError after `timeout` seconds. Returns the condition's value."""
    import qt

    loop, timer = qt.QEventLoop(), qt.QTimer()
    timer.setInterval(
        10
    )  # wakes the loop, so that the condition is looked at also when nothing happens
    timer.start()
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{message} within {timeout} s")
        loop.processEvents(qt.QEventLoop.WaitForMoreEvents)
    timer.stop()
    return value


def wait_for_signal(sender, signature, timeout=30.0):
    """Process events until the Qt signal comes; returns nothing."""
    came = []
    slot = lambda: came.append(True)  # noqa: E731
    sender.connect(signature, slot)
    try:
        wait_until(lambda: came, timeout, f"the signal {signature} did not come")
    finally:
        sender.disconnect(signature, slot)


def process_events(rounds=3):
    """Let queued signals and deletions happen."""
    import slicer

    for _ in range(rounds):
        slicer.app.processEvents()


def expect_error(pattern):
    """`with expect_error("no space"):` - the block must show an error to the user, or raise it in a slot, that matches."""
    return problems.expect(pattern)


def shown_dialogs(pattern=""):
    """What was shown to the user since the test began: objects with .kind, .text and .detail."""
    return [d for d in dialogs.shown if re.search(pattern, d.text)]


answer_next = dialogs.answer


def open_module(name):
    """Enter a module as a user does; returns its Python widget."""
    import slicer

    slicer.app.moduleManager()._enter(name)
    return slicer.util.getModuleWidget(name)


def leave_module():
    """Call the present module's exit()."""
    import slicer

    slicer.app.moduleManager()._enter(None)


def turn_wheel(widget, steps=1, at=None, modifiers=None):
    """The user turns the wheel over a widget, away from himself where steps > 0. at: (x, y) in the widget, else its middle."""
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
    """The user presses a mouse button (the left one) at `start`, moves the mouse to `end` and lets the button go; (x, y) in the widget."""
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
    """Save what a widget shows as NAME.png; returns the path. `widget` may also be a module's Python widget."""
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
    """$MRISUPERRES_SCREENSHOTS, or build/screenshots of the project."""
    default = Path(__file__).resolve().parents[3] / "build" / "screenshots"
    return Path(os.environ.get("MRISUPERRES_SCREENSHOTS", default))


def real_data(*parts):
    """A path of the real test data ($MRISUPERRES_TEST_DATA, or shared/data beside the project); SkipTest where it is missing."""
    import unittest

    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("MRISUPERRES_TEST_DATA", default)).joinpath(*parts)
    if not path.exists():
        raise unittest.SkipTest(f"test data is missing: {path}")
    return path
