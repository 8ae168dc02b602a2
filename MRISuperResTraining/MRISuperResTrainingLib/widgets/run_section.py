"""Section of the panel that shows one run: state, progress, data, views, stop and resume."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from MRISuperResLib.core.messages import Message
from MRISuperResLib.core.progress import format_duration
from MRISuperResLib.widgets.appearance import showText

from ..runs import lock
from ..runs.record import RunRecord, RunState
from ..scene.run_nodes import baselineText
from .runs import TrainingRuns
from .tables import EvaluationTab, RunAction, stateText
from .training_views import TrainingViews

STOP_TIMEOUT = 60.0
"""Seconds after a stop request until the process may be killed: a step of a large network on a CPU
takes long."""
WARNING = "⚠ "


class RunSection:
    """Section of one run.

    Attributes:
        record: The run; None if there is none.
        views: Its curves and sample slices.

    Args:
        ui: Widgets of the panel.
        runs: The runs.
        actions: Functions of the buttons: "stop", "kill", "resume", "evaluate" and "send".
    """

    def __init__(self, ui: Any, runs: TrainingRuns, actions: Mapping[str, RunAction]) -> None:
        self._ui, self._runs, self._actions = ui, runs, actions
        self._action: str | None = None
        self.record: RunRecord | None = None
        self.views = TrainingViews(self._updateButtons)
        self._evaluation = EvaluationTab(ui, runs, actions)
        ui.stopButton.connect("clicked(bool)", self._onAction)
        ui.viewsButton.connect("clicked(bool)", self._onViews)
        self.show(None)

    def show(self, record: RunRecord | None) -> None:
        """Show a run, or with None a hint on how to start one."""
        if record is None:
            self.views.close()
        elif self.views.isOpen:
            self.views.open(record)
        self.record = record
        self.update()

    def update(self) -> None:
        """Show what is new of the run."""
        record, ui = self.record, self._ui
        for widget in (ui.progressBar, ui.progressLabel, ui.stopButton, ui.viewsButton):
            widget.visible = record is not None
        if record is None:
            title, details, message = _("Start a run, or open one on the tab Runs."), "", ""
        else:
            isStarting = self._runs.isStarting(record)
            state = stateText(record, isStarting, self._secondsSinceStop() is not None)
            title, details = f"{titleText(record)} – {state}", detailsText(record)
            message = "" if isStarting else record.message
            ui.progressBar.setRange(0, max(record.total, 1))
            ui.progressBar.value = record.done
            hasProgress = self._runs.isActive(record) or record.events
            ui.progressLabel.text = progressText(record) if hasProgress else ""
        ui.runTitleLabel.text = title
        if details != ui.detailsTextEdit.plainText:
            ui.detailsTextEdit.plainText = details
        ui.detailsButton.visible = bool(details)
        showText(ui.runMessageLabel, message)
        self._evaluation.show(record)
        self._updateButtons()
        self.views.update()

    def openViews(self) -> None:
        """Show curves and sample slices of the run."""
        self.views.open(self.record)
        self._updateButtons()

    def showEvaluation(self, record: RunRecord) -> None:
        """Open a run with the table of its evaluation in view."""
        self.show(record)
        ui = self._ui
        ui.tabs.setCurrentWidget(ui.evaluateTab)
        # the panel is in a scroll area of the application
        area = ui.tabs.parentWidget()
        while area is not None and not hasattr(area, "ensureWidgetVisible"):
            area = area.parentWidget()
        if area is not None:
            qt.QTimer.singleShot(0, lambda: area.ensureWidgetVisible(ui.evaluationTable, 0, 0))

    def cleanup(self) -> None:
        """Close the views; the panel is being deleted."""
        self.views.close()

    def _secondsSinceStop(self):
        """Seconds since the stop request of a running run; None without one."""
        requested = (
            lock.stop_request_time(self.record.path) if self._runs.isActive(self.record) else None
        )
        return None if requested is None else time.time() - requested

    def _updateButtons(self):
        ui, record = self._ui, self.record
        if record is None:
            return
        seconds = self._secondsSinceStop()
        if not self._runs.isActive(record):
            self._action = None if record.state is RunState.FINISHED else "resume"
            text, toolTip = _("Resume"), _("Continue from the last checkpoint")
        elif seconds is None:
            self._action = "stop"
            text, toolTip = _("Stop"), _("Stop after the current step, with a checkpoint")
        elif seconds < STOP_TIMEOUT:
            self._action = None
            text, toolTip = _("Stopping…"), _("The process stops after its current step")
        else:
            self._action = "kill"
            text = _("Kill process…")
            toolTip = _("No answer; killing loses the steps since the last checkpoint")
        ui.stopButton.text, ui.stopButton.toolTip = text, toolTip
        ui.stopButton.enabled = self._action is not None
        ui.viewsButton.text = _("Close views") if self.views.isOpen else _("Show views")

    def _onAction(self, checked=False):
        self._actions[self._action](self.record)

    def _onViews(self, checked=False):
        if self.views.isOpen:
            self.views.close()
        else:
            self.openViews()


def titleText(record: RunRecord) -> str:
    """Return name, preset and scale of a run."""
    settings = record.settings
    return _("{name} – {preset}, {scale}").format(
        name=record.name,
        preset=settings.get("preset") or _("custom settings"),
        scale=record.scale_text,
    )


def progressText(record: RunRecord) -> str:
    """Return stage, step, speed, time left in the stage, and the best PSNR of a run."""
    stage, step = record.position
    if stage is None:
        return _("Preparing volumes…")
    text = _("{stage}: step {step} of {steps}").format(
        stage=_("Stage 1 (PSNR)") if stage == "psnr" else _("Stage 2 (GAN)"),
        step=step,
        steps=record.steps(stage),
    )
    rate, remaining = record.rate
    if record.state is RunState.RUNNING and rate:
        text += _(", {rate:.3g} steps/s").format(rate=rate)
        if remaining is not None:
            text += _(", {time} left").format(time=format_duration(remaining))
    if record.best_psnr:
        value, baseline = record.best_psnr
        text += "\n" + _("Best validation PSNR {value:.2f} dB").format(value=value)
        if baseline is not None:
            text += _(" ({gain:+.2f} dB over {baseline})").format(
                gain=value - baseline, baseline=baselineText(record)
            )
    return text


def detailsText(record: RunRecord) -> str:
    """Return training volumes, held-out volumes, and what was skipped with the reasons."""
    description = record.description
    split = description.get("split") or {}
    lines = [_marked(message) for message in map(Message.from_dict, split.get("messages", ()))]
    for volume in description.get("volumes", ()):
        lines += _volumeLines(volume, split)
    lines += [
        _("Skipped {path}: {reason}").format(path=os.path.basename(path), reason=reason)
        for path, reason in [*description.get("unusable", ()), *record.skipped]
    ]
    return "\n".join(lines)


def _volumeLines(volume, split):
    isHeldOut = volume["subject"] in split.get("validation", ()) and not split.get("by_slices")
    skipped = volume.get("left_out", {})
    text = _("{name}: {slices} {use} slices").format(
        name=os.path.basename(volume["path"]),
        slices=volume["slices"],
        use=_("held-out") if isHeldOut else _("training"),
    )
    if skipped:
        text += _(", {n} skipped").format(n=len(skipped))
    reasons: dict[str, list[int]] = {}
    for number, reason in skipped.items():
        reasons.setdefault(reason, []).append(int(number))
    messages = map(Message.from_dict, volume.get("messages", ()))
    return [
        text,
        *(f"    {_exclusionText(reason)}: {_ranges(found)}" for reason, found in reasons.items()),
        *(f"    {_marked(message)}" for message in messages if message.is_warning),
    ]


def _marked(message):
    return WARNING * message.is_warning + message.text


def _exclusionText(reason):
    """The text of a data.preparation.Exclusion."""
    return {
        "empty": _("little or no anatomy"),
        "gap": _("close to held-out slices"),
        "validation": _("held out"),
        "training": _("for training"),
    }.get(reason, reason)


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as "1–4, 7, 9–12"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in parts)
