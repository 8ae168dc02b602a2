"""The part of the panel that makes a super-resolved volume, or sequence."""

from slicer.i18n import tr as _

from ..core.options import UpsamplingOptions
from ..core.system import device_kind
from ..scene.run_need import describeNeed
from ..scene.sequence_nodes import sequenceOf
from ..scene.volume_nodes import describeGeometry, modelWarnings, whyNotUpsamplable
from .dicom_export_button import DicomExportButton
from .models import ModelSelector
from .sample_button import SampleButton
from .task_panel import TaskPanel
from .view_helpers import showInSliceViews


class UpsamplePanel(TaskPanel):
    """Sample, input, model and Apply. ui: the widgets of the panel; the rest: see TaskPanel."""

    def __init__(self, ui, logic, onBusyChanged):
        self.failureTitle = _("The volume could not be upsampled.")
        self._ui = ui
        self._sample = SampleButton(ui.sampleButton)
        self.models = ModelSelector(
            ui.modelComboBox,
            (ui.modelSummaryLabel, ui.cardLabel, ui.cardCollapsibleButton),
            (ui.blendLabel, ui.blendSlider),
            self._onModelChosen,
        )
        self._export = DicomExportButton(
            ui.exportDicomButton,
            logic,
            self._result,
            lambda message: self._run.showMessage(message, self.whyNot()),
        )
        super().__init__(
            logic,
            (ui.applyButton, ui.progressBar, ui.progressLabel, ui.statusLabel),
            _("Apply"),
            _("Make the super-resolved volume"),
            onBusyChanged,
        )

    @property
    def settings(self):
        """The UpsamplingOptions of what is chosen, for any input."""
        parameters = self.parameters
        return UpsamplingOptions(
            model=self.models.name,
            scale=parameters.scale.value,
            slice_slice_axis=parameters.sliceDirection.value,
            device=parameters.device.value,
            precision=parameters.precision.value,
        )

    @property
    def sequence(self):
        """The sequence of which all frames are to be upsampled, or None."""
        parameters = self.parameters
        return (
            sequenceOf(parameters.inputVolume)
            if parameters is not None and parameters.allFrames
            else None
        )

    def describeNeed(self, nodes):
        """(a line, a warning or an empty text) on what a run on volume nodes will need; a node stands for a result each time that it is named."""
        return describeNeed(
            nodes, self.settings, self.models.cards[0] if self.models.cards else None
        )

    def show(self, parameters):
        self._sample.show(parameters)
        if parameters is not None:
            self.models.show(
                parameters.scale.value, parameters.model, device_kind(parameters.device.value)
            )
        super().show(parameters)

    def update(self):
        input_ = self.parameters.inputVolume if self.parameters is not None else None
        self._showSequence(sequenceOf(input_))
        isUsable = not whyNotUpsamplable(input_)
        geometry, need, needWarning = self._describeInput(input_) if isUsable else ("", "", "")
        self._ui.geometryLabel.text = "\n".join(filter(None, (geometry, need)))
        _showWarning(self._ui.needWarningLabel, needWarning)
        _showWarning(
            self._ui.modelWarningLabel,
            "\n".join(modelWarnings(input_, self.settings.axis, self.models.cards))
            if isUsable
            else "",
        )
        self._export.update(self.isRunning)
        super().update()

    def _describeInput(self, volume):
        """(geometry, what the run needs, a warning of it)"""
        sequence, job = self.sequence, self.settings
        frames = (
            sequence.GetNumberOfDataNodes() if sequence is not None else 1
        )  # which are very likely alike
        return describeGeometry(volume, job.slice_axis, job.scale), *self.describeNeed([volume] * frames)

    def _showSequence(self, sequence):
        """The check box is there for volumes that are frames of a sequence."""
        box = self._ui.allFramesCheckBox
        box.visible = box.enabled = sequence is not None
        if sequence is not None:
            box.text = _("All {count} frames of the sequence").format(
                count=sequence.GetNumberOfDataNodes()
            )
        isSequence, selector = self.sequence is not None, self._ui.outputSelector
        selector.enabled = not isSequence
        selector.toolTip = (
            _("All frames make a new sequence")
            if isSequence
            else _("A volume that is chosen here is replaced by the result")
        )
        nothing = _("Create new sequence") if isSequence else _("Create new volume")
        if selector.noneDisplay != nothing:
            selector.noneDisplay = nothing

    def _whyNot(self):
        parameters = self.parameters
        if (
            self.sequence is None
            and parameters.outputVolume is not None
            and parameters.outputVolume is parameters.inputVolume
        ):
            return _("The output would replace the input: choose another output volume.")
        return ""

    def _onModelChosen(self, name):
        if self.parameters is not None:
            self.parameters.model = name

    def _startJob(self, onProgress, onFinished):
        sequence = self.sequence
        if sequence is not None:
            return self._logic.startSequence(
                sequence,
                self.settings,
                lambda *progress: onProgress(*progress, part=self._part()),
                onFinished,
            )
        return self._logic.start(
            self.parameters.inputVolume,
            self.settings,
            self.parameters.outputVolume,
            onProgress,
            onFinished,
        )

    def _part(self):
        return _("Frame {number} of {count}: ").format(
            number=self.job.number + 1, count=self.job.count
        )

    def _resultText(self):
        return f"“{self.job.outputNode.GetName()}”"

    def _result(self):
        """The output volume that is chosen, or else that of the last run; None where there is none."""
        chosen = self.parameters.outputVolume if self.parameters is not None else None
        return chosen or (self.job.shownNode if self.job is not None else None)

    def _showResult(self):
        showInSliceViews(self.job.shownNode, insteadOf=self.job.shownInput)


def _showWarning(label, text):
    label.text = text
    label.visible = bool(text)
