"""Kinds of DICOM series that scanners, archives and copies produce: read right, or refused."""

import shutil
import unittest

import numpy as np
import pydicom

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume

from made_dicom import DerivedSeriesTest, stored, write_mr_series
from made_files import FolderTest

UID = "1.2.826.0.1.3680043.8.498.77"


class KindsTest(FolderTest):
    def write(self, pixels, name="a", **changes):
        """Write slices to NAME0.dcm, NAME1.dcm and so on."""
        made = self.folder / "made"
        made.mkdir()
        write_mr_series(made, pixels, np.diag([1.0, 1, 4, 1]), **changes)
        for path in made.iterdir():
            path.rename(self.folder / f"{name}{path.stem.split('-')[1]}.dcm")
        made.rmdir()

    def change(self, name, **values):
        image = pydicom.dcmread(self.folder / name)
        for keyword, value in values.items():
            setattr(image, keyword, value)
        image.save_as(self.folder / name)

    def assert_refused(self, pattern, **choice):
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            read_volume(self.folder, **choice)
        self.assertNotIn("\n", str(caught.exception))

    def assert_read(self, pixels, **choice):
        np.testing.assert_array_equal(read_volume(self.folder, **choice).array, pixels)


class FramesTest(KindsTest):
    def test_frames_are_grouped_by_an_attribute_though_instance_numbers_repeat(self):
        for keyword, values, words in (
            ("EchoTime", ("4.92", "17.38"), "echo time"),
            (
                "ImageType",
                (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]),
                "image type",
            ),
            ("DiffusionBValue", (0.0, 1000.0), "b-value"),
            ("TemporalPositionIdentifier", (2, 11), "temporal position"),
            ("AcquisitionNumber", (1, 2), "acquisition number"),
            ("InversionTime", ("100", "2000"), "inversion time"),
            ("FlipAngle", ("3", "17"), "flip angle"),
        ):
            with self.subTest(keyword):
                for path in self.folder.iterdir():
                    path.unlink()
                first, second = stored(), stored() + 2000
                # the names and UIDs of the second frame come first in every other order
                self.write(second, "a", SOPInstanceUID=UID, **{keyword: values[1]})
                self.write(first, "b", SOPInstanceUID=UID, **{keyword: values[0]})
                self.assert_refused(rf"holds 2 frames \(0 to 1\), in order of {words}")
                self.assert_read(first, frame=0)
                self.assert_read(second, frame=1)

    def test_two_attributes_give_frames_of_their_combinations(self):
        for n, (echo, kind) in enumerate(((9, "P"), (9, "M"), (5, "P"), (5, "M"))):
            self.write(stored() + n, f"{n}", EchoTime=echo, ImageType=["ORIGINAL", "PRIMARY", kind])
        for frame, n in enumerate((3, 1, 2, 0)):
            self.assert_read(stored() + n, frame=frame)

    def test_the_private_b_value_of_siemens_separates_frames(self):
        for name, value in (("a", "1000"), ("b", "0")):
            self.write(stored() + len(value), name)
            for path in self.folder.glob(f"{name}*"):
                image = pydicom.dcmread(path)
                block = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
                block.add_new(0x0C, "IS", value)
                image.save_as(path)
        self.assert_read(stored() + 1, frame=0)
        self.assert_read(stored() + 4, frame=1)

    def test_a_stack_whose_slices_differ_in_an_attribute_is_refused(self):
        for keyword, value, words in (
            ("EchoTime", "90", "echo time"),
            ("ImageType", ["ORIGINAL", "PRIMARY", "P", "ND"], "image type"),
            ("DiffusionBValue", 1000.0, "b-value"),
            ("TemporalPositionIdentifier", 2, "temporal position"),
        ):
            with self.subTest(keyword):
                self.write(stored())
                self.change("a2.dcm", **{keyword: value})
                self.assert_refused(f"differ in their {words} .*a2.dcm")

    def test_an_acquisition_number_that_counts_the_slices_is_accepted(self):
        self.write(stored())
        for n in range(4):
            self.change(f"a{n}.dcm", AcquisitionNumber=n + 5)
        self.assert_read(stored())
        self.assertEqual(len(read_volume(self.folder).messages), 1)

    def test_slices_of_several_acquisitions_form_one_volume_with_a_note(self):
        for numbers in ((1, 2, 1, 2), (1, 1, 2, 2), (3, 1, 1, 1)):
            with self.subTest(numbers):
                self.write(stored())
                for n, number in enumerate(numbers):
                    self.change(f"a{n}.dcm", AcquisitionNumber=number)
                self.assert_read(stored())
                message = read_volume(self.folder).messages[-1]
                self.assertEqual((message.level, message.code), ("info", "series"))
                self.assertRegex(message.text, r"in 2 parts \(acquisition number\), .*one volume")

    def test_echoes_of_several_acquisitions_stay_apart(self):
        for name, echo in (("a", "5"), ("b", "9")):
            self.write(stored() + int(echo), name, EchoTime=echo, SOPInstanceUID=UID)
            for n in (1, 3):
                self.change(f"{name}{n}.dcm", AcquisitionNumber=2)
        self.assert_refused(r"holds 2 frames .*in order of echo time\. ")
        self.assert_read(stored() + 5, frame=0)
        self.assert_read(stored() + 9, frame=1)
        self.change("a2.dcm", EchoTime="9")
        self.assert_refused("differ in their echo time|mixes volumes", frame=0)

    def test_acquisitions_that_repeat_some_positions_are_refused(self):
        self.write(stored(), "a")
        self.write(stored() + 1, "b", SOPInstanceUID=UID, AcquisitionNumber=2)
        self.change("b2.dcm", AcquisitionNumber=1)
        self.assert_refused("differ in their acquisition number", frame=0)

    def test_echoes_with_one_wrong_value_are_refused(self):
        self.write(stored(), "a", EchoTime="5")
        self.write(stored() + 1, "b", EchoTime="9")
        self.change("b2.dcm", EchoTime="13")
        self.assert_refused("differ in their echo time", frame=0)

    def test_images_that_nothing_distinguishes_are_refused(self):
        self.write(stored(), "a")
        self.write(stored() + 1, "b", SOPInstanceUID=UID)
        self.assert_refused("cannot be told apart", frame=0)


