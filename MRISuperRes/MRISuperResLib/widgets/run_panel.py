"""A button that starts and cancels, progress and status line: what a run looks like in the panel."""

from slicer.i18n import tr as _

from ..core.progress import Progress
from ..scene.tasks import TaskState


class RunPanel:
    """Shows in four widgets what is going on; decides nothing.

    action: the text of the button; toolTip: what it does; cancelToolTip: what it does during a run.
    """

    def __init__(
        self, button, progressBar, progressLabel, statusLabel, action, toolTip, cancelToolTip
    ):
        self._button, self._progressBar, self._progressLabel, self._statusLabel = (
            button,
            progressBar,
            progressLabel,
            statusLabel,
        )
        self._action, self._toolTip, self._cancelToolTip = action, toolTip, cancelToolTip
        self._reason = None
        self._setProgressVisible(False)

    def showIdle(self, reason, obstacle=""):
        """reason: why the button is disabled, empty where it is not. The message of the last run stays while nothing changes.

        obstacle: a reason that passes by itself, and leaves the message alone.
        """
        if reason != self._reason:
            self._statusLabel.text = reason or _("Ready.")
        self._setButton(reason, obstacle)

    def _setButton(self, reason, obstacle=""):
        self._reason = reason
        self._button.text = self._action
        self._button.enabled = not (reason or obstacle)
        self._button.toolTip = reason or obstacle or self._toolTip

    def showStart(self, name):
        self._button.text = _("Cancel")
        self._button.enabled = True
        self._button.toolTip = self._cancelToolTip
        self._progressBar.setRange(0, 0)  # busy, until the first slices are done
        self._progressLabel.text = _("Starting …")
        self._statusLabel.text = _("Running: {name}").format(name=name)
        self._setProgressVisible(True)

    def showProgress(self, done, total, rate, remaining, part=""):
        """part: of the run in which it is now, as the beginning of the line."""
        if done:
            self._progressBar.setRange(0, total)
            self._progressBar.value = done
        self._progressLabel.text = part + Progress(done, total, rate, remaining).text()

    def showCancelling(self):
        self._button.enabled = False
        self._statusLabel.text = _("Cancelling …")

    def showMessage(self, message, reason):
        """How the run ended, or why it could not be started. reason: as in showIdle."""
        self._setProgressVisible(False)
        self._setButton(reason)
        self._statusLabel.text = message

    def showEnd(self, job, result, seconds, reason):
        """result: what was made; reason: as in showIdle."""
        message = job.message
        if job.state is TaskState.FINISHED:
            message = "\n".join(
                [
                    _("Finished in {time}: {result}.").format(
                        time=_duration(seconds), result=result
                    ),
                    *job.messages,
                ]
            )
        self.showMessage(message, reason)

    def _setProgressVisible(self, visible):
        self._progressBar.visible = visible
        self._progressLabel.visible = visible


def _duration(seconds):
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
