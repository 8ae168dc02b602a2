"""Slice views: real slice logic and displayable managers, painted into the widget."""

import slicer
import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from ..slice_renderer import SliceRenderer

_PRESS = {
    Qt.LeftButton: "LeftButtonPressEvent",
    Qt.MiddleButton: "MiddleButtonPressEvent",
    Qt.RightButton: "RightButtonPressEvent",
}
_RELEASE = {button: name.replace("Press", "Release") for button, name in _PRESS.items()}
_DOUBLE_CLICK = {button: name.replace("Press", "DoubleClick") for button, name in _PRESS.items()}
_KEYS = {
    Qt.Key_Left: "Left",
    Qt.Key_Right: "Right",
    Qt.Key_Up: "Up",
    Qt.Key_Down: "Down",
    Qt.Key_Delete: "Delete",
    Qt.Key_Escape: "Escape",
}
BAR_HEIGHT = 22
SLIDER_STEPS = 100  # per mm


class qMRMLSliceView(QWidget):
    """Slice view that passes mouse and key events to Slicer's interactor style.

    The render window is made at its first use, because most tests need the slice logic only.
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
        painter.drawImage(
            self.rect, QImage(pixels.tobytes(), width, height, width * 3, QImage.Format_RGB888)
        )
        painter.end()

    def _send(self, event, name, key="\0", keySymbol=""):
        if self._logic is None:
            return
        position = (
            event.position().toPoint()
            if hasattr(event, "position")
            else self.mapFromGlobal(self.cursor.pos())
        )
        modifiers = event.modifiers() if hasattr(event, "modifiers") else Qt.NoModifier
        interactor = self.interactor()
        interactor.SetEventInformation(
            position.x(),
            self.height - 1 - position.y(),
            bool(modifiers & Qt.ControlModifier),
            bool(modifiers & Qt.ShiftModifier),
            key,
            0,
            keySymbol,
        )
        interactor.SetAltKey(bool(modifiers & Qt.AltModifier))
        interactor.InvokeEvent(name)
        self.update()

    def enterEvent(self, event):
        self._send(event, "EnterEvent")

    def leaveEvent(self, event):
        self._send(event, "LeaveEvent")

    def mousePressEvent(self, event):
        self._send(event, _PRESS.get(event.button(), "MiddleButtonPressEvent"))

    def mouseReleaseEvent(self, event):
        self._send(event, _RELEASE.get(event.button(), "MiddleButtonReleaseEvent"))

    def mouseDoubleClickEvent(self, event):
        self._send(event, _DOUBLE_CLICK.get(event.button(), "MiddleButtonDoubleClickEvent"))

    def mouseMoveEvent(self, event):
        self._send(event, "MouseMoveEvent")

    def wheelEvent(self, event):
        self._send(
            event,
            "MouseWheelForwardEvent" if event.angleDelta().y() > 0 else "MouseWheelBackwardEvent",
        )

    def keyPressEvent(self, event):
        key = event.text()[:1] or "\0"
        self._send(event, "KeyPressEvent", key, _KEYS.get(Qt.Key(event.key()), key))


class qMRMLSliceControllerWidget(QWidget):
    """Bar above a slice view with label, slider and offset; the menus are not simulated."""

    cppName = "qMRMLSliceControllerWidget"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._logic = None
        self._label, self._slider, self._offset = (
            QLabel(self),
            QSlider(Qt.Horizontal, self),
            QLabel(self),
        )
        self._label.setAlignment(Qt.AlignCenter)
        self.setFixedHeight(BAR_HEIGHT)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        box = QHBoxLayout(self)
        box.setContentsMargins(2, 0, 4, 0)
        for part in (self._label, self._slider, self._offset):
            box.addWidget(part)
        self._slider.connect(
            "valueChanged(int)", lambda value: self.setSliceOffsetValue(value / SLIDER_STEPS)
        )

    def setSliceLogic(self, logic):
        self._logic = logic
        logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        self._show()

    def _show(self):
        node, bounds = self.mrmlSliceNode(), [0.0] * 6
        if node is None:
            return
        self._logic.GetLowestVolumeSliceBounds(bounds, True)
        color = "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in node.GetLayoutColor()))
        style = f"background: {color}; color: black; font-weight: bold"
        if style != self._label.styleSheet:
            self._label.setStyleSheet(style)
        self._label.setText(f" {node.GetLayoutLabel() or ''} ")
        self._slider.blockSignals(True)
        self._slider.setRange(round(bounds[4] * SLIDER_STEPS), round(bounds[5] * SLIDER_STEPS))
        self._slider.setSingleStep(
            max(1, round(self._logic.GetLowestVolumeSliceSpacing()[2] * SLIDER_STEPS))
        )
        self._slider.setValue(round(self._logic.GetSliceOffset() * SLIDER_STEPS))
        self._slider.blockSignals(False)
        self._offset.setText(f"{self._logic.GetSliceOffset():.1f} mm")

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode() if self._logic else None

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode() if self._logic else None

    def setSliceOffsetValue(self, offset):
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def fitSliceToBackground(self):
        self._logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.ResetFieldOfViewFlag)
        self._logic.FitSliceToBackground()
        self.mrmlSliceNode().UpdateMatrices()
        self._logic.EndSliceNodeInteraction()

    def _setInAllViews(self, name, value):
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            getattr(node, name)(value)

    def setSliceLink(self, linked):
        self._setInAllViews("SetLinkedControl", linked)

    def setHotLinked(self, linked):
        self._setInAllViews("SetHotLinkedControl", linked)


class qMRMLSliceWidget(QWidget):
    """Slice view with its logic and the controller bar above it."""

    cppName = "qMRMLSliceWidget"
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._logic = None
        self._controller, self._view = qMRMLSliceControllerWidget(self), qMRMLSliceView(self)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self._controller)
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
        self._controller.setSliceLogic(self._logic)

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode() if self._logic else None

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode() if self._logic else None

    def sliceLogic(self):
        return self._logic

    def sliceController(self):
        return self._controller

    def controllerWidget(self):
        return self._controller

    def sliceView(self):
        return self._view

    def viewWidget(self):
        return self._view

    def interactorStyle(self):
        return self._view.sliceViewInteractorStyle()

    def overlayCornerAnnotation(self):
        return self._view._renderer.overlayAnnotation

    def fitSliceToBackground(self):
        self._controller.fitSliceToBackground()

    def setSliceOrientation(self, orientation):
        self.mrmlSliceNode().SetOrientation(orientation)

    sliceOrientation = Property(
        str, lambda self: self.mrmlSliceNode().GetOrientation(), setSliceOrientation
    )
    sliceViewName = Property(str, lambda self: self.mrmlSliceNode().GetLayoutName())
