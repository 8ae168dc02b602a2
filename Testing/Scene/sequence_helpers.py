"""Sequences for tests, and tasks over them."""

import os
import unittest

import numpy as np
import slicer
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import SequenceUpsampling
from scene_helpers import AXES, WorkerDouble, node_ids

OPTIONS = UpsamplingOptions(model="bicubic", scale=2)


def make_sequence(
    frames=3, dtype=np.int16, ijk_to_ras=AXES["oblique"], size=(5, 6, 4), name="Cine"
):
    """Return a sequence of noise that gets brighter, at 0, 0.5, 1 … s; size: (i, j, k)."""
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
    """Return (browser of a sequence, volume that shows its present frame)."""
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(sequence)


class SequenceTaskTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.worker = WorkerDouble()
        self.ended, self.progress = [], []

    def start(self, sequence):
        task = Task(
            self.worker,
            sequence,
            SequenceUpsampling(OPTIONS),
            self.progress.append,
            self.ended.append,
        )
        self.nodes = node_ids()
        self.folder = os.path.dirname(self.worker.request["input"])
        return task

    def run_to_the_end(self, sequence):
        task = self.start(sequence)
        while task.isRunning:
            self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        return task

    def assert_ended(self, task, state, words=""):
        """Check that the end was reported once, and that no file is left."""
        self.assertEqual(self.ended, [task])
        self.assertIs(task.state, state)
        self.assertIn(words, task.message)
        self.assertFalse(os.path.exists(self.folder))

    def assert_nothing_was_added(self):
        self.assertEqual(node_ids() - self.nodes, set())
