"""Upsampling of several volumes in turn; a failure does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.messages import Message, warning
from ..core.options import UpsamplingOptions
from ..core.progress import PartsProgress, Progress
from .nodes import sliceCount, whyNotUpsamplable
from .speeds import SpeedMeter
from .tasks import BackgroundTask, Task, TaskState, checkIsIdle
from .upsampling import VolumeUpsampling

if TYPE_CHECKING:
    from ..worker.client import WorkerProcess

COMMON_ERRORS = ("environment", "packages", "device")
"""Kinds of errors that concern all volumes."""


@dataclass
class VolumeResult:
    """Result of one volume of a batch.

    Attributes:
        name: Name of the input.
        inputId: Node ID of the input.
        state: State of its task; None before its turn.
        message: Why there is no output, else empty.
        messages: Messages about the output.
        outputId: Node ID of the output, if any.
    """

    name: str
    inputId: str
    state: TaskState | None = None
    message: str = ""
    messages: list[Message] = field(default_factory=list)
    outputId: str | None = None

    @property
    def outputNode(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The output; None if there is none, or it was removed from the scene."""
        return slicer.mrmlScene.GetNodeByID(self.outputId) if self.outputId else None


class BatchTask(BackgroundTask):
    """A task over several volumes.

    It finishes after every volume had its turn, even if some failed. It fails only for errors that
    concern all volumes (see `COMMON_ERRORS`).

    Attributes:
        results: A `VolumeResult` for every volume.

    Args:
        worker: The worker process; it must not be busy.
        inputNodes: Volume nodes.
        options: The options for all of them.
        onProgress: Called as onProgress(progress) with a `Progress` over all volumes.
        onFinished: Called as onFinished(task) at the end.
        onChanged: Called as onChanged(task) when a volume has begun or ended.

    Raises:
        SuperResolutionError: No volume was given.
        RuntimeError: The worker is busy.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        inputNodes: Iterable[slicer.vtkMRMLScalarVolumeNode],
        options: UpsamplingOptions,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[BatchTask], None] | None = None,
        onChanged: Callable[[BatchTask], None] | None = None,
    ) -> None:
        super().__init__()
        inputNodes = list(inputNodes)
        if not inputNodes or None in inputNodes:
            raise SuperResolutionError(_("Choose at least one volume."))
        checkIsIdle(worker)
        self.results = [VolumeResult(node.GetName(), node.GetID()) for node in inputNodes]
        self._worker, self._options = worker, options
        self._onProgress, self._onFinished, self._onChanged = onProgress, onFinished, onChanged
        # a volume that cannot be upsampled fails when its turn comes
        self._parts = PartsProgress(
            [
                0 if whyNotUpsamplable(node) else sliceCount(node, options.slice_axis)
                for node in inputNodes
            ]
        )
        self._parts.number = -1
        self._task: Task | None = None
        self._scene = slicer.mrmlScene
        self._observer = self._scene.AddObserver(self._scene.StartCloseEvent, self._onSceneClose)
        self._startNext()

    @property
    def finished(self) -> list[VolumeResult]:
        """The results with an output."""
        return [result for result in self.results if result.state is TaskState.FINISHED]

    @property
    def result(self) -> list[VolumeResult]:
        """The results of all volumes."""
        return self.results

    @property
    def part(self) -> str:
        """The volume that is being processed, such as "Volume 2 of 5"."""
        return _("Volume {number} of {count}").format(
            number=self._parts.number + 1, count=len(self.results)
        )

    def cancel(self, reason: str | None = None) -> None:
        """Request the end after the current batch of slices; finished outputs are kept."""
        if self.isRunning and not self.isCancelling:
            self.isCancelling = True
            self.message = reason or self._cancelMessage()
            if self._task is not None:
                self._task.cancel(_("Cancelled."))

    def detach(self) -> None:
        """Drop the callbacks; the task itself continues."""
        self._onProgress = self._onFinished = self._onChanged = None

    def _cancelMessage(self) -> str:
        return _("Cancelled: {done} of {count} volumes were upsampled and are kept.").format(
            done=len(self.finished), count=len(self.results)
        )

    def _startNext(self) -> None:
        """Start the next volume that can be upsampled, or end."""
        while (
            self.isRunning and not self.isCancelling and self._parts.number + 1 < len(self.results)
        ):
            self._parts.number += 1
            result = self.results[self._parts.number]
            try:
                node = self._scene.GetNodeByID(result.inputId)
                if node is None:
                    raise SuperResolutionError(_("The volume was deleted."))
                result.state = TaskState.RUNNING
                meter = SpeedMeter.of(self._options, self._worker)
                self._task = Task(
                    self._worker,
                    node,
                    VolumeUpsampling(self._options, meter=meter),
                    self._onVolumeProgress,
                    self._onVolumeFinished,
                )
            except SuperResolutionError as error:
                self._record(TaskState.FAILED, str(error), error.kind)
            else:
                self._notify()
                return
        self._end()

    def _onVolumeProgress(self, progress: Progress) -> None:
        if self._onProgress:
            self._onProgress(self._parts.whole(progress))

    def _onVolumeFinished(self, task: Task) -> None:
        if task.state is TaskState.CANCELLED and task.inputNode is not None:
            # also if the application ended the worker, which must not start again
            self.message = self.message or self._cancelMessage()
            self.isCancelling = True
        result = self.results[self._parts.number]
        result.messages = task.messages
        result.outputId = task.result.GetID() if task.result is not None else None
        self._record(task.state, task.message, task.errorKind)
        self._startNext()

    def _record(self, state: TaskState, message: str, errorKind: str | None) -> None:
        result = self.results[self._parts.number]
        result.state, result.message = state, message
        if errorKind in COMMON_ERRORS:
            self.errorKind, self.state, self.message = errorKind, TaskState.FAILED, message
        self._notify()

    def _notify(self) -> None:
        if self._onChanged:
            self._onChanged(self)

    def _onSceneClose(self, caller: Any, event: Any) -> None:
        for result in self.results:
            result.outputId = None  # a node of the next scene may get the same ID
        self.cancel(_("Cancelled: the scene was closed."))

    def _end(self) -> None:
        self._scene.RemoveObserver(self._observer)
        if self.isRunning:
            self.state = TaskState.CANCELLED if self.isCancelling else TaskState.FINISHED
        self.isCancelling = False
        for result in self.results:
            if result.state is None:
                result.message = _("Not started.")
        self.messages = [
            warning("data", "{}: {}".format(", ".join(f"“{name}”" for name in names), text))
            for text, names in self._namesByText().items()
        ]
        self._notify()
        if self._onFinished:
            self._onFinished(self)

    def _namesByText(self) -> dict[str, list[str]]:
        """Return the names of volumes by message or warning."""
        names: dict[str, list[str]] = {}
        for result in self.results:
            warnings = [message.text for message in result.messages if message.is_warning]
            for text in dict.fromkeys([result.message, *warnings]):
                if text:
                    names.setdefault(text, []).append(result.name)
        return names
