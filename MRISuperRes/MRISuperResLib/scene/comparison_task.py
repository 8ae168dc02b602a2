"""The run of a comparison: from a volume node through the worker to the nodes of the comparison."""

import os

import numpy as np

from .comparison.builder import createComparison
from .tasks import SceneTask, TaskState


class ComparisonTask(SceneTask):
    """job: core.comparison.job.ComparisonOptions. The rest: see SceneTask."""

    def __init__(self, worker, inputNode, job, onProgress=None, onFinished=None):
        self.job = job
        self._comparison = None
        super().__init__(worker, inputNode, onProgress, onFinished)

    @property
    def comparison(self):
        """The ComparisonNodes of a finished run; None before, and after they have been removed from the scene."""
        found = self.state is TaskState.FINISHED and self._comparison.isPresent
        return self._comparison if found else None

    def _request(self, folder):
        return {"request": "compare", "job": self.job.to_dict(), "output": folder}

    def _makeNodes(self, inputNode, parentTransformNode, event):
        def load(file):
            return np.load(os.path.join(event["output"], file), allow_pickle=False)

        self._comparison = createComparison(inputNode, self.job, event, load, parentTransformNode)
