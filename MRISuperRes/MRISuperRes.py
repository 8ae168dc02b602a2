"""Slicer module MRISuperRes: super-resolution of MRI volumes. MRISuperResLib does the work."""

from __future__ import annotations

import unittest

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from MRISuperResLib.logic import ScriptingLogic
from MRISuperResLib.scene.comparison.maps import ComparisonMaps
from MRISuperResLib.scene.nodes import firstUpsamplableNode
from MRISuperResLib.scene.parameters import MRISuperResParameterNode
from MRISuperResLib.scene.sample_data import SAMPLES, registerSamples
from MRISuperResLib.widgets.appearance import Tabs, colorTexts
from MRISuperResLib.widgets.batch import BatchPanel
from MRISuperResLib.widgets.comparison.panel import ComparePanel
from MRISuperResLib.widgets.comparison.views import ComparisonViews
from MRISuperResLib.widgets.packages import missingPackages
from MRISuperResLib.widgets.packages_panel import PackagesPanel
from MRISuperResLib.widgets.task_panel import TaskPanel
from MRISuperResLib.widgets.upsample import UpsamplePanel
from MRISuperResLib.widgets.user_models import UserModels
from MRISuperResLib.worker.client import WorkerProcess


class MRISuperRes(ScriptedLoadableModule):
    """Title, help and samples of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MRI Super Resolution")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = []
        self.parent.contributors = ["The MRISuperRes contributors"]
        self.parent.helpText = _(
            "Super-resolution of MRI volumes, slice by slice, with a two-stage ESRGAN network. "
            "Choose a volume and a model, then click Apply. The input is not changed. "
            "Outputs are synthetic images; detail may be hallucinated. "
            "Not a medical device, not for diagnosis."
        )
        self.parent.acknowledgementText = _(
            "Method: ESRGAN (X. Wang et al., 2018, arXiv:1809.00219). Samples: {credits}."
        ).format(credits="; ".join(sample.credit for sample in SAMPLES))
        slicer.app.connect("startupCompleted()", registerSamples)


class MRISuperResWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: binds widgets, parameter node and the sections that start tasks."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.upsampling = self.batch = self.comparing = None
        self.userModels = self.packages = self.tabs = None
        self._parameterNode = self._parameterNodeGuiTag = self._observedInput = None

    def setup(self) -> None:
        """Build the panel when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MRISuperRes.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.tabs = Tabs(
            ui.tabs, (ui.upsampleContents, ui.compareContents, ui.batchContents, ui.modelsContents)
        )

        self.logic = MRISuperResLogic()
        self.upsampling = UpsamplePanel(ui, self.logic, self._updateTexts)
        self.batch = BatchPanel(ui, self.logic, self.upsampling, self._updateTexts)
        self.comparing = ComparePanel(ui, self.logic, self._updateTexts)
        self.userModels = UserModels(
            ui, self.logic, lambda: self.upsampling.mainSelector, self._onModelsChanged
        )
        users = [*self.panels, self.userModels]  # of the one worker process
        for panel in self.panels:
            panel.competingTasks = [user for user in users if user is not panel]
        # the worker is ended after an installation, because it remembers failed imports
        self.packages = PackagesPanel(ui, lambda: self.logic.worker.isBusy, self.logic.cleanup)

        self.addObserver(
            slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose
        )
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._onSceneChanged)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._onSceneChanged)
        for event in (slicer.mrmlScene.NodeAddedEvent, slicer.mrmlScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self._onNodesChanged)
        self.initializeParameterNode()

    @property
    def panels(self) -> list[TaskPanel]:
        """The sections that start tasks."""
        return [self.upsampling, self.batch, self.comparing]

    def cleanup(self) -> None:
        """Release everything before the module is reloaded or the application ends."""
        if self.packages is None:  # setup failed
            return
        self.setParameterNode(None)
        self.removeObservers()
        for part in [*self.panels, self.userModels, self.packages, self.logic]:
            part.cleanup()

    def enter(self) -> None:
        """Follow changes of the theme and the installed models when the module is opened."""
        colorTexts(self.ui)
        self.upsampling.forget()
        self.comparing.methods.forget()
        self.initializeParameterNode()

    def exit(self) -> None:
        """Keep the widgets connected, since a task continues while another module is shown."""

    def _onModelsChanged(self):
        """List the models again after user models were added or removed."""
        self.upsampling.forget()
        self.comparing.methods.forget()
        self._onParametersChanged()

    def _onNodesChanged(self, caller, event):
        self.batch.refreshLater()
        self.upsampling.beforeAfter.refreshLater()

    def _onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def _onSceneChanged(self, caller, event):
        self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Show the parameter node of the scene, and choose a volume if there is no input."""
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.inputVolume is None:
            self._parameterNode.inputVolume = firstUpsamplableNode()

    def setParameterNode(self, parameterNode: MRISuperResParameterNode | None) -> None:
        """Bind the widgets to a parameter node; None while there is no scene."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged
            )
        self._parameterNode = parameterNode
        if self._parameterNode is not None:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged
            )
        self._onParametersChanged()

    def _onParametersChanged(self, caller=None, event=None):
        self._observeInput(self._parameterNode.inputVolume if self._parameterNode else None)
        for panel in self.panels:
            panel.show(self._parameterNode)
        self.userModels.show(self._parameterNode)
        self._updateTexts()

    def _observeInput(self, node):
        """Update the texts when image or geometry of the input change."""
        if node is not self._observedInput:
            if self._observedInput is not None:
                self.removeObserver(
                    self._observedInput, vtk.vtkCommand.ModifiedEvent, self._updateTexts
                )
            if node is not None:
                self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._updateTexts)
            self._observedInput = node

    def _updateTexts(self, caller=None, event=None):
        for panel in self.panels:
            panel.update()


