"""The layout manager: real layout logic and view nodes, shown as nested splitters."""
import xml.etree.ElementTree as ET

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from .slices import qMRMLSliceWidget


class qSlicerLayoutManager(QObject):
    """Makes a widget for every view of the current layout. Other views than slices are empty frames."""

    cppName = "qSlicerLayoutManager"
    layoutChanged = Signal(int)

    def __init__(self, scene):
        super().__init__()
        self._scene, self._widgets, self._description, self._root = scene, {}, None, None
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self._viewport = QWidget()
        box = QVBoxLayout(self._viewport)
        box.setContentsMargins(0, 0, 0, 0)
        self._node().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._rebuild())
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self._rebuild()

    def _node(self):
        return self._logic.GetLayoutNode()

    def _tree(self):
        return ET.fromstring(self._node().GetCurrentLayoutDescription())

    def _rebuild(self):
        description = self._node().GetCurrentLayoutDescription()
        if not description or description == self._description:
            return
        self._description = description
        for widget in self._widgets.values():
            widget.setParent(None)
        if self._root is not None:
            self._root.setParent(None)  # out of the layout at once, not only when it is deleted
            self._root.deleteLater()
        self._root = self._make(self._tree())
        self._viewport.layout().addWidget(self._root)
        self.layoutChanged.emit(self._node().GetViewArrangement())

    def _make(self, element):
        if element.tag == "view":
            return self._view(element.get("class"), element.get("singletontag", ""))
        splitter = QSplitter(Qt.Vertical if element.get("type") == "vertical" else Qt.Horizontal)
        for item in element.iterfind("item"):
            for child in item:
                splitter.addWidget(self._make(child))
        return splitter

    def _view(self, className, tag):
        key = className, tag
        if key not in self._widgets:
            widget = self._widgets[key] = qMRMLSliceWidget() if className == "vtkMRMLSliceNode" else QFrame()
            widget.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Ignored)  # all views get the same share
            if className == "vtkMRMLSliceNode":
                widget.setMRMLScene(self._scene)
                widget.setMRMLSliceNode(self._scene.GetSingletonNode(tag, className))
        return self._widgets[key]

    def mrmlScene(self):
        return self._scene

    def layoutLogic(self):
        return self._logic

    def viewport(self):
        return self._viewport

    def setLayout(self, layout):
        self._node().SetViewArrangement(int(layout))

    def sliceViewNames(self):
        return tuple(e.get("singletontag") for e in self._tree().iter("view") if e.get("class") == "vtkMRMLSliceNode")

    def sliceWidget(self, name):
        return self._widgets.get(("vtkMRMLSliceNode", name))

    def mrmlSliceLogics(self):
        return slicer.app.applicationLogic().GetSliceLogics()

    def resetSliceViews(self):
        for name in self.sliceViewNames():
            self.sliceWidget(name).sliceLogic().FitSliceToAll()

    layout = Property(int, lambda self: self._node().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: 0)
    tableViewCount = Property(int, lambda self: 0)
    plotViewCount = Property(int, lambda self: 0)
