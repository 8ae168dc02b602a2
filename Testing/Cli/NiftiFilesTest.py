"""Reading NIfTI, compared with nibabel, and the errors that other readers do not report."""

import gzip
import unittest
import warnings

import nibabel
import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume

from made_files import GRIDS, TYPES, FolderTest, array, grid


class NiftiFilesTest(FolderTest):
    def save(
        self,
        voxels=None,
        matrix=grid(),
        name="a.nii",
        kind=nibabel.Nifti1Image,
        endianness="<",
        **fields,
    ):
        """Save voxels (i, j, k); fields: header fields of a .nii file, set last and unchecked."""
        voxels = array().T if voxels is None else voxels
        image = kind(voxels, matrix, kind.header_class(endianness=endianness))
        image.set_data_dtype(voxels.dtype)
        path = self.folder / name
        nibabel.save(image, path)
        if fields:
            data = bytearray(path.read_bytes())
            header = np.frombuffer(data, kind.header_class.template_dtype, count=1)[0]
            for key, value in fields.items():
                header[key] = value
            path.write_bytes(data)
        return path

    def assert_refused(self, path, pattern, **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(path, **choice)
        self.assertEqual(caught.exception.kind, "input")
        self.assertNotIn("\n", str(caught.exception))

    def test_every_type_is_read_in_both_byte_orders_compressed_and_as_nifti_2(self):
        for dtype in TYPES:
            for endianness in "<>":
                for name in ("a.nii", "a.nii.gz"):
                    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
                        with self.subTest(
                            dtype, endianness=endianness, name=name, kind=kind.__name__
                        ):
                            volume = read_volume(
                                self.save(
                                    array(dtype).T, name=name, kind=kind, endianness=endianness
                                )
                            )
                            self.assertEqual(volume.array.dtype, np.dtype(dtype))
                            np.testing.assert_array_equal(volume.array, array(dtype))

    def test_the_sform_is_used(self):
        for name, matrix in GRIDS.items():
            with self.subTest(name):
                np.testing.assert_allclose(
                    read_volume(self.save(matrix=matrix, qform_code=0, sform_code=3)).ijk_to_ras,
                    matrix,
                    atol=1e-5,
                )

    def test_the_qform_is_used_without_an_sform(self):
        for name, matrix in GRIDS.items():
            with self.subTest(name):
                volume = read_volume(self.save(matrix=matrix, qform_code=1, sform_code=0))
                np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-4)
                self.assertEqual(volume.messages, ())

    def test_rounding_near_half_a_turn_is_no_contradiction(self):
        for turn in (179.5, 179.99, 180, 180.49):
            for axis in range(3):
                matrix = grid(np.eye(3)[axis] * turn, spacing=(3, 3, 3))
                volume = read_volume(
                    self.save(array("uint8", (76, 110, 110)).T, matrix, sform_code=1, qform_code=1)
                )
                self.assertEqual(volume.messages, ())
                volume = read_volume(self.save(matrix=matrix, sform_code=0, qform_code=1))
                np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=3e-3)

    def test_contradicting_positions_are_a_warning(self):
        path = self.save(qoffset_x=99, qform_code=1, sform_code=2)
        volume = read_volume(path)
        self.assertRegex(volume.messages[0].text, "two different positions. The sform is used")
        np.testing.assert_allclose(volume.ijk_to_ras, grid(), atol=1e-5)

    def test_without_a_position_the_grid_is_read_as_by_itk_and_slicer_with_a_warning(self):
        path = self.save(qform_code=0, sform_code=0)
        volume = read_volume(path)
        self.assertRegex(volume.messages[0].text, "does not say how the patient lies")
        image = sitk.ReadImage(str(path))
        np.testing.assert_allclose(
            volume.ijk_to_ras,
            np.diag([-1, -1, 1, 1]) @ np.diag([*image.GetSpacing(), 1]),
            atol=1e-6,
        )
        self.assertEqual(image.GetDirection(), (1, 0, 0, 0, 1, 0, 0, 0, 1))

    def test_meters_and_micrometers_become_millimeters(self):
        for unit, millimeters in ((1, 1000), (2, 1), (3, 0.001), (0, 1)):
            volume = read_volume(self.save(xyzt_units=unit + 8))
            np.testing.assert_allclose(
                volume.ijk_to_ras[:3], grid()[:3] * millimeters, rtol=1e-6, atol=1e-6
            )

    def test_slope_and_intercept_are_applied_as_nibabel_does(self):
        for dtype, expected in (
            ("uint8", "float32"),
            ("int16", "float32"),
            ("int32", "float64"),
            ("float32", "float32"),
            ("float64", "float64"),
        ):
            for slope, intercept in ((7.1098, -1024), (1, 3), (0.25, 0)):
                with self.subTest(dtype, slope=slope, intercept=intercept):
                    path = self.save(array(dtype).T, scl_slope=slope, scl_inter=intercept)
                    volume = read_volume(path)
                    self.assertEqual(volume.array.dtype, np.dtype(expected))
                    np.testing.assert_allclose(
                        volume.array, nibabel.load(path).get_fdata().T, rtol=1e-5, atol=1e-3
                    )

    def test_a_slope_of_zero_nan_or_one_keeps_the_stored_values(self):
        for slope, intercept in ((0, 5), (np.nan, 0), (1, np.nan), (1, 0)):
            np.testing.assert_array_equal(
                read_volume(self.save(scl_slope=slope, scl_inter=intercept)).array, array()
            )

    def test_one_of_several_frames_must_be_chosen(self):
        frames = np.moveaxis(np.stack([array(), array() // 2, array() // 3]), 0, -1).transpose(
            2, 1, 0, 3
        )
        np.testing.assert_array_equal(read_volume(self.save(frames[..., :1])).array, array())
        for name in ("a.nii", "a.nii.gz"):
            path = self.save(frames, name=name)
            self.assert_refused(path, r"holds 3 frames \(0 to 2\). Choose one")
            self.assert_refused(path, "has no frame 3; it holds 3 frames", frame=3)
            self.assert_refused(path, "has no frame -1", frame=-1)
            for frame in range(3):
                np.testing.assert_array_equal(
                    read_volume(path, frame=frame).array, frames[..., frame].T
                )
        np.testing.assert_array_equal(read_volume(self.save(), frame=0).array, array())
        self.assert_refused(self.save(), "has no frame 1; it holds one frame", frame=1)

    def test_a_2d_image_is_a_volume_of_one_slice(self):
        self.assertEqual(read_volume(self.save(array().T[:, :, 0])).array.shape, (1, 5, 6))

    def test_missing_voxels_are_an_error_and_never_filled(self):
        for name in ("a.nii", "a.nii.gz"):
            path = self.save(array("int16", (9, 30, 30)).T, name=name)
            whole = path.read_bytes()
            for cut in (
                1,
                2,
                9,
                100,
                len(whole) - 600,
                len(whole) - 400,
                len(whole) - 200,
                len(whole) - 10,
            ):
                with self.subTest(name, cut=cut):
                    path.write_bytes(whole[:-cut])
                    self.assert_refused(path, "cut short|damaged|not a volume")

    def test_a_damaged_archive_is_refused(self):
        path = self.save(array("int16", (9, 30, 30)).T, name="a.nii.gz")
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 8] = bytes(8)
        path.write_bytes(data)
        self.assert_refused(path, "damaged or cut short")

    def test_the_named_file_is_read_also_beside_an_uncompressed_one(self):
        self.save(array().T // 2, name="a.nii")
        packed = self.save(name="a.nii.gz")
        np.testing.assert_array_equal(read_volume(packed).array, array())

    def test_the_content_gives_the_format_and_not_the_name(self):
        path = self.save()
        path.rename(self.folder / "scan")
        np.testing.assert_array_equal(read_volume(self.folder / "scan").array, array())
        (self.folder / "b.nii").write_bytes(gzip.compress((self.folder / "scan").read_bytes()))
        np.testing.assert_array_equal(read_volume(self.folder / "b.nii").array, array())

    def test_header_and_voxels_may_be_two_files(self):
        pair = nibabel.Nifti1Pair(array().T, grid())
        nibabel.save(pair, self.folder / "a.hdr")
        volume = read_volume(self.folder / "a.hdr")
        np.testing.assert_array_equal(volume.array, array())
        np.testing.assert_allclose(volume.ijk_to_ras, grid(), atol=1e-5)
        (self.folder / "a.img").unlink()
        self.assert_refused(self.folder / "a.hdr", "is not beside it")

    def test_analyze_is_refused_because_it_does_not_tell_left_from_right(self):
        nibabel.save(
            nibabel.Spm99AnalyzeImage(array().T, np.diag([2, 2, 2, 1])), self.folder / "a.img"
        )
        self.assert_refused(self.folder / "a.hdr", "Analyze 7.5 .*left from right")

    def test_a_sheared_grid_is_refused_and_a_rounded_one_is_not(self):
        shear = np.eye(4)
        shear[1, 2] = 0.02
        self.assert_refused(
            self.save(matrix=grid() @ shear, qform_code=1), "sheared .*gantry.*Resample it"
        )
        shear[1, 2] = 1e-5
        read_volume(self.save(matrix=grid() @ shear))

    def test_a_voxel_size_of_zero_or_nan_is_refused(self):
        for code in (dict(qform_code=1, sform_code=0), dict(qform_code=0, sform_code=0)):
            for size in (0, -2, np.nan, np.inf):
                with self.subTest(size=size, **code):
                    self.assert_refused(
                        self.save(pixdim=[1, 2, size, 2, 0, 0, 0, 0], **code),
                        "no usable voxel size",
                    )
        for row in ([0, 0, 0, 0], [np.nan, 0, 0, 0]):
            self.assert_refused(self.save(srow_x=row, sform_code=1), "no usable voxel size|sheared")

    def test_more_than_one_number_per_voxel_is_refused(self):
        for voxels, pattern in (
            (np.zeros((3, 4, 5), np.complex64), "complex numbers.*magnitude"),
            (np.zeros((3, 4, 5, 1, 3), np.float32), "3 values"),
            (np.zeros((3, 4, 5, 1, 6), np.float32), "6 values per voxel"),
        ):
            self.assert_refused(self.save(voxels), pattern)
        self.assert_refused(self.save(datatype=128), r"colors \(3 channels\)")
        self.assert_refused(self.save(datatype=2304), r"colors \(4 channels\)")

    def test_label_maps_and_unknown_types_are_refused(self):
        self.assert_refused(self.save(intent_code=1002), "label map, not an image")
        self.assert_refused(self.save(datatype=1536), "NIfTI type 1536, .*Save it as")

    def test_an_impossible_size_is_refused_without_allocating_it(self):
        self.assert_refused(self.save(dim=[3, 0, 5, 4, 1, 1, 1, 1]), "header .* damaged")
        self.assert_refused(
            self.save(dim=[9, 6, 5, 4, 1, 1, 1, 1]), "header .* damaged|not a volume"
        )
        with self.assertRaisesRegex(SuperResolutionError, "cut short|GiB"):
            read_volume(self.save(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]))

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), min_size=1, max_size=6),
        st.sampled_from("<>"),
    )
    def test_any_header_gives_a_volume_or_one_sentence(self, changes, endianness):
        data = bytearray(self.save(endianness=endianness).read_bytes())
        for position, value in changes:
            data[position] = value
        (self.folder / "b.nii").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                self.assertEqual(read_volume(self.folder / "b.nii").ijk_to_ras.shape, (4, 4))
            except SuperResolutionError as e:
                self.assertNotIn("\n", str(e))


if __name__ == "__main__":
    unittest.main()
