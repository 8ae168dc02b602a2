"""Slicer module MRISuperResTraining: trains super-resolution models for MRISuperRes.

MRISuperResTrainingLib does the work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

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

from MRISuperResLib.scene.scripting import asRuntimeError
from MRISuperResLib.widgets.appearance import Tabs, colorTexts
from MRISuperResTrainingLib.runs.record import RunRecord
from MRISuperResTrainingLib.scene import dataset
from MRISuperResTrainingLib.scene.parameters import (
    MRISuperResTrainingParameterNode,
    trainingSettings,
)
from MRISuperResTrainingLib.widgets.run_tasks import RunTask
from MRISuperResTrainingLib.widgets.runs import (
    Run,
    TrainingRuns,
    TrainingSettings,
    TrainingVolume,
)
from MRISuperResTrainingLib.widgets.training_panel import TrainingPanel


class MRISuperResTraining(ScriptedLoadableModule):
    """Title and help of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MRI Super Resolution Training")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = ["MRISuperRes"]
        self.parent.contributors = ["The MRISuperRes contributors"]
        self.parent.helpText = _(
            "Trains super-resolution models in two stages: PSNR-oriented, then GAN. "
            "Check volumes of several subjects, choose a preset, and press Start. "
            "The training runs in a separate process and continues when Slicer is closed."
        )
        self.parent.acknowledgementText = _(
            "Method: ESRGAN (X. Wang et al., 2018, arXiv:1809.00219)."
        )


class MRISuperResTrainingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: binds widgets, parameter node and scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = self.tabs = None
        self._parameterNode = self._parameterNodeGuiTag = None

    def setup(self) -> None:
        """Build the panel when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MRISuperResTraining.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        ui = self.ui
        self.tabs = Tabs(ui.tabs, (ui.trainContents, ui.runsContents, ui.evaluateContents))
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

    def cleanup(self) -> None:
        """Release the panel before a reload or the end of the application. Runs continue."""
        if self.panel is None:  # setup failed
            return
        self.setParameterNode(None)
        self.removeObservers()
        self.panel.cleanup()

    def enter(self) -> None:
        """Show scene, runs and the theme as they are now."""
        colorTexts(self.ui)
        self.initializeParameterNode()
        self.panel.refresh()

    def exit(self) -> None:
        """Keep the connection with the widgets, so that runs are followed in the background."""

    def _onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def _onSceneChanged(self, caller, event):
        self.initializeParameterNode()
        self.panel.dataset.refreshLater()

    def _onNodesChanged(self, caller, event):
        self.panel.dataset.refreshLater()

    def initializeParameterNode(self) -> None:
        """Use the parameter node of the scene."""
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: MRISuperResTrainingParameterNode | None) -> None:
        """Bind a parameter node to the widgets; None releases the current one."""
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
    """Functions for scripts, for example MRISuperResTrainingLogic().start(volumes, "quick").

    A run is given by its RunRecord, its name, or the path of its folder. All functions raise
    RuntimeError with one sentence for the user.

    Args:
        parent: Parent object, as for every logic.
        trainingRuns: The runs; None: those of the folder that the panel shows.
    """

    def __init__(self, parent=None, trainingRuns: TrainingRuns | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self.trainingRuns = trainingRuns or TrainingRuns()

    def getParameterNode(self) -> MRISuperResTrainingParameterNode:
        """Return the parameter node of the module."""
        return MRISuperResTrainingParameterNode(super().getParameterNode())

    def start(
        self,
        volumes: Iterable[TrainingVolume],
        settings: TrainingSettings = "quick",
        name: str | None = None,
        device: str = "auto",
    ) -> RunRecord:
        """Start a training in a separate process, which continues when the application ends.

        Args:
            volumes: Volume nodes, paths (volume files, folders, BIDS trees, lists, recipes), or
                data.sources.Source objects.
            settings: Name of a preset, options.settings.Settings, or their JSON values, such as
                {"preset": "quick", "scale": 4, "psnr": {"steps": 500}}.
            name: Name of the run and its folder; None: preset, scale and time.
            device: "auto", "cpu" or "cuda:N".

        Returns:
            The record of the run, at once. Its `update()` reads what is new; then `state`,
            `position`, `best_psnr`, `message` and `events` describe the run.
        """
        with asRuntimeError():
            return self.trainingRuns.start(volumes, settings, name, device)

    def resume(self, run: Run, device: str = "auto") -> RunRecord:
        """Continue a stopped, interrupted or failed run from its last checkpoint."""
        with asRuntimeError():
            return self.trainingRuns.resume(run, device)

    def stop(self, run: Run) -> None:
        """Ask a run to stop after its current step, with a checkpoint; returns at once."""
        with asRuntimeError():
            self.trainingRuns.stop(run)

    def runs(self) -> list[RunRecord]:
        """Return the records of all runs, the newest first."""
        return self.trainingRuns.list()

    def delete(self, run: Run) -> None:
        """Delete the folder of an inactive run."""
        with asRuntimeError():
            self.trainingRuns.delete(run)

    def send(self, run: Run, name: str | None = None) -> str:
        """Install the best models of a finished run in MRISuperRes, and wait for that.

        Args:
            run: The run.
            name: Name of the pair NAME-psnr, NAME-gan; None: derived from that of the run.

        Returns:
            The name of the pair.
        """
        with asRuntimeError():
            task = self.trainingRuns.startExport(run, name)
        return self._waitFor(task).name

    def evaluate(self, run: Run, device: str = "auto") -> Path:
        """Measure the best models of a finished run on held-out subjects, and wait for that.

        Returns:
            The folder with evaluation.md, summary.csv, volumes.csv and pictures.
        """
        with asRuntimeError():
            task = self.trainingRuns.startEvaluation(run, device)
        return self._waitFor(task).folder

    def _waitFor(self, task: RunTask) -> RunTask:
        task.wait()
        self.trainingRuns.takeEndedTasks()
        if task.error:
            raise RuntimeError(task.error)
        return task


class MRISuperResTrainingTest(ScriptedLoadableModuleTest):
    """Self-test for the application; no training is started, so torch is not needed."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        self.setUp()
        self.test_a_volume_is_trainable_and_the_default_preset_is_valid()
        self.setUp()
        self.test_an_empty_folder_has_no_runs()

    def test_a_volume_is_trainable_and_the_default_preset_is_valid(self):
        node = slicer.util.addVolumeFromArray(
            np.arange(4 * 80 * 80, dtype=np.int16).reshape(4, 80, 80), name="sub-07_T1w"
        )
        self.assertEqual((dataset.trainableNodes(), dataset.subjectOf(node)), ([node], "sub-07"))
        parameters = MRISuperResTrainingLogic().getParameterNode()
        self.assertEqual(trainingSettings(parameters).preset, "quick")

    def test_an_empty_folder_has_no_runs(self):
        logic = MRISuperResTrainingLogic()
        before = logic.trainingRuns.folder
        with tempfile.TemporaryDirectory() as folder:
            try:
                logic.trainingRuns.folder = folder
                self.assertEqual(logic.runs(), [])
            finally:
                logic.trainingRuns.folder = before
