"""Command line: mrisuperres-train --help, or python -m MRISuperResTrainingLib --help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from MRISuperResLib.cli.console import Console
from MRISuperResLib.cli.main import run_program
from MRISuperResLib.core.progress import CancelCheck
from MRISuperResLib.core.system import check_address_space


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; see MRISuperResLib.cli.main.run_program."""
    return run_program(_run, arguments, raises_at_once=False)


def entry_point() -> None:
    """Run the console script `mrisuperres-train`."""
    sys.exit(main())


def _run(words: Sequence[str], console: Console, is_cancelled: CancelCheck) -> str:
    """Return the text for standard output; imports what it needs, once Ctrl-C is handled."""
    from .cli.parser import parse

    arguments = parse(words)
    check_address_space()
    from .cli import commands

    command = {
        "evaluate": commands.evaluate,
        "uncertainty": commands.evaluate_uncertainty,
        "export": commands.export,
    }.get(arguments.command, commands.train)
    return command(arguments, console, is_cancelled)


if __name__ == "__main__":
    entry_point()
