"""Actions of the user in 3D Slicer, with PythonQt and VTK only.

slicerhost/user_actions.py does the same on the test host. What Slicer offers no way for skips the
test with the reason.
"""

import unittest

from .waiting import process_events

BUTTONS = ("LeftButton", "MiddleButton", "RightButton")


def open_module(name):
    """Enter a module and return its Python widget."""
    import slicer

    slicer.util.selectModule(name)
    return slicer.util.getModuleWidget(name)


def leave_module():
    """Leave the current module; the panel is empty then."""
    import slicer

    slicer.util.selectModule("")


def show_beside_views(test, panel, shares=(2, 3)):
    """Return a window with the panel beside the views: the main window."""
    import slicer

    return slicer.util.mainWindow()


def click(button):
    """Click a button; a disabled one does nothing."""
    button.click()


def double_click(view):
    """Double-click the center of a slice view."""
    _invoke(view, (view.width / 2, view.height / 2), "LeftButtonDoubleClickEvent")
    process_events()


def turn_wheel(view, steps=1, at=None, modifiers=None):
    """Turn the mouse wheel over a slice view.

    Args:
        view: Slice view.
        steps: Number of steps; positive is away from the user.
        at: (x, y) in pixels in the view; default: its center.
        modifiers: Keyboard modifiers.
    """
    direction = "Forward" if steps > 0 else "Backward"
    for _ in range(abs(steps)):
        place = at or (view.width / 2, view.height / 2)
        _invoke(view, place, f"MouseWheel{direction}Event", modifiers)
    process_events()


def drag(view, start, end, button=None, modifiers=None, steps=4):
    """Drag the mouse over a slice view.

    Args:
        view: Slice view.
        start: (x, y) of the button press, in pixels in the view.
        end: (x, y) of the button release.
        button: Mouse button; default: left.
        modifiers: Keyboard modifiers.
        steps: Number of mouse moves.
    """
    import qt

    pressed = button or qt.Qt.LeftButton
    name = next(name for name in BUTTONS if getattr(qt.Qt, name) == pressed)
    _invoke(view, start, "MouseMoveEvent", modifiers)
    _invoke(view, start, f"{name}PressEvent", modifiers)
    for n in range(1, steps + 1):
        place = [a + (b - a) * n / steps for a, b in zip(start, end)]
        _invoke(view, place, "MouseMoveEvent", modifiers)
    _invoke(view, end, f"{name}ReleaseEvent", modifiers)
    process_events()


def _invoke(view, place, event, modifiers=None):
    """Pass an event to the interactor of a view, as its widget does.

    The widget counts logical pixels from the top, the interactor those of the screen from below.
    """
    import qt

    if not hasattr(view, "interactor"):
        raise unittest.SkipTest("needs the mouse events of the test host")
    ratio, held = view.devicePixelRatioF(), modifiers or qt.Qt.NoModifier
    interactor = view.interactor()
    interactor.SetEventInformation(
        round(place[0] * ratio),
        round((view.height - 1 - place[1]) * ratio),
        bool(held & qt.Qt.ControlModifier),
        bool(held & qt.Qt.ShiftModifier),
    )
    interactor.InvokeEvent(event)


def press_key(widget, key):
    """Press and release a key, for example qt.Qt.Key_Down."""
    _send_key(widget, key, "")


def type_text(widget, text):
    """Type a text into a widget."""
    for character in text:
        _send_key(widget, 0, character)


def _send_key(widget, key, text):
    import qt

    for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
        qt.QApplication.sendEvent(widget, qt.QKeyEvent(kind, key, qt.Qt.NoModifier, text))


def emit_application_signal(name):
    """Skip the test, because other modules would act on the signal, too."""
    raise unittest.SkipTest(f"needs a test host, where {name} has no other receivers")


def registered_samples(category):
    """Return the samples of a category as the arguments of their registration."""
    import slicer

    return [
        dict(
            sampleName=source.sampleName,
            uris=source.uris[0],
            fileNames=source.fileNames[0],
            checksums=source.checksums[0],
            thumbnailFileName=source.thumbnailFileName,
        )
        for source in slicer.modules.sampleDataSources.get(category, [])
    ]


def serve_files(test, files):
    """Skip the test, because Slicer downloads from the network only."""
    raise unittest.SkipTest("needs the network double of the test host")


def start_application(path):
    """Skip the test, because a second Slicer would share the settings of this one."""
    raise unittest.SkipTest("needs a test host that can be killed")
