"""An output node as a DICOM series: of the images that its input was loaded from, or not at all."""

import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer
from dicom_helpers import DatabaseDouble, load_series, opened
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample
from MRISuperResLib.scene.dicom_export import exportDicom, whyNotExportable
from MRISuperResLib.scene.output_nodes import createOutput
from MRISuperResLib.scene.volume_nodes import ijkToRAS, upsamplableVolume
from scene_helpers import make_volume


class DicomExportTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.input, self.files = load_series(self.folder / "in")
        self.output = self.enlarge(self.input)

    def enlarge(self, node):
        result = upsample(*upsamplableVolume(node), UpsamplingOptions(model="bicubic", scale=2))
        return createOutput(node, result.volume, result.ijk_to_ras, result.provenance)

    def export(self, node=None, files=None):
        with opened(DatabaseDouble(self.files if files is None else files)):
            exportDicom(node or self.output, str(self.folder / "out"))

    def assert_refused(self, pattern, export):
        with self.assertRaisesRegex(SuperResolutionError, pattern):
            export()
        self.assertEqual(os.listdir(self.folder), ["in"])

    def test_the_series_has_the_voxels_and_the_place_of_the_node(self):
        self.export()
        written = read_volume(self.folder / "out")
        np.testing.assert_array_equal(written.array, slicer.util.arrayFromVolume(self.output))
        np.testing.assert_allclose(written.ijk_to_ras, ijkToRAS(self.output), atol=1e-6)

    def test_it_does_not_need_the_input_node_any_more(self):
        slicer.mrmlScene.RemoveNode(self.input)
        self.export()
        self.assertTrue((self.folder / "out" / "0001.dcm").is_file())

    def test_the_images_of_the_source_are_known_but_are_not_the_identity_of_the_output(self):
        self.assertEqual(
            self.output.GetAttribute("MRISuperRes.SourceInstanceUIDs").split(), list(self.files)
        )
        self.assertIsNone(self.output.GetAttribute("DICOM.instanceUIDs"))

    def test_an_output_that_is_made_anew_of_another_input_forgets_them(self):
        from MRISuperResLib.scene.output_nodes import updateOutput

        other = make_volume()
        result = upsample(*upsamplableVolume(other), UpsamplingOptions(model="bicubic", scale=2))
        updateOutput(self.output, other, result.volume, result.ijk_to_ras, result.provenance)
        self.assertIsNone(self.output.GetAttribute("MRISuperRes.SourceInstanceUIDs"))

    def test_what_is_no_output_of_a_dicom_volume_is_refused_with_the_reason(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        moved = self.enlarge(self.input)
        moved.SetAndObserveTransformNodeID(transform.GetID())
        for node, words in (
            (None, "press Apply first"),
            (self.input, "press Apply first"),
            (self.enlarge(make_volume()), "was not loaded by the module DICOM"),
            (moved, "under a transform"),
        ):
            with self.subTest(words):
                self.assertRegex(whyNotExportable(node), words)
                with opened(DatabaseDouble(self.files)):
                    self.assert_refused(
                        words, lambda node=node: exportDicom(node, str(self.folder / "out"))
                    )
        self.assertEqual(whyNotExportable(self.output), "")

    def test_a_database_that_is_not_open_is_asked_for(self):
        for context in (
            opened(None),
            tempfile.TemporaryDirectory(),
        ):  # the second: no attribute at all, as before the module DICOM has started
            with context:
                self.assert_refused(
                    "database.* is not open: open the module DICOM",
                    lambda: exportDicom(self.output, str(self.folder / "out")),
                )

    def test_images_that_the_database_has_lost_are_counted(self):
        uids = list(self.files)
        self.assert_refused(
            "1 of the 4 images .* import them again",
            lambda: self.export(files={uid: self.files[uid] for uid in uids[1:]}),
        )
        os.rename(self.files[uids[0]], self.folder / "in" / "elsewhere")
        self.assert_refused("1 of the 4 images .* import them again", self.export)

    def test_a_volume_that_was_moved_since_is_refused(self):
        self.output.SetOrigin(0, 0, 0)
        self.assert_refused("does not lie where", self.export)


if __name__ == "__main__":
    unittest.main()
