"""Derived DICOM series: position and values of any other output, or an error and no files."""

import errno
import shutil
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.provenance import read_provenance
from MRISuperResLib.core.volume import Volume

from made_dicom import DerivedSeriesTest, stored, write_mr_series
from made_files import GRIDS, array, grid, run

BICUBIC = ("--model", "bicubic")


class PlaceAndValuesTest(DerivedSeriesTest):
    def assert_same(self, result, error=0):
        again = read_volume(self.out)
        self.assertEqual(again.array.shape, result.array.shape)
        np.testing.assert_allclose(again.array.astype(float), result.array, rtol=0, atol=error)
        np.testing.assert_allclose(again.ijk_to_ras, result.ijk_to_ras, rtol=0, atol=1e-6)
        if not error:
            self.assertEqual(again.array.dtype, result.array.dtype)

    def test_reading_the_series_gives_the_volume_that_other_formats_hold(self):
        for name, matrix in GRIDS.items():
            for axis in "ijk":
                with self.subTest(name, axis=axis):
                    self.write_source(matrix=matrix)
                    self.assert_same(self.derive(axis))

    @settings(max_examples=15, deadline=None)
    @given(
        angles=st.tuples(*[st.floats(-180, 180)] * 3),
        spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
        origin=st.tuples(*[st.floats(-400, 400)] * 3),
        shape=st.tuples(st.integers(1, 4), st.integers(2, 7), st.integers(2, 7)),
        signed=st.booleans(),
        axis=st.sampled_from("ijk"),
        scale=st.sampled_from((2, 4)),
        scaling=st.sampled_from(((1, 0), (1, -1024), (-1, 5), (2, 0), (0.25, -7.5), (2.1635, 0))),
        seed=st.integers(0, 9),
    )
    def test_any_place_pixel_type_and_scaling_comes_back(
        self, angles, spacing, origin, shape, signed, axis, scale, scaling, seed
    ):
        pixels = (
            np.random.default_rng(seed)
            .integers(-900 if signed else 0, 4000, shape)
            .astype(np.int16 if signed else np.uint16)
        )
        self.write_source(
            pixels,
            grid(angles, spacing, origin=origin),
            RescaleSlope=str(scaling[0]),
            RescaleIntercept=str(scaling[1]),
        )
        result = self.derive(axis, scale)
        self.assert_same(result, 0 if abs(scaling[0]) == 1 else abs(scaling[0]) / 2 * 1.001)
        self.assert_same_place(
            read_volume(self.source).ijk_to_ras,
            shape,
            read_volume(self.out).ijk_to_ras,
            result.array.shape,
        )

    def test_every_value_of_16_bits_comes_back(self):
        for dtype in ("int16", "uint16"):
            with self.subTest(dtype):
                self.write_source(array(dtype))
                self.assert_same(self.derive(model="nearest"))
                self.assertEqual(
                    {image.PixelRepresentation for image in self.images()}, {int(dtype == "int16")}
                )

    def test_values_below_the_range_of_unsigned_pixels_are_kept_by_signed_ones(self):
        edge = np.zeros((2, 6, 8), np.uint16)
        edge[:, :, 4:] = 3000
        self.write_source(edge, RescaleIntercept="-1024", RescaleSlope="1")
        result = self.derive()
        self.assertLess(result.array.min(), -1024)
        self.assert_same(result)
        self.assertEqual(self.images()[0].PixelRepresentation, 1)

    def test_values_that_16_bits_cannot_hold_are_refused(self):
        self.write_source(stored("uint16"))
        result = self.upsample()
        output = self.output()
        self.assert_refused(
            "Values from .* to .* cannot be stored in the 16 bits .* .nrrd",
            lambda: output.write(replace(result, array=result.array * np.int32(100))),
        )

    def test_a_volume_with_reversed_slices_is_written_in_place(self):
        self.write_source()
        result = self.upsample(model="bicubic")
        flip = np.diag([1.0, 1, -1, 1])
        flip[2, 3] = len(result.array) - 1
        self.output().write(
            replace(result, array=result.array[::-1], ijk_to_ras=result.ijk_to_ras @ flip)
        )
        np.testing.assert_array_equal(read_volume(self.out).array, result.array)
        self.assertEqual(
            [image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in self.images()],
            [image.SOPInstanceUID for image in self.images(self.source)],
        )

    def test_a_volume_that_was_moved_from_its_source_is_refused(self):
        self.write_source()
        low, result = read_volume(self.source), self.upsample()
        moved, turned = result.ijk_to_ras.copy(), result.ijk_to_ras.copy()
        moved[0, 3] += 1
        turned[:3, :3] = turned[:3, [1, 0, 2]]
        for name, voxels, matrix in (
            ("moved", result.array, moved),
            ("turned", result.array, turned),
            ("cropped", result.array[:, 2:], result.ijk_to_ras),
            ("cropped to a divisor", result.array[:2], result.ijk_to_ras),
            ("at the input resolution", low.array, low.ijk_to_ras),
        ):
            with self.subTest(name):
                output = self.output()
                self.assert_refused(
                    "does not lie where|not larger than",
                    lambda: output.write(replace(result, array=voxels, ijk_to_ras=matrix)),
                )

    def test_slices_across_those_of_the_source_are_thinner_by_the_factor(self):
        self.write_source(SliceThickness="3")
        self.derive("i")
        for image in self.images():
            self.assertEqual(
                (float(image.SliceThickness), float(image.SpacingBetweenSlices)), (1.5, 1.65)
            )
        self.derive("k")
        image = self.images()[0]
        self.assertEqual((float(image.SliceThickness), float(image.SpacingBetweenSlices)), (3, 3.3))

    def test_files_that_differ_from_the_volume_are_refused(self):
        self.write_source()
        result = self.upsample()
        output = self.output()
        moved = result.ijk_to_ras + np.eye(4) * 0.001
        for name, again in (
            ("a value", (result.array + np.eye(20, dtype=np.int16)[:16], result.ijk_to_ras)),
            ("the place", (result.array, moved)),
        ):
            with (
                self.subTest(name),
                mock.patch(
                    "MRISuperResLib.core.io.dicom_write.read_dicom", return_value=Volume(*again)
                ),
            ):
                self.assert_refused(
                    "do not hold what was written",
                    lambda: output.write(result),
                    "environment",
                )

    def test_the_pydicom_of_slicer_5_10_writes_the_same(self):
        """Its way to write a file, which later versions still know."""
        self.write_source()
        with mock.patch.object(pydicom, "__version__", "2.4.4"):
            self.assert_same(self.derive())
        first = self.images()[0]
        self.assertEqual(first.file_meta.MediaStorageSOPInstanceUID, first.SOPInstanceUID)
        self.assertEqual(first.file_meta.TransferSyntaxUID, pydicom.uid.ExplicitVRLittleEndian)


