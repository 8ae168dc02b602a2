"""The part of the panel that compares methods."""

from slicer.i18n import tr as _

from ...core.options import MAX_METHODS, MIN_METHODS, ComparisonOptions
from ...scene.parameters import PerceptualScore
from ...scene.volume_nodes import whyNotUpsamplable
from .. import packages
from ..task_panel import TaskPanel
from .method_list import MethodList
from .results import ComparisonResults


class ComparePanel(TaskPanel):
    """What is compared, Compare, and what came of it. ui: the widgets of the panel; the rest: see TaskPanel."""

    def __init__(self, ui, logic, onBusyChanged):
        self.failureTitle = _("The methods could not be compared.")
        self._ui = ui
        ui.compareCollapsibleButton.collapsed = True
        self.methods = MethodList(
            ui.methodsListWidget,
            (
                ui.compareBlendLabel,
                ui.compareBlendWidget,
                ui.blendPairComboBox,
                ui.compareBlendSlider,
                ui.addBlendButton,
            ),
            self._onMethodsChanged,
        )
        self.results = ComparisonResults(ui)
        super().__init__(
            logic,
            (
                ui.compareButton,
                ui.compareProgressBar,
                ui.compareProgressLabel,
                ui.compareStatusLabel,
            ),
            _("Compare"),
            _("Let every chosen method work on the volume, and show the results side by side"),
            onBusyChanged,
        )

    def show(self, parameters):
        if parameters is not self.parameters:  # another scene, or the same one anew
            self.results.refresh() if parameters else self.results.clear()
        if parameters is not None:
            self.methods.show(parameters.scale.value, parameters.changedMethods)
            hasReference = parameters.comparisonMode.value
            self._ui.noiseSpinBox.enabled = hasReference
            self._ui.seedSpinBox.enabled = hasReference and parameters.noise > 0
        super().show(parameters)

    def update(self):
        self._ui.comparisonHelpLabel.text = self._help()
        super().update()

    def cleanup(self):
        super().cleanup()
        self.results.clear()

    def _help(self):
        parameters = self.parameters
        if parameters is None or whyNotUpsamplable(parameters.inputVolume):
            return ""
        name, scale = parameters.inputVolume.GetName(), parameters.scale.value
        if parameters.comparisonMode.value:
            return _(
                "“{name}” is the truth: it is made {scale} times smaller, restored by every method, and what comes out is compared with it."
            ).format(name=name, scale=scale)
        return _(
            "“{name}” is made {scale} times larger by every method. There is no truth to compare with: the numbers say how well the results "
            "agree with the volume."
        ).format(name=name, scale=scale)

    def _onMethodsChanged(self, changed):
        if self.parameters is not None:
            self.parameters.changedMethods = changed

    def _whyNot(self):
        count = len(self.methods.names)
        if not MIN_METHODS <= count <= MAX_METHODS:
            return _("Check {least} to {most} methods: {count} are checked.").format(
                least=MIN_METHODS, most=MAX_METHODS, count=count
            )
        return ""

    def _start(self):
        if self._mayStart():
            super()._start()

    def _mayStart(self):
        """Asks for the packages of a perceptual score; without them the score is switched off, so that nobody is asked twice."""
        missing = (
            packages.missingPackages(perceptual=True)
            if self.parameters.perceptualScore is not PerceptualScore.NONE
            else []
        )
        if not missing:
            return True
        if packages.installPackages(missing):
            self._logic.cleanup()  # a worker that has looked for them would not find them
            return True
        self.parameters.perceptualScore = PerceptualScore.NONE
        self._run.showMessage(
            _(
                "NIQE and PI need packages that are not installed: the score was switched off. Press Compare to go on without it."
            ),
            self.whyNot(),
        )
        return False

    def _startJob(self, onProgress, onFinished):
        parameters = self.parameters
        hasReference = parameters.comparisonMode.value
        job = ComparisonOptions(
            methods=self.methods.names,
            scale=parameters.scale.value,
            reference=hasReference,
            slice_slice_axis=parameters.sliceDirection.value,
            device=parameters.device.value,
            precision=parameters.precision.value,
            degradation=parameters.degradation.value,
            noise=parameters.noise if hasReference else 0.0,
            seed=parameters.seed,
            perceptual=parameters.perceptualScore.value,
        )
        return self._logic.startComparison(parameters.inputVolume, job, onProgress, onFinished)

    def _resultText(self):
        return f"“{self.job.comparison.title}”"

    def _showResult(self):
        self.results.refresh(self.job.comparison)
        self.results.openViews()
