"""Section of the panel that upsamples a volume or a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.options import UpsamplingOptions
from ..core.system import device_kind
from ..core.through_plane.grid import OutputGrid
from ..scene.comparison.before_after import UpsampledPair
from ..scene.descriptions import (
    describeEstimate,
    describeGeometry,
    outputGrid,
    trainingMessages,
)
from ..scene.labels import whyNotLabels
from ..scene.nodes import sliceCount, whyNotUpsamplable
from ..scene.parameters import MRISuperResParameterNode, Output
from ..scene.sample_data import FETUS, loadSample
from ..scene.sequences import sequenceOf, shownVolume
from ..scene.upsampling import whyNotOwnOutput, whyNotReplaceable
from .appearance import showText
from .before_after import BeforeAfter
from .comparison.views import LinkedViews
from .dicom_export import DicomExportButton
from .models import ModelSelector
from .output_grid import BetweenSlicesSelector, OutputSelector
from .task_panel import TaskPanel, TaskStatus


class UpsamplePanel(TaskPanel):
    """Sample, input, model, output and Apply; see TaskPanel.

    Args:
        ui: Widgets of the panel.
        logic: MRISuperResLogic.
        onBusyChanged: Called after a task has started or ended.
    """

    def __init__(self, ui, logic, onBusyChanged: Callable[[], None]) -> None:
        self.failureTitle = _("The volume could not be upsampled.")
        self._ui = ui
        self._sample = SampleButton(ui.sampleButton)
        self.models = ModelSelector(
            ui.modelComboBox,
            (ui.modelSummaryLabel, ui.cardLabel, ui.cardCollapsibleButton),
            (ui.blendLabel, ui.blendSlider),
            self._onModelChosen,
        )
        self.output = OutputSelector(ui)
        self.between = BetweenSlicesSelector(ui.betweenSlicesComboBox, self._onBetweenChosen)
        self._export = DicomExportButton(
            ui.exportDicomButton,
            logic,
            self._result,
            lambda message: self._status.showMessage(message, self.whyNot()),
        )
        self.beforeAfter = BeforeAfter(ui)
        status = TaskStatus(
            ui.applyButton,
            ui.progressBar,
            ui.progressLabel,
            ui.statusLabel,
            (ui.detailsButton, ui.detailsLabel),
            _("Apply"),
            _("Upsample the input volume"),
            _("Cancel the task; nothing is changed"),
        )
        super().__init__(logic, status, onBusyChanged)

    @property
    def options(self) -> UpsamplingOptions:
        """The options that are set in the panel."""
        model = self.models.name
        if self.parameters.output is not Output.SCALE and model != self.parameters.model:
            model = None  # a default, which depends on the in-plane factor of each volume
        hasUncertainty = self.parameters.uncertainty and not self._whyNoUncertainty()
        isAdapted = self.parameters.adapt and self._isNetworkBetween and self.sequence is None
        return self.output.options(model, self.between.name, hasUncertainty, isAdapted)

    @property
    def sequence(self) -> slicer.vtkMRMLSequenceNode | None:
        """The sequence to upsample; None for a single volume."""
        if self.parameters is None or not self.parameters.allFrames:
            return None
        return sequenceOf(self.parameters.inputVolume)

    def describeEstimate(self, nodes: Sequence[slicer.vtkMRMLVolumeNode]) -> tuple[str, str]:
        """Return a line on memory and time, and a warning or an empty text.

        Args:
            nodes: Volumes to upsample; each is listed once per frame like it.
        """
        inPlane, between = (
            next(iter(selector.cards), None) for selector in (self.models, self.between)
        )
        isCold = self._logic.worker.pid is None
        return describeEstimate(nodes, self.options, inPlane, between, isCold)

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        self._sample.show(parameters)
        self.output.show(parameters)
        self.parameters = parameters
        if parameters is not None:
            self._showModels()
        super().show(parameters)

    def forget(self) -> None:
        """Read the installed models again at the next `show`."""
        self.models.forget()
        self.between.forget()

    def update(self) -> None:
        """Update descriptions, warnings and buttons."""
        volume = self.parameters.inputVolume if self.parameters is not None else None
        self._showSequence(sequenceOf(volume))
        if self.parameters is not None and self.parameters.output is not Output.SCALE:
            self._showModels()  # the geometry of the volume decides which ones are used
        geometry = estimate = estimateWarning = modelWarning = ""
        if not whyNotUpsamplable(volume):
            sequence, options = self.sequence, self.options
            # the frames of a sequence are very likely alike
            frames = sequence.GetNumberOfDataNodes() if sequence is not None else 1
            grid, reason = self._plan()
            if not reason:
                geometry = describeGeometry(volume, options)
                estimate, estimateWarning = self.describeEstimate([volume] * frames)
            isInPlane = grid is None or grid.scale is not None
            cards = self.models.cards if isInPlane else ()
            messages = trainingMessages(volume, options.slice_axis, cards)
            modelWarning = "\n".join(message.text for message in messages)
        self._showAdaptation()
        reason = self._whyNoUncertainty() if self.parameters is not None else ""
        self._ui.uncertaintyCheckBox.enabled = not reason
        self._ui.uncertaintyCheckBox.toolTip = reason or _(
            "Spread of the network's results for flipped and turned images; 4 to 8 times slower"
        )
        self._ui.geometryLabel.text = geometry
        showText(self._ui.estimateLabel, estimate)
        showText(self._ui.estimateWarningLabel, estimateWarning)
        showText(self._ui.modelWarningLabel, modelWarning)
        self._export.update(self.isRunning)
        self.beforeAfter.show(volume)
        super().update()

    def cleanup(self) -> None:
        """Release task and views; the panel is being deleted."""
        super().cleanup()
        self.beforeAfter.cleanup()

    def _plan(self) -> tuple[OutputGrid | None, str]:
        """Return the grid of the input volume, if one is requested, and why it is not possible."""
        parameters = self.parameters
        if parameters.output is Output.SCALE or whyNotUpsamplable(parameters.inputVolume):
            return None, ""
        try:
            return outputGrid(parameters.inputVolume, self.output.options()), ""
        except SuperResolutionError as error:
            return None, str(error)

    @property
    def mainSelector(self) -> ModelSelector | BetweenSlicesSelector:
        """The list of the method that matters most: between slices, if the output needs one."""
        return self.models if self._ui.betweenSlicesComboBox.isHidden() else self.between

    @property
    def _isNetworkBetween(self) -> bool:
        """True if the output needs a method between slices, and it is a network."""
        return self.mainSelector is self.between and bool(self.between.cards)

    def _showModels(self):
        """Show the methods that the output needs, with their cards."""
        parameters, (grid, _reason) = self.parameters, self._plan()
        scale = parameters.scale.value if grid is None else grid.scale or parameters.scale.value
        self.models.show(scale, parameters.model, device_kind(parameters.device.value))
        self.between.show(parameters.betweenSlices)
        if parameters.output is Output.SCALE:
            self.output.showMethods(True, False)
            return
        isInPlane = grid is not None and grid.scale is not None
        isBetween = grid is None or grid.slices > sliceCount(
            parameters.inputVolume, parameters.sliceAxis.value
        )
        self.output.showMethods(isInPlane, isBetween)
        self.models.describe(
            (
                *(self.between.cards if isBetween else ()),
                *(self.models.cards if isInPlane else ()),
            )
        )

    def _showAdaptation(self):
        """Show the check box for the adaptation of a network between slices."""
        box, isSequence = self._ui.adaptCheckBox, self.sequence is not None
        box.visible, box.enabled = self._isNetworkBetween, not isSequence
        box.toolTip = (
            _("The network adapts to single volumes, not to sequences")
            if isSequence
            else _("Fine-tune the network on the volume's own slices first; minutes on a CPU")
        )

    def _whyNoUncertainty(self) -> str:
        """Return one sentence about why there is no uncertainty map, or an empty text."""
        if self.sequence is not None:
            return _("There are no uncertainty maps of sequences")
        isBetween = self.mainSelector is self.between
        if self.parameters.output is not Output.SCALE and not isBetween:
            return _("This output has no more slices than the input")
        if not self.mainSelector.cards:
            return _("Interpolations have no uncertainty map")
        return ""

    def _showSequence(self, sequence):
        """Show the check box for the frame of a sequence, and what the output will be."""
        box = self._ui.allFramesCheckBox
        box.visible = box.enabled = sequence is not None
        if sequence is not None:
            box.text = _("All {count} frames").format(count=sequence.GetNumberOfDataNodes())
        isSequence, selector = self.sequence is not None, self._ui.outputSelector
        selector.enabled = not isSequence
        selector.toolTip = (
            _("All frames become a new sequence")
            if isSequence
            else _("A new volume, or an earlier output to replace")
        )
        self._ui.labelsSelector.enabled = not isSequence
        self._ui.labelInterpolationComboBox.enabled = (
            not isSequence and self.parameters is not None and self.parameters.labels is not None
        )
        # the text for no node stays: Slicer selects the first volume when it is changed

    def _whyNot(self) -> str:
        _grid, reason = self._plan()
        if reason:
            return reason
        if self.sequence is not None:  # the output is a new sequence
            return ""
        output, inputVolume = self.parameters.outputVolume, self.parameters.inputVolume
        return (
            whyNotReplaceable(output, inputVolume)
            or whyNotOwnOutput(output)
            or whyNotLabels(self.parameters.labels, inputVolume)
        )

    def _onModelChosen(self, name):
        if self.parameters is not None:
            self.parameters.model = name

    def _onBetweenChosen(self, name):
        if self.parameters is not None:
            self.parameters.betweenSlices = name

    def _startTask(self, onProgress, onFinished):
        if self.sequence is not None:
            return self._logic.startSequence(self.sequence, self.options, onProgress, onFinished)
        return self._logic.startUpsampling(
            self.parameters.inputVolume,
            self.options,
            self.parameters.outputVolume,
            onProgress,
            onFinished,
            self.parameters.labels,
            self.parameters.labelInterpolation.value,
        )

    def _resultText(self) -> str:
        labels = getattr(self.task.strategy, "labelsResult", None)
        nodes = [node for node in (self.task.result, labels) if node is not None]
        return ", ".join(f"“{node.GetName()}”" for node in nodes)

    def _result(self):
        """Return the chosen output volume, or else the result of the last task, if any."""
        chosen = self.parameters.outputVolume if self.parameters is not None else None
        return chosen or (shownVolume(self.task.result) if self.task is not None else None)

    def _showResult(self) -> None:
        if self._ui.tabs.visible:  # the user may work in another module meanwhile
            inputVolume = shownVolume(self.task.inputNode)
            self.beforeAfter.open(UpsampledPair.of(inputVolume, self.task.result))


class SampleButton:
    """Button that loads a sample as the input; visible while no input is chosen.

    Args:
        button: QPushButton.
    """

    def __init__(self, button) -> None:
        self._button = button
        self._parameters = None
        button.toolTip = _("Download a fetal T2 stack (2 MB). Source: {credit}").format(
            credit=FETUS.credit
        )
        button.connect("clicked(bool)", self._onClicked)

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        self._parameters = parameters
        self._button.visible = parameters is not None and parameters.inputVolume is None

    def _onClicked(self, checked=False):
        with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
            node = loadSample(FETUS)
            self._parameters.inputVolume = node
            showInSliceViews(node)


def showInSliceViews(node: slicer.vtkMRMLVolumeNode) -> None:
    """Show a volume in the background of all slice views."""
    if slicer.app.layoutManager() is None:  # --no-main-window
        return
    LinkedViews.closeShown()  # or the volume would replace all of its images
    slicer.util.setSliceViewerLayers(background=node, fit=True)
