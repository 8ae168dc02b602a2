"""Export of an output node as a DICOM series derived from the images of its input."""

import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer
from dicom_helpers import DatabaseDouble, load_series, not_started, opened
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.scene.dicom_export import exportDicom, whyNotExportable
from MRISuperResLib.scene.nodes import createOutput, ijkToRAS, updateOutput, volumeFromNode
from scene_helpers import make_volume


class DicomExportTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.input, self.files = load_series(self.folder / "in")
        self.output = self.upsample(self.input)

    def result(self, node):
        return upsample_volume(volumeFromNode(node), UpsamplingOptions(model="bicubic", scale=2))

    def upsample(self, node):
        return createOutput(node, self.result(node))

    def export(self, node=None, files=None):
        with opened(DatabaseDouble(self.files if files is None else files)):
            exportDicom(node or self.output, str(self.folder / "out"))

    def assert_refused(self, pattern, export):
        with self.assertRaisesRegex(SuperResolutionError, pattern):
            export()
        self.assertEqual(os.listdir(self.folder), ["in"])

    def test_series_has_voxels_and_position_of_the_node(self):
        self.export()
        written = read_volume(self.folder / "out")
        np.testing.assert_array_equal(written.array, slicer.util.arrayFromVolume(self.output))
        np.testing.assert_allclose(written.ijk_to_ras, ijkToRAS(self.output), atol=1e-6)

    def test_input_node_may_be_deleted_before_the_export(self):
        slicer.mrmlScene.RemoveNode(self.input)
        self.export()
        self.assertTrue((self.folder / "out" / "0001.dcm").is_file())

    def test_source_images_are_known_but_not_the_identity_of_the_output(self):
        self.assertEqual(
            self.output.GetAttribute("MRISuperRes.SourceInstanceUIDs").split(), list(self.files)
        )
        self.assertIsNone(self.output.GetAttribute("DICOM.instanceUIDs"))

    def test_output_of_another_input_forgets_the_source_images(self):
        other = make_volume()
        updateOutput(self.output, other, self.result(other))
        self.assertIsNone(self.output.GetAttribute("MRISuperRes.SourceInstanceUIDs"))

    def test_node_without_dicom_source_is_refused_with_the_reason(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        moved = self.upsample(self.input)
        moved.SetAndObserveTransformNodeID(transform.GetID())
        for node, words in (
            (None, "Click Apply first"),
            (self.input, "Click Apply first"),
            (self.upsample(make_volume()), "was not loaded from DICOM"),
            (moved, "under a transform"),
        ):
            with self.subTest(words):
                self.assertRegex(whyNotExportable(node), words)
                with opened(DatabaseDouble(self.files)):
                    self.assert_refused(
                        words, lambda node=node: exportDicom(node, str(self.folder / "out"))
                    )
        self.assertEqual(whyNotExportable(self.output), "")

    def test_closed_database_is_an_error_with_advice(self):
        for context in (opened(None), not_started()):
            with context:
                self.assert_refused(
                    "database is not open. Open the module DICOM",
                    lambda: exportDicom(self.output, str(self.folder / "out")),
                )

    def test_missing_source_images_are_counted(self):
        uids = list(self.files)
        self.assert_refused(
            "1 of the 4 source images .* Import them again",
            lambda: self.export(files={uid: self.files[uid] for uid in uids[1:]}),
        )
        os.rename(self.files[uids[0]], self.folder / "in" / "elsewhere")
        self.assert_refused("1 of the 4 source images .* Import them again", self.export)

    def test_moved_volume_is_refused(self):
        self.output.SetOrigin(0, 0, 0)
        self.assert_refused("does not lie where", self.export)


if __name__ == "__main__":
    unittest.main()
