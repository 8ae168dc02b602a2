"""Node selectors of qMRML, updated by the events of the real scene."""

import weakref

import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget
from shiboken6 import isValid

from .numbers import row


def setting(kind, name):
    """Make a property stored in `_settings`; a change refills the list."""

    def write(self, value):
        self._settings[name] = tuple(value) if kind == "QStringList" else value
        self._refill()

    return Property(kind, lambda self: self._settings[name], write)


class qMRMLNodeComboBox(QWidget):
    """List of the nodes of the scene that pass the type and attribute filters."""

    cppName = "qMRMLNodeComboBox"
    currentNodeChanged = Signal(object)
    _currentNodeChanged_bool = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._box = QComboBox()
        row(self, self._box)
        self._scene, self._tags, self._watched, self._currentID = None, [], [], ""
        self._settings = dict(
            nodeTypes=(),
            hideChildNodeTypes=(),
            showHidden=False,
            showChildNodeTypes=True,
            noneEnabled=False,
            addEnabled=True,
            removeEnabled=True,
            editEnabled=False,
            renameEnabled=False,
            selectNodeUponCreation=True,
            baseName="",
            noneDisplay="None",
            interactionNodeSingletonTag="",
        )
        self._attributes, self._actions, self._typeLabels = {}, [], {}
        self._box.activated.connect(self._onActivated)

    nodeTypes = setting("QStringList", "nodeTypes")
    hideChildNodeTypes = setting("QStringList", "hideChildNodeTypes")
    showHidden = setting(bool, "showHidden")
    showChildNodeTypes = setting(bool, "showChildNodeTypes")
    noneEnabled = setting(bool, "noneEnabled")
    addEnabled = setting(bool, "addEnabled")
    removeEnabled = setting(bool, "removeEnabled")
    editEnabled = setting(bool, "editEnabled")
    renameEnabled = setting(bool, "renameEnabled")
    selectNodeUponCreation = setting(bool, "selectNodeUponCreation")
    baseName = setting(str, "baseName")

    def _setNoneDisplay(self, text):
        """Change the text; a selector without a current node selects the first one, as in Slicer.

        qMRML replaces the item "none" in the list, and Qt moves the selection to the next item.
        """
        if text == self._settings["noneDisplay"]:
            return
        self._settings["noneDisplay"] = text
        self._refill()
        if self._settings["noneEnabled"] and not self._currentID:
            self.setCurrentNodeIndex(0)

    noneDisplay = Property(str, lambda self: self._settings["noneDisplay"], _setNoneDisplay)
    interactionNodeSingletonTag = setting(str, "interactionNodeSingletonTag")

    # scene
    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is not None:
            events = (
                scene.NodeAddedEvent,
                scene.NodeRemovedEvent,
                scene.EndBatchProcessEvent,
                scene.EndCloseEvent,
                scene.EndImportEvent,
            )
            self._tags = [scene.AddObserver(event, self._callback("_refill")) for event in events]
        self._refill()

    def _callback(self, method):
        """Return an observer that does nothing once the Python or C++ object is deleted."""
        this = weakref.ref(self)
        return lambda *_: (
            getattr(this(), method)() if this() is not None and isValid(this()) else None
        )

    def _watchNames(self, nodes):
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        self._watched = [
            (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._callback("_showNames")))
            for node in nodes
        ]

    def _showNames(self):
        for node, _ in self._watched:
            index = self._box.findData(node.GetID())
            if index >= 0 and self._box.itemText(index) != node.GetName():
                self._box.setItemText(index, node.GetName())
                if node.GetID() == self._currentID:
                    self.currentNodeRenamed.emit(node.GetName())

    def mrmlScene(self):
        return self._scene

    def _shows(self, node):
        s = self._settings
        if node.GetHideFromEditors() and not s["showHidden"]:
            return False
        if not any(
            node.IsA(t) if s["showChildNodeTypes"] else node.GetClassName() == t
            for t in s["nodeTypes"]
        ):
            return False
        if any(node.IsA(t) for t in s["hideChildNodeTypes"]):
            return False
        for (nodeType, name), required in self._attributes.items():
            value = node.GetAttribute(name)
            if node.IsA(nodeType) and (value is None or required not in (None, value)):
                return False
        return True

    def _nodes(self):
        nodes = (
            (self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes()))
            if self._scene
            else ()
        )
        return [node for node in nodes if self._shows(node)]

    def _refill(self):
        if self._scene is None or self._scene.IsBatchProcessing():
            return
        nodes = self._nodes()
        self._watchNames(nodes)
        ids = [node.GetID() for node in nodes]
        self._box.clear()
        if self._settings["noneEnabled"]:
            self._box.addItem(self._settings["noneDisplay"], "")
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        # without "none" the first node is selected, as in Slicer
        first = "" if self._settings["noneEnabled"] or not ids else ids[0]
        self._select(self._currentID if self._currentID in ids else first)

    def _select(self, nodeID):
        changed = nodeID != self._currentID
        self._currentID = nodeID
        self._box.setCurrentIndex(self._box.findData(nodeID))
        if changed:
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self._currentNodeChanged_bool.emit(node is not None)
            self.currentNodeIDChanged.emit(nodeID)

    def _onActivated(self, index):
        self._select(self._box.itemData(index) or "")
        self.nodeActivated.emit(self.currentNode())

    # current node
    def currentNode(self):
        return self._scene.GetNodeByID(self._currentID) if self._scene and self._currentID else None

    def setCurrentNode(self, node):
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID):
        self._select(nodeID if nodeID and self._box.findData(nodeID) >= 0 else "")

    def setCurrentNodeIndex(self, index):
        nodes = self._nodes()
        self.setCurrentNode(nodes[index] if 0 <= index < len(nodes) else None)

    currentNodeID = Property(str, lambda self: self._currentID, setCurrentNodeID)

    def nodeCount(self):
        return len(self._nodes())

    def nodeFromIndex(self, index):
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    # adding, removing, filters
    def nodeTypeLabel(self, nodeType):
        return self._typeLabels.get(nodeType, nodeType.removeprefix("vtkMRML").removesuffix("Node"))

    def setNodeTypeLabel(self, label, nodeType):
        self._typeLabels[nodeType] = label

    def addNode(self, nodeType=None):
        nodeType = nodeType or self._settings["nodeTypes"][0]
        name = self._scene.GenerateUniqueName(
            self._settings["baseName"] or self.nodeTypeLabel(nodeType)
        )
        node = self._scene.AddNewNodeByClass(nodeType, name)
        for (_, attribute), value in self._attributes.items():
            node.SetAttribute(attribute, value or "")
        self._refill()
        if self._settings["selectNodeUponCreation"]:
            self.setCurrentNode(node)
        self.nodeAdded.emit(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self):
        node = self.currentNode()
        if node is not None:
            self.nodeAboutToBeRemoved.emit(node)
            self._scene.RemoveNode(node)

    def addAttribute(self, nodeType, name, value=None):
        self._attributes[nodeType, name] = None if value is None else str(value)
        self._refill()

    def removeAttribute(self, nodeType, name):
        self._attributes.pop((nodeType, name), None)
        self._refill()

    def addMenuAction(self, action):
        self._actions.append(action)


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    cppName = "qMRMLCheckableNodeComboBox"
    checkedNodesChanged = Signal()

    def __init__(self, parent=None):
        super().__init__(parent)
        self._checked = set()

    def checkState(self, node):
        return Qt.Checked if node.GetID() in self._checked else Qt.Unchecked

    def setCheckState(self, node, state):
        if state != self.checkState(node):
            (self._checked.add if state == Qt.Checked else self._checked.discard)(node.GetID())
            self.checkedNodesChanged.emit()

    def check(self, node):
        self.setCheckState(node, Qt.Checked)

    def uncheck(self, node):
        self.setCheckState(node, Qt.Unchecked)

    def checkedNodes(self):
        return tuple(node for node in self._nodes() if node.GetID() in self._checked)

    def uncheckedNodes(self):
        return tuple(node for node in self._nodes() if node.GetID() not in self._checked)

    def allChecked(self):
        return not self.uncheckedNodes()

    def noneChecked(self):
        return not self.checkedNodes()
