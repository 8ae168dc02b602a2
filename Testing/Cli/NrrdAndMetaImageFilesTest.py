"""Reading NRRD and MetaImage, and files that are no volumes at all."""

import unittest
import zlib
from unittest import mock

import numpy as np
import SimpleITK as sitk

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume

from made_files import TYPES, FolderTest, array

VOXELS = np.arange(120, dtype="<i2")
STRAIGHT = "space directions: (2,0,0) (0,2,0) (0,0,3)\nspace origin: (1,2,3)\n"
FRAMES = (
    "space: LPS\nkinds: {} domain domain domain\n"
    "space directions: none (2,0,0) (0,2,0) (0,0,3)\nspace origin: (1,2,3)\n"
)
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    "CompressedData = False\n{}DimSize = 6 5 4\nElementType = MET_SHORT\nElementDataFile = {}\n"
)


class ReadingTest(FolderTest):
    def write(self, name, text, voxels=VOXELS.tobytes()):
        (self.folder / name).write_bytes(text.encode() + voxels)
        return self.folder / name

    def nrrd(self, fields, sizes="6 5 4", voxels=VOXELS.tobytes()):
        return self.write(
            "a.nrrd",
            f"NRRD0004\ntype: short\ndimension: {len(sizes.split())}\n{fields}sizes: {sizes}\n"
            "endian: little\nencoding: raw\n\n",
            voxels,
        )

    def meta(self, fields):
        return self.write("a.mha", META.format(fields, "LOCAL"))

    def assert_refused(self, path, pattern, **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path, **choice)
        self.assertEqual(caught.exception.kind, "input")
        self.assertNotIn("\n", str(caught.exception))


class NrrdFilesTest(ReadingTest):
    def test_every_anatomical_space_leads_to_the_same_ras(self):
        for space, signs in (
            ("right-anterior-superior", (1, 1)),
            ("left-anterior-superior", (-1, 1)),
            ("left-posterior-superior", (-1, -1)),
            ("RAS", (1, 1)),
            ("LPS", (-1, -1)),
        ):
            with self.subTest(space):
                volume = read_volume(self.nrrd(f"space: {space}\n{STRAIGHT}"))
                flip = np.diag([*signs, 1, 1])
                np.testing.assert_allclose(
                    volume.ijk_to_ras,
                    flip @ [[2, 0, 0, 1], [0, 2, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]],
                )
                self.assertEqual(volume.messages, ())
                np.testing.assert_array_equal(volume.array.ravel(), VOXELS)

    def test_a_missing_or_non_anatomical_space_is_a_warning(self):
        for fields in (
            "",
            "spacings: 2 2 3\n",
            f"space: scanner-xyz\n{STRAIGHT}",
            f"space: 3D-right-handed\n{STRAIGHT}",
            f"space dimension: 3\n{STRAIGHT}",
        ):
            with self.subTest(fields):
                self.assertRegex(
                    read_volume(self.nrrd(fields)).messages[0].text,
                    "does not say how the patient lies",
                )

    def test_sheared_and_degenerate_grids_are_refused(self):
        space = (
            "space: left-posterior-superior\nspace origin: (1,2,3)\n"
            "space directions: (2,0,0) (0,2,0) "
        )
        self.assert_refused(self.nrrd(space + "(0,1,3)\n"), "sheared .*gantry")
        self.assert_refused(self.nrrd(space + "(0,0,0)\n"), "no usable voxel size")
        self.assert_refused(self.nrrd("spacings: 0 2 3\n"), "no usable voxel size")

    def test_missing_voxels_are_refused(self):
        for cut in (1, 2, 200):
            self.assert_refused(
                self.nrrd(f"space: LPS\n{STRAIGHT}", voxels=VOXELS.tobytes()[:-cut]), "cut short"
            )

    def test_one_frame_of_a_sequence_saved_by_slicer_can_be_chosen(self):
        fields = FRAMES.format("list")
        path = self.nrrd(fields, sizes="2 5 4 3")
        self.assert_refused(path, "holds 2 frames .*Choose one")
        np.testing.assert_array_equal(read_volume(path, frame=1).array.ravel(), VOXELS[1::2])

    def test_vectors_colors_and_segmentations_are_refused(self):
        fields = FRAMES
        self.assert_refused(
            self.nrrd(fields.format("vector"), sizes="2 5 4 3"), "2 values per voxel"
        )
        self.assert_refused(
            self.nrrd(fields.format("RGB-color"), sizes="3 5 4 2"), "3 values per voxel"
        )
        segment = "Segment0_ID:=Segment_1\n"
        over_time = (
            "space: LPS\nkinds: domain domain domain time\n"
            "space directions: (2,0,0) (0,2,0) (0,0,3) none\nspace origin: (1,2,3)\n"
        )
        refused = "segmentation or label map"
        self.assert_refused(self.nrrd(f"space: LPS\n{STRAIGHT}{segment}"), refused)
        self.assert_refused(self.nrrd(over_time + segment, sizes="6 5 4 1"), refused)
        packed = META.format("Segment0_ID = Segment_1\n", "LOCAL").replace(
            "CompressedData = False", "CompressedData = True"
        )
        self.assert_refused(self.write("a.mha", packed, zlib.compress(VOXELS)), refused)


