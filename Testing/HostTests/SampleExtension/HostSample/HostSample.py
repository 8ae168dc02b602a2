"""Sample module for ModulesTest, as made from Slicer's template."""

from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLTextNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

calls = []  # calls of the host, in order


class HostSample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Host sample")
        self.parent.categories = ["Examples"]
        self.parent.contributors = ["The MRISuperRes developers"]
        self.parent.helpText = _("A sample.")
        self.parent.acknowledgementText = _("Nobody.")
        slicer.app.connect("startupCompleted()", lambda: calls.append("startup"))


@parameterNodeWrapper
class HostSampleParameterNode:
    note: vtkMRMLTextNode
    scale: Annotated[int, Choice([2, 4])]


class HostSampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        calls.append("setup")
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HostSample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HostSampleLogic()
        self.parameters = None
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)

    def cleanup(self):
        calls.append("cleanup")
        self.setParameters(None)
        self.removeObservers()

    def enter(self):
        calls.append("enter")
        self.setParameters(HostSampleParameterNode(self.logic.getParameterNode()))

    def exit(self):
        calls.append("exit")
        self.setParameters(None)

    def onSceneStartClose(self, caller, event):
        self.setParameters(None)

    def onSceneEndClose(self, caller, event):
        calls.append("closed")

    def setParameters(self, parameters):
        if self.parameters:
            self.parameters.disconnectGui(self.guiTag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.update)
        self.parameters = parameters
        if self.parameters:
            self.guiTag = self.parameters.connectGui(self.ui)
            self.addObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.update)
            self.update()

    def update(self, caller=None, event=None):
        self.ui.applyButton.enabled = self.parameters.note is not None

    def onApply(self):
        self.ui.statusLabel.text = self.logic.run(self.parameters.note, self.parameters.scale)


class HostSampleLogic(ScriptedLoadableModuleLogic):
    def run(self, note, scale):
        note.SetText(note.GetText() * scale)
        return f"×{scale}"


class HostSampleTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_run(self):
        self.delayDisplay("A test of the sample")
        note = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
        note.SetText("ab")
        HostSampleLogic().run(note, 2)
        self.assertEqual(note.GetText(), "abab")
        calls.append("self test")
