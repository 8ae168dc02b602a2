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
    timer.setInterval(10)  # wakes the loop, so that the condition is looked at also when nothing happens
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
