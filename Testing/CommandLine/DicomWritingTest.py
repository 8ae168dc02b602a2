"""Derived DICOM series: the same place and values as any other output, the patient and study of the source, and what the standard asks for."""

import errno
import json
import sys
import unittest
import warnings
from unittest import mock

import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.files import read_volume
from MRISuperResLib.core.files.dicom import find_series
from MRISuperResLib.core.files.dicom_writing import DicomOutput
from MRISuperResLib.core.job import UpscaleJob
from MRISuperResLib.core.upscale import upscale

from made_dicom import EQUIPMENT, PATIENT, SERIES, STUDY, standard_errors, write_mr_series
from made_files import EDGE, GRIDS, NO_DATA, FolderTest, array, grid, run

BICUBIC = ("--model", "bicubic")
CT = "1.2.840.10008.5.1.4.1.1.2"


def stored(dtype="int16", shape=(4, 8, 10), high=1000):
    k, j, i = np.mgrid[:shape[0], :shape[1], :shape[2]]
    return (high / 2 * (1 + np.sin(i / 2.0) * np.cos(j / 3.0 + k))).astype(dtype)


class DerivedSeriesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.source, self.out = self.folder / "in", self.folder / "out"
        self.source.mkdir()

    def write_source(self, pixels=None, matrix=None, **changes):
        for path in self.source.iterdir():
            path.unlink()
        write_mr_series(self.source, stored() if pixels is None else pixels, grid() if matrix is None else matrix, **changes)

    def derive(self, axis="k", scale=2, model="bicubic"):
        """Makes the series in self.out; returns the result of the core that is in it."""
        volume = read_volume(self.source)
        result = upscale(volume.array, volume.ijk_to_ras, UpscaleJob(model=model, scale=scale, axis=axis))
        for path in self.out.iterdir() if self.out.exists() else ():
            path.unlink()
        DicomOutput(self.out, find_series(self.source)).write(result.volume, result.ijk_to_ras, result.provenance)
        return result

    def images(self, folder=None):
        """The headers of a series, in the order of their instance numbers."""
        return sorted((pydicom.dcmread(path) for path in (folder or self.out).glob("*.dcm")), key=lambda image: image.InstanceNumber)

    def assert_refused(self, pattern, function, kind="input"):
        before = sorted(self.folder.rglob("*"))
        with self.assertRaisesRegex(MRISuperResError, pattern) as caught:
            function()
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(sorted(self.folder.rglob("*")), before)


