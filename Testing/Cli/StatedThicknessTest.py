"""The slice thickness that DICOM images, and sidecars of NIfTI files, state."""

import json
import unittest

import numpy as np
import pydicom

from MRISuperResLib.core.io.formats import read_frames, read_volume, write_volume
from MRISuperResLib.core.volume import Frames, Volume

from made_dicom import write_mr_series
from made_files import FolderTest, array, grid, run


class DicomThicknessTest(FolderTest):
    def read(self, *thicknesses):
        write_mr_series(self.folder, array(), grid())
        for path, thickness in zip(sorted(self.folder.iterdir()), thicknesses):
            dataset = pydicom.dcmread(path)
            if thickness is None:
                del dataset.SliceThickness
            else:
                dataset.SliceThickness = thickness
            dataset.save_as(path)
        return read_volume(self.folder).slice_thickness

    def test_the_thickness_of_all_slices_is_read(self):
        self.assertEqual(self.read("3", "3.0", "3.00", "3"), 3)

    def test_slices_that_differ_or_lack_it_have_none(self):
        self.assertIsNone(self.read("3", "3", "2", "3"))
        self.assertIsNone(self.read("3", "3", None, "3"))
        self.assertIsNone(self.read(None, None, None, None))

    def test_the_thickness_is_read_as_it_is(self):
        self.assertEqual(self.read("0", "0", "0", "0"), 0)

    def test_the_spacing_follows_from_the_positions(self):
        self.assertEqual(self.read("2", "2", "2", "2"), 2)
        self.assertAlmostEqual(read_volume(self.folder).spacing[2], 3.3, places=5)


class SidecarTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.image = self.folder / "T2.v1.nii.gz"
        write_volume(self.image, Volume(array(), grid()))

    def read(self, text):
        (self.folder / "T2.v1.json").write_text(text, encoding="utf-8")
        return read_volume(self.image).slice_thickness

    def test_the_sidecar_states_the_thickness(self):
        self.assertIsNone(read_volume(self.image).slice_thickness)
        self.assertEqual(self.read(json.dumps({"SliceThickness": 2.5})), 2.5)

    def test_a_sidecar_without_a_number_states_none(self):
        for text in (
            "",
            "[]",
            "{}",
            "nothing",
            *(
                json.dumps({"SliceThickness": value})
                for value in (None, True, "3", [3], float("nan"), float("inf"), 10**400)
            ),
            "[" * 100000,
        ):
            with self.subTest(text[:40]):
                self.assertIsNone(self.read(text))

    def test_every_frame_of_a_compressed_file_has_the_thickness(self):
        volume = read_volume(self.image)
        write_volume(self.image, Frames(2, lambda number: volume))
        (self.folder / "T2.v1.json").write_text('{"SliceThickness": 2.5}', encoding="utf-8")
        self.assertEqual([frame.slice_thickness for frame in read_frames(self.image)], [2.5, 2.5])

    def test_the_command_uses_the_stated_thickness(self):
        (self.folder / "T2.v1.json").write_text('{"SliceThickness": 2.5}', encoding="utf-8")
        output = self.folder / "out.nii"
        words = ("--isotropic", "--between-slices", "linear", "--model", "bicubic")
        code, _, err = run("upsample", self.image, output, *words)
        self.assertEqual(code, 0, err)
        self.assertIn("Slice thickness: 2.5 mm.", err)
        record = json.loads((self.folder / "out.nii.json").read_text(encoding="utf-8"))
        self.assertEqual(record["slice_thickness"], 2.5)
        self.assertEqual(read_volume(output).array.dtype, np.int16)


if __name__ == "__main__":
    unittest.main()
