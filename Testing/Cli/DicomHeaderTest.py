"""Headers of derived DICOM series: source attributes, new attributes, rules of the standard."""

import json
import unittest
from dataclasses import replace
import warnings
from unittest import mock

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from MRISuperResLib.core.io.formats import read_volume

from made_dicom import (
    EQUIPMENT,
    PATIENT,
    SERIES,
    STUDY,
    DerivedSeriesTest,
    contradictions,
    standard_errors,
)
from made_files import EDGE, GRIDS, NO_DATA


class HeaderTest(DerivedSeriesTest):
    def test_patient_study_and_frame_of_reference_are_the_sources_and_series_and_images_are_new(
        self,
    ):
        self.write_source()
        self.derive()
        old, new = self.images(self.source), self.images()
        for keyword in (
            *PATIENT,
            *STUDY,
            "FrameOfReferenceUID",
            "SOPClassUID",
            "EchoTime",
            "WindowCenter",
            "AcquisitionMatrix",
            "ProtocolName",
        ):
            self.assertEqual(
                [image[keyword] for image in new], [image[keyword] for image in old], keyword
            )
        uids = [image.SOPInstanceUID for image in new]
        self.assertEqual(len(set(uids) | {image.SOPInstanceUID for image in old}), 2 * len(old))
        series = {image.SeriesInstanceUID for image in new}
        self.assertEqual(len(series), 1)
        self.assertNotEqual(series, {SERIES["SeriesInstanceUID"]})
        self.assertTrue(all(uid.is_valid for uid in [*uids, *series]))
        self.assertEqual([image.file_meta.MediaStorageSOPInstanceUID for image in new], uids)
        self.assertEqual(
            [image.AcquisitionTime for image in new], [image.AcquisitionTime for image in old]
        )
        self.derive()
        self.assertFalse({image.SOPInstanceUID for image in self.images()} & set(uids))

    def test_every_image_is_marked_synthetic_and_describes_its_derivation(self):
        self.write_source(ImageComments="breath hold")
        result = self.derive(scale=4)
        for image in self.images():
            self.assertEqual(image.ImageType, ["DERIVED", "SECONDARY", "M", "ND", "SYNTHETIC"])
            self.assertEqual(
                (image.SeriesDescription, image.SeriesNumber),
                ("T2 HASTE SR x4 bicubic (synthetic)", 1007),
            )
            self.assertRegex(
                image.DerivationDescription,
                r"x4 of the slices along k .* MRISuperRes \S+, model bicubic "
                r".*synthetic, not for diagnosis",
            )
            self.assertEqual(image.ImageComments, "Synthetic, not for diagnosis.\nbreath hold")
            self.assertEqual(image.ContentQualification, "RESEARCH")
            self.assertEqual(
                [(code.CodeValue, code.CodeMeaning) for code in image.DerivationCodeSequence],
                [("113085", "Spatial resampling")],
            )
            self.assertEqual(image.SoftwareVersions, result.provenance["software"])
        record = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        self.assertGreater(record.pop("output")["bytes"], 0)
        self.assertEqual(record, result.provenance)

    def test_weights_are_named_by_hash_and_long_descriptions_are_shortened_for_the_mark(self):
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
                self.assertEqual(
                    [[item.ReferencedSOPInstanceUID for item in items] for items in references],
                    expected,
                )
                self.assertEqual(
                    {
                        item.PurposeOfReferenceCodeSequence[0].CodeValue
                        for items in references
                        for item in items
                    },
                    {"121322"},
                )

    def test_attributes_of_a_single_source_image_are_dropped_from_images_made_from_all(
        self,
    ):
        self.write_source()
        self.derive("j")
        image = self.images()[0]
        self.assertNotIn("AcquisitionTime", image)
        self.assertEqual(image.EchoTime, 81)

    def test_a_scanner_becomes_acquisition_equipment_and_a_program_processing_equipment(self):
        self.write_source(GantryID="G")
        self.derive()
        image = self.images()[0]
        self.assertEqual(
            (image.Manufacturer, image.ManufacturerModelName), ("MRISuperRes", "MRISuperRes")
        )
        self.assertFalse(
            {"InstitutionName", "DeviceSerialNumber", "OperatorsName", "GantryID"}
            & set(image.dir())
        )
        (scanner,) = image.ContributingEquipmentSequence
        self.assertEqual({keyword: scanner[keyword].value for keyword in EQUIPMENT}, EQUIPMENT)
        self.assertEqual(scanner.PurposeOfReferenceCodeSequence[0].CodeValue, "109101")
        for path in self.source.iterdir():
            path.unlink()
        for path in self.out.glob("*.dcm"):
            path.rename(self.source / path.name)
        self.derive()
        image = self.images()[0]
        self.assertEqual(
            [
                item.PurposeOfReferenceCodeSequence[0].CodeValue
                for item in image.ContributingEquipmentSequence
            ],
            ["109101", "109102"],
        )
        self.assertEqual(len(image.DerivationCodeSequence), 2)
        self.assertEqual(image.ImageType.count("SYNTHETIC"), 1)

    def test_private_attributes_and_those_of_other_pixels_or_another_series_are_dropped(self):
        gone = {
            "SmallestImagePixelValue": 1,
            "LargestImagePixelValue": 9,
            "PixelPaddingValue": 0,
            "PixelAspectRatio": ["1", "1"],
            "NumberOfFrames": "1",
            "SOPInstanceStatus": "AO",
            "PerformedProcedureStepID": "P",
            "PerformingPhysicianName": "Foe^F",
        }
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
            self.assertFalse(
                [
                    element.tag
                    for element in image.iterall()
                    if element.tag.is_private or element.tag.group == 0x6000
                ]
            )

    def test_lossy_compression_of_the_source_stays_recorded(self):
        self.write_source(
            LossyImageCompression="01",
            LossyImageCompressionRatio="12",
            LossyImageCompressionMethod="ISO_10918_1",
        )
        self.derive()
        self.assertEqual(
            (self.images()[0].LossyImageCompression, self.images()[0].LossyImageCompressionRatio),
            ("01", 12),
        )

    def test_nothing_is_invented_about_patient_study_and_acquisition(self):
        self.write_source(
            PatientName=None,
            PatientBirthDate=None,
            StudyID=None,
            ScanOptions=None,
            EchoTime=None,
            SeriesNumber=None,
            SeriesDescription=None,
            SliceThickness=None,
            BodyPartExamined=None,
            BurnedInAnnotation=None,
        )
        self.derive()
        image = self.images()[0]
        for keyword in (
            "PatientName",
            "PatientBirthDate",
            "StudyID",
            "ScanOptions",
            "EchoTime",
            "SliceThickness",
        ):
            self.assertTrue(keyword in image and image[keyword].is_empty, keyword)
        self.assertFalse({"BodyPartExamined", "BurnedInAnnotation"} & set(image.dir()))
        self.assertEqual(
            (image.SeriesNumber, image.SeriesDescription), (1000, "SR x2 bicubic (synthetic)")
        )

    def test_times_are_in_the_time_zone_of_the_source(self):
        self.write_source(TimezoneOffsetFromUTC="+1345")
        result = self.upsample()
        provenance = result.provenance | {"date": "2024-05-06T20:00:00+00:00"}
        self.output().write(replace(result, provenance=provenance))
        image = self.images()[0]
        self.assertEqual(
            (image.ContentDate, image.ContentTime, image.SeriesDate),
            ("20240507", "094500", "20240507"),
        )

    def test_a_name_in_another_script_is_unchanged(self):
        self.write_source(SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг")
        self.derive()
        self.assertEqual(self.images()[0].PatientName, "Люкceмбypг")

    def test_elements_that_cannot_be_decoded_are_dropped(self):
        self.write_source()
        for path in self.source.iterdir():
            begin, matrix = b"\x18\x00\x10\x13US", b"\0\0\0\1\0\1\0\0"
            data = path.read_bytes().replace(
                begin + b"\x08\0" + matrix, begin + b"\x07\0" + matrix[:7]
            )
            path.write_bytes(
                data.replace(b"\x20\x00\x11\x00IS\x02\x007 ", b"\x20\x00\x11\x00IS\x02\x00x7")
            )
            with self.assertRaises(pydicom.errors.BytesLengthException):
                pydicom.dcmread(path)["AcquisitionMatrix"]
        self.derive()
        self.assertNotIn("AcquisitionMatrix", self.images()[0])
        self.assertEqual(self.images()[0].SeriesNumber, 1000)


class StandardTest(DerivedSeriesTest):
    """Rules of the standard, checked by dicom3tools."""

    def assert_standard(self):
        for path in sorted(self.out.glob("*.dcm")):
            self.assertEqual(standard_errors(path), [])
            with (
                warnings.catch_warnings(),
                mock.patch.multiple(
                    pydicom.config.settings, _reading_validation_mode=pydicom.config.RAISE
                ),
            ):
                warnings.simplefilter("error")
                self.assertTrue(list(pydicom.dcmread(path).iterall()))

    def test_a_series_of_slices_in_any_direction_keeps_the_rules_of_its_class(self):
        for axis in "ijk":
            with (
                self.subTest(axis),
                mock.patch.multiple(
                    pydicom.config.settings, _writing_validation_mode=pydicom.config.RAISE
                ),
            ):
                self.write_source(matrix=GRIDS["oblique"])
                self.derive(axis)
                self.assert_standard()

    def test_source_and_derived_series_agree_in_patient_study_and_references(
        self,
    ):
        self.write_source()
        self.derive("k")
        self.out.rename(self.folder / "first")
        self.derive("i")
        paths = list(self.folder.rglob("*.dcm"))
        self.assertEqual(len(paths), 4 + 4 + 8)
        self.assertEqual(contradictions(paths), [])
        image = pydicom.dcmread(paths[-1])
        image.StudyDate = "20200101"
        image.save_as(paths[-1])
        self.assertRegex(" ".join(contradictions(paths)), "StudyDate")

    def test_the_checker_finds_what_is_missing(self):
        self.write_source()
        self.derive()
        image = pydicom.dcmread(self.out / "0001.dcm")
        del image.PatientID, image.PixelSpacing
        image.save_as(self.out / "0001.dcm")
        self.assertRegex(
            " ".join(standard_errors(self.out / "0001.dcm")),
            "PixelSpacing.*PatientID|PatientID.*PixelSpacing",
        )

    @unittest.skipUnless(EDGE.is_dir(), NO_DATA)
    def test_real_images_of_every_encoding_keep_the_rules_of_their_class(self):
        for name in (
            "MR_small",
            "MR_small_bigendian",
            "MR_small_RLE",
            "MR_small_jp2klossless",
            "MR_small_jpeg_ls_lossless",
            "CT_small",
        ):
            for path in self.source.iterdir():
                path.unlink()
            (self.source / "a.dcm").write_bytes((EDGE / f"pydicom_{name}.dcm").read_bytes())
            for axis in "ik":
                with self.subTest(name, axis=axis):
                    result = self.derive(axis)
                    self.assert_standard()
                    np.testing.assert_array_equal(read_volume(self.out).array, result.array)


if __name__ == "__main__":
    unittest.main()