class PlaceAndValuesTest(DerivedSeriesTest):
    def assert_same(self, result, error=0):
        again = read_volume(self.out)
        self.assertEqual(again.array.shape, result.volume.shape)
        np.testing.assert_allclose(again.array.astype(float), result.volume, rtol=0, atol=error)
        np.testing.assert_allclose(again.ijk_to_ras, result.ijk_to_ras, rtol=0, atol=1e-9 * 1e3)
        if not error:
            self.assertEqual(again.array.dtype, result.volume.dtype)

    def test_what_is_read_again_is_the_volume_that_other_formats_would_hold(self):
        for name, matrix in GRIDS.items():
            for axis in "ijk":
                with self.subTest(name, axis=axis):
                    self.write_source(matrix=matrix)
                    self.assert_same(self.derive(axis))

    @settings(max_examples=15, deadline=None)
    @given(angles=st.tuples(*[st.floats(-180, 180)] * 3), spacing=st.tuples(*[st.floats(0.3, 6)] * 3), origin=st.tuples(*[st.floats(-400, 400)] * 3),
           shape=st.tuples(st.integers(1, 4), st.integers(2, 7), st.integers(2, 7)), signed=st.booleans(), axis=st.sampled_from("ijk"), scale=st.sampled_from((2, 4)),
           scaling=st.sampled_from(((1, 0), (1, -1024), (-1, 5), (2, 0), (0.25, -7.5), (2.1635, 0))), seed=st.integers(0, 9))
    def test_any_place_pixel_type_and_scaling_comes_back(self, angles, spacing, origin, shape, signed, axis, scale, scaling, seed):
        pixels = np.random.default_rng(seed).integers(-900 if signed else 0, 4000, shape).astype(np.int16 if signed else np.uint16)
        self.write_source(pixels, grid(angles, spacing, origin=origin), RescaleSlope=str(scaling[0]), RescaleIntercept=str(scaling[1]))
        result = self.derive(axis, scale)
        self.assert_same(result, 0 if abs(scaling[0]) == 1 else abs(scaling[0]) / 2 * 1.001)
        self.assert_same_place(read_volume(self.source).ijk_to_ras, shape, read_volume(self.out).ijk_to_ras, result.volume.shape)

    def test_every_value_of_16_bits_comes_back(self):
        for dtype in ("int16", "uint16"):
            with self.subTest(dtype):
                self.write_source(array(dtype))
                self.assert_same(self.derive(model="nearest"))
                self.assertEqual({image.PixelRepresentation for image in self.images()}, {int(dtype == "int16")})

    def test_values_below_the_range_of_unsigned_pixels_are_kept_by_signed_ones(self):
        edge = np.zeros((2, 6, 8), np.uint16)
        edge[:, :, 4:] = 3000
        self.write_source(edge, RescaleIntercept="-1024", RescaleSlope="1")
        result = self.derive()
        self.assertLess(result.volume.min(), -1024)
        self.assert_same(result)
        self.assertEqual(self.images()[0].PixelRepresentation, 1)

    def test_values_that_16_bits_cannot_hold_are_refused(self):
        self.write_source(stored("uint16"))
        volume = read_volume(self.source)
        result = upscale(volume.array.astype(np.int32) * 100, volume.ijk_to_ras, UpscaleJob(model="nearest", scale=2))
        output = DicomOutput(self.out, find_series(self.source))
        self.assert_refused("Values from .* to .* can't be stored in the 16 bits .* .nrrd", lambda: output.write(result.volume, result.ijk_to_ras, result.provenance))

    def test_a_volume_that_was_read_the_other_way_round_is_written_where_it_lies(self):
        self.write_source()
        volume = read_volume(self.source)
        flip = np.diag([1.0, 1, -1, 1])
        flip[2, 3] = len(volume.array) - 1
        result = upscale(volume.array[::-1], volume.ijk_to_ras @ flip, UpscaleJob(model="bicubic", scale=2))
        DicomOutput(self.out, find_series(self.source)).write(result.volume, result.ijk_to_ras, result.provenance)
        np.testing.assert_array_equal(read_volume(self.out).array, result.volume[::-1])
        self.assertEqual([image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in self.images()],
                         [image.SOPInstanceUID for image in self.images(self.source)])

    def test_a_volume_that_has_left_the_place_of_its_source_is_refused(self):
        self.write_source()
        volume = read_volume(self.source)
        result = upscale(volume.array, volume.ijk_to_ras, UpscaleJob(model="nearest", scale=2))
        moved, turned = result.ijk_to_ras.copy(), result.ijk_to_ras.copy()
        moved[0, 3] += 1
        turned[:3, :3] = turned[:3, [1, 0, 2]]
        for name, voxels, matrix in (("moved", result.volume, moved), ("turned", result.volume, turned), ("cropped", result.volume[:, 2:], result.ijk_to_ras),
                                     ("cropped to a divisor", result.volume[:2], result.ijk_to_ras), ("not enlarged", volume.array, volume.ijk_to_ras)):
            with self.subTest(name):
                output = DicomOutput(self.out, find_series(self.source))
                self.assert_refused("does not lie where|not larger than", lambda: output.write(voxels, matrix, result.provenance))

    def test_slices_across_those_of_the_source_are_thinner_by_the_scale(self):
        self.write_source(SliceThickness="3")
        self.derive("i")
        image = self.images()[0]
        self.assertEqual((float(image.SliceThickness), float(image.SpacingBetweenSlices)), (1.5, 1.65))
        self.derive("k")
        image = self.images()[0]
        self.assertEqual((float(image.SliceThickness), float(image.SpacingBetweenSlices)), (3, 3.3))

    def test_files_that_do_not_hold_what_was_written_are_no_result(self):
        self.write_source()
        read = read_volume(self.source)
        result = upscale(read.array, read.ijk_to_ras, UpscaleJob(model="nearest", scale=2))
        output = DicomOutput(self.out, find_series(self.source))
        moved = result.ijk_to_ras + np.eye(4) * 0.001
        for name, again in (("a value", (result.volume + np.eye(20, dtype=np.int16)[:16], result.ijk_to_ras)), ("the place", (result.volume, moved))):
            with self.subTest(name), mock.patch("MRISuperResLib.core.files.dicom_writing.read_dicom", return_value=(*again, [])):
                self.assert_refused("do not hold what was written", lambda: output.write(result.volume, result.ijk_to_ras, result.provenance), "environment")


