"""Slice views: real slice logic and displayable managers off screen, painted into the widget."""
import slicer
import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ..slice_renderer import SliceRenderer

_PRESS = {Qt.LeftButton: "LeftButtonPressEvent", Qt.MiddleButton: "MiddleButtonPressEvent", Qt.RightButton: "RightButtonPressEvent"}
_RELEASE = {button: name.replace("Press", "Release") for button, name in _PRESS.items()}


class qMRMLSliceView(QWidget):
    """Mouse and key events go to the VTK interactor, so that Slicer's own interactor style answers them.

    The render window is made when it is first needed: most tests ask a slice view for its logic only.
    """

    cppName = "qMRMLSliceView"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._logic = self._made = None
        self.setMinimumSize(64, 64)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)

    @property
    def _renderer(self):
        if self._made is None:
            self._made = SliceRenderer(self._logic, (self.width, self.height))
            self._made.managers.AddObserver(vtk.vtkCommand.UpdateEvent, lambda *_: self.update())
            self._logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.update())
        return self._made

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode() if self._logic else None

    def renderWindow(self):
        return self._renderer.window

    def interactor(self):
        return self._renderer.interactor

    def sliceViewInteractorStyle(self):
        return self._renderer.style

    def cornerAnnotation(self):
        return self._renderer.cornerAnnotation

    def displayableManagerByClassName(self, name):
        return self._renderer.managers.GetDisplayableManagerByClassName(name)

    def convertXYZToRAS(self, xyz):
        return self._transformed(xyz, self.mrmlSliceNode().GetXYToRAS())

    def convertRASToXYZ(self, ras):
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.mrmlSliceNode().GetXYToRAS(), inverse)
        return self._transformed(ras, inverse)

    @staticmethod
    def _transformed(point, matrix):
        return list(matrix.MultiplyPoint([*point, 1.0])[:3])

    def forceRender(self):
        self._renderer.render()
        self.update()

    def scheduleRender(self):
        self.update()

    def resizeEvent(self, event):
        if self._made is not None:
            self._made.resize(self.width, self.height)

    def paintEvent(self, event):
        if self._logic is None:
            return
        pixels = self._renderer.pixels()
        height, width, _ = pixels.shape
        painter = QPainter(self)
        painter.drawImage(self.rect, QImage(pixels.tobytes(), width, height, width * 3, QImage.Format_RGB888))
        painter.end()

    def _send(self, event, name, key="\0"):
        position = event.position().toPoint() if hasattr(event, "position") else self.rect.center()
        modifiers = event.modifiers()
        self.interactor().SetEventInformation(position.x(), self.height - 1 - position.y(), bool(modifiers & Qt.ControlModifier),
                                              bool(modifiers & Qt.ShiftModifier), key, 0, key)
        self.interactor().InvokeEvent(name)
        self.update()

    def mousePressEvent(self, event):
        self._send(event, _PRESS.get(event.button(), "MiddleButtonPressEvent"))

    def mouseReleaseEvent(self, event):
        self._send(event, _RELEASE.get(event.button(), "MiddleButtonReleaseEvent"))

    def mouseMoveEvent(self, event):
        self._send(event, "MouseMoveEvent")

    def wheelEvent(self, event):
        self._send(event, "MouseWheelForwardEvent" if event.angleDelta().y() > 0 else "MouseWheelBackwardEvent")

    def keyPressEvent(self, event):
        self._send(event, "KeyPressEvent", event.text()[:1] or "\0")


class qMRMLSliceWidget(QWidget):
    """A slice view with its logic; the controller bar is not simulated."""

    cppName = "qMRMLSliceWidget"
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._logic = None
        self._view = qMRMLSliceView(self)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._view)

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene

    def setMRMLSliceNode(self, node):
        applicationLogic = slicer.app.applicationLogic()
        self._logic = self._view._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(self._scene)
        self._logic.SetSliceNode(node)
        self._logic.ResizeSliceNode(max(64, self._view.width), max(64, self._view.height))
        applicationLogic.GetSliceLogics().AddItem(self._logic)

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode() if self._logic else None

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode() if self._logic else None

    def sliceLogic(self):
        return self._logic

    def sliceView(self):
        return self._view

    def viewWidget(self):
        return self._view

    def interactorStyle(self):
        return self._view.sliceViewInteractorStyle()

    def overlayCornerAnnotation(self):
        return self._view._renderer.overlayAnnotation

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()

    def setSliceOrientation(self, orientation):
        self.mrmlSliceNode().SetOrientation(orientation)

    sliceOrientation = Property(str, lambda self: self.mrmlSliceNode().GetOrientation(), setSliceOrientation)
    sliceViewName = Property(str, lambda self: self.mrmlSliceNode().GetLayoutName())
