"""A command of the training that works with the models of a run, in a process of its own: their export, their evaluation."""

import subprocess

from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError

EXPORT, EVALUATION = "export", "evaluation"


class RunTask:
    """It is over when `isRunning` is False; then `error` says what went wrong, if anything.

    kind: EXPORT or EVALUATION. record: the RunRecord. folder: where the result goes. command: as of TrainingRuns; words: of the command.
    name: of the models that are made. Raises SuperResolutionError, RuntimeError where it can't be started.
    """

    def __init__(self, kind, record, folder, command, words, name=""):
        self.kind, self.record, self.folder, self.name = kind, record, folder, name
        program, arguments = command([str(word) for word in words])
        try:
            self._log = open(record.path / f"{kind}.txt", "w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed at its end
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise SuperResolutionError(
                _("Nothing can be written to {folder} ({reason}): check that you may.").format(
                    folder=record.path, reason=error.strerror
                ),
                "environment",
            ) from error

    @property
    def isRunning(self):
        return self._process.poll() is None

    @property
    def lastLine(self):
        """What the command has told last, for instance how far it is."""
        return next(iter(reversed(self._lines())), "")

    @property
    def error(self):
        """One sentence; empty where the result is there."""
        if self._process.returncode == 0:
            return ""
        reason = next(
            (
                line.removeprefix("error: ")
                for line in reversed(self._lines())
                if line.startswith("error: ")
            ),
            None,
        )
        return reason or _("It has ended with the exit code {code}: look into {log}.").format(
            code=self._process.returncode, log=self._log.name
        )

    def wait(self):
        self._process.wait()

    def _lines(self):
        with open(self._log.name, encoding="utf-8", errors="replace") as log:
            return [line for line in log.read().splitlines() if line.strip()]
