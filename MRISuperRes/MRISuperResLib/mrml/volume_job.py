"""The main run: from a volume node through the worker to the output node."""

import os

import numpy as np
from slicer.i18n import tr as _

from ..core.errors import MRISuperResError
from .output_nodes import createOutput, updateOutput
from .scene_job import JobState, SceneJob


class VolumeJob(SceneJob):
    """job: UpscaleJob. outputNode: a volume node that is to be updated; None: a new one. The rest: see SceneJob."""

    def __init__(self, worker, inputNode, job, outputNode=None, onProgress=None, onFinished=None):
        if outputNode is not None and outputNode is inputNode:
            raise MRISuperResError(_("The output would replace the input: choose another output volume."))
        self._job = job
        self._outputId = outputNode.GetID() if outputNode else None
        super().__init__(worker, inputNode, onProgress, onFinished)

    @property
    def outputNode(self):
        """The output of a finished run; None before, and after it has been removed from the scene."""
        return self._node(self._outputId) if self.state is JobState.FINISHED else None

    @property
    def shownNode(self):
        """The volume that shows the output; `shownInput`: the one that shows the input."""
        return self.outputNode

    @property
    def shownInput(self):
        return self.inputNode

    def _request(self, folder):
        return {"request": "upscale", "job": self._job.to_dict(), "output": os.path.join(folder, "output.npy")}

    def _onSceneClose(self, caller, event):
        self._outputId = None
        super()._onSceneClose(caller, event)

    def _makeNodes(self, inputNode, parentTransformNode, event):
        result = (np.load(event["output"], mmap_mode="r", allow_pickle=False), event["ijkToRAS"], event["provenance"], parentTransformNode)
        output = self._node(self._outputId)
        if output is None:
            output = createOutput(inputNode, *result)
        else:
            updateOutput(output, inputNode, *result)
        self._outputId = output.GetID()