class MRISuperResLogic(ScriptingLogic, ScriptedLoadableModuleLogic):
    """Functions for scripts, such as MRISuperResLogic().upsample(volumeNode); see ScriptingLogic.

    Args:
        worker: Worker process; None: that of the application.
    """

    def __init__(self, parent=None, worker: WorkerProcess | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self._worker = worker

    def getParameterNode(self) -> MRISuperResParameterNode:
        """Return the parameter node of the module."""
        return MRISuperResParameterNode(super().getParameterNode())


class MRISuperResTest(ScriptedLoadableModuleTest):
    """Self test, also in the application; only the test of the network needs torch."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.logic = MRISuperResLogic()

    def runTest(self):
        for test in (
            self.test_bicubic_output_keeps_the_position_of_an_oblique_volume,
            self.test_cancelled_task_leaves_no_nodes,
            self.test_output_sequence_is_played_with_its_input,
            self.test_comparison_ranks_methods_and_can_be_removed,
            self.test_default_network_doubles_the_matrix,
        ):
            self.setUp()
            try:
                test()
            except unittest.SkipTest as skip:
                self.delayDisplay(_("Skipped: {reason}").format(reason=skip))

    def test_bicubic_output_keeps_the_position_of_an_oblique_volume(self):
        volume = self.makeVolume()
        output = self.logic.upsample(volume, model="bicubic", scale=2)
        self.assertEqual(output.GetImageData().GetDimensions(), (40, 48, 6))
        self.assertEqual(
            output.GetImageData().GetScalarType(), volume.GetImageData().GetScalarType()
        )
        for corner in ((-0.5, -0.5, -0.5), (19.5, 23.5, 5.5)):
            outputCorner = [(x + 0.5) * factor - 0.5 for x, factor in zip(corner, (2, 2, 1))]
            np.testing.assert_allclose(
                self.toRAS(output, outputCorner), self.toRAS(volume, corner), atol=1e-6
            )
        self.assertEqual(output.GetAttribute("MRISuperRes.Model"), "bicubic")
        self.assertIn("not for diagnosis", output.GetAttribute("MRISuperRes.Notice"))

    def test_cancelled_task_leaves_no_nodes(self):
        volume = self.makeVolume()
        nodesBefore = slicer.mrmlScene.GetNumberOfNodes()
        self.assertIsNone(
            self.logic.upsample(volume, model="bicubic", progressCallback=lambda progress: False)
        )
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodesBefore)

    def test_output_sequence_is_played_with_its_input(self):
        volume, sequence = (
            self.makeVolume(),
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine"),
        )
        for time in ("0", "0.5", "1"):
            sequence.SetDataNodeAtValue(volume, time)
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        output = self.logic.upsampleSequence(sequence, model="bicubic", scale=2)
        self.assertEqual(
            [output.GetNthIndexValue(n) for n in range(output.GetNumberOfDataNodes())],
            ["0", "0.5", "1"],
        )
        browser.SetSelectedItemNumber(2)
        self.assertEqual(browser.GetProxyNode(output).GetImageData().GetDimensions(), (40, 48, 6))

    def test_comparison_ranks_methods_and_can_be_removed(self):
        volume = self.makeVolume()
        comparison = self.logic.compare(volume, ("nearest", "bicubic", "bicubic+bp"))
        psnr = [comparison.table.mean(method, "psnr") for method in comparison.outputs]
        self.assertEqual(psnr, sorted(psnr))
        self.assertEqual(comparison.tableNode.GetNumberOfRows(), 3)
        self.assertEqual(
            comparison.reference.GetImageData().GetDimensions(),
            volume.GetImageData().GetDimensions(),
        )
        views = ComparisonViews(comparison)
        if views.open():
            self.delayDisplay(_("Comparison of three methods"))
            views.showMaps(ComparisonMaps(comparison).make("error"))
            self.delayDisplay(_("Error maps"))
            views.close()
        comparison.remove()
        left = [
            node.GetName()
            for kind in ("Volume", "Table", "PlotChart", "PlotSeries", "ColorLegendDisplay")
            for node in slicer.util.getNodesByClass(f"vtkMRML{kind}Node")
            if node is not volume
        ]
        self.assertEqual(left, [])

    def test_default_network_doubles_the_matrix(self):
        if missingPackages():
            self.skipTest("not installed: " + ", ".join(missingPackages()))
        output = self.logic.upsample(self.makeVolume(), device="cpu")
        self.assertEqual(output.GetImageData().GetDimensions(), (40, 48, 6))

    def makeVolume(self):
        """Return a small oblique volume with thick slices."""
        k, j, i = np.mgrid[:6, :24, :20]
        array = (500 + 400 * np.sin(i / 3.0) * np.cos(j / 4.0) + 20 * k).astype(np.int16)
        a, b = np.cos(0.3), np.sin(0.3)
        ijkToRAS = np.array(
            [[a, -b, 0, 10], [b, a, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]]
        ) @ np.diag([1.0, 1.0, 3.0, 1.0])
        return slicer.util.addVolumeFromArray(array, ijkToRAS, "Oblique")

    def toRAS(self, node, ijk):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        return matrix.MultiplyPoint([*ijk, 1.0])[:3]
