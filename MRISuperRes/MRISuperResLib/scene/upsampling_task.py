"""What the runs of the main job have in common, over a volume or over a sequence: the request, and the output that they lead to."""

import os

import numpy as np

from .tasks import SceneTask, TaskState


class UpsamplingTask(SceneTask):
    """job: UpsamplingOptions. outputNode: a node that is to be updated; None: a new one. The rest: see SceneTask."""

    def __init__(self, worker, inputNode, job, outputNode=None, onProgress=None, onFinished=None):
        self._job = job
        self._outputId = outputNode.GetID() if outputNode else None
        super().__init__(worker, inputNode, onProgress, onFinished)

    @property
    def outputNode(self):
        """The output of a finished run; None before, and after it has been removed from the scene."""
        return self._node(self._outputId) if self.state is TaskState.FINISHED else None

    def _request(self, folder):
        return {
            "request": "upsample",
            "job": self._job.to_dict(),
            "output": os.path.join(folder, "output.npy"),
        }

    @staticmethod
    def _array(event):
        """The worker's result, (k, j, i), in its file: it is gone with the run."""
        return np.load(event["output"], mmap_mode="r", allow_pickle=False)

    def _onSceneClose(self, caller, event):
        self._outputId = None
        super()._onSceneClose(caller, event)
