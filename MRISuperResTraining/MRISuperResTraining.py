"""The module MRISuperResTraining: trains the networks of MRISuperRes. The work is done in MRISuperResTrainingLib."""

import shutil
import tempfile

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

from MRISuperResLib.logic import asRuntimeError
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.scene import dataset
from MRISuperResTrainingLib.scene.parameters import (
    MRISuperResTrainingParameterNode,
    trainingSettings,
)
from MRISuperResTrainingLib.widgets.runs import TrainingRuns
from MRISuperResTrainingLib.widgets.training_panel import TrainingPanel


class MRISuperResTraining(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MRI Super Resolution Training")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = ["MRISuperRes"]
        self.parent.contributors = ["The MRISuperRes contributors"]
        self.parent.helpText = _(
            "Trains the networks with which MRISuperRes enlarges MRI volumes, in two stages: near to the truth first (PSNR), then sharp (GAN). "
            "Check the volumes to learn from, of several people, choose a preset, and press Start. The training is a process of its own, which goes on when the panel is left "
            "and when the application ends."
        )
        self.parent.acknowledgementText = _("The method follows ESRGAN (X. Wang et al., 2018).")


class MRISuperResTrainingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: binds widgets, parameter node and scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = None
        self._parameterNode = self._parameterNodeGuiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MRISuperResTraining.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = MRISuperResTrainingLogic()
        self.panel = TrainingPanel(self.ui, self.logic.trainingRuns)
        self.addObserver(
            slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose
        )
        for event in (slicer.mrmlScene.EndCloseEvent, slicer.mrmlScene.EndImportEvent):
            self.addObserver(slicer.mrmlScene, event, self._onSceneChanged)
        for event in (slicer.mrmlScene.NodeAddedEvent, slicer.mrmlScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self._onNodesChanged)
        self.initializeParameterNode()

    def cleanup(self):
        """Before the module is reloaded or the application ends. Trainings go on."""
        if self.panel is None:  # setup has failed
            return
        self.setParameterNode(None)
        self.removeObservers()
        self.panel.cleanup()

    def enter(self):
        self.initializeParameterNode()
        self.panel.refresh()

    def exit(self):
        """The connection with the widgets stays: a run is watched while another module is shown."""

    def _onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def _onSceneChanged(self, caller, event):
        self.initializeParameterNode()
        self.panel.dataset.refreshLater()

    def _onNodesChanged(self, caller, event):
        self.panel.dataset.refreshLater()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
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
        self.panel.show(self._parameterNode)


class MRISuperResTrainingLogic(ScriptedLoadableModuleLogic):
    """The way in for scripts: MRISuperResTrainingLogic().start(volumes, "quick").

    trainingRuns: a gui.runs.TrainingRuns; default, that of the folder which the panel shows.
    """

    def __init__(self, parent=None, trainingRuns=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self.trainingRuns = trainingRuns or TrainingRuns()

    def getParameterNode(self):
        return MRISuperResTrainingParameterNode(super().getParameterNode())

    def start(self, volumes, settings="quick", name=None, device="auto"):
        """Starts a training in a process of its own, which goes on when the application ends; returns its RunRecord at once.

        volumes: volume nodes, paths of volume files, folders, BIDS trees, lists and recipes, or core.data.source.Source.
        settings: the name of a preset, core.settings.settings.Settings, or their JSON values, for instance
        {"preset": "quick", "scale": 4, "psnr": {"steps": 500}}. name: of the run and its folder; None: preset, scale and time.
        device: "auto", "cpu" or "cuda:N". Raises RuntimeError with one sentence for the user.

        Of a RunRecord, update() reads what is new; then state, position, best_psnr, message, events tell about the run.
        """
        with asRuntimeError():
            return self.trainingRuns.start(volumes, settings, name, device)

    def resume(self, run, device="auto"):
        """Goes on with a run that was stopped, interrupted or has failed, from its last checkpoint; returns its RunRecord.

        run: a RunRecord, the name of a run, or the path of its folder. Raises RuntimeError.
        """
        with asRuntimeError():
            return self.trainingRuns.resume(run, device)

    def stop(self, run):
        """Asks a run to end after its present step, with a checkpoint; returns at once. run: see `resume`. Raises RuntimeError."""
        with asRuntimeError():
            self.trainingRuns.stop(run)

    def runs(self):
        """The RunRecords of all runs, the newest first."""
        return self.trainingRuns.list()

    def delete(self, run):
        """Removes the folder of a run that does not go on. run: see `resume`. Raises RuntimeError."""
        with asRuntimeError():
            self.trainingRuns.delete(run)

    def send(self, run, name=None):
        """Writes the best models of a finished run to where MRISuperRes finds them, and waits for that; returns their name.

        run: see `resume`. name: NAME-psnr and, with a second stage, NAME-gan are made; None: the run's. Raises RuntimeError.
        """
        with asRuntimeError():
            task = self.trainingRuns.startExport(run, name)
        return self._ended(task).name

    def evaluate(self, run, device="auto"):
        """Measures the best models of a finished run on the volumes that it has not learnt from, beside the interpolations, and waits for that.

        run: see `resume`. Returns the folder with evaluation.md, summary.csv, volumes.csv and pictures. Raises RuntimeError.
        """
        with asRuntimeError():
            task = self.trainingRuns.startEvaluation(run, device)
        return self._ended(task).folder

    def _ended(self, task):
        task.wait()
        self.trainingRuns.takeEndedTasks()
        if task.error:
            raise RuntimeError(task.error)
        return task


class MRISuperResTrainingTest(ScriptedLoadableModuleTest):
    """Runs in the application, too: needs no torch, as no training is started."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        self.setUp()
        self.test_volumes_and_presets_make_settings_that_are_valid()
        self.setUp()
        self.test_a_folder_without_runs_has_none()

    def test_volumes_and_presets_make_settings_that_are_valid(self):
        node = slicer.util.addVolumeFromArray(
            np.arange(4 * 80 * 80, dtype=np.int16).reshape(4, 80, 80), name="sub-07_T1w"
        )
        self.assertEqual((dataset.trainableNodes(), dataset.subjectOf(node)), ([node], "sub-07"))
        parameters = MRISuperResTrainingLogic().getParameterNode()
        self.assertEqual(trainingSettings(parameters).preset, "quick")

    def test_a_folder_without_runs_has_none(self):
        logic = MRISuperResTrainingLogic()
        folder, before = tempfile.mkdtemp(), logic.trainingRuns.folder
        try:
            logic.trainingRuns.folder = folder
            self.assertEqual([run for run in logic.runs() if run.state is RunState.RUNNING], [])
        finally:
            logic.trainingRuns.folder = before
            shutil.rmtree(folder)
