"""Section of the panel that compares methods, with the list of those of one scale."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ...core.errors import SuperResolutionError
from ...core.method_name import MethodName
from ...core.methods.registry import default_comparison_methods
from ...core.models.store import ModelStore
from ...core.options import FLOOR, MAX_METHODS, MIN_METHODS, ComparisonOptions
from ...core.resampling import INTERPOLATIONS
from ...scene.nodes import whyNotUpsamplable
from ...scene.parameters import MRISuperResParameterNode, Output, PerceptualScore
from .. import packages
from ..models import benefit
from ..task_panel import TaskPanel, TaskStatus
from .results import ComparisonResults

BACK_PROJECTED = "+bp"
MAX_VISIBLE_ROWS = 12
"""Rows shown without scrolling."""


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
            self.results.restore() if parameters else self.results.clear()
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
        if parameters.output is not Output.SCALE:  # users may expect other methods
            text += " " + _(
                "These methods work in-plane. To compare methods between slices, run the command "
                "“mrisuperres compare --slice-spacing”."
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

    def _havePackages(self) -> bool:
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
            _("No-reference metric switched off: packages are missing. Click Compare to continue."),
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


class MethodList:
    """A QListWidget of methods, each with a check mark; item data is the method name.

    The state is a text of method names that differ from the default of the scale: checked but not
    a default, or the other way round. So another scale or installation has its own default.

    Args:
        listWidget: QListWidget to fill.
        blendWidgets: (label, container, QComboBox of pairs, ctkSliderWidget, QPushButton) that add
            blends to the list; hidden without a pair of models.
        onChanged: Called with the new state after the user checked or unchecked a method.
        store: Installed models; None: those of the application.
    """

    def __init__(
        self,
        listWidget,
        blendWidgets: tuple,
        onChanged: Callable[[str], None],
        store: ModelStore | None = None,
    ) -> None:
        self._list, self._onChanged = listWidget, onChanged
        self._blendLabel, self._blendWidget, self._pairBox, self._blendSlider, addButton = (
            blendWidgets
        )
        self._store = store or ModelStore()
        self._scale = None
        self._changed = ()
        self._default = ()
        listWidget.connect("itemChanged(QListWidgetItem*)", self._onItemChanged)
        addButton.connect("clicked(bool)", self._onAddBlend)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the checked methods, in the order of the list."""
        return tuple(name for name, item in self._items() if item.checkState() == qt.Qt.Checked)

    def show(self, scale: int, changed: str) -> None:
        """List the methods of a scale.

        Args:
            scale: 2, 4 or 8.
            changed: The state. Names of other scales are kept in it but not shown.
        """
        self._changed = tuple(changed.split())
        blocked = self._list.blockSignals(True)
        if scale != self._scale:
            self._fill(scale)
        known = {name for name, _item in self._items()}
        for name in self._changed:
            if name not in known and self._isBlend(name):
                self._addItem(name, _("blend"), _("0: PSNR model of the pair, 1: GAN model"))
        for name, item in self._items():
            isChecked = (name in self._default) != (name in self._changed)
            item.setCheckState(qt.Qt.Checked if isChecked else qt.Qt.Unchecked)
        self._list.blockSignals(blocked)
        rows = min(self._list.count, MAX_VISIBLE_ROWS)
        self._list.maximumHeight = self._list.minimumHeight = (
            rows * self._list.sizeHintForRow(0) + 2 * self._list.frameWidth
        )

    def forget(self) -> None:
        """Read the installed models again at the next `show`."""
        self._scale = None

    def _fill(self, scale):
        self._scale, self._default = scale, default_comparison_methods(scale, self._store)
        self._list.clear()
        for name in INTERPOLATIONS:
            self._addItem(name, _("interpolation"))
        self._addItem(
            FLOOR,
            _("best without learning"),
            _("Bicubic interpolation with iterative back-projection"),
        )
        cards = self._store.cards(scale)
        for card in cards:
            stage = _("PSNR model") if card.stage == "psnr" else _("GAN model")
            self._addItem(card.name, stage, benefit(card))
        for card in cards:
            self._addItem(
                card.name + BACK_PROJECTED,
                _("back-projected"),
                _("{title} with iterative back-projection").format(title=card.title),
            )
        pairs = self._store.pairs(scale)
        self._pairBox.clear()
        self._pairBox.addItems(list(pairs))
        self._pairBox.visible = len(pairs) > 1
        for widget in (self._blendLabel, self._blendWidget):
            widget.visible = bool(pairs)

    def _addItem(self, name, text, toolTip=""):
        """Add a method; its name comes first, since tables and views show only the name."""
        self._list.addItem(f"{name} – {text}")
        item = self._list.item(self._list.count - 1)
        item.setData(qt.Qt.UserRole, name)
        item.setToolTip(toolTip)
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)

    def _items(self):
        items = [self._list.item(row) for row in range(self._list.count)]
        return [(item.data(qt.Qt.UserRole), item) for item in items]

    def _isBlend(self, name):
        try:
            method = MethodName.parse(name)
        except SuperResolutionError:
            return False
        return method.alpha is not None and method.base in self._store.pairs(self._scale)

    def _onItemChanged(self, item):
        self._toggle(item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked)

    def _onAddBlend(self, checked=False):
        name = str(MethodName(self._pairBox.currentText, round(self._blendSlider.value, 2)))
        self._toggle(name, True)
        self._list.scrollToBottom()

    def _toggle(self, name, isChecked):
        differs = isChecked != (name in self._default)
        changed = [other for other in self._changed if other != name] + ([name] if differs else [])
        self._onChanged(" ".join(changed))
