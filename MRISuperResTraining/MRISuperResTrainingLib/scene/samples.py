"""A few validation slices as volumes: as the network gets them, as it enlarges them, and as they are."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from MRISuperResLib.scene.nodes import removeNode

from .dataset import VIEW

KINDS = "low", "output", "high"
"""In the file samples.npz: low_0, output_0, high_0, low_1, … float32, about 0–1."""


def readSamples(path):
    """{kind: [slices (h, w)]} of a file samples.npz, or None where it is not there or not whole."""
    try:
        with np.load(path) as file:
            count = sum(name.startswith("low_") for name in file.files)
            samples = {kind: [file[f"{kind}_{n}"] for n in range(count)] for kind in KINDS}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return samples if count else None


class SampleVolumes:
    """Three volume nodes, low, output and high, of which slice n shows sample n; never saved with the scene. They lie upon each other."""

    def __init__(self):
        self.nodes = {}

    def show(self, samples):
        """samples: of readSamples."""
        truth = samples["high"]
        height, width = (max(image.shape[side] for image in truth) for side in (0, 1))
        for kind in KINDS:
            factor = truth[0].shape[0] / samples[kind][0].shape[0]
            self._fill(
                kind, _stack(samples[kind], round(height / factor), round(width / factor)), factor
            )

    def remove(self):
        for node in self.nodes.values():
            if slicer.mrmlScene.IsNodePresent(node):
                removeNode(node)
        self.nodes = {}

    def _fill(self, kind, stack, factor):
        node = self.nodes.get(kind)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = self.nodes[kind] = _makeNode(kind)
        slicer.util.updateVolumeFromArray(node, stack)
        # columns from left to right, rows upwards, as most NIfTI files have them; pixel 0 of a low-resolution slice covers `factor` pixels of the others
        matrix = np.diag([-factor, factor, 1.0, 1.0])
        matrix[:2, 3] = -(factor - 1) / 2, (factor - 1) / 2
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetSaveWithScene(False)
            display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
            display.SetInterpolate(False)  # the pixels as they are
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, 1.0)


def _makeNode(kind):
    text = {
        "low": _("low resolution"),
        "output": _("super-resolution"),
        "high": _("high resolution"),
    }[kind]
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(_("Training sample, {kind}").format(kind=text))
    node.SetAttribute(VIEW, kind)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)


def _stack(images, height, width):
    """(n, height, width) float32; smaller slices lie in the middle, on black."""
    stack = np.zeros((len(images), height, width), np.float32)
    for plane, image in zip(stack, images):
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        plane[top : top + image.shape[0], left : left + image.shape[1]] = image
    return stack
