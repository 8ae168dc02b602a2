"""Qt objects as in PythonQt: properties are attributes, and only Slicer's members exist."""

import contextlib
import ctypes

from PySide6 import QtCore

from panel_testing import problems

from . import contract

# Virtual functions that Slicer does not list. Qt looks them up on the Python object, so hiding
# them would break Qt.
VIRTUAL = frozenset(
    """
    connectNotify disconnectNotify skipData doSetSource
    closeEditor commitData currentChanged dataChanged editorDestroyed horizontalScrollbarAction
    horizontalScrollbarValueChanged initViewItemOption itemDelegateForIndex rowsAboutToBeRemoved
    rowsInserted rowsRemoved selectionChanged supportedDragActions updateEditorData
    updateEditorGeometries updateGeometries verticalScrollbarAction verticalScrollbarValueChanged
""".split()
)
UNHIDDEN = VIRTUAL | {"staticMetaObject", "cppName"}


class QtProperty:
    """Qt property: `w.text` reads it, `w.text = "x"` writes it."""

    def __init__(self, metaProperty, owner):
        self.name, self.writable = metaProperty.name(), metaProperty.isWritable()
        # PySide's getter method, if it has the property's name
        self.original = getattr(owner, self.name, None)
        self.setter = getattr(owner, "set" + self.name[0].upper() + self.name[1:], None)

    def __get__(self, obj, owner=None):
        if obj is None:
            return self
        value = self.original(obj) if callable(self.original) else obj.property(self.name)
        return tuple(value) if isinstance(value, list) else value

    def __set__(self, obj, value):
        if not self.writable:
            raise AttributeError(f"property '{self.name}' of {className(obj)} is read-only")
        if callable(self.setter):
            self.setter(obj, value)
        elif not obj.setProperty(self.name, value):
            raise TypeError(f"property '{self.name}' of {className(obj)} does not take {value!r}")


class Absent:
    """Member that PySide has and Slicer lacks."""

    def __init__(self, name, owner):
        self.message = f"'{name}' does not exist on {owner} in Slicer"

    def __get__(self, obj, owner=None):
        raise AttributeError(self.message)


def className(obj):
    return getattr(type(obj), "cppName", type(obj).__name__)


def showProperties(cls):
    """Turn the getters of all properties that the class defines or redefines into attributes."""
    meta = cls.staticMetaObject
    for i in range(meta.propertyCount()):
        name = meta.property(i).name()
        inherited = i < meta.propertyOffset()
        own = cls.__dict__.get(name)
        if isinstance(own, (QtProperty, QtCore.Property)) or (inherited and own is None):
            continue
        setattr(cls, name, QtProperty(meta.property(i), cls))


def hideUnknownMembers(cls, name):
    """Hide every public member of the class that the contract does not list for `name`."""
    allowed = contract.members(name)
    for member in dir(cls):
        if not member.startswith("_") and member not in allowed and member not in UNHIDDEN:
            setattr(cls, member, Absent(member, name))


# object.__setattr__ does not accept PySide's objects, and PySide's version cannot be called for
# derived classes.
_genericSetAttr = ctypes.pythonapi.PyObject_GenericSetAttr
_genericSetAttr.argtypes, _genericSetAttr.restype = [ctypes.py_object] * 3, ctypes.c_int


def guardNewAttributes(classes):
    """Refuse new attributes on C++ objects; allow them on classes derived in Python."""
    for cls in classes:
        cls.__setattr__ = _setAttribute


def _setAttribute(self, name, value):
    cls = type(self)
    declared = next((c.__dict__[name] for c in cls.__mro__ if name in c.__dict__), None)
    if isinstance(declared, QtCore.Property):
        if declared.fset is None:
            raise AttributeError(f"property '{name}' of {className(self)} is read-only")
        declared.fset(self, value)
    elif declared is None or isinstance(declared, Absent):
        _setUndeclared(self, name, value)
    else:
        _genericSetAttr(self, name, value)


_ignoring = []


@contextlib.contextmanager
def newAttributesIgnored():
    """Ignore new attributes in the block: PySide's QUiLoader adds the named child widgets."""
    _ignoring.append(True)
    try:
        yield
    finally:
        _ignoring.pop()


def _setUndeclared(self, name, value):
    derivedInPython = not type(self).__module__.startswith("PySide6.") and "cppName" not in vars(
        type(self)
    )
    if derivedInPython or name.startswith("_"):
        _genericSetAttr(self, name, value)
    elif _ignoring:
        return
    elif name.encode() in map(bytes, self.dynamicPropertyNames()):
        self.setProperty(name, value)
    else:
        message = (
            f"'{name}' does not exist on {className(self)}, "
            "and creating new attributes on C++ objects is not allowed"
        )
        problems.record("interface", message)
        raise AttributeError(message)
