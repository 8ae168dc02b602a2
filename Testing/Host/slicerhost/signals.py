"""`sender.connect("clicked(bool)", f)` as PythonQt has it, and strict where PythonQt only prints a warning."""

import inspect
import re
import types

from PySide6 import QtCore

from . import contract, problems
from .properties import className

_connections = []  # (sender, signature, receiver, wrapper, disconnect)


def normalized(signature):
    if not re.fullmatch(r"\s*\w+\s*\(.*\)\s*", signature):
        raise ValueError(f"not a signal signature: {signature!r}; write it as 'clicked(bool)'")
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()


def standInSignal(sender, signature):
    """The Python signal that carries a C++ signal of a stand-in, or None.

    A second overload of a name has the types in the stand-in's attribute: `_currentNodeChanged_bool`.
    """
    for cls in type(sender).__mro__:
        cppName = cls.__dict__.get("cppName")
        if cppName and contract.knows(cppName) and signature in contract.signals(cppName):
            name, arguments = signature.rstrip(")").split("(")
            overload = f"_{name}_{re.sub('[^a-zA-Z]+', '_', arguments)}"
            return getattr(sender, overload if hasattr(type(sender), overload) else name, None)
    return None


def isQtSignal(sender, signature):
    """A signal of a Qt class, which Slicer's version of the class has too."""
    name = signature.split("(")[0]
    cls = className(sender)
    return sender.metaObject().indexOfSignal(signature) >= 0 and (
        not contract.knows(cls) or name in contract.members(cls)
    )


def acceptedArguments(function):
    """How many positional arguments a callable takes; None: any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _resolved(receiver, slot):
    """connect(signal, callable) or connect(signal, object, 'slot(types)')."""
    if slot is None:
        if not callable(receiver):
            raise ValueError(f"cannot connect to {receiver!r}: it is not callable")
        return receiver
    name = normalized(slot).split("(")[0]
    target = getattr(receiver, name)
    return target.emit if isinstance(target, QtCore.SignalInstance) else target


def _wrapped(function, declared):
    """Calls with as many arguments as the function takes; an exception ends here, as it does in PythonQt."""
    taken = acceptedArguments(function)
    count = declared if taken is None else min(declared, taken)

    def slot(*arguments):
        try:
            function(*arguments[:count])
        except Exception as exception:
            problems.record_exception(exception)

    return slot


def connect(sender, signal, receiver, slot=None, *_):
    signature = normalized(signal)
    function = _resolved(receiver, slot)
    declared = 0 if signature.endswith("()") else signature.count(",") + 1
    wrapper = _wrapped(function, declared)
    standIn = standInSignal(sender, signature)
    if standIn is not None:
        standIn.connect(wrapper)
        undo = lambda: standIn.disconnect(wrapper)  # noqa: E731
    elif isQtSignal(sender, signature):
        QtCore.QObject.connect(sender, QtCore.SIGNAL(signature), wrapper)
        undo = lambda: QtCore.QObject.disconnect(sender, QtCore.SIGNAL(signature), wrapper)  # noqa: E731
    else:
        message = f"{className(sender)} has no signal {signature}"
        problems.record("interface", message)
        raise RuntimeError(message)
    _connections.append((sender, signature, function, undo))
    return True


def disconnect(sender, signal=None, receiver=None, slot=None):
    """Undo connections of `connect`; without arguments all of them. Returns whether there was one."""
    signature = normalized(signal) if signal is not None else None
    function = _resolved(receiver, slot) if receiver is not None else None
    matching = [
        c
        for c in _connections
        if c[0] is sender and signature in (None, c[1]) and function in (None, c[2])
    ]
    for connection in matching:
        connection[3]()
        _connections.remove(connection)
    return bool(matching)


class SingleShot:
    """QTimer.singleShot: a static function of the class, a property of its objects."""

    def __init__(self):
        self._running = set()

    def __get__(self, timer, owner=None):
        return self._later if timer is None else timer.isSingleShot()

    def __set__(self, timer, value):
        timer.setSingleShot(value)

    def _later(self, interval, function):
        timer = (
            QtCore.QTimer()
        )  # PySide's own makes one too, and connects it with the connect() that is replaced here
        slot = _wrapped(function, 0)

        def fire():
            self._running.discard(timer)
            QtCore.QObject.disconnect(
                timer, QtCore.SIGNAL("timeout()"), fire
            )  # or else timer and function would keep each other alive
            slot()

        self._running.add(timer)
        timer.setSingleShot(True)
        QtCore.QObject.connect(timer, QtCore.SIGNAL("timeout()"), fire)
        timer.start(interval)


def install(classes):
    """Every Qt object gets PythonQt's connect and disconnect; PySide's own stay as functions of QtCore.QObject.

    PySide's classes find their own in C code before they look at the class: each class has to be told.
    """
    for cls in classes:
        cls.__getattribute__ = _finding(cls.__getattribute__)


def _finding(original):
    def __getattribute__(self, name):
        if name == "connect":
            return types.MethodType(connect, self)
        if name == "disconnect":
            return types.MethodType(disconnect, self)
        return original(self, name)

    return __getattribute__
