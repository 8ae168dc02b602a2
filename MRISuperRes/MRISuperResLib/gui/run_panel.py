"""Apply button, progress and status line: what a run looks like in the panel."""

from slicer.i18n import tr as _

from ..core.progress import Progress
from ..mrml.scene_job import JobState


class RunPanel:
    """Shows in four widgets what is going on; decides nothing."""

    def __init__(self, applyButton, progressBar, progressLabel, statusLabel):
        self._applyButton, self._progressBar = applyButton, progressBar
        self._progressLabel, self._statusLabel = progressLabel, statusLabel
        self._reason = None
        self._setProgressVisible(False)

    def showIdle(self, reason):
        """reason: why Apply is disabled, empty where it is not. The message of the last run stays while nothing changes."""
        if reason != self._reason:
            self._statusLabel.text = reason or _("Ready.")
        self._setApply(reason)

    def _setApply(self, reason):
        self._reason = reason
        self._applyButton.text = _("Apply")
        self._applyButton.enabled = not reason
        self._applyButton.toolTip = reason or _("Make the super-resolved volume")

    def showStart(self, name):
        self._applyButton.text = _("Cancel")
        self._applyButton.enabled = True
        self._applyButton.toolTip = _("Stop the run; nothing is changed")
        self._progressBar.setRange(0, 0)  # busy, until the first slices are done
        self._progressLabel.text = _("Starting …")
        self._statusLabel.text = _("Running: {name}").format(name=name)
        self._setProgressVisible(True)

    def showProgress(self, done, total, rate, remaining):
        if done:
            self._progressBar.setRange(0, total)
            self._progressBar.value = done
        self._progressLabel.text = Progress(done, total, rate, remaining).text()

    def showCancelling(self):
        self._applyButton.enabled = False
        self._statusLabel.text = _("Cancelling …")

    def showMessage(self, message, reason):
        """How the run ended, or why it could not be started. reason: as in showIdle."""
        self._setProgressVisible(False)
        self._setApply(reason)
        self._statusLabel.text = message

    def showEnd(self, job, seconds, reason):
        """reason: as in showIdle."""
        message = job.message
        if job.state is JobState.FINISHED:
            done = _("Finished in {time}: “{name}”.").format(time=_duration(seconds), name=job.outputNode.GetName())
            message = "\n".join([done, *job.messages])
        self.showMessage(message, reason)

    def _setProgressVisible(self, visible):
        self._progressBar.visible = visible
        self._progressLabel.visible = visible


def _duration(seconds):
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