class FilesTest(KindsTest):
    def test_different_images_with_one_identifier_are_all_read(self):
        self.write(stored(), SOPInstanceUID=UID)
        self.assert_read(stored())
        text = " ".join(map(str, read_volume(self.folder).messages))
        self.assertIn("3 different images repeat the identifier", text)

    def test_images_that_differ_in_pixels_alone_are_no_copies(self):
        self.write(stored())
        shutil.copy(self.folder / "a1.dcm", self.folder / "b1.dcm")
        self.assert_read(stored())
        image = pydicom.dcmread(self.folder / "b1.dcm")
        image.PixelData = bytes(len(image.PixelData))
        image.save_as(self.folder / "b1.dcm")
        self.assert_refused("some positions hold 1 images, others 2")

    def test_an_empty_cut_or_blank_slice_is_refused_by_name(self):
        self.write(stored())
        whole = (self.folder / "a3.dcm").read_bytes()
        for name in ("a3.dcm", "a3", "MR.1.2.840.3"):
            (self.folder / "a3.dcm").unlink(missing_ok=True)
            for content in (
                b"",
                bytes(2000),
                *(whole[:n] for n in (1, 100, 131, *range(140, 700, 7))),
            ):
                with self.subTest(name, length=len(content)):
                    (self.folder / name).write_bytes(content)
                    self.assert_refused(f"^(The image in )?{name} ")
            (self.folder / name).unlink()

    def test_files_without_preamble_are_read_beside_others_and_alone(self):
        self.write(stored())
        for n in range(3, -1, -1):
            path = self.folder / f"a{n}.dcm"
            path.write_bytes(_without_preamble(path))
            self.assert_read(stored())
        path.write_bytes(path.read_bytes()[:-30])
        self.assert_refused("a0.dcm cannot be decoded")

    def test_texts_and_hidden_files_are_skipped(self):
        self.write(stored())
        (self.folder / "README").write_text("Notes of the study\n")
        (self.folder / ".hidden").write_bytes(b"")
        (self.folder / "bvals.txt").write_bytes(b"")
        self.assert_read(stored())

    def test_a_preamble_that_looks_like_nifti_is_dicom(self):
        self.write(stored())
        for order in ("little", "big"):
            path = self.folder / "a2.dcm"
            path.write_bytes((348).to_bytes(4, order) + path.read_bytes()[4:])
            np.testing.assert_array_equal(read_volume(path).array[0], stored()[2])
            self.assert_read(stored())


def _without_preamble(path):
    """Return the elements of a file without preamble and file meta information."""
    data = path.read_bytes()
    return data[data.index(b"\x08\x00\x08\x00CS") :]


class Monochrome1Test(DerivedSeriesTest):
    def test_a_derived_series_shows_the_inverted_picture_in_the_same_window(self):
        for signed, ends in ((0, 4095), (1, -1)):
            with self.subTest(signed=signed):
                pixels = stored("int16" if signed else "uint16", high=3000 if not signed else 1500)
                self.write_source(
                    pixels,
                    PhotometricInterpretation="MONOCHROME1",
                    BitsStored=12,
                    HighBit=11,
                    PresentationLUTShape="INVERSE",
                )
                self.derive(model="nearest")
                image = self.images()[1]
                self.assertEqual(image.PhotometricInterpretation, "MONOCHROME2")
                self.assertEqual(image.PresentationLUTShape, "IDENTITY")
                np.testing.assert_array_equal(
                    image.pixel_array[::2, ::2], ends - pixels[1].astype(int)
                )
                self.assertEqual((image.WindowCenter, image.WindowWidth), (ends + 1 - 400, 900))
                np.testing.assert_array_equal(
                    read_volume(self.out).array[:, ::2, ::2], read_volume(self.source).array
                )


if __name__ == "__main__":
    unittest.main()
