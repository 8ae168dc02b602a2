"""Sequences for tests, and runs over them."""

import os
import unittest

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.tasks import TaskState
from MRISuperResLib.scene.sequence_task import SequenceTask
from scene_helpers import AXES, WorkerDouble, node_ids

JOB = UpsamplingOptions(model="bicubic", scale=2)


def make_sequence(
    frames=3, dtype=np.int16, ijk_to_ras=AXES["oblique"], size=(5, 6, 4), name="Cine"
):
    """A sequence node with noise that becomes brighter from frame to frame, of times 0, 0.5, 1 … s; size: (i, j, k)."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    for number in range(frames):
        frame = slicer.vtkMRMLScalarVolumeNode()
        frame.SetName("frame")
        noise = np.random.default_rng(number).integers(0, 100, size[::-1])
        slicer.util.updateVolumeFromArray(frame, (noise * (number + 1)).astype(dtype))
        frame.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.array(ijk_to_ras, dtype=float)))
        sequence.SetDataNodeAtValue(frame, f"{number / 2:g}")
    return sequence


def make_browser(sequence):
    """A browser that plays a sequence, and the volume that shows its present frame: (browser, volume)."""
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(sequence)


class SequenceJobTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self, sequence):
        job = SequenceTask(
            self.worker,
            sequence,
            JOB,
            lambda *progress: self.progress.append(progress),
            self.ended.append,
        )
        self.nodes = node_ids()
        self.folder = os.path.dirname(self.worker.request["input"])
        return job

    def run_to_the_end(self, sequence):
        job = self.start(sequence)
        while job.isRunning:
            self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        return job

    def assert_ended(self, job, state, words=""):
        """Exactly one report of the end; no file is left."""
        self.assertEqual(self.ended, [job])
        self.assertIs(job.state, state)
        self.assertIn(words, job.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self):
        self.assertEqual(node_ids() - self.nodes, set())
