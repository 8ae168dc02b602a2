"""The part of the panel that makes a super-resolved volume."""

from slicer.i18n import tr as _

from ..core.hardware import machine
from ..core.job import UpscaleJob
from ..mrml.volume_nodes import modelWarnings
from .dicom_export_button import DicomExportButton
from .job_panel import JobPanel
from .model_selector import ModelSelector
from .sample_button import SampleButton
from .views import showInSliceViews


class UpscalePanel(JobPanel):
    """Sample, model and Apply. ui: the widgets of the panel; the rest: see JobPanel."""

    def __init__(self, ui, logic, onBusyChanged):
        self.failureTitle = _("The volume could not be upscaled.")
        self._warningLabel = ui.modelWarningLabel
        self._sample = SampleButton(ui.sampleButton)
        self.models = ModelSelector(ui.modelComboBox, (ui.modelSummaryLabel, ui.cardLabel, ui.cardCollapsibleButton),
                                    (ui.blendLabel, ui.blendSlider), self._onModelChosen)
        self._export = DicomExportButton(ui.exportDicomButton, logic, self._result, lambda message: self._run.showMessage(message, self.whyNot()))
        super().__init__(logic, (ui.applyButton, ui.progressBar, ui.progressLabel, ui.statusLabel), _("Apply"), _("Make the super-resolved volume"),
                         onBusyChanged)

    def show(self, parameters):
        self._sample.show(parameters)
        if parameters is not None:
            self.models.show(parameters.scale.value, parameters.model, machine(parameters.device.value))
        super().show(parameters)

    def update(self):
        self._warningLabel.text = self._warnings()
        self._warningLabel.visible = bool(self._warningLabel.text)
        self._export.update(self.isRunning)
        super().update()

    def _warnings(self):
        parameters = self.parameters
        if parameters is None or self.whyNot():
            return ""
        return "\n".join(modelWarnings(parameters.inputVolume, parameters.sliceDirection.value, self.models.cards))

    def _whyNot(self):
        parameters = self.parameters
        if parameters.outputVolume is not None and parameters.outputVolume is parameters.inputVolume:
            return _("The output would replace the input: choose another output volume.")
        return ""

    def _onModelChosen(self, name):
        if self.parameters is not None:
            self.parameters.model = name

    def _startJob(self, onProgress, onFinished):
        parameters = self.parameters
        job = UpscaleJob(model=self.models.name, scale=parameters.scale.value, axis=parameters.sliceDirection.value, device=parameters.device.value,
                         precision=parameters.precision.value)
        return self._logic.start(parameters.inputVolume, job, parameters.outputVolume, onProgress, onFinished)

    def _result(self):
        """The output volume that is chosen, or else that of the last run; None where there is none."""
        chosen = self.parameters.outputVolume if self.parameters is not None else None
        return chosen or (self.job.outputNode if self.job is not None else None)

    def _resultName(self):
        return self.job.outputNode.GetName()

    def _showResult(self):
        showInSliceViews(self.job.outputNode, insteadOf=self.job.inputNode)
