"""Fields of headers that an output keeps, because they are as true of it as of its source."""

import json
import unittest

import nibabel
import numpy as np
import SimpleITK as sitk

import MRISuperResLib
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

from made_files import FolderTest, array, grid, run

PARAMETERS = dict(intent_p1=3.5, intent_p2=-2, intent_p3=0.125)
RANGE = dict(cal_min=-3, cal_max=7.25)
MARK = b"MRISuperRes 0.1.0: synthetic, not for diagnosis"
NRRD = (
    "NRRD0005\ntype: short\ndimension: 3\nsizes: 6 5 4\nencoding: raw\nendian: little\n"
    "space: {}\nspace directions: ({}2,0,0) (0,{}2,0) (0,0,3)\nspace origin: ({}1,{}2,3)\n{}\n"
)


class HeaderTest(FolderTest):
    def upsampled(self, source, name="out.nii.gz", **options):
        """Upsample a file on the command line by 2 in plane (k); return the path of the output."""
        path = self.folder / name
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        code, _, err = run("upsample", source, path, "--model", "bicubic", *words)
        self.assertEqual(code, 0, err)
        return path


class NiftiFieldsTest(HeaderTest):
    def save(self, voxels=None, sform=grid(), qform=grid(), codes=(1, 1), units=2, **fields):
        """Save voxels (k, j, i); codes: of sform and qform."""
        voxels = array() if voxels is None else voxels
        image = nibabel.Nifti1Image(voxels.T, sform, dtype=voxels.dtype)
        image.set_sform(sform, codes[0])
        image.set_qform(qform, codes[1])
        image.header["xyzt_units"] = units
        for key, value in fields.items():
            image.header[key] = value
        nibabel.save(image, self.folder / "in.nii")
        return self.folder / "in.nii"

    def header(self, path):
        return nibabel.load(path).header

    def test_the_codes_of_the_position_are_kept(self):
        for codes in ((4, 0), (4, 4), (3, 1), (2, 2), (1, 0), (5, 1)):
            with self.subTest(codes):
                header = self.header(self.upsampled(self.save(codes=codes)))
                self.assertEqual((header["sform_code"], header["qform_code"]), codes)
                expected = grid(spacing=(0.5625, 0.6, 3.3))
                np.testing.assert_allclose(header.get_sform()[:3, :3], expected[:3, :3], atol=1e-5)
                np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)

    def test_the_sform_takes_the_code_of_the_position_that_was_used(self):
        for codes, expected in (((0, 1), (1, 1)), ((0, 3), (3, 3)), ((0, 0), (2, 0))):
            header = self.header(self.upsampled(self.save(codes=codes)))
            self.assertEqual((header["sform_code"], header["qform_code"]), expected)

    def test_the_code_of_a_qform_at_another_position_is_not_kept(self):
        elsewhere = grid(origin=(0, 0, 0))
        header = self.header(self.upsampled(self.save(qform=elsewhere, codes=(4, 1))))
        self.assertEqual((header["sform_code"], header["qform_code"]), (4, 0))

    def test_intent_and_display_range_are_kept(self):
        source = self.save(intent_code=5, intent_name=b"group", **PARAMETERS, **RANGE)
        for path in (source, self.upsampled(source), self.upsampled(source, "two.nii")):
            header = self.header(path)
            self.assertEqual((header["intent_code"], header["intent_name"]), (5, b"group"))
            for key, value in (PARAMETERS | RANGE).items():
                self.assertEqual(header[key], value)

    def test_the_display_range_stays_in_the_units_of_the_scaled_voxels(self):
        header = self.header(
            self.upsampled(self.save(scl_slope=0.5, scl_inter=10, cal_min=20, cal_max=900))
        )
        self.assertEqual((header["cal_min"], header["cal_max"]), (20, 900))

    def test_time_step_and_units_are_kept_and_lengths_are_in_millimeters(self):
        for unit, millimeters in ((1, 1000), (2, 1), (3, 0.001)):
            matrix = grid(spacing=np.divide((1.125, 1.2, 3.3), millimeters), origin=(0, 0, 0))
            for time in (8, 16):
                source = self.save(sform=matrix, qform=matrix, units=unit + time, toffset=1.5)
                data = bytearray(source.read_bytes())
                np.frombuffer(data, nibabel.Nifti1Header.template_dtype, count=1)[0]["pixdim"][
                    4
                ] = 2.25
                source.write_bytes(data)
                header = self.header(self.upsampled(source))
                self.assertEqual(header["xyzt_units"], 2 + time)
                self.assertEqual((header["pixdim"][4], header["toffset"]), (2.25, 1.5))
                np.testing.assert_allclose(header["pixdim"][1:4], (0.5625, 0.6, 3.3), rtol=1e-5)

    def test_the_description_follows_the_synthetic_mark(self):
        for text, expected in (
            (b"", MARK),
            (b"TE=98;Time=1", MARK + b"; TE=98;Time=1"),
            (b"x" * 79, MARK + b"; " + b"x" * 30),
            ("µ".encode() * 39, MARK + b"; " + "µ".encode() * 15),
        ):
            path = self.upsampled(self.save(descrip=text))
            header = self.header(path)
            self.assertEqual(header["descrip"].item(), expected)
            self.assertLess(len(expected), 80)
            record = json.loads(header.extensions[0].get_content())
            self.assertEqual(record["input"].get("description", ""), text.decode())

    def test_a_volume_that_was_only_read_keeps_its_description(self):
        write_volume(self.folder / "b.nii", read_volume(self.save(descrip=b"FSL6")))
        self.assertEqual(self.header(self.folder / "b.nii")["descrip"], b"FSL6")

    def test_slice_timing_is_kept_if_no_slice_was_added(self):
        timing = dict(slice_code=3, slice_start=0, slice_end=3, slice_duration=0.5)
        source = self.save(dim_info=1 + 2 * 4 + 3 * 16, **timing)
        header = self.header(self.upsampled(source))
        self.assertEqual(header["dim_info"], 57)
        self.assertEqual({key: header[key] for key in timing}, timing)
        header = self.header(self.upsampled(source, **{"slice-axis": "i"}))
        self.assertEqual(header["dim_info"], 57)
        self.assertEqual({key: header[key] for key in timing}, dict.fromkeys(timing, 0))

    def test_numbers_that_are_not_finite_are_dropped(self):
        header = self.header(self.upsampled(self.save(cal_max=np.nan, toffset=np.inf)))
        self.assertEqual((header["cal_max"], header["toffset"]), (0, 0))

    def test_python_keeps_the_fields_too(self):
        volume = MRISuperResLib.upsample(self.save(codes=(4, 0)), model="bicubic", scale=2)
        volume.save(self.folder / "out.nii")
        self.assertEqual(self.header(self.folder / "out.nii")["sform_code"], 4)

    def test_compared_volumes_keep_the_fields_and_maps_only_the_space(self):
        source = self.save(
            array(shape=(4, 40, 40)), codes=(4, 0), intent_code=5, descrip=b"TE=98", **RANGE
        )
        words = ("--methods", "nearest,bicubic", "--scale", 2, "--maps", "--device", "cpu")
        code, _, err = run("compare", source, *words, "--out", self.folder / "out")
        self.assertEqual(code, 0, err)
        for name in ("low", "reference", "volumes/bicubic"):
            header = self.header(self.folder / "out" / f"{name}.nii.gz")
            self.assertEqual((header["sform_code"], header["intent_code"]), (4, 5))
        header = self.header(self.folder / "out" / "maps" / "bicubic-error.nii.gz")
        self.assertEqual((header["sform_code"], header["qform_code"]), (4, 0))
        self.assertEqual((header["intent_code"], header["cal_max"]), (0, 0))

    def test_nrrd_and_metaimage_hold_the_fields_under_the_names_that_itk_uses(self):
        source = self.save(codes=(4, 0), intent_code=5, descrip=b"TE=98", **RANGE)
        for name in ("out.nrrd", "out.mha"):
            path = self.upsampled(source, name)
            image, original = (sitk.ReadImage(str(file)) for file in (path, source))
            for key in ("sform_code", "qform_code", "intent_code", "descrip", *RANGE):
                self.assertEqual(image.GetMetaData(key), original.GetMetaData(key))
            header = self.header(self.upsampled(path, "again.nii"))
            self.assertEqual((header["sform_code"], header["intent_code"]), (4, 5))

    def test_unusable_fields_of_another_format_are_ignored(self):
        fields = {"sform_code": "MNI", "qform_code": "-1", "intent_code": "1e9", "cal_max": "nan"}
        write_volume(self.folder / "a.nii", Volume(array(), grid(), header=fields))
        header = self.header(self.folder / "a.nii")
        self.assertEqual(
            [header[key] for key in ("sform_code", "qform_code", "intent_code", "cal_max")],
            [1, 0, 0, 0],
        )


