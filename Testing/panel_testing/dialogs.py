"""Dialogs that never block: they are recorded, and the test sets the answers in advance."""

import contextlib
import re
import traceback
from dataclasses import dataclass

from . import problems


@dataclass(frozen=True)
class Shown:
    kind: str  # "error", "warning", "info", "question", "message", "dialog"
    text: str
    detail: str = ""


_shown = []  # all dialogs since the last reset()
_answers = []


def reset():
    _shown.clear()
    _answers.clear()


def shown_dialogs(pattern=""):
    """Return the dialogs shown since the test began: objects with .kind, .text and .detail."""
    return [dialog for dialog in _shown if re.search(pattern, dialog.text)]


def answer_next(*values):
    """Set the answers to the next questions, in order.

    Args:
        values: True or False for a confirmation, a path for a file dialog.
    """
    _answers.extend(values)


def _ask(kind, text, detail=""):
    _shown.append(Shown(kind, text, detail))
    if _answers:
        return _answers.pop(0)
    problems.record("question", f"{text!r} was asked, but the test set no answer")
    return None


def _recorder(kind):
    def display(text, windowTitle=None, parent=None, standardButtons=None, **kwargs):
        import qt

        _shown.append(Shown(kind, text, kwargs.get("detailedText", "")))
        if kind == "error":
            problems.record("error display", text)
        return qt.QMessageBox.Ok

    return display


def _confirm(text, windowTitle=None, parent=None, **kwargs):
    return bool(_ask("question", text))


def _execute(dialog, *_):
    import qt

    text = getattr(dialog, "text", None) or dialog.windowTitle
    answered = _ask("dialog", f"{dialog.className()}: {text}")
    return qt.QDialog.Rejected if answered is None else answered


def _static(name, nothing):
    return staticmethod(lambda *arguments, **kwargs: _answered(name, arguments, nothing))


def _answered(name, arguments, nothing):
    value = _ask("dialog", f"{name}: {' / '.join(a for a in arguments if isinstance(a, str))}")
    return nothing if value is None else value


@contextlib.contextmanager
def _try_with_error_display(message=None, show=True, waitCursor=False):
    """Display an exception, as slicer.util.tryWithErrorDisplay does for users, not in tests."""
    import slicer

    try:
        yield
    except Exception as error:
        if show:
            text = f"{message}\n\n{error}" if message else str(error)
            slicer.util.errorDisplay(text, detailedText=traceback.format_exc())
        raise


def install():
    """Replace the blocking functions of slicer.util and Qt."""
    import qt
    import slicer.util

    utilities = vars(slicer.util)
    utilities.update(
        errorDisplay=_recorder("error"),
        warningDisplay=_recorder("warning"),
        infoDisplay=_recorder("info"),
        confirmOkCancelDisplay=_confirm,
        confirmYesNoDisplay=_confirm,
        confirmRetryCloseDisplay=_confirm,
    )
    utilities["messageBox"] = lambda text, parent=None, **kwargs: _recorder("message")(
        text, **kwargs
    )
    utilities["delayDisplay"] = lambda message, *a, **k: (
        _shown.append(Shown("message", message)),
        slicer.app.processEvents(),
    )[0]
    if slicer.app.testingEnabled():  # Slicer --testing displays no errors at all
        utilities["tryWithErrorDisplay"] = _try_with_error_display
    for cls in (qt.QDialog, qt.QMessageBox):
        cls.exec = cls.exec_ = _execute
    for name in ("question", "information", "warning", "critical"):
        setattr(qt.QMessageBox, name, _static(f"QMessageBox.{name}", qt.QMessageBox.Cancel))
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
        setattr(qt.QFileDialog, name, _static(f"QFileDialog.{name}", ""))
    qt.QFileDialog.getOpenFileNames = _static("QFileDialog.getOpenFileNames", ())
    for name in ("getText", "getItem", "getInt", "getDouble"):
        setattr(qt.QInputDialog, name, _static(f"QInputDialog.{name}", ""))
