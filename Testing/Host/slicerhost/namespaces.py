"""The modules `qt` and `ctk`, and strictness for `slicer` and `slicer.util`."""

import sys
import types

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import contract, properties, signals

QT_MODULES = (QtCore, QtGui, QtUiTools, QtWidgets)


class StrictModule(types.ModuleType):
    """A module that shows no public name beyond the contract. Its own functions still see all their globals."""

    def __getattribute__(self, name):
        if not name.startswith("_"):
            allowed = types.ModuleType.__getattribute__(self, "__dict__")["__allowed__"]
            if not allowed(name):
                raise AttributeError(
                    f"module '{self.__name__}' of Slicer has no attribute '{name}'"
                )
        return types.ModuleType.__getattribute__(self, name)


def restrict(module, allowed):
    module.__allowed__ = allowed
    module.__class__ = StrictModule


def makeQtStrict():
    """Patch PySide's classes once: base classes first, so that a derived class finds its getters still in place."""
    names = ((module, name) for module in QT_MODULES for name in dir(module))
    values = [
        getattr(module, name) for module, name in names
    ]  # vars() would miss what PySide loads lazily
    classes = {c for c in values if isinstance(c, type) and issubclass(c, QtCore.QObject)}
    ordered = sorted(classes, key=lambda c: len(c.__mro__))
    for cls in ordered:
        properties.showProperties(cls)
    for cls in ordered:
        if contract.knows(cls.__name__):
            properties.hideUnknownMembers(cls, cls.__name__)
    QtCore.QTimer.singleShot = signals.SingleShot()
    properties.guardNewAttributes(ordered)
    signals.install(ordered)
    QtCore.QObject.className = properties.className
    QtCore.QObject.delete = lambda self: self.deleteLater()
    QtCore.QObject.name = property(
        lambda self: self.objectName, lambda self, value: self.setObjectName(value)
    )
    QtCore.QByteArray.__str__ = lambda self: bytes(self.data()).decode(errors="replace")
    for cls in classes:
        if "exec" in cls.__dict__ and not hasattr(cls, "exec_"):
            cls.exec_ = cls.exec


def makeQt():
    """The flat namespace `qt`; what the contract does not list is an AttributeError."""
    makeQtStrict()
    qt = types.ModuleType("qt", "Stand-in of PythonQt's Qt module.")
    wanted = contract.namespace("qt")
    for module in QT_MODULES:
        for name in wanted & set(dir(module)):
            setattr(qt, name, getattr(module, name))
    sys.modules["qt"] = qt
    return qt


def makeCtk(widgets):
    ctk = types.ModuleType("ctk", "Stand-in of PythonQt's ctk module.")
    for name, cls in widgets.items():
        if name.startswith("ctk"):
            setattr(ctk, name, cls)
    sys.modules["ctk"] = ctk


def dressSlicer(widgets):
    """slicer gets its widget classes, and loses what the wheel offers beyond the real application."""
    import slicer
    import slicer.util

    for name, cls in widgets.items():
        if name.startswith(("qMRML", "qSlicer")):
            setattr(slicer, name, cls)
    names = contract.namespace("slicer")
    newer = {"packaging"}  # 5.12 and later; products import it under a guard
    later = {
        "dicomDatabase"
    }  # a ctkDICOMDatabase or None, set by the module DICOM after the start; not there without that module
    restrict(
        slicer,
        lambda name: name in names or name in newer or name in later or name.startswith("vtk"),
    )
    utilities = contract.namespace("slicer.util")
    restrict(slicer.util, lambda name: name in utilities)