class HeaderTest(DerivedSeriesTest):
    def test_patient_study_and_frame_of_reference_are_those_of_the_source_and_series_and_images_are_new(self):
        self.write_source()
        self.derive()
        old, new = self.images(self.source), self.images()
        for keyword in (*PATIENT, *STUDY, "FrameOfReferenceUID", "SOPClassUID", "EchoTime", "WindowCenter", "AcquisitionMatrix", "ProtocolName"):
            self.assertEqual([image[keyword] for image in new], [image[keyword] for image in old], keyword)
        uids = [image.SOPInstanceUID for image in new]
        self.assertEqual(len(set(uids) | {image.SOPInstanceUID for image in old}), 2 * len(old))
        series = {image.SeriesInstanceUID for image in new}
        self.assertEqual(len(series), 1)
        self.assertNotEqual(series, {SERIES["SeriesInstanceUID"]})
        self.assertTrue(all(uid.is_valid for uid in [*uids, *series]))
        self.assertEqual([image.file_meta.MediaStorageSOPInstanceUID for image in new], uids)
        self.assertEqual([image.AcquisitionTime for image in new], [image.AcquisitionTime for image in old])
        self.derive()
        self.assertFalse({image.SOPInstanceUID for image in self.images()} & set(uids))

    def test_every_image_says_that_it_is_synthetic_and_how_it_was_made(self):
        self.write_source(ImageComments="breath hold")
        result = self.derive(scale=4)
        for image in self.images():
            self.assertEqual(image.ImageType, ["DERIVED", "SECONDARY", "M", "ND", "SYNTHETIC"])
            self.assertEqual((image.SeriesDescription, image.SeriesNumber), ("T2 HASTE SR x4 bicubic (synthetic)", 1007))
            self.assertRegex(image.DerivationDescription, r"x4 of the slices along k .* MRISuperRes \S+, model bicubic .*synthetic, not for diagnosis")
            self.assertEqual(image.ImageComments, "Synthetic, not for diagnosis.\nbreath hold")
            self.assertEqual(image.ContentQualification, "RESEARCH")
            self.assertEqual([(code.CodeValue, code.CodeMeaning) for code in image.DerivationCodeSequence], [("113085", "Spatial resampling")])
            self.assertEqual(image.SoftwareVersions, result.provenance["software"])
        self.assertEqual(json.loads((self.out / "MRISuperRes.json").read_text(encoding="utf-8")), result.provenance)

    def test_the_weights_are_named_by_their_hash_and_long_descriptions_give_way_to_the_mark(self):
        self.write_source(SeriesDescription="d" * 64, DerivationDescription="t" * 1024)
        result = self.derive(model="fast-x2-psnr")
        image = self.images()[0]
        self.assertIn(result.provenance["model"]["sha256"], image.DerivationDescription)
        self.assertIn("Before: ttt", image.DerivationDescription)
        self.assertLessEqual(len(image.DerivationDescription), 1024)
        self.assertRegex(image.SeriesDescription, r"^d{20,} SR x2 fast-x2-psnr \(synthetic\)$")
        self.assertEqual(len(image.SeriesDescription), 64)

    def test_an_image_names_the_images_that_it_was_made_of(self):
        self.write_source()
        uids = [image.SOPInstanceUID for image in self.images(self.source)]
        for axis, expected in (("k", [[uid] for uid in uids]), ("i", [uids] * (2 * len(uids)))):
            with self.subTest(axis):
                self.derive(axis)
                references = [image.SourceImageSequence for image in self.images()]
                self.assertEqual([[item.ReferencedSOPInstanceUID for item in items] for items in references], expected)
                self.assertEqual({item.PurposeOfReferenceCodeSequence[0].CodeValue for items in references for item in items}, {"121322"})

    def test_what_only_one_of_several_source_images_says_is_not_said_of_an_image_that_was_made_of_all(self):
        self.write_source()
        self.derive("j")
        image = self.images()[0]
        self.assertNotIn("AcquisitionTime", image)
        self.assertEqual(image.EchoTime, 81)

    def test_the_scanner_becomes_a_contributor_and_a_program_a_processor(self):
        self.write_source(GantryID="G")
        self.derive()
        image = self.images()[0]
        self.assertEqual((image.Manufacturer, image.ManufacturerModelName), ("MRISuperRes", "MRISuperRes"))
        self.assertFalse({"InstitutionName", "DeviceSerialNumber", "OperatorsName", "GantryID"} & set(image.dir()))
        scanner, = image.ContributingEquipmentSequence
        self.assertEqual({keyword: scanner[keyword].value for keyword in EQUIPMENT}, EQUIPMENT)
        self.assertEqual(scanner.PurposeOfReferenceCodeSequence[0].CodeValue, "109101")
        for path in self.source.iterdir():
            path.unlink()
        for path in self.out.glob("*.dcm"):
            path.rename(self.source / path.name)
        self.derive()
        image = self.images()[0]
        self.assertEqual([item.PurposeOfReferenceCodeSequence[0].CodeValue for item in image.ContributingEquipmentSequence], ["109101", "109102"])
        self.assertEqual(len(image.DerivationCodeSequence), 2)
        self.assertEqual(image.ImageType.count("SYNTHETIC"), 1)

    def test_what_is_not_true_of_other_pixels_of_another_series_or_is_private_is_left_out(self):
        gone = {"SmallestImagePixelValue": 1, "LargestImagePixelValue": 9, "PixelPaddingValue": 0, "PixelAspectRatio": ["1", "1"], "NumberOfFrames": "1",
                "SOPInstanceStatus": "AO", "PerformedProcedureStepID": "P", "PerformingPhysicianName": "Foe^F"}
        private, overlay = Dataset(), Dataset()
        private.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        private.add_new(0x00291010, "OB", b"12")
        overlay.add_new(0x60000010, "US", 8)
        self.write_source(**gone)
        for path in self.source.iterdir():
            image = pydicom.dcmread(path)
            for element in (*private, *overlay):
                image.add(element)
            image.save_as(path)
        self.derive()
        for image in self.images():
            self.assertFalse(set(gone) & set(image.dir()))
            self.assertFalse([element.tag for element in image.iterall() if element.tag.is_private or element.tag.group == 0x6000])

    def test_a_loss_by_compression_is_not_forgotten(self):
        self.write_source(LossyImageCompression="01", LossyImageCompressionRatio="12", LossyImageCompressionMethod="ISO_10918_1")
        self.derive()
        self.assertEqual((self.images()[0].LossyImageCompression, self.images()[0].LossyImageCompressionRatio), ("01", 12))

    def test_nothing_is_made_up_about_patient_study_and_acquisition(self):
        self.write_source(PatientName=None, PatientBirthDate=None, StudyID=None, ScanOptions=None, EchoTime=None, SeriesNumber=None, SeriesDescription=None,
                          SliceThickness=None, BodyPartExamined=None, BurnedInAnnotation=None)
        self.derive()
        image = self.images()[0]
        for keyword in ("PatientName", "PatientBirthDate", "StudyID", "ScanOptions", "EchoTime", "SliceThickness"):
            self.assertTrue(keyword in image and image[keyword].is_empty, keyword)
        self.assertFalse({"BodyPartExamined", "BurnedInAnnotation"} & set(image.dir()))
        self.assertEqual((image.SeriesNumber, image.SeriesDescription), (1000, "SR x2 bicubic (synthetic)"))

    def test_times_are_those_of_the_clock_that_the_source_goes_by(self):
        self.write_source(TimezoneOffsetFromUTC="+1345")
        volume = read_volume(self.source)
        result = upscale(volume.array, volume.ijk_to_ras, UpscaleJob(model="nearest", scale=2))
        DicomOutput(self.out, find_series(self.source)).write(result.volume, result.ijk_to_ras, result.provenance | {"date": "2024-05-06T20:00:00+00:00"})
        image = self.images()[0]
        self.assertEqual((image.ContentDate, image.ContentTime, image.SeriesDate), ("20240507", "094500", "20240507"))

    def test_a_name_in_another_script_stays_as_it_is(self):
        self.write_source(SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг")
        self.derive()
        self.assertEqual(self.images()[0].PatientName, "Люкceмбypг")

    def test_elements_that_cannot_be_decoded_are_left_out(self):
        self.write_source(AcquisitionMatrix=None)
        for path in self.source.iterdir():
            image = pydicom.dcmread(path)
            image.add_new("AcquisitionMatrix", "UN", b"odd")
            image.save_as(path)
            with self.assertRaises(ValueError):
                pydicom.dcmread(path).AcquisitionMatrix
        self.derive()
        self.assertNotIn("AcquisitionMatrix", self.images()[0])


class StandardTest(DerivedSeriesTest):
    """dciodvfy, the checker of David Clunie's dicom3tools, knows the attributes that every kind of image must, may and must not have."""

    def assert_standard(self):
        for path in sorted(self.out.glob("*.dcm")):
            self.assertEqual(standard_errors(path), [])
            with warnings.catch_warnings(), mock.patch.multiple(pydicom.config.settings, _reading_validation_mode=pydicom.config.RAISE):
                warnings.simplefilter("error")
                self.assertTrue(list(pydicom.dcmread(path).iterall()))

    def test_a_series_of_slices_in_any_direction_keeps_the_rules_of_its_class(self):
        for axis in "ijk":
            with self.subTest(axis), mock.patch.multiple(pydicom.config.settings, _writing_validation_mode=pydicom.config.RAISE):
                self.write_source(matrix=GRIDS["oblique"])
                self.derive(axis)
                self.assert_standard()

    def test_the_checker_finds_what_is_missing(self):
        self.write_source()
        self.derive()
        image = pydicom.dcmread(self.out / "0001.dcm")
        del image.PatientID, image.PixelSpacing
        image.save_as(self.out / "0001.dcm")
        self.assertRegex(" ".join(standard_errors(self.out / "0001.dcm")), "PixelSpacing.*PatientID|PatientID.*PixelSpacing")

    @unittest.skipUnless(EDGE.is_dir(), NO_DATA)
    def test_real_images_of_every_encoding_keep_the_rules_of_their_class(self):
        for name in ("MR_small", "MR_small_bigendian", "MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "CT_small"):
            for path in self.source.iterdir():
                path.unlink()
            (self.source / "a.dcm").write_bytes((EDGE / f"pydicom_{name}.dcm").read_bytes())
            for axis in "ik":
                with self.subTest(name, axis=axis):
                    result = self.derive(axis)
                    self.assert_standard()
                    np.testing.assert_array_equal(read_volume(self.out).array, result.volume)


class RefusedTest(DerivedSeriesTest):
    def assert_source_refused(self, pattern, kind="input", **changes):
        self.write_source(**changes)
        self.assert_refused(pattern, lambda: DicomOutput(self.out, find_series(self.source)), kind)

    def test_other_kinds_of_images_are_refused_before_the_work(self):
        self.assert_source_refused("Secondary Capture Image Storage.* MR and CT images only", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")

    def test_a_source_without_a_study_or_of_several_is_refused(self):
        self.assert_source_refused("does not say which study", StudyInstanceUID=None)
        for keyword, value, words in (("StudyInstanceUID", "1.2.99", "studies"), ("PatientID", "other", "patients"), ("RescaleSlope", "2", "rescale slopes")):
            with self.subTest(keyword):
                self.write_source()
                path = min(self.source.iterdir())
                image = pydicom.dcmread(path)
                setattr(image, keyword, value)
                image.save_as(path)
                self.assert_refused(f"are of different {words}", lambda: DicomOutput(self.out, find_series(self.source)))

    def test_a_folder_that_holds_something_is_never_touched(self):
        self.out.mkdir()
        (self.out / "mine.txt").write_text("mine")
        self.assert_source_refused("is not empty", "settings")

    def test_a_full_disk_leaves_nothing(self):
        self.write_source()
        volume = read_volume(self.source)
        result = upscale(volume.array, volume.ijk_to_ras, UpscaleJob(model="nearest", scale=2))
        output, count = DicomOutput(self.out, find_series(self.source)), []

        def save(image, path, **options):
            count.append(path)
            if len(count) == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            save_as(image, path, **options)

        save_as = Dataset.save_as
        with mock.patch.object(Dataset, "save_as", save):
            self.assert_refused("disk is full", lambda: output.write(result.volume, result.ijk_to_ras, result.provenance), "environment")
        self.assertEqual(len(count), 3)


class CommandLineTest(DerivedSeriesTest):
    def test_a_series_is_derived_by_one_command(self):
        self.write_source()
        code, out, err = run("upscale", self.source, self.out, "--dicom", *BICUBIC)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "^Written: .*out, 20×16×4 voxels")
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["0001.dcm", "0002.dcm", "0003.dcm", "0004.dcm", "MRISuperRes.json"])
        run("upscale", self.source, self.folder / "out.nii.gz", *BICUBIC)
        there, here = read_volume(self.folder / "out.nii.gz"), read_volume(self.out)
        np.testing.assert_array_equal(here.array, there.array)
        np.testing.assert_allclose(here.ijk_to_ras, there.ijk_to_ras, atol=1e-4)  # NIfTI is in single precision

    def test_an_input_without_patient_and_study_is_refused(self):
        self.write_source()
        run("upscale", self.source, self.folder / "in.nrrd", *BICUBIC)
        before = sorted(self.folder.rglob("*"))
        code, out, err = run("upscale", self.folder / "in.nrrd", self.out, "--dicom", *BICUBIC)
        self.assertEqual((code, out), (2, ""))
        self.assertRegex(err, "error: in.nrrd is no DICOM file: .* of a DICOM input only")
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_without_pydicom_it_is_asked_for(self):
        self.write_source()
        gone = [name for name in sys.modules if name.startswith(("pydicom.", "MRISuperResLib.core.files.d"))]
        with mock.patch.dict(sys.modules, {"pydicom": None}):
            for name in gone:
                del sys.modules[name]
            code, out, err = run("upscale", self.source, self.out, "--dicom", *BICUBIC)
        self.assertEqual((code, out, err), (2, "", "error: The package pydicom is missing: install it (pip install pydicom).\n"))

    def test_many_series_become_as_many_folders_which_are_not_made_again(self):
        for name in ("study/a", "study/b/c"):
            (self.folder / name).mkdir(parents=True)
            write_mr_series(self.folder / name, stored(), grid())
        words = ("upscale-many", self.folder / "study", "--out", self.out, "--format", "dicom", *BICUBIC)
        code, out, err = run(*words)
        self.assertEqual(code, 0, err)
        self.assertEqual(sorted(path.relative_to(self.out).as_posix() for path in self.out.rglob("MRISuperRes.json")),
                         ["a_x2/MRISuperRes.json", "b/c_x2/MRISuperRes.json"])
        self.assertRegex(out, "^2 written; ")
        self.assertRegex(run(*words)[1], "^2 there already; ")


if __name__ == "__main__":
    unittest.main()
