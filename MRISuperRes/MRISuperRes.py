"""The module MRISuperRes: super-resolution of the MRI volumes of a scene. The work is done in MRISuperResLib."""

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

from MRISuperResLib.core.comparison.job import ComparisonJob, default_methods
from MRISuperResLib.core.job import DEFAULT_SCALE, UpscaleJob
from MRISuperResLib.core.models import ModelStore
from MRISuperResLib.gui.compare_panel import ComparePanel
from MRISuperResLib.gui.comparison_views import ComparisonViews
from MRISuperResLib.gui.packages import missingPackages
from MRISuperResLib.gui.scripted_run import asRuntimeError, scriptedRun
from MRISuperResLib.gui.upscale_panel import UpscalePanel
from MRISuperResLib.gui.worker_process import sharedWorkerProcess
from MRISuperResLib.mrml.comparison_job import ComparisonRun
from MRISuperResLib.mrml.comparison_maps import ComparisonMaps
from MRISuperResLib.mrml.dicom_export import exportDicom
from MRISuperResLib.mrml.parameters import MRISuperResParameterNode
from MRISuperResLib.mrml.sample_data import SAMPLES, registerSamples
from MRISuperResLib.mrml.volume_job import VolumeJob
from MRISuperResLib.mrml.volume_nodes import describeGeometry, firstUpscalableNode, whyNotUpscalable