class RefusedTest(DerivedSeriesTest):
    def assert_source_refused(self, pattern, kind="input", **changes):
        self.write_source(**changes)
        self.assert_refused(pattern, self.output, kind)

    def test_other_kinds_of_images_are_refused_before_the_work(self):
        self.assert_source_refused(
            "Secondary Capture Image Storage.* MR and CT images only",
            SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        )

    def test_a_source_without_a_study_or_of_several_is_refused(self):
        self.assert_source_refused("does not say which study", StudyInstanceUID=None)
        for keyword, value, words in (
            ("StudyInstanceUID", "1.2.99", "studies"),
            ("PatientID", "other", "patients"),
            ("RescaleSlope", "2", "scalings .rescale slope or intercept."),
        ):
            with self.subTest(keyword):
                self.write_source()
                path = min(self.source.iterdir())
                image = pydicom.dcmread(path)
                setattr(image, keyword, value)
                image.save_as(path)
                self.assert_refused(f"are of different {words}", self.output)

    def test_the_same_scaling_in_other_digits_is_accepted(self):
        self.write_source()
        image = pydicom.dcmread(min(self.source.iterdir()))
        image.RescaleSlope, image.RescaleIntercept = "1.00", "0"
        image.save_as(min(self.source.iterdir()))
        self.derive()
        self.assertEqual(len(self.images()), 4)

    def test_a_folder_with_files_is_never_touched(self):
        self.out.mkdir()
        (self.out / "mine.txt").write_text("mine")
        self.assert_source_refused("is not empty", "settings")

    def test_a_full_disk_leaves_nothing(self):
        self.write_source()
        result = self.upsample()
        output, count = self.output(), []

        def save(image, path, **options):
            count.append(path)
            if len(count) == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            save_as(image, path, **options)

        save_as = Dataset.save_as
        with mock.patch.object(Dataset, "save_as", save):
            self.assert_refused(
                "disk is full",
                lambda: output.write(result),
                "environment",
            )
        self.assertEqual(len(count), 3)

    def test_a_failure_of_the_last_step_leaves_neither_series_nor_provenance(self):
        self.write_source()
        result, output = self.upsample(), self.output()

        def rename(path, target):
            self.assertTrue((self.folder / "out.json").exists())
            raise OSError(errno.EIO, "Input/output error")

        with mock.patch.object(Path, "rename", rename):
            self.assert_refused("cannot be written", lambda: output.write(result), "environment")

    def test_an_earlier_provenance_without_its_series_is_replaced(self):
        self.write_source()
        self.derive()
        shutil.rmtree(self.out)
        self.derive(scale=4)
        self.assertEqual(read_provenance(self.out)["scale"], 4)

    def test_another_file_in_the_place_of_the_provenance_is_refused(self):
        self.write_source()
        for text in ("{}", "notes", '{"software": "dcm2niix"}'):
            (self.folder / "out.json").write_text(text)
            with self.assertRaisesRegex(SuperResolutionError, "out.json, which is another file"):
                self.output()
            self.assertEqual((self.folder / "out.json").read_text(), text)
            self.assertFalse(self.out.exists())


