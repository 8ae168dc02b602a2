"""The command `export RUN --name NAME --to FOLDER`."""

from __future__ import annotations

import argparse

from MRISuperResLib.cli.console import Console
from MRISuperResLib.core.progress import CancelCheck

from .. import api
from ..runs.task_report import TaskReport


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
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
