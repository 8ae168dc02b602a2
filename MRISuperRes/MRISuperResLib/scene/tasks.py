"""What every run has in common: the input on its way to the worker, the events on their way back, and the scene meanwhile."""

import enum
import logging
import os
import shutil
import tempfile
import uuid

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from ..worker.child import FOLDER_PREFIX
from .volume_nodes import upsamplableVolume


class TaskState(enum.Enum):
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Run:
    """Something that goes on in the background. state: TaskState; message: one sentence, once it has ended or is asked to."""

    state: TaskState
    message: str

    @property
    def isRunning(self):
        return self.state is TaskState.RUNNING

    @property
    def isCancelling(self):
        return self.isRunning and bool(self.message)


class SceneTask(Run):
    """A run that has been started; it ends in any case with one call of onFinished(job), then `state` and `message` say how.

    inputNode: a volume node, or whatever else the derived class takes its arrays from.
    worker: has run(request, onEvent) and cancel(), see gui.worker_process.WorkerProcess.
    onProgress(done, total, rate, remaining): slices, slices per second or None, seconds or None.

    A derived class says what is asked for (`_request`), and puts the result into the scene, all or nothing (`_makeNodes`); it may go on
    with further arrays, one after the other, before anything is put there.
    Only IDs of nodes are held: the user may delete nodes or close the scene meanwhile.
    Raises SuperResolutionError where the volume cannot be upsampled, RuntimeError where the worker is busy.
    """

    def __init__(self, worker, inputNode, onProgress=None, onFinished=None):
        if worker.isBusy:
            raise RuntimeError(
                _("Another volume is being processed: wait until it is finished, or cancel it.")
            )
        array, ijkToRAS = self._firstArray(inputNode)
        self.state = TaskState.RUNNING
        self.message = ""  # one sentence, once it has ended
        self.errorKind = None  # of a failed run, see the worker protocol
        self.messages = []  # what the user should know about the result
        self._worker, self._onProgress, self._onFinished = worker, onProgress, onFinished
        self._scene = slicer.mrmlScene
        self._inputId = inputNode.GetID()
        self._parentTransformId = (
            inputNode.GetTransformNodeID() if inputNode.IsA("vtkMRMLTransformableNode") else None
        )
        self._folder = self._makeFolder()
        inputPath = self._saveInput(array)
        self._observers = [
            self._scene.AddObserver(self._scene.NodeRemovedEvent, self._onNodeRemoved),
            self._scene.AddObserver(self._scene.StartCloseEvent, self._onSceneClose),
        ]
        self._send(inputPath, ijkToRAS)

    def _firstArray(self, inputNode):
        """(array (k, j, i), ijkToRAS (4, 4)) that is sent to the worker first. Raises SuperResolutionError."""
        return upsamplableVolume(inputNode)

    def _request(self, folder):
        """The fields of the worker's request beyond the input; files of the result go into the folder."""
        raise NotImplementedError

    def _makeNodes(self, inputNode, parentTransformNode, event):
        """Puts the worker's result into the scene; an exception must leave the scene as it was.

        Where the result is not complete yet, returns what is to be sent next, as `_firstArray`.
        """
        raise NotImplementedError

    def _deletedMessage(self):
        return _("Cancelled: the input volume was deleted.")

    @property
    def inputNode(self):
        """None after it has been removed from the scene."""
        return self._node(self._inputId)

    def cancel(self, reason=None):
        """Asks for the end of the run; onFinished follows, soon but not at once."""
        if self.isRunning and not self.isCancelling:
            self.message = reason or _("Cancelled: nothing was changed.")
            self._worker.cancel()

    def detach(self):
        """Nobody is told any more how the run goes and ends."""
        self._onProgress = self._onFinished = None

    def _send(self, inputPath, ijkToRAS):
        self._worker.run(
            {
                "id": uuid.uuid4().hex,
                "input": inputPath,
                "ijkToRAS": ijkToRAS.tolist(),
                "folder": self._folder,
                **self._request(self._folder),
            },
            self._onEvent,
        )

    def _makeFolder(self):
        """The job folder; no file of a run lies outside it."""
        try:
            os.makedirs(
                slicer.app.temporaryPath, exist_ok=True
            )  # some systems remove what was not used for days
            return tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=slicer.app.temporaryPath)
        except OSError as error:
            raise self._noRoom(error) from error

    def _saveInput(self, array):
        path = os.path.join(self._folder, "input.npy")
        try:
            np.save(path, array, allow_pickle=False)
        except OSError as error:
            self._removeFolder()
            raise self._noRoom(error) from error
        except MemoryError as error:
            self._removeFolder()
            raise SuperResolutionError(
                _(
                    "The memory of this computer is not enough for a copy of the volume: close other programs, or crop the volume."
                ),
                "memory",
            ) from error
        return path

    @staticmethod
    def _noRoom(error):
        return SuperResolutionError(
            _(
                "The volume cannot be copied to the temporary folder {folder} ({reason}): free some space there, or choose another "
                "one in the application settings."
            ).format(folder=slicer.app.temporaryPath, reason=error.strerror),
            "environment",
        )

    def _removeFolder(self):
        shutil.rmtree(self._folder, ignore_errors=True)

    def _onNodeRemoved(self, caller, event):
        if self.inputNode is None:
            self.cancel(self._deletedMessage())

    def _onSceneClose(self, caller, event):
        # now, because a node of the next scene may get the same ID
        self._inputId = self._parentTransformId = None
        self.cancel(_("Cancelled: the scene was closed."))

    def _onEvent(self, event):
        name = event["event"]
        if name == "progress":
            if self._onProgress:
                self._onProgress(*self._progress(event))
        elif name == "error":
            logging.error("MRISuperRes: {}\n{}".format(event["message"], event["log"]))
            self.errorKind = event["kind"]
            self._end(TaskState.FAILED, self._failure(event["message"]))
        elif name == "cancelled":
            self._end(TaskState.CANCELLED, self.message or _("Cancelled: nothing was changed."))
        else:
            self._onResult(event)

    def _progress(self, event):
        """(done, total, rate, remaining) of the whole run. event: the worker's, of the array that it has."""
        return event["done"], event["total"], event["rate"], event["remaining"]

    def _failure(self, message):
        """What is told of an error."""
        return message

    def _onResult(self, event):
        inputNode = self.inputNode
        if inputNode is None:
            self._end(TaskState.CANCELLED, self.message or self._deletedMessage())
            return
        try:
            following = self._makeNodes(inputNode, self._node(self._parentTransformId), event)
            self._takeMessages(event["messages"])
            goesOn = following is not None and not self.isCancelling
            if goesOn:
                array, ijkToRAS = following
                self._send(self._saveInput(array), ijkToRAS)
        except FileNotFoundError:
            logging.exception("MRISuperRes: the result is gone")
            self._end(
                TaskState.FAILED,
                self._failure(
                    _("The result is gone from the temporary folder: start the run again.")
                ),
            )
        except SuperResolutionError as error:
            self.errorKind = error.kind
            self._end(TaskState.FAILED, self._failure(str(error)))
        except Exception:
            logging.exception("MRISuperRes: the result could not be put into the scene")
            self._end(
                TaskState.FAILED,
                _(
                    "The result could not be put into the scene, perhaps for want of memory: "
                    "close other programs and start the run again."
                ),
            )
        else:
            if following is None:
                self._end(TaskState.FINISHED, "")
            elif not goesOn:
                self._end(TaskState.CANCELLED, self.message)

    def _takeMessages(self, messages):
        self.messages = list(messages)

    def _node(self, nodeId):
        return self._scene.GetNodeByID(nodeId) if nodeId else None

    def _end(self, state, message):
        for tag in self._observers:
            self._scene.RemoveObserver(tag)
        self._removeFolder()
        self.state, self.message = state, message
        if self._onFinished:
            self._onFinished(self)


class CancellingProgress:
    """A script's progress callback, which cancels the run by returning False or by an exception of its own."""

    def __init__(self, callback):
        self._callback = callback
        self.run = self.error = None
        self.hasCancelled = False

    def __call__(self, done, total, rate, remaining):
        try:
            self.hasCancelled = self._callback(done, total) is False
        except Exception as error:
            self.error, self.hasCancelled = error, True
        if self.hasCancelled:
            self.run.cancel()
