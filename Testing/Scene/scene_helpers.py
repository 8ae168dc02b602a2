"""Volume nodes for tests, and a worker double that a test controls."""

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.scene.nodes import ijkToRAS
from MRISuperResLib.scene.tasks import Task
from MRISuperResLib.scene.upsampling import SequenceUpsampling, VolumeUpsampling
from MRISuperResLib.worker.jobs import Jobs

AXES = {
    "left handed": [[1.5, 0, 0, 7], [0, 1.5, 0, -3], [0, 0, -4, 12], [0, 0, 0, 1]],
    "permuted": [[0, 0, 4, 7], [1.5, 0, 0, -3], [0, -1.5, 0, 12], [0, 0, 0, 1]],
    "oblique": [[1.2, -0.9, 0, 7], [0.9, 1.2, 0, -3], [0, 0, 4, 12], [0, 0, 0, 1]],
    "sheared": [[1.5, 0, 0.8, 7], [0, 1.5, 0, -3], [0, 0, 4, 12], [0, 0, 0, 1]],
}


def make_volume(dtype=np.int16, ijk_to_ras=AXES["oblique"], size=(5, 6, 7), name="Fetus"):
    """Return a volume node with noise; size: (i, j, k)."""
    array = np.random.default_rng(1).integers(0, 100, size[::-1]).astype(dtype)
    return slicer.util.addVolumeFromArray(array, np.array(ijk_to_ras, dtype=float), name)


def corners_ras(node):
    """Return the outer corners of the voxel grid, without parent transforms: (8, 3), mm."""
    matrix = ijkToRAS(node)
    size = node.GetImageData().GetDimensions()
    return np.array(
        [
            (matrix @ [i, j, k, 1])[:3]
            for i in (-0.5, size[0] - 0.5)
            for j in (-0.5, size[1] - 0.5)
            for k in (-0.5, size[2] - 0.5)
        ]
    )


def node_ids():
    """Return the IDs of all nodes, with the subject hierarchy, which the application always has."""
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return {
        slicer.mrmlScene.GetNthNode(n).GetID() for n in range(slicer.mrmlScene.GetNumberOfNodes())
    }


class WorkerDouble:
    """A double of a WorkerProcess that answers when the test says so."""

    def __init__(self):
        self.isBusy = self.isPaused = False
        self.request = self.cancelCount = self.pid = None
        self.later = []

    def run(self, request, onEvent):
        self.isBusy, self.request, self.cancelCount, self._onEvent = True, request, 0, onEvent

    def cancel(self):
        self.cancelCount += 1

    def callLater(self, callback):
        self.later.append(callback)
        if not self.isPaused:
            self.proceed()

    def proceed(self):
        while self.later:
            self.later.pop(0)()

    def progress(self, done, total):
        progress = Progress(done, total, rate=2.0, remaining=1.0)
        self._onEvent({"event": "progress", **progress.to_dict()})

    def finish(self):
        """Answer with the result of the core."""
        job = Jobs().job_for(self.request)
        result = job(self.request, lambda progress: None, lambda: False)
        self.end("result", **result)

    def end(self, event, **fields):
        self.isBusy = False
        self._onEvent({"event": event, **fields})


def upsample(node, model="nearest", output=None, **options):
    """Return the result of a task, a volume or a sequence."""
    options = UpsamplingOptions(model=model, **{"scale": 2, **options})
    isSequence = node.IsA("vtkMRMLSequenceNode")
    strategy = SequenceUpsampling(options) if isSequence else VolumeUpsampling(options, output)
    worker = WorkerDouble()
    task = Task(worker, node, strategy)
    while task.isRunning:
        worker.finish()
    return task.result
