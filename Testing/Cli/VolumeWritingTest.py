"""Writing volumes: no loss, no shift, no incomplete files."""

import errno
import json
import os
import unittest
from unittest import mock

import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import check_output, read_volume, write_volume
from MRISuperResLib.core.provenance import output_record
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.core.io import itk

from made_files import FORMATS, GRIDS, TYPES, FolderTest, array, grid

PROVENANCE = {
    "software": "MRISuperRes 0.1.0",
    "notice": "synthetic, not for diagnosis",
    "model": {"name": "tiny", "path": "C:\\a\n“×2”"},
    "scale": 2,
}


class VolumeWritingTest(FolderTest):
    def fresh(self, extension):
        """Return a name for each format: ITK reads a.nii instead of a.nii.gz if both exist."""
        return self.folder / f"a{extension.replace('.', '-')}{extension}"

    def read_by_itk(self, path):
        image = sitk.ReadImage(str(path))
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        matrix[:3, 3] = image.GetOrigin()
        return sitk.GetArrayFromImage(image), np.diag([-1, -1, 1, 1]) @ matrix

    def test_every_format_keeps_every_type_voxel_for_voxel(self):
        for extension in FORMATS:
            for dtype in TYPES:
                with self.subTest(extension, dtype=dtype):
                    path = self.fresh(extension)
                    write_volume(path, Volume(array(dtype), grid(), provenance=PROVENANCE))
                    for voxels in (read_volume(path).array, self.read_by_itk(path)[0]):
                        self.assertEqual(voxels.dtype, np.dtype(dtype))
                        np.testing.assert_array_equal(voxels, array(dtype))

    def test_every_format_keeps_the_position_of_every_grid_and_itk_agrees(self):
        for extension in FORMATS:
            for name, matrix in GRIDS.items():
                with self.subTest(extension, grid=name):
                    path = self.fresh(extension)
                    write_volume(path, Volume(array(), matrix, provenance=PROVENANCE))
                    for read in (read_volume(path).ijk_to_ras, self.read_by_itk(path)[1]):
                        self.assert_same_place(matrix, array().shape, read, array().shape)

    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from(FORMATS),
        st.lists(st.floats(-180, 180), min_size=3, max_size=3),
        st.lists(st.floats(0.05, 20), min_size=3, max_size=3),
        st.permutations((0, 1, 2)),
        st.lists(st.sampled_from((-1, 1)), min_size=3, max_size=3),
        st.lists(st.floats(-500, 500), min_size=3, max_size=3),
        st.tuples(*[st.integers(1, 9)] * 3),
    )
    def test_any_grid_and_size_stays_in_place(
        self, extension, angles, spacing, order, signs, origin, shape
    ):
        matrix = grid(angles, spacing, order, signs, origin)
        path = self.fresh(extension)
        write_volume(path, Volume(np.zeros(shape, np.uint8), matrix, provenance=PROVENANCE))
        for read in (read_volume(path).ijk_to_ras, self.read_by_itk(path)[1]):
            self.assert_same_place(matrix, shape, read, shape)

    def test_views_and_big_endian_voxels_are_written_correctly(self):
        whole = array("int32", (6, 5, 4))
        for extension in FORMATS:
            for voxels in (whole.transpose(2, 0, 1), whole[::-1, ::2], whole.astype(">i4")):
                path = self.fresh(extension)
                write_volume(path, Volume(voxels, grid(), provenance=PROVENANCE))
                np.testing.assert_array_equal(read_volume(path).array, voxels)

    def test_provenance_is_beside_the_output_and_in_its_header(self):
        for extension in (".nrrd", ".mha"):
            path = self.folder / f"{extension[1:]}{extension}"
            write_volume(path, Volume(array(), grid(), provenance=PROVENANCE))
            image = sitk.ReadImage(str(path))
            self.assertEqual(image.GetMetaData("MRISuperRes_notice"), PROVENANCE["notice"])
            self.assertEqual(image.GetMetaData("MRISuperRes_scale"), "2")
            self.assertEqual(
                json.loads(image.GetMetaData("MRISuperRes_model")), PROVENANCE["model"]
            )
            self.assertEqual(
                json.loads((self.folder / f"{path.name}.json").read_text(encoding="utf-8")),
                PROVENANCE | {"output": output_record(path)},
            )

    def test_nifti_has_the_notice_in_its_description_and_the_provenance_in_an_extension(
        self,
    ):
        import nibabel

        path = self.folder / "a.nii.gz"
        write_volume(path, Volume(array(), grid(), provenance=PROVENANCE))
        header = nibabel.load(path).header
        self.assertIn(b"synthetic, not for diagnosis", header["descrip"].item())
        self.assertEqual(json.loads(header.extensions[0].get_content()), PROVENANCE)
        self.assert_files("a.nii.gz", "a.nii.gz.json")

    def test_sform_and_qform_give_the_same_position(self):
        import nibabel

        for name, matrix in GRIDS.items():
            with self.subTest(name):
                write_volume(self.folder / "a.nii", Volume(array(), matrix, provenance=PROVENANCE))
                image = nibabel.load(self.folder / "a.nii")
                np.testing.assert_allclose(image.get_sform(), matrix, atol=1e-5)
                np.testing.assert_allclose(image.get_qform(), matrix, atol=1e-4)

    def test_an_unsupported_type_is_refused_before_anything_is_written(self):
        for dtype, words in (
            (np.float16, "cannot be stored .* float32"),
            (np.complex64, "complex64"),
            (bool, "bool"),
        ):
            with self.assertRaisesRegex(SuperResolutionError, words):
                write_volume(
                    self.folder / "a.nrrd",
                    Volume(np.zeros((2, 2, 2), dtype), grid(), provenance=PROVENANCE),
                )
        self.assert_files()

    def test_a_volume_without_provenance_gets_no_sidecar_and_removes_an_outdated_one(self):
        for extension in FORMATS:
            path = self.fresh(extension)
            write_volume(path, Volume(array(), grid(), provenance=PROVENANCE))
            self.assertTrue(path.with_name(f"{path.name}.json").exists())
            write_volume(path, Volume(array(), grid()))
            self.assertFalse(path.with_name(f"{path.name}.json").exists())
            np.testing.assert_array_equal(read_volume(path).array, array())

    def test_an_axis_too_long_for_nifti_is_refused_with_other_formats(self):
        with self.assertRaisesRegex(SuperResolutionError, "32767 .* 40000. Write a .nrrd or .mha"):
            write_volume(
                self.folder / "a.nii",
                Volume(np.zeros((1, 1, 40000), np.uint8), grid(), provenance=PROVENANCE),
            )
        self.assert_files()


class FailedWritingTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "a.nrrd"
        write_volume(self.path, Volume(array(), grid(), provenance=PROVENANCE))
        self.before = {path: path.read_bytes() for path in self.folder.iterdir()}

    def assert_nothing_changed(self):
        self.assertEqual({path: path.read_bytes() for path in self.folder.iterdir()}, self.before)

    def fail_with(self, function, error):
        with mock.patch(function, side_effect=error):
            write_volume(self.path, Volume(array("uint8"), grid(), provenance=PROVENANCE))

    def test_a_full_disk_leaves_the_old_output_unchanged(self):
        with self.assertRaisesRegex(SuperResolutionError, "the disk is full .*Free some space"):
            self.fail_with(
                "MRISuperResLib.core.io.itk.write_itk",
                OSError(errno.ENOSPC, "No space left on device"),
            )
        self.assert_nothing_changed()

    def test_a_file_open_in_another_program_leaves_the_old_output_unchanged(self):
        with self.assertRaisesRegex(SuperResolutionError, "close that program"):
            self.fail_with("os.replace", PermissionError(errno.EACCES, "Permission denied"))
        self.assert_nothing_changed()

    def test_an_interrupt_leaves_the_old_output_unchanged(self):
        def stop(path, *volume):
            path.write_bytes(b"NRRD")
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.fail_with("MRISuperResLib.core.io.itk.write_itk", stop)
        self.assert_nothing_changed()

    def test_an_incomplete_file_from_itk_is_no_result(self):
        def forget_a_voxel(image, path, **options):
            image[0, 0, 0] = 1 if image[0, 0, 0] == 0 else 0
            write_image(image, path, **options)

        write_image = sitk.WriteImage
        with (
            mock.patch.object(itk.sitk, "WriteImage", forget_a_voxel),
            self.assertRaisesRegex(SuperResolutionError, "not written completely"),
        ):
            write_volume(self.path, Volume(array(), grid(), provenance=PROVENANCE))
        self.assert_nothing_changed()

    def test_any_other_failure_leaves_the_old_output_unchanged(self):
        with self.assertRaises(ZeroDivisionError):
            self.fail_with("MRISuperResLib.core.io.itk.write_itk", ZeroDivisionError)
        self.assert_nothing_changed()


