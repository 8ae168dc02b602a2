"""Layout manager: real layout logic and view nodes, in Qt layouts as built by CTK."""

import xml.etree.ElementTree as ET

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from .plots import qMRMLPlotView
from .slices import qMRMLSliceWidget

SPACING = 1


class qSlicerLayoutManager(QObject):
    """Layout manager with a widget for every view node of the scene, shown or not.

    Views other than slices and plots are empty frames.
    """

    cppName = "qSlicerLayoutManager"
    layoutChanged = Signal(int)

    def __init__(self, scene):
        super().__init__()
        self._scene, self._description, self._root = scene, None, None
        self._views = {}  # {node: widget}
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self._viewport = QWidget()
        box = QVBoxLayout(self._viewport)
        box.setContentsMargins(0, 0, 0, 0)
        self._node().AddObserver(
            vtk.vtkCommand.ModifiedEvent, lambda *_: self._onLayoutNodeModified()
        )
        scene.AddObserver(scene.StartCloseEvent, lambda *_: self._clear())
        scene.AddObserver(scene.EndBatchProcessEvent, lambda *_: self._onLayoutNodeModified())
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self._onLayoutNodeModified()
        scene.AddObserver(scene.NodeAddedEvent, self._onNodeAdded)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, scene, event, node):
        """Build the view of a new slice node at once, with its render window."""
        if node.IsA("vtkMRMLSliceNode") and not scene.IsBatchProcessing():
            self._makeViews()
            self._views[node].sliceView().renderWindow()

    def _node(self):
        return self._logic.GetLayoutNode()

    def _onLayoutNodeModified(self):
        """Rebuild the views if the description changed; emit layoutChanged after any change."""
        if self._scene.IsBatchProcessing():
            return
        description = self._node().GetCurrentLayoutDescription()
        for n in range(self._node().GetNumberOfMaximizedViewNodes()):
            description = self._logic.GetMaximizedViewLayoutDescription(
                self._node().GetMaximizedViewNode(n), description
            )
        if description and description != self._description:
            self._rebuild(description)
        self.layoutChanged.emit(self._node().GetViewArrangement())

    def _clear(self):
        """Remove the views from the layout and hide them."""
        self._description = None
        for widget in self._views.values():
            widget.hide()
            widget.setParent(self._viewport)
        if self._root is not None:
            self._root.setParent(None)  # leaves the layout now, not only when it is deleted
            self._root.deleteLater()
            self._root = None

    def _rebuild(self, description):
        self._clear()
        self._description = description
        self._makeViews()
        made = self._make(ET.fromstring(description))
        self._root = made if isinstance(made, QWidget) else _holding(made)
        self._viewport.layout().addWidget(self._root)
        self._root.show()

    def _makeViews(self):
        for className, make in (
            ("vtkMRMLSliceNode", self._makeSliceWidget),
            ("vtkMRMLPlotViewNode", self._makePlotView),
            ("vtkMRMLAbstractViewNode", lambda node: QFrame(self._viewport)),
        ):
            for node in slicer.util.getNodesByClass(className):
                if node not in self._views:
                    self._views[node] = make(node)
                    self._views[node].hide()

    def _makeSliceWidget(self, node):
        widget = qMRMLSliceWidget(self._viewport)
        widget.setMRMLScene(self._scene)
        widget.setMRMLSliceNode(node)
        return widget

    def _makePlotView(self, node):
        view = qMRMLPlotView(self._viewport)
        view.setMRMLScene(self._scene)
        view.setMRMLPlotViewNode(node)
        return view

    def _make(self, element):
        """Make a QLayout or QWidget for a <layout> or <view> element."""
        if element.tag == "view":
            return self._view(element)
        kind, split = element.get("type", "horizontal"), element.get("split") == "true"
        if kind == "tab":
            made = QTabWidget()
        elif kind == "grid":
            made = QGridLayout()
        elif split:
            made = QSplitter(Qt.Vertical if kind == "vertical" else Qt.Horizontal)
        else:
            made = QVBoxLayout() if kind == "vertical" else QHBoxLayout()
        if not isinstance(made, QWidget):
            made.setContentsMargins(0, 0, 0, 0)
            made.setSpacing(SPACING)
        for item in element:
            if item.tag != "item" or len(item) != 1:
                raise ValueError(
                    f"a layout holds items of one element each, not {ET.tostring(item)!r}"
                )
            self._put(self._make(item[0]), item, made)
        if isinstance(made, QSplitter) and any(item.get("splitSize") for item in element):
            made.setSizes([int(item.get("splitSize", 0)) for item in element])
        return made

    @staticmethod
    def _put(child, item, parent):
        isWidget = isinstance(child, QWidget)
        if isinstance(parent, QGridLayout):
            place = [
                int(item.get(name, default))
                for name, default in (("row", 0), ("column", 0), ("rowspan", 1), ("colspan", 1))
            ]
            (parent.addWidget if isWidget else parent.addLayout)(child, *place)
        elif isinstance(parent, (QHBoxLayout, QVBoxLayout)):
            (parent.addWidget if isWidget else parent.addLayout)(child)
        elif isinstance(parent, QTabWidget):
            parent.addTab(child if isWidget else _holding(child), item.get("name", ""))
        else:
            parent.addWidget(child if isWidget else _holding(child))

    def _view(self, element):
        node = self._scene.GetSingletonNode(element.get("singletontag", ""), element.get("class"))
        widget = self._views[node]
        policy = widget.sizePolicy
        if element.get("horizontalStretch"):
            policy.setHorizontalStretch(int(element.get("horizontalStretch")))
        if element.get("verticalStretch"):
            policy.setVerticalStretch(int(element.get("verticalStretch")))
        widget.setSizePolicy(policy)
        widget.show()
        return widget

    def mrmlScene(self):
        return self._scene

    def layoutLogic(self):
        return self._logic

    def viewport(self):
        return self._viewport

    def setLayout(self, layout):
        if layout == self.layout:
            return
        if not self._node().IsLayoutDescription(int(layout)):
            layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        self._node().RemoveAllMaximizedViewNodes()
        self._node().SetViewArrangement(int(layout))

    def sliceViewNames(self):
        """Return the names of all slice views, shown or not."""
        return tuple(node.GetName() for node in self._views if node.IsA("vtkMRMLSliceNode"))

    def sliceWidget(self, name):
        return next(
            (
                widget
                for node, widget in self._views.items()
                if node.IsA("vtkMRMLSliceNode") and node.GetName() == name
            ),
            None,
        )

    def mrmlSliceLogics(self):
        return slicer.app.applicationLogic().GetSliceLogics()

    def resetSliceViews(self):
        for name in self.sliceViewNames():
            self.sliceWidget(name).sliceController().fitSliceToBackground()

    layout = Property(int, lambda self: self._node().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: 0)
    tableViewCount = Property(int, lambda self: 0)
    plotViewCount = Property(int, lambda self: 0)


def _holding(layout):
    widget = QWidget()
    widget.setLayout(layout)
    return widget
