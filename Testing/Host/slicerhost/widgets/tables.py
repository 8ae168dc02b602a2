"""Table view of qMRML, filled from a real table node."""

import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QTableView


class qMRMLTableView(QTableView):
    cppName = "qMRMLTableView"
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._node, self._tag, self._locked = (
            None,
            None,
            None,
            dict(row=False, column=False),
        )
        self._model = QStandardItemModel()
        self.setModel(self._model)
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene

    def mrmlTableNode(self):
        return self._node

    def setMRMLTableNode(self, node):
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._refill())
        self._refill()

    def _refill(self):
        table = self._node.GetTable() if self._node else vtk.vtkTable()
        columns, rows = range(table.GetNumberOfColumns()), range(table.GetNumberOfRows())
        self._model.clear()
        self._model.setHorizontalHeaderLabels([table.GetColumnName(c) or "" for c in columns])
        for r in rows:
            self._model.appendRow([QStandardItem(table.GetValue(r, c).ToString()) for c in columns])

    def setFirstRowLocked(self, locked):
        self._locked["row"] = locked

    def setFirstColumnLocked(self, locked):
        self._locked["column"] = locked

    firstRowLocked = Property(bool, lambda self: self._locked["row"], setFirstRowLocked)
    firstColumnLocked = Property(bool, lambda self: self._locked["column"], setFirstColumnLocked)
