"""Connections as in PythonQt, `sender.connect("clicked(bool)", f)`, with errors for warnings."""

import inspect
import re
import types

from PySide6 import QtCore

from panel_testing import problems

from . import contract
from .properties import className

_connections = []  # (sender, signature, receiver, wrapper, disconnect)


def normalized(signature):
    if not re.fullmatch(r"\s*\w+\s*\(.*\)\s*", signature):
        raise ValueError(f"not a signal signature: {signature!r}; write it as 'clicked(bool)'")
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()


def standInSignal(sender, signature):
    """Return the Python signal for a C++ signal of a stand-in, or None.

    The attribute of a second overload names its types: `_currentNodeChanged_bool`.
    """
    for cls in type(sender).__mro__:
        cppName = cls.__dict__.get("cppName")
        if cppName and contract.lists(cppName) and signature in contract.signals(cppName):
            name, arguments = signature.rstrip(")").split("(")
            overload = f"_{name}_{re.sub('[^a-zA-Z]+', '_', arguments)}"
            return getattr(sender, overload if hasattr(type(sender), overload) else name, None)
    return None


def isQtSignal(sender, signature):
    """Return True for a signal of a Qt class that Slicer's version of the class has as well."""
    name = signature.split("(")[0]
    cls = className(sender)
    return sender.metaObject().indexOfSignal(signature) >= 0 and (
        not contract.lists(cls) or name in contract.members(cls)
    )


def acceptedArguments(function):
    """Return how many positional arguments a callable accepts; None for any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _resolved(receiver, slot):
    """Return the callable of connect(signal, f) or connect(signal, object, "slot(types)")."""
    if slot is None:
        if not callable(receiver):
            raise ValueError(f"cannot connect to {receiver!r}: it is not callable")
        return receiver
    name = normalized(slot).split("(")[0]
    target = getattr(receiver, name)
    return target.emit if isinstance(target, QtCore.SignalInstance) else target


def _wrapped(function, declared):
    """Wrap a slot: pass as many arguments as it accepts and record its exceptions."""
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
    """Remove the matching connections, all without arguments; return True if there was one."""
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
    """`QTimer.singleShot`: a static function of the class and a property of its objects."""

    def __init__(self):
        self._running = set()

    def __get__(self, timer, owner=None):
        return self._later if timer is None else timer.isSingleShot()

    def __set__(self, timer, value):
        timer.setSingleShot(value)

    def _later(self, interval, function):
        # PySide's own singleShot would use the connect() that this module replaces
        timer = QtCore.QTimer()
        slot = _wrapped(function, 0)

        def fire():
            self._running.discard(timer)
            # otherwise timer and function would keep each other alive
            QtCore.QObject.disconnect(timer, QtCore.SIGNAL("timeout()"), fire)
            slot()

        self._running.add(timer)
        timer.setSingleShot(True)
        QtCore.QObject.connect(timer, QtCore.SIGNAL("timeout()"), fire)
        timer.start(interval)


def install(classes):
    """Give every Qt object PythonQt's connect and disconnect.

    PySide's versions remain as functions of QtCore.QObject. Its C code looks them up before the
    attributes of the class, so attribute access of each class is replaced.
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
