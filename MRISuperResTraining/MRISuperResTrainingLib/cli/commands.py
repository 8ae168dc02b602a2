"""The commands `train`, `resume`, `evaluate`, `uncertainty` and `export`."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from MRISuperResLib.cli.arguments import comparison_values
from MRISuperResLib.cli.console import Console
from MRISuperResLib.core.errors import Cancelled
from MRISuperResLib.core.messages import Message, info
from MRISuperResLib.core.models.card import is_model_name
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, Progress, format_duration
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from MRISuperResLib.core.validation import invalid

from .. import api
from ..options.presets import PRESETS, Recipe, preset
from ..options.settings import Settings
from ..runs.events import Event, TaskReport, baseline_of

LINE_INTERVAL = 5.0
"""Seconds between two lines about steps."""

SCORES = {
    "psnr": ("PSNR", 2, " dB"),
    "ssim": ("SSIM", 4, ""),
    "lpips": ("LPIPS", 4, ""),
    "vgg_distance": ("VGG distance", 4, ""),
    "contrast": ("contrast", 4, ""),
}
"""Title, decimals and unit of a score."""


def train(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Train or resume a run and return the line that names its models.

    Raises:
        SuperResolutionError: The settings or the data cannot be used, or the run failed.
        Cancelled: The user stopped the command.
    """
    report = EventReport(console)
    console.messages(_process_messages())
    try:
        if arguments.command == "resume":
            folder = api.resume(arguments.run, on_event=report, is_cancelled=is_cancelled)
        else:
            recipe, settings = _logged_settings(arguments)
            folder = api.train(
                arguments.data,
                arguments.run,
                settings,
                anatomy=arguments.anatomy,
                data_folder=arguments.base,
                card=recipe.card() if recipe else None,
                cache=arguments.cache,
                on_event=report,
                is_cancelled=is_cancelled,
            )
    except (KeyboardInterrupt, Cancelled) as e:
        raise Cancelled(
            f"Stopped. “resume {arguments.run}” continues from the last checkpoint."
        ) from e
    if not folder.is_writer:
        return ""
    return (
        f"Done: {folder.models}. “export {folder.path} --name NAME --to FOLDER” makes a pair of "
        "models."
    )


