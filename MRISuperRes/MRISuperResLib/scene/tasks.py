"""Background tasks: an input goes to the worker, its result into the scene."""

from __future__ import annotations

import enum
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..core.messages import Message
from ..core.progress import Progress
from ..worker.protocol import FOLDER_PREFIX
from .descriptions import mergedMessages
from .steps import Steps, Strategy

if TYPE_CHECKING:
    from ..core.volume import Volume
    from ..worker.client import WorkerProcess


class TaskState(enum.Enum):
    """State of a task."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class BackgroundTask:
    """State and messages of a task, as panel and script see them.

    Attributes:
        state: State of the task.
        message: One sentence about why it was cancelled or failed, else empty.
        errorKind: Kind of the error of a failed task (see `worker.protocol`), else None.
        messages: Messages about the result.
        isCancelling: True from the request to cancel until the end.
    """

    def __init__(self) -> None:
        self.state = TaskState.RUNNING
        self.message = ""
        self.errorKind: str | None = None
        self.messages: list[Message] = []
        self.isCancelling = False

    @property
    def isRunning(self) -> bool:
        """True until the task has finished, failed or been cancelled."""
        return self.state is TaskState.RUNNING


class Task(BackgroundTask):
    """A task that runs in the worker process.

    Its construction starts it. In every case, it ends with one call of `onFinished`. It keeps only
    IDs of nodes, since nodes may be deleted and the scene may be closed during the task.

    Attributes:
        strategy: The strategy, such as a `VolumeUpsampling`.

    Args:
        worker: The worker process; it must not be busy.
        inputNode: The volume or sequence node to process.
        strategy: A new strategy for this task.
        onProgress: Called as onProgress(progress) with a `Progress`.
        onFinished: Called as onFinished(task) at the end.

    Raises:
        SuperResolutionError: The input cannot be processed.
        RuntimeError: The worker is busy.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        inputNode: slicer.vtkMRMLNode | None,
        strategy: Strategy,
        onProgress: Callable[[Progress], None] | None = None,
        onFinished: Callable[[Task], None] | None = None,
    ) -> None:
        super().__init__()
        checkIsIdle(worker)
        volume = strategy.begin(inputNode)
        self.strategy = strategy
        self._worker, self._onProgress, self._onFinished = worker, onProgress, onFinished
        self._messages: list[tuple[str, list[Message]]] = []
        self._scene = slicer.mrmlScene
        self._isAccepting = False
        self._inputId = inputNode.GetID()
        self._parentTransformId = (
            inputNode.GetTransformNodeID() if inputNode.IsA("vtkMRMLTransformableNode") else None
        )
        self._folder = _makeFolder()
        self._saveInput(volume)
        self._observers = [
            self._scene.AddObserver(self._scene.NodeRemovedEvent, self._onNodeRemoved),
            self._scene.AddObserver(self._scene.StartCloseEvent, self._onSceneClose),
        ]
        worker.run(self._request(volume), self._onEvent)

    @property
    def inputNode(self) -> slicer.vtkMRMLNode | None:
        """The input; None after it was removed from the scene."""
        return self._node(self._inputId)

    @property
    def result(self) -> Any:
        """The output of a finished task: a volume node, sequence node or `ComparisonNodes`.

        None before the end, and after the output was removed from the scene.
        """
        return self.strategy.result if self.state is TaskState.FINISHED else None

    @property
    def part(self) -> str:
        """Input that is being processed, such as "Frame 2 of 5"; empty if there is only one."""
        return self.strategy.part

    def cancel(self, reason: str | None = None) -> None:
        """Request the end of the task; `onFinished` follows shortly."""
        if self.isRunning and not self.isCancelling:
            self.isCancelling = True
            self.message = reason or _("Cancelled. Nothing was changed.")
            if not self._isAccepting:
                self._worker.cancel()

    def detach(self) -> None:
        """Drop both callbacks; the task itself continues."""
        self._onProgress = self._onFinished = None

    @property
    def _inputPath(self) -> str:
        return os.path.join(self._folder, "input.npy")

    def _saveInput(self, volume: Volume) -> None:
        self._inputMessages = volume.messages
        try:
            np.save(self._inputPath, volume.array, allow_pickle=False)
        except OSError as error:
            self._removeFolder()
            raise _noSpace(error) from error
        except MemoryError as error:
            self._removeFolder()
            raise SuperResolutionError(
                _("Out of memory while copying the volume. Close other applications, or crop it."),
                "memory",
            ) from error

    def _request(self, volume: Volume) -> dict[str, Any]:
        return {
            "id": uuid.uuid4().hex,
            "input": self._inputPath,
            "ijkToRAS": volume.ijk_to_ras.tolist(),
            "sliceThickness": volume.slice_thickness,
            "folder": self._folder,
            **self.strategy.request(self._folder),
        }

    def _removeFolder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _onNodeRemoved(self, caller: Any, event: Any) -> None:
        if self.inputNode is None:
            self.cancel(_("Cancelled: the input was deleted."))

    def _onSceneClose(self, caller: Any, event: Any) -> None:
        # now, since a node of the next scene may get the same ID
        self._inputId = self._parentTransformId = None
        self.cancel(_("Cancelled: the scene was closed."))

    def _onEvent(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name == "progress":
            progress = self.strategy.progress(Progress.from_dict(event))
            if self._onProgress:
                self._onProgress(progress)
        elif name == "error":
            logging.error("MRISuperRes: {}\n{}".format(event["message"], event["log"]))
            self._fail(event["message"], event["kind"])
        elif name == "cancelled" or self.isCancelling:
            self._end(TaskState.CANCELLED, self.message or _("Cancelled. Nothing was changed."))
        elif self.inputNode is None:
            self._end(TaskState.CANCELLED, _("Cancelled: the input was deleted."))
        else:
            self._onResult(event)

    def _onResult(self, event: dict[str, Any]) -> None:
        messages = [*self._inputMessages, *map(Message.from_dict, event["messages"])]
        self._messages.append((self.part, messages))
        self._isAccepting = True
        self._accept(
            self.strategy.accept(event, self.inputNode, self._node(self._parentTransformId))
        )

    def _accept(self, steps: Steps[Volume | None]) -> None:
        """Take the next step of adding the result, unless the task was cancelled meanwhile."""
        if self.isCancelling:
            steps.close()
            self._end(TaskState.CANCELLED, self.message)
            return
        try:
            next(steps)
        except StopIteration as end:
            self._onAccepted(end.value)
        except FileNotFoundError:
            logging.exception("MRISuperRes: the result is missing")
            self._fail(_("The result is missing from the temporary folder. Try again."))
        except SuperResolutionError as error:
            self._fail(str(error), error.kind)
        except Exception:
            logging.exception("MRISuperRes: the result could not be added to the scene")
            self._end(
                TaskState.FAILED,
                _(
                    "The result could not be added to the scene, possibly out of memory. "
                    "Close other applications and try again."
                ),
            )
        else:
            self._worker.callLater(lambda: self._accept(steps))

    def _onAccepted(self, following: Volume | None) -> None:
        self._isAccepting = False
        self.messages = mergedMessages(self._messages)
        if following is None:
            self._end(TaskState.FINISHED, "")
            return
        try:
            self._saveInput(following)
            self._worker.run(self._request(following), self._onEvent)
        except SuperResolutionError as error:
            self._fail(str(error), error.kind)

    def _fail(self, message: str, kind: str | None = None) -> None:
        self.errorKind = kind
        if self.part:
            message = _("{part} failed, no output was created: {reason}").format(
                part=self.part, reason=message
            )
        self._end(TaskState.FAILED, message)

    def _node(self, nodeId: str | None) -> slicer.vtkMRMLNode | None:
        return self._scene.GetNodeByID(nodeId) if nodeId else None

    def _end(self, state: TaskState, message: str) -> None:
        for tag in self._observers:
            self._scene.RemoveObserver(tag)
        self._isAccepting = False
        self.strategy.end()  # first, since Windows deletes no file that is in use
        self._removeFolder()
        self.state, self.message, self.isCancelling = state, message, False
        if self._onFinished:
            self._onFinished(self)


def checkIsIdle(worker: WorkerProcess) -> None:
    """Raise RuntimeError if the worker is busy."""
    if worker.isBusy:
        raise RuntimeError(_("Another task is running. Wait for it, or cancel it."))


class ScriptProgress:
    """Progress callback of a script, which cancels its task by returning False or raising.

    Attributes:
        task: The task to cancel, to be set after its start.
        error: Exception that the callback raised, or None.
        hasCancelled: True after the callback cancelled the task.
    """

    def __init__(self, callback: Callable[[Progress], object]) -> None:
        self._callback = callback
        self.task: Any = None
        self.error: Exception | None = None
        self.hasCancelled = False

    def __call__(self, progress: Progress) -> None:
        try:
            self.hasCancelled = self._callback(progress) is False
        except Exception as error:
            self.error, self.hasCancelled = error, True
        if self.hasCancelled:
            self.task.cancel()


def _makeFolder() -> str:
    """Create the folder for the files of a task."""
    try:
        # some systems delete temporary folders after days without use
        os.makedirs(slicer.app.temporaryPath, exist_ok=True)
        return tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=slicer.app.temporaryPath)
    except OSError as error:
        raise _noSpace(error) from error


def _noSpace(error: OSError) -> SuperResolutionError:
    return SuperResolutionError(
        _(
            "The volume cannot be copied to the temporary folder {folder} ({reason}). "
            "Free some space, or choose another folder in the application settings."
        ).format(folder=slicer.app.temporaryPath, reason=error.strerror),
        "environment",
    )
