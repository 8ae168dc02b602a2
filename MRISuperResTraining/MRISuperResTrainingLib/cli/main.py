"""Runs a command; what is heavy to import is imported only then."""

from MRISuperResLib.cli.main import run_program


def main(argv=None):
    """argv: the words after the program's name. Returns the exit code, see MRISuperResLib.cli.main.run_program."""
    return run_program(_run, argv, ends_at_once=False)


def _run(argv, console, cancelled):
    from .parser import parse

    arguments = parse(argv)
    if arguments.command == "evaluate":
        from . import evaluate

        return evaluate.run(arguments, console, cancelled)
    if arguments.command == "export":
        from . import export

        return export.run(arguments, console, cancelled)
    from . import train

    return train.run(arguments, console, cancelled)
