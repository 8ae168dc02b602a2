"""The module's logic, as a script uses it: isotropic outputs, spacings, labels, adaptation."""

import importlib.util
import json
import unittest

import numpy as np
import slicer
from module_helpers import make_volume, mute_error_log
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.scene.uncertainty import uncertaintyMapOf

# these are in the folder that module_helpers adds to the path
from adaptation_helpers import NAME, THICK, install_network, make_thick_volume  # isort: skip
from sequence_helpers import make_sequence  # isort: skip

LINEAR = {"isotropic": True, "betweenSlices": "linear"}


def record(node):
    return json.loads(node.GetAttribute("MRISuperRes.Provenance"))


class LogicOutputsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume(ijk_to_ras=THICK, size=(5, 6, 7), name="T2")
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_output_is_isotropic_or_has_the_spacing(self):
        output = self.logic.upsample(self.input, **LINEAR, sliceThickness=3)
        self.assertEqual(output.GetName(), "T2 isotropic (linear)")
        self.assertEqual(output.GetImageData().GetDimensions(), (5, 6, 28))
        self.assertEqual(record(output)["slice_thickness"], 3)
        output = self.logic.upsample(
            self.input, model="bicubic", spacing=[0.5, 0.5, 2], betweenSlices="bspline"
        )
        self.assertEqual(output.GetImageData().GetDimensions(), (10, 12, 14))

    def test_labels_come_along(self):
        labels = slicer.util.addVolumeFromArray(
            np.arange(210, dtype=np.uint8).reshape(7, 6, 5), THICK, "Organs",
            "vtkMRMLLabelMapVolumeNode",
        )  # fmt: skip
        self.logic.upsample(self.input, model="bicubic", scale=2, labels=labels)
        found = slicer.util.arrayFromVolume(slicer.util.getNode("Organs x2"))
        np.testing.assert_array_equal(found[:, ::2, ::2], slicer.util.arrayFromVolume(labels))
        self.logic.upsample(self.input, labels=labels, labelInterpolation="smooth", **LINEAR)
        found = slicer.util.arrayFromVolume(slicer.util.getNode("Organs isotropic"))
        self.assertEqual(found.shape, (28, 6, 5))

    def test_sequences_and_batches_have_these_outputs_too(self):
        sequence = self.logic.upsampleSequence(make_sequence(2, ijk_to_ras=THICK), **LINEAR)
        frame = sequence.GetNthDataNode(1)
        self.assertEqual(frame.GetImageData().GetDimensions(), (5, 6, 16))
        (result,) = self.logic.upsampleBatch(
            [self.input], spacing=(1, 1, 2), betweenSlices="linear"
        )
        self.assertEqual(result.outputNode.GetImageData().GetDimensions(), (5, 6, 14))

    def test_contradicting_outputs_raise_the_reason(self):
        for settings, words in (
            ({"isotropic": True, "scale": 2}, "Choose one output"),
            ({"spacing": (1, 1)}, "three numbers above 0"),
            ({"adapt": 3}, "choose an isotropic output"),
            ({"adapt": 3, **LINEAR}, "cannot be adapted"),
        ):
            with self.subTest(settings), self.assertRaisesRegex(RuntimeError, words):
                self.logic.upsample(self.input, **settings)

    @unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
    def test_network_is_adapted_and_shows_its_uncertainty(self):
        self.logic.worker.cleanup()  # it may be older than the network
        install_network(self)
        volume = make_thick_volume()
        settings = {"isotropic": True, "betweenSlices": NAME, "device": "cpu", "adapt": 2}
        output = self.logic.upsample(volume, uncertainty=True, **settings)
        self.assertEqual(record(output)["adaptation"]["steps"], 2)
        self.assertIsNotNone(uncertaintyMapOf(output))
        (result,) = self.logic.upsampleBatch([volume], **settings)
        self.assertEqual(record(result.outputNode)["adaptation"]["steps"], 2)
        self.assertIsNone(uncertaintyMapOf(result.outputNode))
        self.logic.worker.cleanup()


if __name__ == "__main__":
    unittest.main()
