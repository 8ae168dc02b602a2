"""Containers that pass the scene to their child widgets."""

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
    """C++ side of a module's panel; `self()` returns the module's Python widget."""

    cppName = "qSlicerScriptedLoadableModuleWidget"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._makePython, self._python = None, None

    def self(self):  # the name is Slicer's
        return self._python

    def reload(self):
        """Remake the Python widget from the current source of the module."""
        self._python = self._makePython(self)
        self._python.setup()