class CheckOutputTest(FolderTest):
    def assert_refused(self, path, pattern, source=None):
        before = sorted(self.folder.rglob("*"))
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            check_output(path, source)
        self.assertIn(caught.exception.kind, ("settings", "environment"))
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_a_valid_output_is_accepted_and_nothing_is_left_behind(self):
        for extension in (*FORMATS, ".NII.GZ", ".NRRD"):
            check_output(self.folder / f"a.b{extension}", self.folder / "in.nii.gz")
        self.assert_files()

    def test_an_unknown_or_missing_extension_is_refused_with_those_that_are_known(self):
        for name in ("out", "out.png", "out.gz", "out.nii.bz2", ".nrrd"):
            self.assert_refused(self.folder / name, "which format .* .nii, .nii.gz, .nrrd or .mha")

    def test_the_extension_of_a_format_that_is_only_read_is_refused(self):
        for name in ("out.mhd", "out.mgz", "out.img"):
            self.assert_refused(
                self.folder / name, "read, but not written. End the name in .nii, .nii.gz, .nrrd"
            )

    def test_a_missing_folder_is_refused(self):
        self.assert_refused(self.folder / "none" / "out.nrrd", "none does not exist. Create it")

    def test_a_folder_instead_of_a_file_is_refused(self):
        (self.folder / "out.nrrd").mkdir()
        self.assert_refused(self.folder / "out.nrrd", "is a folder. Add a file name")

    def test_a_folder_without_permission_is_refused(self):
        error = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch("os.open", side_effect=error):
            self.assert_refused(self.folder / "out.nrrd", "cannot be written: permission denied")

    def test_the_input_is_never_overwritten_under_any_name(self):
        source = self.folder / "in.nrrd"
        source.write_bytes(b"volume")
        hard = self.folder / "hard.nrrd"
        os.link(source, hard)
        soft = self.folder / "soft.nrrd"
        soft.symlink_to(source)
        for path in (
            source,
            hard,
            soft,
            self.folder / "." / "in.nrrd",
            self.folder / ".." / self.folder.name / "in.nrrd",
        ):
            self.assert_refused(path, "is the input itself", source)
        self.assert_refused(source, "is the input itself", soft)

    def test_a_link_is_followed_and_stays_a_link(self):
        (self.folder / "place").mkdir()
        link = self.folder / "link.nrrd"
        link.symlink_to(self.folder / "place" / "real.nrrd")
        write_volume(link, Volume(array(), grid(), provenance=PROVENANCE))
        other = (
            self.folder / "other.nrrd"
        )  # the name that was given says which format, not that of the place
        other.symlink_to(self.folder / "place" / "blob")
        write_volume(other, Volume(array(), grid(), provenance=PROVENANCE))
        np.testing.assert_array_equal(read_volume(self.folder / "place" / "blob").array, array())
        self.assertTrue(link.is_symlink())
        self.assertEqual(
            sorted(os.listdir(self.folder / "place")),
            ["blob", "blob.json", "real.nrrd", "real.nrrd.json"],
        )

    def test_outputs_of_one_name_in_several_formats_each_have_a_provenance_file(
        self,
    ):
        for extension in FORMATS:
            check_output(self.folder / f"a{extension}")
            write_volume(
                self.folder / f"a{extension}", Volume(array(), grid(), provenance=PROVENANCE)
            )
        self.assert_files(
            *(
                f"a{extension}{description}"
                for extension in FORMATS
                for description in ("", ".json")
            )
        )


if __name__ == "__main__":
    unittest.main()