class CommandLineTest(DerivedSeriesTest):
    def test_a_series_is_derived_by_one_command(self):
        self.write_source()
        code, out, err = run("upsample", self.source, self.out, "--dicom", *BICUBIC)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "^Done in .*out, 20×16×4 voxels")
        self.assertEqual(
            sorted(path.name for path in self.out.iterdir()),
            ["0001.dcm", "0002.dcm", "0003.dcm", "0004.dcm"],
        )
        self.assertEqual(read_provenance(self.out)["model"]["name"], "bicubic")
        run("upsample", self.source, self.folder / "out.nii.gz", *BICUBIC)
        there, here = read_volume(self.folder / "out.nii.gz"), read_volume(self.out)
        np.testing.assert_array_equal(here.array, there.array)
        np.testing.assert_allclose(
            here.ijk_to_ras, there.ijk_to_ras, atol=1e-4
        )  # NIfTI is in single precision

    def test_with_several_images_at_each_position_those_of_the_frame_are_the_source(self):
        self.write_source()
        for path in list(self.source.iterdir()):
            image = pydicom.dcmread(path)
            image.SOPInstanceUID += ".2"
            image.InstanceNumber += 10
            image.save_as(path.with_name(f"second-{path.name}"))
        code, _, err = run("upsample", self.source, self.out, "--dicom", "--frame", 1, *BICUBIC)
        self.assertEqual(code, 0, err)
        self.assertTrue(
            all(
                image.SourceImageSequence[0].ReferencedSOPInstanceUID.endswith(".2")
                for image in self.images()
            )
        )

    def test_an_input_without_patient_and_study_or_a_missing_one_is_refused(self):
        self.write_source()
        run("upsample", self.source, self.folder / "in.nrrd", *BICUBIC)
        before = sorted(self.folder.rglob("*"))
        for name, words in (
            ("in.nrrd", "in.nrrd is not a DICOM file. .* from a DICOM input"),
            ("none", ".*none does not exist. Check the name"),
            ("none.dcm", ".*none.dcm does not exist. Check the name"),
        ):
            with self.subTest(name):
                code, out, err = run("upsample", self.folder / name, self.out, "--dicom", *BICUBIC)
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(err, f"^error: {words}")
                self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_without_pydicom_its_installation_is_requested(self):
        self.write_source()

        class Missing:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "pydicom":
                    raise ModuleNotFoundError(f"No module named '{name}'", name=name)

        with (
            mock.patch.dict(sys.modules),
            mock.patch.object(sys, "meta_path", [Missing, *sys.meta_path]),
        ):
            for name in [
                name
                for name in sys.modules
                if name.startswith(("pydicom", "MRISuperResLib.core.io.d"))
            ]:
                del sys.modules[name]
            code, out, err = run("upsample", self.source, self.out, "--dicom", *BICUBIC)
        self.assertEqual(
            (code, out, err),
            (2, "", "error: The package pydicom is missing. Install it: pip install pydicom\n"),
        )

    def test_a_batch_makes_one_folder_per_series_and_skips_existing_ones(self):
        for name in ("study/a", "study/b/c"):
            (self.folder / name).mkdir(parents=True)
            write_mr_series(self.folder / name, stored(), grid())
        words = ("batch", self.folder / "study", "--out", self.out, "--format", "dicom", *BICUBIC)
        code, out, err = run(*words)
        self.assertEqual(code, 0, err)
        self.assertEqual(
            sorted(path.relative_to(self.out).as_posix() for path in self.out.rglob("*.json")),
            ["a_x2.json", "b/c_x2.json"],
        )
        self.assertRegex(out, "^2 written; ")
        self.assertRegex(run(*words)[1], "^2 up to date; ")

    def test_a_derived_series_is_never_an_input_of_a_batch_even_without_its_provenance(self):
        self.write_source()
        self.derive()
        (self.folder / "out.json").unlink()
        code, out, err = run("batch", self.folder, "--out", self.folder / "all", *BICUBIC)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "^1 written, 1 left out; ")
        self.assertRegex(err, "Left out .*/out: It is an output of MRISuperRes")


if __name__ == "__main__":
    unittest.main()
