"""Containers that hand the scene to the widgets inside."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class qMRMLWidget(QWidget):
    cppName = "qMRMLWidget"
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


class qSlicerWidget(qMRMLWidget):
    cppName = "qSlicerWidget"


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The C++ side of a module's panel: holds the module's Python widget, which `self()` gives back."""

    cppName = "qSlicerScriptedLoadableModuleWidget"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._makePython, self._python = None, None

    def self(self):  # the name is Slicer's
        return self._python

    def reload(self):
        """Make the Python widget anew from the module's present source."""
        self._python = self._makePython(self)
        self._python.setup()
