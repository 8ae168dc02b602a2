"""Reading DICOM files and folders: the right grid, every slice, or an error with a reason."""

import shutil
import unittest

import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.messages import info

from made_dicom import write_mr_series
from made_files import EDGE, NO_DATA, FolderTest, write_dicom, write_series

OBLIQUE = "0.8\\0.6\\0\\-0.6\\0.8\\0"
TURNED_AWAY = "1\\0\\0\\0\\0\\-1"
"""Coronal: columns run down, slices to the back."""


class DicomTest(FolderTest):
    def assert_refused(self, path, pattern, **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path, **choice)
        self.assertEqual(caught.exception.kind, "input")
        self.assertNotIn("\n", str(caught.exception))


class DicomFolderTest(DicomTest):
    def test_slices_are_sorted_by_position(self):
        write_series(self.folder, 5)
        volume = read_volume(self.folder)
        np.testing.assert_array_equal(volume.array[:, 0, 0], [100, 101, 102, 103, 104])
        self.assertEqual(volume.array.shape, (5, 6, 4))
        self.assertEqual(volume.array.dtype, np.int16)

    def test_the_grid_comes_from_positions_and_directions(self):
        write_series(self.folder, 4, gap=2.5, orientation=OBLIQUE)
        np.testing.assert_allclose(
            read_volume(self.folder).ijk_to_ras,
            [[-0.4, 0.45, 0, -10], [-0.3, -0.6, 0, -10], [0, 0, 2.5, 10], [0, 0, 0, 1]],
            atol=1e-12,
        )

    def test_a_coronal_series_is_read_front_to_back_as_its_normal_runs(self):
        write_series(self.folder, 4, gap=2, orientation=TURNED_AWAY, along=(0, 1, 0))
        volume = read_volume(self.folder)
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 2], [0, -2, 0], atol=1e-12)
        self.assertEqual(volume.array[0, 0, 0], 100)
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], [-10, -10, 10], atol=1e-12)

    def test_of_several_series_one_must_be_chosen(self):
        write_series(self.folder, 3, series="1.2.3", description="T2 HASTE")
        write_series(self.folder, 4, series="1.2.4", description="T1")
        self.assert_refused(
            self.folder,
            r"holds 2 series: 1.2.3 \(T2 HASTE, 3 images\); 1.2.4 \(T1, 4 images\). Choose one.$",
        )
        self.assert_refused(self.folder, "no series 9.9. .*1.2.3 .*1.2.4", series="9.9")
        volume = read_volume(self.folder, series="1.2.4")
        self.assertEqual(len(volume.array), 4)
        self.assertEqual(volume.messages, (info("series", "Series “T1”, 4 images."),))

    def test_a_missing_slice_is_reported_with_its_neighbors(self):
        write_series(self.folder, 6, names=[f"{n}.dcm" for n in range(6)])
        (self.folder / "3.dcm").unlink()
        self.assert_refused(
            self.folder, "slice is missing .* 2.dcm and 4.dcm are 6 mm apart, others 3 mm"
        )

    def test_slices_of_different_size_pixel_size_or_direction_are_refused(self):
        for what, pattern in (
            (dict(pixels=np.zeros((5, 4), np.int16)), "differ in size"),
            (dict(spacing=(0.6, 0.75)), "differ in their pixel size"),
            (dict(orientation=TURNED_AWAY), "differ in their direction .*localizer"),
        ):
            with self.subTest(pattern):
                write_series(self.folder, 4)
                write_dicom(
                    self.folder / "x.dcm",
                    **{
                        "pixels": np.zeros((6, 4), np.int16),
                        "position": "10\\10\\22",
                        "instance": "9",
                    }
                    | what,
                )
                self.assert_refused(self.folder, pattern)

    def test_a_tilted_gantry_is_refused(self):
        write_series(self.folder, 5, along=(0, 0.2, 1))
        self.assert_refused(self.folder, "sheared .*gantry")

    def test_slices_that_jump_sideways_are_refused(self):
        write_series(self.folder, 5)
        for path in self.folder.iterdir():
            if read_volume(path).array[0, 0, 0] == 102:
                write_dicom(
                    path,
                    np.full((6, 4), 102, np.int16),
                    position="10\\14\\16",
                    instance="1.2.3.3",
                    number=3,
                )
        self.assert_refused(self.folder, "sheared|straight line")

    def test_several_images_at_each_position_are_frames(self):
        for frame in range(3):
            for n in range(4):
                write_dicom(
                    self.folder / f"{frame}{n}.dcm",
                    np.full((6, 4), 10 * frame + n, np.int16),
                    position=f"0\\0\\{3 * n}",
                    instance=f"7.{frame}.{n}",
                    number=frame * 4 + n,
                )
        self.assert_refused(self.folder, "holds 3 frames .*Choose one")
        np.testing.assert_array_equal(
            read_volume(self.folder, frame=1).array[:, 0, 0], [10, 11, 12, 13]
        )
        (self.folder / "12.dcm").unlink()
        self.assert_refused(
            self.folder, "missing .* or it mixes volumes: some positions hold 2 images, others 3"
        )

    def test_copies_of_an_image_are_ignored(self):
        write_series(self.folder, 4)
        shutil.copy(min(self.folder.iterdir()), self.folder / "copy of the first.dcm")
        self.assertEqual(len(read_volume(self.folder).array), 4)

    def test_a_damaged_slice_is_an_error_and_not_skipped(self):
        write_series(self.folder, 4, names=[f"{n}.dcm" for n in range(4)])
        (self.folder / "3.dcm").write_bytes((self.folder / "3.dcm").read_bytes()[:-20])
        self.assert_refused(self.folder, "image in 3.dcm cannot be decoded: .*cut short")

    def test_other_files_are_skipped(self):
        write_series(self.folder, 3)
        (self.folder / "notes.txt").write_text("hello" * 100)
        (self.folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
        (self.folder / "deeper").mkdir()
        self.assertEqual(len(read_volume(self.folder).array), 3)

    def test_a_folder_without_dicom_files_is_refused(self):
        self.assert_refused(self.folder, "holds no DICOM images. Use the folder of an MRI series")
        (self.folder / "deeper").mkdir()
        self.assert_refused(self.folder, "holds no DICOM images. Use one of its subfolders")

    def test_slices_with_different_rescale_slopes_get_a_type_that_holds_them(self):
        for n, slope in enumerate((1, 0.5, 2.25)):
            write_dicom(
                self.folder / f"{n}.dcm",
                np.full((6, 4), (101 + n) * slope, np.int16 if slope == 1 else np.float32),
                position=f"0\\0\\{3 * n}",
                instance=f"7.{n}",
                slope=slope,
                intercept=0,
            )
        volume = read_volume(self.folder)
        self.assertEqual(volume.array.dtype, np.float32)
        np.testing.assert_allclose(volume.array[:, 0, 0], [101, 51, 231.75])

    def test_another_modality_is_a_warning(self):
        write_series(self.folder, 3, modality="CT")
        message = read_volume(self.folder).messages[0]
        self.assertEqual((message.level, message.code), ("warning", "modality"))
        self.assertRegex(message.text, "is CT, not MR. No model was trained on CT")


class DicomFileTest(DicomTest):
    def test_pixels_that_stay_in_the_file_until_they_are_used_are_read(self):
        pixels = np.arange(60 * 70, dtype=np.int16).reshape(60, 70)
        write_dicom(self.folder / "a.dcm", pixels)
        np.testing.assert_array_equal(read_volume(self.folder / "a.dcm").array[0], pixels)

    def test_one_file_is_a_volume_of_one_slice_with_its_thickness(self):
        write_dicom(
            self.folder / "a.dcm",
            np.arange(24, dtype=np.int16).reshape(6, 4),
            position="1\\2\\3",
            thickness=4.5,
        )
        volume = read_volume(self.folder / "a.dcm")
        self.assertEqual(volume.array.shape, (1, 6, 4))
        np.testing.assert_allclose(geometry.spacing(volume.ijk_to_ras), (0.5, 0.75, 4.5))
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], (-1, -2, 3))

    def test_a_mosaic_is_refused(self):
        write_dicom(
            self.folder / "a.dcm",
            np.zeros((6, 4), np.int16),
            image_type="ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC",
        )
        self.assert_refused(self.folder / "a.dcm", "mosaic.*dcm2niix")

    def test_a_text_with_a_dicom_name_is_refused(self):
        (self.folder / "a.dcm").write_text("hello" * 100)
        self.assert_refused(self.folder / "a.dcm", "is not a DICOM file")

    def test_an_enhanced_image_with_one_frame_has_its_position_in_functional_groups(self):
        write_dicom(
            self.folder / "a.dcm",
            np.full((6, 4), 50, np.float32),
            position="1\\2\\3",
            slope=0.5,
            intercept=0,
        )
        image = pydicom.dcmread(self.folder / "a.dcm")
        self.assertNotIn("ImagePositionPatient", image)
        volume = read_volume(self.folder / "a.dcm")
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], (-1, -2, 3))
        np.testing.assert_array_equal(volume.array, np.full((1, 6, 4), 50, np.float32))

    def test_stored_bits_sign_and_scaling_give_values_and_type(self):
        for bits, signed, scaling, stored, expected, dtype in (
            (12, 0, (None, None), [0xF001, 0x0FFF], [1, 4095], "uint16"),
            (12, 1, (None, None), [0xF001, 0x0FFF], [1, -1], "int16"),
            (12, 0, ("1", "-1024"), [0, 4095], [-1024, 3071], "int16"),
            (16, 0, ("1", "-1024"), [0, 65535], [-1024, 64511], "int32"),
            (16, 0, ("-1", "5"), [0, 65535], [5, -65530], "int32"),
            (16, 0, ("0", "0"), [3, 4], [3, 4], "uint16"),
            (16, 1, ("0.5", "0"), [1, 65535], [0.5, -0.5], "float32"),
        ):
            with self.subTest(bits=bits, signed=signed, scaling=scaling):
                write_mr_series(
                    self.folder,
                    np.array(stored, np.uint16).reshape(1, 1, 2),
                    np.eye(4),
                    BitsStored=bits,
                    HighBit=bits - 1,
                    PixelRepresentation=signed,
                    RescaleSlope=scaling[0],
                    RescaleIntercept=scaling[1],
                )
                (path,) = self.folder.iterdir()
                array = read_volume(path).array
                np.testing.assert_array_equal(array.ravel(), expected)
                self.assertEqual(array.dtype, dtype)

    def test_monochrome1_is_inverted(self):
        pixels = np.array([0, 1, 4095], np.uint16).reshape(1, 1, 3)
        fields = dict(BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1")
        write_mr_series(self.folder, pixels, np.eye(4), **fields)
        (path,) = self.folder.iterdir()
        np.testing.assert_array_equal(read_volume(path).array.ravel(), [4095, 4094, 0])

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), min_size=1, max_size=6))
    def test_any_damage_gives_a_volume_or_one_sentence(self, changes):
        for path in self.folder.iterdir():
            path.unlink()
        write_mr_series(self.folder, np.ones((1, 6, 4), np.int16), np.eye(4))
        (path,) = self.folder.iterdir()
        data = bytearray(path.read_bytes())
        for position, value in changes:
            data[position % len(data)] = value
        path.write_bytes(data)
        try:
            self.assertEqual(read_volume(path).ijk_to_ras.shape, (4, 4))
        except SuperResolutionError as e:
            self.assertNotIn("\n", str(e))

    @unittest.skipUnless(EDGE.is_dir(), NO_DATA)
    def test_a_file_that_is_cut_short_anywhere_is_refused_whatever_its_compression(self):
        for name in (
            "MR_small",
            "MR_small_RLE",
            "MR_small_bigendian",
            "MR_small_jp2klossless",
            "MR_small_jpeg_ls_lossless",
        ):
            data = (EDGE / f"pydicom_{name}.dcm").read_bytes()
            for cut in (2, 10, 100, 1500, 4000, len(data) - 900, len(data) - 200):
                with self.subTest(name, cut=cut):
                    (self.folder / "a.dcm").write_bytes(data[:-cut])
                    self.assert_refused(self.folder / "a.dcm", "cut short|holds no image")


if __name__ == "__main__":
    unittest.main()
