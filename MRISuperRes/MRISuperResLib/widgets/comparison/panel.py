"""Section of the panel that compares methods."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ...core.options import MAX_METHODS, MIN_METHODS, ComparisonOptions
from ...scene.nodes import whyNotUpsamplable
from ...scene.parameters import MRISuperResParameterNode, PerceptualScore
from .. import packages
from ..task_panel import TaskPanel, TaskStatus
from .method_list import MethodList
from .results import ComparisonResults


class ComparePanel(TaskPanel):
    """Methods, options, Compare, and the results; see TaskPanel.

    Args:
        ui: Widgets of the panel.
        logic: MRISuperResLogic.
        onBusyChanged: Called after a task has started or ended.
    """

    def __init__(self, ui, logic, onBusyChanged: Callable[[], None]) -> None:
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
        status = TaskStatus(
            ui.compareButton,
            ui.compareProgressBar,
            ui.compareProgressLabel,
            ui.compareStatusLabel,
            (ui.compareDetailsButton, ui.compareDetailsLabel),
            _("Compare"),
            _("Apply the checked methods and show the results side by side"),
            _("Cancel the task; nothing is changed"),
        )
        super().__init__(logic, status, onBusyChanged)

    def show(self, parameters: MRISuperResParameterNode | None) -> None:
        """Show a parameter node, or its changes; None while there is no scene."""
        if parameters is not self.parameters:  # another scene, or the same one loaded again
            self.results.refresh() if parameters else self.results.clear()
        if parameters is not None:
            self.methods.show(parameters.scale.value, parameters.changedMethods)
            hasReference = parameters.comparisonMode.value
            self._ui.noiseSpinBox.enabled = hasReference
            self._ui.seedSpinBox.enabled = hasReference and parameters.noise > 0
        super().show(parameters)

    def update(self) -> None:
        """Update the description and the button."""
        self._ui.comparisonHelpLabel.text = self._description()
        super().update()

    def cleanup(self) -> None:
        """Release task and results; the panel is being deleted."""
        super().cleanup()
        self.results.clear()

    def _description(self):
        parameters = self.parameters
        if parameters is None or whyNotUpsamplable(parameters.inputVolume):
            return ""
        if parameters.comparisonMode.value:
            text = _(
                "“{name}” is the reference. Every method restores it after ×{scale} degradation."
            )
        else:
            text = _(
                "“{name}” is upsampled by ×{scale} with every method. "
                "Without a reference, only data consistency is measured."
            )
        return text.format(name=parameters.inputVolume.GetName(), scale=parameters.scale.value)

    def _onMethodsChanged(self, changed):
        if self.parameters is not None:
            self.parameters.changedMethods = changed

    def _whyNot(self) -> str:
        count = len(self.methods.names)
        if not MIN_METHODS <= count <= MAX_METHODS:
            return _("Check {minimum} to {maximum} methods ({count} checked).").format(
                minimum=MIN_METHODS, maximum=MAX_METHODS, count=count
            )
        return ""

    def _start(self):
        if self._havePackages():
            super()._start()

    def _havePackages(self):
        """Install the packages of the no-reference metric, or switch the metric off."""
        if self.parameters.perceptualScore is PerceptualScore.NONE:
            return True
        missing = packages.missingPackages(perceptual=True)
        if not missing:
            return True
        if packages.installPackages(missing):
            self._logic.cleanup()  # a running worker remembers failed imports
            return True
        self.parameters.perceptualScore = PerceptualScore.NONE
        self._status.showMessage(
            _("No-reference metric switched off: packages are missing. Press Compare to continue."),
            self.whyNot(),
        )
        return False

    def _startTask(self, onProgress, onFinished):
        parameters = self.parameters
        hasReference = parameters.comparisonMode.value
        options = ComparisonOptions(
            methods=self.methods.names,
            scale=parameters.scale.value,
            reference=hasReference,
            slice_axis=parameters.sliceAxis.value,
            device=parameters.device.value,
            precision=parameters.precision.value,
            degradation=parameters.degradation.value,
            noise=parameters.noise if hasReference else 0.0,
            seed=parameters.seed,
            perceptual=parameters.perceptualScore.value,
        )
        return self._logic.startComparison(parameters.inputVolume, options, onProgress, onFinished)

    def _resultText(self) -> str:
        return f"“{self.task.result.title}”"

    def _showResult(self) -> None:
        self.results.refresh(self.task.result)
        self.results.openViews()