def evaluate(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Evaluate models and return the tables.

    Raises:
        SuperResolutionError: No volume can be used, or a model or an option is invalid.
        Cancelled: The user stopped the command.
    """
    from ..evaluation.report import MARKDOWN  # loads torch

    options = ComparisonOptions(
        INTERPOLATIONS,
        **comparison_values(arguments),
    )
    with TaskReport(arguments.report) as report:

        def on_progress(progress: Progress) -> None:
            console.line(f"{progress.done}/{progress.total} volumes")
            report.progress(progress)

        api.evaluate(
            arguments.data,
            run=arguments.run,
            models=arguments.models,
            scales=arguments.scales or (),
            options=options,
            out=arguments.out,
            hr_slices=arguments.hr_slices,
            anatomy=arguments.anatomy,
            data_folder=arguments.base,
            on_message=lambda message: console.messages([message]),
            on_progress=on_progress,
            is_cancelled=is_cancelled,
        )
    text = Path(arguments.out, MARKDOWN).read_text(encoding="utf-8")
    return f"{text}\nDone: {arguments.out}"


def evaluate_uncertainty(
    arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck
) -> str:
    """Measure uncertainty maps and return the tables.

    Raises:
        SuperResolutionError: No volume can be used, or a model or an option is invalid.
        Cancelled: The user stopped the command.
    """
    from ..evaluation.uncertainty_report import MARKDOWN  # loads torch

    spacing = {"slice_spacing": arguments.slice_spacing} if arguments.slice_spacing else {}
    api.evaluate_uncertainty(
        arguments.data,
        arguments.models,
        options=ComparisonOptions(
            THROUGH_PLANE_INTERPOLATIONS if spacing else INTERPOLATIONS,
            **comparison_values(arguments),
            **spacing,
        ),
        slices=arguments.slices,
        out=arguments.out,
        anatomy=arguments.anatomy,
        data_folder=arguments.base,
        on_message=lambda message: console.messages([message]),
        on_progress=lambda progress: console.line(f"{progress.done}/{progress.total} volumes"),
        is_cancelled=is_cancelled,
    )
    text = Path(arguments.out, MARKDOWN).read_text(encoding="utf-8")
    return f"{text}\nDone: {arguments.out}"


def export(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Write the models and return the summaries of their cards.

    Raises:
        SuperResolutionError: The run is not finished, or an argument is invalid.
        Cancelled: The user stopped the command.
    """
    with TaskReport(arguments.report) as report:
        cards = api.export(
            arguments.run,
            arguments.name,
            arguments.to,
            measure=not arguments.no_figures,
            alpha=arguments.alpha,
            on_message=lambda message: console.messages([message]),
            on_progress=report.progress,
            is_cancelled=is_cancelled,
        )
    return "\n\n".join(f"{card.name}\n{card.summary()}" for card in cards)


def settings_of(arguments: argparse.Namespace) -> tuple[Recipe | None, Settings]:
    """Return the recipe, if any, and the settings that the arguments give.

    Raises:
        SuperResolutionError: The settings are invalid (kind "settings").
    """
    recipes = [Recipe.read(path) for path in arguments.data if path.lower().endswith(".json")]
    recipe = recipes[0] if recipes else None
    file = _read(arguments.settings) if arguments.settings else {}
    base = PRESETS[arguments.preset] if arguments.preset else recipe.settings if recipe else {}
    scale = arguments.scale or file.get("scale") or base.get("scale")
    if scale is None:
        raise invalid("No scale: add --scale 2, 4 or 8.")
    if arguments.preset:
        values = preset(arguments.preset, scale).to_dict()
    elif recipe:
        values = recipe.settings_for(scale).to_dict()
    elif file:
        values = {}
    else:
        raise invalid("No settings: add --preset or --settings, or train with a recipe.")
    values = Settings.merged(values, file | {"scale": scale})
    changes = list(arguments.changes)
    if arguments.start_from:
        changes.append(("start_from", arguments.start_from))
    for name, value in changes:
        for key in reversed(name.split(".")):
            value = {key: value}
        values = Settings.merged(values, value)
    start = values.get("start_from")
    if start and (os.path.isdir(start) or not is_model_name(start)):
        values["start_from"] = os.path.abspath(start)
    return recipe, Settings.from_dict(values)


def _logged_settings(arguments: argparse.Namespace) -> tuple[Recipe | None, Settings]:
    try:
        return settings_of(arguments)
    except Exception as error:
        api.log_failure(arguments.run, error)
        raise


def _read(path: str) -> dict[str, Any]:
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
        return values
    except (OSError, ValueError) as e:
        raise invalid(
            f"Cannot read settings from {path} ({e}): give a JSON object of settings, such as "
            "“settings” in the run.json of a run."
        ) from e


def _process_messages() -> list[Message]:
    """A note if accelerate started a single process.

    `accelerate launch --cpu` without MPI starts one process, with the address of others but
    without a rank.
    """
    environment = os.environ
    is_single = (
        environment.get("ACCELERATE_USE_CPU") == "True"
        and "MASTER_PORT" in environment
        and not {"RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"} & set(environment)
    )
    if not is_single:
        return []
    text = (
        "accelerate started one process only, as it does on CPUs without MPI; the result is the "
        "same. For more: torchrun --nproc-per-node N -m -- MRISuperResTrainingLib …"
    )
    return [info("training", text)]


class EventReport:
    """Prints the events of a run.

    Args:
        console: Where to print.
        clock: Returns seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock, self._last_line = console, clock, -LINE_INTERVAL

    def __call__(self, event: Event) -> None:
        """Print an event of `runs.events`; of the steps one every few seconds."""
        if event["event"] == "step":
            is_last = event["step"] == event["steps"]
            if self._clock() - self._last_line < LINE_INTERVAL and not is_last:
                return
            self._last_line = self._clock()
        self._console.messages(map(Message.from_dict, event.get("messages", ())))
        if text := _line(event):
            self._console.line(text)


def _line(event: Event) -> str:
    stage, step = event["stage"], event["step"]
    if event["event"] == "start":
        count = event["processes"]
        begin = f"Resumed at step {step} of the stage {stage}" if event["resumed"] else "Started"
        processes = f"{count} processes" if count > 1 else "one process"
        return f"{begin}: {event['device']}, {processes}, {event['precision']}"
    if event["event"] == "step":
        losses = ", ".join(
            f"{name} {value:.4g}"
            for name, value in event["losses"].items()
            if not name.endswith("norm")
        )
        left = format_duration(event["remaining"])
        return (
            f"{stage} {step}/{event['steps']}: {losses}; {event['rate']:.3g} steps/s, {left} left"
        )
    if event["event"] == "validation":
        baseline = baseline_of(event)
        scores = ", ".join(
            _score(name, value, baseline, event[baseline][name])
            for name, value in event["scores"].items()
        )
        best = f"; best by {event['by']} so far" if event["best"] else ""
        return f"{stage} {step}: {scores}{best}"
    return f"{stage} {step}: checkpoint written" if event["event"] == "stopped" else ""


def _score(name: str, value: float, baseline: str, of_baseline: float) -> str:
    title, decimals, unit = SCORES[name]
    return f"{title} {value:.{decimals}f}{unit} ({baseline} {of_baseline:.{decimals}f})"