class UserFieldsTest(HeaderTest):
    def nrrd(self, fields="", space="left-posterior-superior", sign=""):
        path = self.folder / "in.nrrd"
        text = NRRD.format(space, sign, sign, sign, sign, fields)
        path.write_bytes(text.encode("latin-1") + np.arange(120, dtype="<i2").tobytes())
        return path

    def fields(self, path):
        image = sitk.ReadImage(str(path))
        return {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}

    def test_user_fields_of_nrrd_are_kept(self):
        source = self.nrrd("content: knee\nEchoTime:=80\nmy note:=two\\nlines = 1\n")
        fields = self.fields(self.upsampled(source, "out.nrrd"))
        self.assertEqual(fields["NRRD_content"], "knee")
        self.assertEqual((fields["EchoTime"], fields["my note"]), ("80", "two\nlines = 1"))
        fields = self.fields(self.upsampled(source, "out.mha"))
        self.assertEqual((fields["EchoTime"], fields["my note"]), ("80", "two lines = 1"))

    def test_names_with_a_meaning_in_metaimage_do_not_spoil_the_file(self):
        names = ("ElementDataFile", "DimSize", "Offset", "Orientation", "HeaderSize", "Comment")
        source = self.nrrd("".join(f"{name}:=7\n" for name in names) + f"long:={'x' * 40000}\n")
        volume = read_volume(self.upsampled(source, "out.mha"))
        np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], (-0.5, -1.5, 3))
        self.assertEqual(self.fields(self.upsampled(source, "out.nrrd"))["Offset"], "7")

    def test_fields_about_the_grid_of_the_source_are_dropped(self):
        source = self.nrrd("dim[1]:=6\npixdim[1]:=2\nsrow_x:=1 0 0 0\nscl_slope:=3\n")
        fields = self.fields(self.upsampled(source, "out.nrrd"))
        self.assertFalse({"dim[1]", "pixdim[1]", "srow_x", "scl_slope"} & set(fields))

    def test_bytes_that_are_not_utf_8_are_no_obstacle(self):
        source = self.nrrd("descrip:=Übung\nÜ:=1\n")
        for name in ("out.nrrd", "out.mha", "out.nii"):
            self.upsampled(source, name)

    def test_a_time_step_that_is_not_a_number_is_ignored(self):
        source = self.nrrd("pixdim[4]:=2,5 s\n")
        for name in ("out.nrrd", "out.mha", "out.nii"):
            self.upsampled(source, name)

    def test_user_fields_of_metaimage_are_kept(self):
        image = sitk.GetImageFromArray(array())
        image.SetMetaData("EchoTime", "80")
        source = self.folder / "in.mha"
        sitk.WriteImage(image, str(source))
        for name in ("out.mha", "out.nrrd"):
            self.assertEqual(self.fields(self.upsampled(source, name))["EchoTime"], "80")

    def test_fields_about_all_frames_are_not_those_of_one(self):
        source = self.nrrd("DWMRI_gradient_0001:=1 0 0\nmodality:=DWMRI\nEchoTime:=80\n")
        text = source.read_bytes().replace(b"dimension: 3\nsizes: 6", b"dimension: 4\nsizes: 2 3")
        text = text.replace(b"directions: ", b"directions: none ")
        source.write_bytes(text.replace(b"space:", b"kinds: list domain domain domain\nspace:"))
        fields = self.fields(self.upsampled(source, "out.nrrd", frame=1))
        self.assertIn("EchoTime", fields)
        self.assertFalse({"DWMRI_gradient_0001", "modality"} & set(fields))

    def test_every_space_is_written_as_the_same_position(self):
        for space, sign in (("left-posterior-superior", ""), ("right-anterior-superior", "-")):
            path = self.upsampled(self.nrrd(space=space, sign=sign), "out.nrrd")
            np.testing.assert_allclose(read_volume(path).ijk_to_ras[:3, 3], (-0.5, -1.5, 3))


if __name__ == "__main__":
    unittest.main()
