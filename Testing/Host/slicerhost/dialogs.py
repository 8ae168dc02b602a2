"""Dialogs that never block: they are recorded, and the test sets the answers in advance."""

from dataclasses import dataclass

from PySide6 import QtWidgets

from . import problems


@dataclass(frozen=True)
class Shown:
    kind: str  # "error", "warning", "info", "question", "message", "dialog"
    text: str
    detail: str = ""


shown = []  # all dialogs since the last reset()
_answers = []


def reset():
    shown.clear()
    _answers.clear()


def answer(*values):
    """Set the answers to the next questions, in order.

    Args:
        values: True or False for a confirmation, a path for a file dialog.
    """
    _answers.extend(values)


def _ask(kind, text, detail=""):
    shown.append(Shown(kind, text, detail))
    if _answers:
        return _answers.pop(0)
    problems.record("question", f"{text!r} was asked, but the test set no answer")
    return None


def _recorder(kind):
    def display(text, windowTitle=None, parent=None, standardButtons=None, **kwargs):
        shown.append(Shown(kind, text, kwargs.get("detailedText", "")))
        if kind == "error":
            problems.record("error display", text)
        return QtWidgets.QMessageBox.Ok

    return display


def _confirm(text, windowTitle=None, parent=None, **kwargs):
    return bool(_ask("question", text))


def _execute(dialog, *_):
    text = getattr(dialog, "text", None) or dialog.windowTitle
    answered = _ask("dialog", f"{dialog.className()}: {text}")
    return QtWidgets.QDialog.Rejected if answered is None else answered


def _static(name, nothing):
    return staticmethod(lambda *arguments, **kwargs: _answered(name, arguments, nothing))


def _answered(name, arguments, nothing):
    value = _ask("dialog", f"{name}: {' / '.join(a for a in arguments if isinstance(a, str))}")
    return nothing if value is None else value


def install():
    """Replace the blocking functions of slicer.util and Qt."""
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
        shown.append(Shown("message", message)),
        slicer.app.processEvents(),
    )[0]
    for cls in (QtWidgets.QDialog, QtWidgets.QMessageBox):
        cls.exec = cls.exec_ = _execute
    for name in ("question", "information", "warning", "critical"):
        setattr(
            QtWidgets.QMessageBox,
            name,
            _static(f"QMessageBox.{name}", QtWidgets.QMessageBox.Cancel),
        )
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, _static(f"QFileDialog.{name}", ""))
    QtWidgets.QFileDialog.getOpenFileNames = _static("QFileDialog.getOpenFileNames", ())
    for name in ("getText", "getItem", "getInt", "getDouble"):
        setattr(QtWidgets.QInputDialog, name, _static(f"QInputDialog.{name}", ""))
