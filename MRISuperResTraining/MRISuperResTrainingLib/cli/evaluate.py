"""The command `evaluate [DATA] --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from MRISuperResLib.cli.console import Console
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, Progress
from MRISuperResLib.core.resampling import INTERPOLATIONS

from .. import api
from ..evaluation.report import MARKDOWN
from ..runs.task_report import TaskReport


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Evaluate models and return the tables.

    Raises:
        SuperResolutionError: There is no volume, or a model or an option cannot be used.
        Cancelled: The user stopped the command.
    """
    options = ComparisonOptions(
        INTERPOLATIONS,
        slice_axis=arguments.slice_axis,
        device=arguments.device,
        precision=arguments.precision,
        degradation=arguments.degradation,
        noise=arguments.noise,
        seed=arguments.seed,
        perceptual=arguments.perceptual,
    )
    with TaskReport(arguments.report) as report:

        def on_progress(progress: Progress) -> None:
            console.line(f"{progress.done}/{progress.total} volumes")
            report.progress(progress)

        evaluation = api.evaluate(
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
    count = len(evaluation.volumes)
    return f"{text}\nDone: {arguments.out}, {count} combinations of volume and scale"
