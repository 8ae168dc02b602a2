"""Modules `qt` and `ctk`, and restriction of `slicer` and `slicer.util` to the contract."""

import sys
import types

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import contract, properties, signals

QT_MODULES = (QtCore, QtGui, QtUiTools, QtWidgets)


class StrictModule(types.ModuleType):
    """Module without public names beyond the contract.

    Its own functions still have access to all globals.
    """

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
    """Patch PySide's classes once.

    Base classes come first, because patching a derived class reads the getters of its own.
    """
    names = ((module, name) for module in QT_MODULES for name in dir(module))
    # vars() would miss the classes that PySide loads lazily
    values = [getattr(module, name) for module, name in names]
    classes = {c for c in values if isinstance(c, type) and issubclass(c, QtCore.QObject)}
    ordered = sorted(classes, key=lambda c: len(c.__mro__))
    for cls in ordered:
        properties.showProperties(cls)
    for cls in ordered:
        if contract.lists(cls.__name__):
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
    """Make the flat namespace `qt`, with the names of the contract only."""
    makeQtStrict()
    qt = types.ModuleType("qt", "Stand-in for PythonQt's Qt module.")
    requested = contract.namespace("qt")
    for module in QT_MODULES:
        for name in requested & set(dir(module)):
            setattr(qt, name, getattr(module, name))
    sys.modules["qt"] = qt
    return qt


def makeCtk(widgets):
    ctk = types.ModuleType("ctk", "Stand-in for PythonQt's ctk module.")
    for name, cls in widgets.items():
        if name.startswith("ctk"):
            setattr(ctk, name, cls)
    sys.modules["ctk"] = ctk


def dressSlicer(widgets):
    """Add the widget classes to `slicer` and hide names that the real application lacks."""
    import slicer
    import slicer.util

    for name, cls in widgets.items():
        if name.startswith(("qMRML", "qSlicer")):
            setattr(slicer, name, cls)
    names = contract.namespace("slicer")
    newer = {"packaging"}  # Slicer 5.12 and later; the modules import it under a guard
    # set by the module DICOM after the start: a ctkDICOMDatabase or None
    later = {"dicomDatabase"}
    restrict(
        slicer,
        lambda name: name in names or name in newer or name in later or name.startswith("vtk"),
    )
    utilities = contract.namespace("slicer.util")
    restrict(slicer.util, lambda name: name in utilities)
