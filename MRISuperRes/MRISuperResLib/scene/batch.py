"""A run over several volumes, one after the other: what is finished stays, and a volume that fails does not stop the others."""

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.progress import ProgressMeter
from .tasks import Run, TaskState
from .volume_nodes import sliceCount, whyNotUpsamplable
from .volume_task import VolumeTask


@dataclass
class VolumeResult:
    """What became of one volume. state: a TaskState, None while it has not begun. message: why there is no output. outputNode: None without one."""

    name: str
    inputId: str
    state: TaskState | None = None
    message: str = ""
    outputId: str | None = None

    @property
    def outputNode(self):
        return slicer.mrmlScene.GetNodeByID(self.outputId) if self.outputId else None


class BatchTask(Run):
    """Has state, message, messages, errorKind, isRunning, cancel, detach and the two callbacks of a SceneTask, and `results`.

    inputNodes: volume nodes. job: UpsamplingOptions. It is FINISHED when all volumes have had their turn, whatever became of them; it FAILED where something is
    missing that all of them need. onChanged(job): a volume, or all of it, has begun or ended.
    Raises SuperResolutionError without volumes, RuntimeError where the worker is busy.
    """

    def __init__(self, worker, inputNodes, job, onProgress=None, onFinished=None, onChanged=None):
        inputNodes = list(inputNodes)
        if not inputNodes or None in inputNodes:
            raise SuperResolutionError(_("Choose one volume at least."))
        if worker.isBusy:
            raise RuntimeError(
                _("Another volume is being processed: wait until it is finished, or cancel it.")
            )
        self.state, self.message, self.messages, self.errorKind = TaskState.RUNNING, "", [], None
        self.results = [VolumeResult(node.GetName(), node.GetID()) for node in inputNodes]
        self.number = -1  # of the volume that is being processed, from 0
        self._worker, self._job = worker, job
        self._onProgress, self._onFinished, self._onChanged = onProgress, onFinished, onChanged
        # of a volume that cannot be upsampled it is told when its turn comes
        self._slices = [
            0 if whyNotUpsamplable(node) else sliceCount(node, job.slice_axis) for node in inputNodes
        ]
        self._meter, self._run = ProgressMeter(), None
        self._scene = slicer.mrmlScene
        self._observer = self._scene.AddObserver(self._scene.StartCloseEvent, self._onSceneClose)
        self._goOn()

    @property
    def finished(self):
        """The VolumeResults with an output."""
        return [result for result in self.results if result.state is TaskState.FINISHED]

    def cancel(self, reason=None):
        """Ends the run after the present slice; what is finished stays."""
        if self.isRunning and not self.isCancelling:
            self.message = reason or self._stopMessage()
            if self._run is not None:
                self._run.cancel(_("Cancelled."))

    def detach(self):
        """Nobody is told any more how the run goes and ends."""
        self._onProgress = self._onFinished = self._onChanged = None

    def _stopMessage(self):
        return _("Cancelled: {done} of {count} volumes are finished and stay.").format(
            done=len(self.finished), count=len(self.results)
        )

    def _goOn(self):
        """Starts the next volume that can be started, or ends."""
        while self.isRunning and not self.isCancelling and self.number + 1 < len(self.results):
            self.number += 1
            result = self.results[self.number]
            try:
                node = self._scene.GetNodeByID(result.inputId)
                if node is None:
                    raise SuperResolutionError(_("The volume was deleted."))
                result.state = TaskState.RUNNING
                self._run = VolumeTask(
                    self._worker, node, self._job, None, self._progress, self._onVolumeEnded
                )
            except SuperResolutionError as error:
                self._note(TaskState.FAILED, str(error), error.kind)
            else:
                self._changed()
                return
        self._end()

    def _onVolumeEnded(self, run):
        if run.state is TaskState.CANCELLED and run.inputNode is not None and not self.isCancelling:
            self.message = (
                self._stopMessage()
            )  # the worker was ended, and must not be started again
        output = run.outputNode
        self.results[self.number].outputId = output.GetID() if output is not None else None
        self._note(run.state, run.message, run.errorKind)
        self._goOn()

    def _note(self, state, message, errorKind):
        result = self.results[self.number]
        result.state, result.message = state, message
        if errorKind in (
            "environment",
            "packages",
            "device",
        ):  # what is missing or broken would fail the others, too
            self.errorKind, self.state = errorKind, TaskState.FAILED
            self.message = message
        self._changed()

    def _progress(self, done, total, rate, remaining):
        if self._onProgress:
            now = self._meter.update(sum(self._slices[: self.number]) + done, sum(self._slices))
            self._onProgress(now.done, now.total, now.rate, now.remaining)

    def _changed(self):
        if self._onChanged:
            self._onChanged(self)

    def _onSceneClose(self, caller, event):
        for result in self.results:
            result.outputId = None  # a node of the next scene may get the same ID
        self.cancel(_("Cancelled: the scene was closed."))

    def _end(self):
        self._scene.RemoveObserver(self._observer)
        if self.isRunning:
            self.state = TaskState.CANCELLED if self.message else TaskState.FINISHED
        for result in self.results:
            if result.state is None:
                result.message = _("Not begun.")
        names = {}  # of the volumes without an output, by the reason
        for result in self.results:
            if result.message:
                names.setdefault(result.message, []).append(f"“{result.name}”")
        self.messages = [f"{', '.join(those)}: {reason}" for reason, those in names.items()]
        self._changed()
        if self._onFinished:
            self._onFinished(self)
