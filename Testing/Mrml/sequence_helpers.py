"""Sequences for tests."""

import numpy as np
import slicer
from scene_helpers import AXES


def make_sequence(frames=3, dtype=np.int16, ijk_to_ras=AXES["oblique"], size=(5, 6, 4), name="Cine"):
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
