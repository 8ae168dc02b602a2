"""The tutorial about thick slices in Documentation/Tutorials.md, step by step, with pictures.

To be fast, it upsamples a slab of the sample: all slices and columns, but few rows.
"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.scene.nodes import ijkToRAS
from MRISuperResLib.scene.uncertainty import uncertaintyMapOf
from MRISuperResLib.worker.client import WorkerProcess
from panel_testing import leave_module, open_module, process_events, wait_until
from panel_testing.files import screenshot_folder
from tutorial_helpers import TutorialTestCase, load

from module_helpers import click

TIMEOUT = 600
SLAB = slice(207, 239)
"""Rows of the real sample: lateral ventricles and a lesion."""


def keep_slab(volume):
    """Keep the rows of the slab; a phantom, which is small, stays as it is."""
    array, matrix = slicer.util.arrayFromVolume(volume), ijkToRAS(volume)
    if array.shape[1] < SLAB.stop:
        return
    matrix[:3, 3] += matrix[:3, 1] * SLAB.start
    slicer.util.updateVolumeFromArray(volume, array[:, SLAB].copy())
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))


def draw_segment(volume):
    """Return a segmentation with the brightest voxels, as the effect *Threshold* makes it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Fluid")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("fluid", "Fluid", (0.9, 0.6, 0.1))
    array = slicer.util.arrayFromVolume(volume)
    inside = (array > np.quantile(array, 0.98)).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside, node, segment, volume)
    return node


def draw_reformats(path, nodes):
    """Draw the central coronal reformats of volumes side by side, without interpolation."""
    import matplotlib.image

    rows = max(node.GetImageData().GetDimensions()[2] for node in nodes)
    reformats = []
    for node in nodes:
        array = slicer.util.arrayFromVolume(node)
        k = (np.arange(rows) + 0.5) / rows * len(array)
        reformats.append(array[k.astype(int), array.shape[1] // 2][::-1].astype(float))
    high = np.quantile(reformats[0], 0.997)
    matplotlib.image.imsave(path, np.hstack(reformats), cmap="gray", vmin=0, vmax=high)
    return reformats


class IsotropicTutorialTest(TutorialTestCase):
    size = 1300, 660

    def test_thick_slices_become_isotropic_and_are_checked(self):
        slicer.mrmlScene.Clear(0)
        volume = load("SampleBrainT2")  # 1
        keep_slab(volume)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        self.addCleanup(leave_module)
        widget = open_module("MRISuperRes")  # 2
        ui = widget.ui
        self.worker = widget.logic._worker = WorkerProcess()
        self.addCleanup(self.end, widget)
        self.show(widget)
        self.assertIs(ui.inputSelector.currentNode(), volume)
        ui.outputComboBox.setCurrentIndex(ui.outputComboBox.findText("Isotropic"))  # 3
        self.addCleanup(ui.outputComboBox.setCurrentIndex, 0)
        self.assertEqual(ui.betweenSlicesComboBox.currentData, "through-plane")
        self.assertEqual(ui.sliceThicknessSpinBox.text, "Automatic")
        process_events()
        self.assertIn("voxels", ui.estimateLabel.text)

        ui.advancedCollapsibleButton.collapsed = False  # 4
        ui.uncertaintyCheckBox.checked = True
        self.addCleanup(setattr, ui.uncertaintyCheckBox, "checked", False)
        segmentation = draw_segment(volume)
        ui.labelsSelector.setCurrentNode(segmentation)
        ui.advancedCollapsibleButton.collapsed = True
        estimated = self.apply(widget)  # 5
        self.assertEqual(estimated.GetName(), "SampleBrainT2 isotropic (through-plane)")
        sides = estimated.GetSpacing()
        self.assertLess(max(sides) / min(sides), 1.05)
        labels = slicer.util.getFirstNodeByName("Fluid isotropic")
        self.assertEqual(labels.GetSegmentation().GetNumberOfSegments(), 1)
        for node in (segmentation, labels):
            node.GetDisplayNode().SetVisibility(False)  # the pictures show what it would cover
        beside = self.picture("isotropic_1")
        click(ui.uncertaintyButton)  # 6
        self.assertTrue(ui.uncertaintyButton.checked)
        process_events()
        uncertain = self.picture("isotropic_2")
        self.assertNotEqual(beside.read_bytes(), uncertain.read_bytes())
        click(ui.uncertaintyButton)

        ui.uncertaintyCheckBox.checked = False
        ui.labelsSelector.setCurrentNode(None)
        ui.betweenSlicesComboBox.setCurrentIndex(  # 7
            ui.betweenSlicesComboBox.findText("Cubic B-spline interpolation")
        )
        spline = self.apply(widget)
        self.assertEqual(spline.GetName(), "SampleBrainT2 isotropic (bspline)")
        _input, smooth, sharp = draw_reformats(
            screenshot_folder() / "tutorial_isotropic_methods.png", (volume, spline, estimated)
        )
        edges = [np.abs(np.diff(each, axis=0)).mean() for each in (smooth, sharp)]
        self.assertGreater(edges[1], edges[0])

        click(ui.beforeAfterButton)  # 8
        self.check_saved(estimated)

    def apply(self, widget):
        """Click Apply and return the output."""
        click(widget.ui.applyButton)
        wait_until(lambda: not widget.upsampling.isRunning, timeout=TIMEOUT)
        process_events()
        return widget.upsampling.task.result

    def check_saved(self, output):
        """Check that output and uncertainty map keep their grid and values in files."""
        with tempfile.TemporaryDirectory() as folder:
            for node in (output, uncertaintyMapOf(output)):
                path = Path(folder, "saved.nrrd")
                self.assertTrue(slicer.util.saveNode(node, str(path)))
                saved = read_volume(path)
                np.testing.assert_array_equal(saved.array, slicer.util.arrayFromVolume(node))
                np.testing.assert_allclose(saved.ijk_to_ras, ijkToRAS(node), atol=1e-4)

    def end(self, widget):
        self.worker.cleanup()
        widget.logic._worker = None


if __name__ == "__main__":
    unittest.main()