class MetaImageFilesTest(ReadingTest):
    def test_every_type_is_read_compressed_or_not(self):
        for dtype in TYPES:
            for packed in (False, True):
                for name in ("a.mha", "a.mhd", "a.nrrd", "a.nhdr"):
                    with self.subTest(dtype, packed=packed, name=name):
                        sitk.WriteImage(
                            sitk.GetImageFromArray(array(dtype)), str(self.folder / name), packed
                        )
                        volume = read_volume(self.folder / name)
                        self.assertEqual(volume.array.dtype, np.dtype(dtype))
                        np.testing.assert_array_equal(volume.array, array(dtype))

    def test_sheared_and_degenerate_grids_are_refused(self):
        self.assert_refused(
            self.meta("TransformMatrix = 1 0 0 0 1 0 0 0.2 1\nElementSpacing = 1 1 2\n"), "sheared"
        )
        self.assert_refused(
            self.meta("TransformMatrix = 1 0 0 0 1 0 0 0 0\nElementSpacing = 1 1 2\n"),
            "no usable voxel size or position",
        )
        for spacing in ("0 1 2", "nan 1 2"):
            self.assert_refused(self.meta(f"ElementSpacing = {spacing}\n"), "no usable voxel size")

    def test_missing_voxels_are_refused(self):
        self.assert_refused(
            self.write("a.mha", META.format("", "LOCAL"), VOXELS.tobytes()[:-1]), "cut short"
        )
        self.assert_refused(
            self.write("a.mhd", META.format("", "gone.raw"), b""), "missing beside it"
        )

    def test_of_four_dimensions_one_frame_can_be_chosen(self):
        frames = np.stack([array(), array() // 2])
        sitk.WriteImage(sitk.GetImageFromArray(frames, isVector=False), str(self.folder / "a.mha"))
        self.assert_refused(self.folder / "a.mha", "holds 2 frames .*Choose one")
        for frame in (0, 1):
            np.testing.assert_array_equal(
                read_volume(self.folder / "a.mha", frame).array, frames[frame]
            )
        sitk.WriteImage(
            sitk.GetImageFromArray(frames[:1], isVector=False), str(self.folder / "a.mha")
        )
        np.testing.assert_array_equal(read_volume(self.folder / "a.mha").array, frames[0])

    def test_a_2d_image_is_a_volume_of_one_slice_with_a_warning(self):
        sitk.WriteImage(sitk.GetImageFromArray(array()[0]), str(self.folder / "a.mha"))
        volume = read_volume(self.folder / "a.mha")
        self.assertEqual(volume.array.shape, (1, 5, 6))
        self.assertRegex(volume.messages[0].text, "single 2D image")

    def test_vectors_and_complex_numbers_are_refused(self):
        for pixels, pattern in (
            (np.zeros((4, 5, 6, 3), np.uint8), "colors"),
            (np.zeros((4, 5, 6, 7), np.uint8), "7 values per voxel"),
        ):
            sitk.WriteImage(
                sitk.GetImageFromArray(pixels, isVector=True), str(self.folder / "a.mha")
            )
            self.assert_refused(self.folder / "a.mha", pattern)


class NoVolumeTest(ReadingTest):
    def test_a_missing_file_is_refused(self):
        self.assert_refused(self.folder / "none.nii", "none.nii does not exist. Check the name")

    def test_other_files_are_refused_with_a_list_of_formats(self):
        sitk.WriteImage(
            sitk.GetImageFromArray(np.zeros((9, 9), np.uint8)), str(self.folder / "a.png")
        )
        for path in (
            self.folder / "a.png",
            self.write("a.nii", "hello"),
            self.write("a.txt", "no volume " * 100),
            self.write("a.gz", "\x1f text"),
        ):
            self.assert_refused(path, "is not a volume that can be read. Use a NIfTI")

    def test_empty_files_are_refused(self):
        for name in ("a.nii", "a.nrrd", "a.nii.gz"):
            self.assert_refused(self.write(name, "", b""), "is empty or damaged")

    def test_a_file_without_read_permission_is_refused(self):
        with mock.patch("builtins.open", side_effect=PermissionError(13, "Permission denied")):
            self.assert_refused(
                self.nrrd(""), "cannot be read .Permission denied.. Check its permissions"
            )

    def test_a_series_can_be_chosen_only_in_a_folder(self):
        self.assert_refused(self.nrrd(""), "single file, but a series is chosen", series="1.2.3")


if __name__ == "__main__":
    unittest.main()