class MRISuperRes(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MRI Super Resolution")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = []
        self.parent.contributors = ["The MRISuperRes contributors"]
        self.parent.helpText = _(
            "Turns a low-resolution MRI volume into one of higher resolution, slice by slice, with a two-stage ESRGAN network. "
            "Choose a volume and a model and press Apply; the input is not changed. "
            "The result is a synthetic image in which details may be invented: this is not a medical device and not for diagnosis."
        )
        self.parent.acknowledgementText = _("The method follows ESRGAN (X. Wang et al., 2018). Samples: {credits}.").format(
            credits="; ".join(sample.credit for sample in SAMPLES))
        slicer.app.connect("startupCompleted()", registerSamples)


class MRISuperResWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: binds widgets, parameter node and the parts that start runs."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.upscaling = self.comparing = None
        self._parameterNode = self._parameterNodeGuiTag = self._observedInput = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MRISuperRes.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = MRISuperResLogic()
        self.upscaling = UpscalePanel(self.ui, self.logic, self._updateTexts)
        self.comparing = ComparePanel(self.ui, self.logic, self._updateTexts)
        self.upscaling.rival, self.comparing.rival = self.comparing, self.upscaling

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._onSceneChanged)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._onSceneChanged)
        self.initializeParameterNode()

    def cleanup(self):
        """Before the module is reloaded or the application ends."""
        if self.comparing is None:  # setup has failed
            return
        self.setParameterNode(None)
        self.removeObservers()
        self.upscaling.cleanup()
        self.comparing.cleanup()
        self.logic.cleanup()

    def enter(self):
        self.upscaling.models.forget()
        self.comparing.methods.forget()
        self.initializeParameterNode()

    def exit(self):
        """The connection with the widgets stays: a run goes on while another module is shown."""

    def _onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def _onSceneChanged(self, caller, event):
        self.initializeParameterNode()

    def initializeParameterNode(self):
        """Takes the parameter node of the scene, and the first suitable volume where none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.inputVolume is None:
            self._parameterNode.inputVolume = firstUpscalableNode()

    def setParameterNode(self, parameterNode):
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged)
        self._parameterNode = parameterNode
        if self._parameterNode is not None:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged)
        self._onParametersChanged()

    def _onParametersChanged(self, caller=None, event=None):
        self._observeInput(self._parameterNode.inputVolume if self._parameterNode else None)
        self.upscaling.show(self._parameterNode)
        self.comparing.show(self._parameterNode)
        self._updateTexts()

    def _observeInput(self, node):
        """Its image may come, go or be turned after it was chosen."""
        if node is not self._observedInput:
            if self._observedInput is not None:
                self.removeObserver(self._observedInput, vtk.vtkCommand.ModifiedEvent, self._updateTexts)
            if node is not None:
                self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._updateTexts)
            self._observedInput = node

    def _updateTexts(self, caller=None, event=None):
        parameters = self._parameterNode
        if parameters is not None and not whyNotUpscalable(parameters.inputVolume):
            self.ui.geometryLabel.text = describeGeometry(parameters.inputVolume, parameters.sliceDirection.value, parameters.scale.value)
        else:
            self.ui.geometryLabel.text = ""
        self.upscaling.update()
        self.comparing.update()


class MRISuperResLogic(ScriptedLoadableModuleLogic):
    """The way in for scripts: MRISuperResLogic().upscale(volumeNode).

    worker: a gui.worker_process.WorkerProcess; default, the one of the application.
    """

    def __init__(self, parent=None, worker=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self._worker = worker

    @property
    def worker(self):
        if self._worker is None:
            self._worker = sharedWorkerProcess()
        return self._worker

    def cleanup(self):
        """Ends the worker process; it starts again with the next run."""
        if self._worker is not None:
            self._worker.cleanup()

    def getParameterNode(self):
        return MRISuperResParameterNode(super().getParameterNode())

    def start(self, volumeNode, job, outputVolume=None, onProgress=None, onFinished=None):
        """Starts a run in the background and returns its VolumeJob. job: UpscaleJob; the rest: see VolumeJob.

        Raises RuntimeError with one sentence for the user.
        """
        with asRuntimeError():
            return VolumeJob(self.worker, volumeNode, job, outputVolume, onProgress, onFinished)

    def upscale(self, volumeNode, model=None, scale=None, axis="auto", device="auto", precision="auto", outputVolume=None,
                waitForCompletion=True, progressCallback=None, onFinished=None):
        """Makes the super-resolved volume of a volume node; the input is not changed.

        model: name of an installed model, or "nearest", "bilinear", "bicubic"; "PAIR@0.5" for the blend of a PSNR and a GAN
        model, "NAME+bp" for a result that is made to agree with the input; None: the default model of the scale.
        scale: 2, 4 or 8; None: the model's own. axis: "auto", "axial", "sagittal", "coronal", "i", "j" or "k": the slices.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps". precision: "float32", or "auto" for half precision where the device is made
        for it and the result is near. outputVolume: a volume node to be replaced; None: a new one.
        progressCallback(done, total): in slices; where it returns False, the run is cancelled.

        waitForCompletion=True: returns the output node, or None where the progress callback has cancelled the run. The
        application stays alive meanwhile. Raises RuntimeError with one sentence for the user where there is no result.
        waitForCompletion=False: returns a VolumeJob at once, with cancel(), state, message and outputNode;
        onFinished(job) is called at its end, however it ends.
        """
        with asRuntimeError():
            job = UpscaleJob(model=model, scale=scale, axis=axis, device=device, precision=precision)
        run = scriptedRun(lambda onProgress, onEnd: self.start(volumeNode, job, outputVolume, onProgress, onEnd),
                          progressCallback, onFinished, waitForCompletion)
        return run.outputNode if run and waitForCompletion else run

    def exportDicom(self, outputNode, folder):
        """Writes an output as a DICOM series that is derived from that of its input: same patient, study and place, marked as synthetic.

        outputNode: what `upscale` has made of a volume that was loaded from the DICOM database of the application. folder: is made, or is
        empty. The series is there complete, or not at all. Raises RuntimeError with one sentence for the user.
        """
        with asRuntimeError():
            exportDicom(outputNode, folder)

    def startComparison(self, volumeNode, job, onProgress=None, onFinished=None):
        """Starts a comparison in the background and returns its ComparisonRun. job: ComparisonJob; the rest: see SceneJob.

        Raises RuntimeError with one sentence for the user.
        """
        with asRuntimeError():
            return ComparisonRun(self.worker, volumeNode, job, onProgress, onFinished)

    def compare(self, volumeNode, methods=None, scale=DEFAULT_SCALE, reference=True, axis="auto", device="auto", precision="auto",
                degradation="bicubic", noise=0.0, seed=0, perceptual="none", waitForCompletion=True, progressCallback=None, onFinished=None):
        """Lets several methods work on a volume and measures them; the input is not changed.

        methods: names as in `upscale`, 2 to 8 of them; None: the interpolations, "bicubic+bp" and the installed models.
        reference: True where the volume is the truth, which is degraded and restored; False where it is enlarged itself.
        degradation: "bicubic" or "kspace". noise: Rician, in % of the intensity range, with a seed. perceptual: "none", "niqe"
        or "pi". The rest: see `upscale`.

        Returns the ComparisonNodes (outputs, table, tableNode, plotChartNode, report, remove() …), or with
        waitForCompletion=False a ComparisonRun with cancel(), state, message and comparison. Errors: see `upscale`.
        """
        with asRuntimeError():
            job = ComparisonJob(methods or default_methods(scale, ModelStore()), scale, reference, axis, device, precision, degradation, noise, seed, perceptual)
        run = scriptedRun(lambda onProgress, onEnd: self.startComparison(volumeNode, job, onProgress, onEnd),
                          progressCallback, onFinished, waitForCompletion)
        return run.comparison if run and waitForCompletion else run


class MRISuperResTest(ScriptedLoadableModuleTest):
    """Runs in the application, too: needs no torch, except where it says so."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.logic = MRISuperResLogic()

    def runTest(self):
        for test in (self.test_bicubic_run_keeps_the_place_of_an_oblique_volume, self.test_cancelled_run_leaves_nothing_behind,
                     self.test_comparison_measures_and_leaves_nothing_behind, self.test_default_network_where_torch_is_installed):
            self.setUp()
            try:
                test()
            except unittest.SkipTest as skip:
                self.delayDisplay(_("Skipped, {reason}").format(reason=skip))

    def test_bicubic_run_keeps_the_place_of_an_oblique_volume(self):
        volume = self.makeVolume()
        output = self.logic.upscale(volume, model="bicubic", scale=2)
        self.assertEqual(output.GetImageData().GetDimensions(), (40, 48, 6))
        self.assertEqual(output.GetImageData().GetScalarType(), volume.GetImageData().GetScalarType())
        for corner in ((-0.5, -0.5, -0.5), (19.5, 23.5, 5.5)):
            outputCorner = [(x + 0.5) * factor - 0.5 for x, factor in zip(corner, (2, 2, 1))]
            np.testing.assert_allclose(self.toRAS(output, outputCorner), self.toRAS(volume, corner), atol=1e-6)
        self.assertEqual(output.GetAttribute("MRISuperRes.Model"), "bicubic")
        self.assertIn("not for diagnosis", output.GetAttribute("MRISuperRes.Notice"))

    def test_cancelled_run_leaves_nothing_behind(self):
        volume = self.makeVolume()
        nodesBefore = slicer.mrmlScene.GetNumberOfNodes()
        self.assertIsNone(self.logic.upscale(volume, model="bicubic", progressCallback=lambda done, total: False))
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodesBefore)

    def test_comparison_measures_and_leaves_nothing_behind(self):
        volume = self.makeVolume()
        comparison = self.logic.compare(volume, ("nearest", "bicubic", "bicubic+bp"))
        psnr = [comparison.table.mean(method, "psnr") for method in comparison.outputs]
        self.assertEqual(psnr, sorted(psnr))
        self.assertEqual(comparison.tableNode.GetNumberOfRows(), 3)
        self.assertEqual(comparison.reference.GetImageData().GetDimensions(), volume.GetImageData().GetDimensions())
        views = ComparisonViews(comparison)
        if views.open():
            self.delayDisplay(_("Comparison of three methods"))
            views.showMaps(ComparisonMaps(comparison).make("error"))
            self.delayDisplay(_("Their errors"))
            views.close()
        comparison.remove()
        for className in ("vtkMRMLVolumeNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLColorLegendDisplayNode"):
            self.assertEqual([node.GetName() for node in slicer.util.getNodesByClass(className) if node is not volume], [])

    def test_default_network_where_torch_is_installed(self):
        if missingPackages():
            self.skipTest("not installed: " + ", ".join(missingPackages()))
        output = self.logic.upscale(self.makeVolume(), device="cpu")
        self.assertEqual(output.GetImageData().GetDimensions(), (40, 48, 6))

    def makeVolume(self):
        """A small oblique volume with thick slices."""
        k, j, i = np.mgrid[:6, :24, :20]
        array = (500 + 400 * np.sin(i / 3.0) * np.cos(j / 4.0) + 20 * k).astype(np.int16)
        a, b = np.cos(0.3), np.sin(0.3)
        ijkToRAS = np.array([[a, -b, 0, 10], [b, a, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]]) @ np.diag([1.0, 1.0, 3.0, 1.0])
        return slicer.util.addVolumeFromArray(array, ijkToRAS, "Oblique")

    def toRAS(self, node, ijk):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        return matrix.MultiplyPoint([*ijk, 1.0])[:3]
