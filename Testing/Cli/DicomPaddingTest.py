"""Padding that DICOM images declare: it is no image, and comes back as it was."""

import unittest

import numpy as np
import pydicom
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Frames, Volume
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from made_dicom import stored, write_mr_series
from made_files import FolderTest, grid, run

SHAPE = (4, 8, 10)


def outside():
    """True outside of a disc."""
    k, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return np.hypot(j - 3.5, i - 4.5) + 0 * k > 3.5


class DicomPaddingTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "scan"
        self.source.mkdir()

    def write(self, value, dtype="int16", low=0, **changes):
        """Write images from `low` with `value` outside of a disc."""
        self.pixels = np.where(outside(), value, stored(dtype) + low).astype(dtype)
        write_mr_series(self.source, self.pixels, grid(), **changes)

    def padding(self):
        return read_volume(self.source).padding

    def assert_padding(self):
        np.testing.assert_array_equal(self.padding(), outside())

    def test_value_may_be_signed_unsigned_or_written_with_the_other_sign(self):
        for dtype, value, written in (
            ("int16", -32768, -32768),
            ("uint16", 65535, 65535),
            ("uint16", 4095, 4095),
            ("int16", 300, 300),
        ):
            with self.subTest(dtype, written=written):
                self.write(value, dtype, 1001 if value == 300 else 0, PixelPaddingValue=written)
                self.assert_padding()
        self.write(-2000)
        for path in self.source.iterdir():
            image = pydicom.dcmread(path)
            image.add_new("PixelPaddingValue", "US", 63536)
            image.save_as(path)
        self.assert_padding()

    def test_values_up_to_the_range_limit_are_padding(self):
        self.write(-2000, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900)
        for path in self.source.iterdir():
            image = pydicom.dcmread(path)
            pixels = image.pixel_array.copy()
            pixels[0, 0], pixels[0, 1] = -1900, -1950
            image.PixelData = pixels.tobytes()
            image.save_as(path)
        self.assert_padding()
        self.write(100, PixelPaddingValue=120, PixelPaddingRangeLimit=90, low=121)
        self.assert_padding()

    def test_value_is_rescaled_and_inverted_as_the_pixels_are(self):
        for changes in (
            {"RescaleSlope": 1, "RescaleIntercept": -1024, "PixelPaddingValue": 0},
            {"RescaleSlope": "0.37", "RescaleIntercept": "-3.25", "PixelPaddingValue": 5},
            {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0},
        ):
            with self.subTest(changes):
                self.write(changes["PixelPaddingValue"], "uint16", 6, **changes)
                self.assert_padding()

    def test_zero_is_the_air_of_ordinary_images_and_no_padding(self):
        self.write(0, PixelPaddingValue=0)
        self.assertIsNone(self.padding())
        self.write(0)
        self.assertIsNone(self.padding())

    def test_value_that_no_pixel_has_is_no_padding(self):
        self.write(0, PixelPaddingValue=-2000)
        self.assertIsNone(self.padding())

    def test_every_slice_has_its_own_rescaling_and_value(self):
        self.write(-2000, PixelPaddingValue=-2000)
        for path in self.source.iterdir():
            image = pydicom.dcmread(path)
            number = image.InstanceNumber
            image.RescaleSlope, image.RescaleIntercept = number, 7 * number
            if number == 2:
                del image.PixelPaddingValue
            image.save_as(path)
        expected = outside()
        expected[1] = False
        np.testing.assert_array_equal(self.padding(), expected)

    def test_transfer_syntax_does_not_matter(self):
        self.write(-2000, PixelPaddingValue=-2000)
        for syntax in (ImplicitVRLittleEndian, RLELossless):
            for path in self.source.iterdir():
                image = pydicom.dcmread(path)
                if syntax == RLELossless:
                    image.compress(syntax)
                else:
                    image.file_meta.TransferSyntaxUID = syntax
                    image["PixelData"].VR = "OW"
                image.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian)
            with self.subTest(syntax.name):
                self.assert_padding()
            self.write(-2000, PixelPaddingValue=-2000)

    def test_every_frame_of_a_series_has_its_padding(self):
        self.write(-2000, PixelPaddingValue=-2000)
        for path in list(self.source.iterdir()):
            image = pydicom.dcmread(path)
            image.EchoTime, image.SOPInstanceUID = 99, image.SOPInstanceUID + ".9"
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.save_as(path.with_suffix(".second.dcm"))
        for frame in Frames.read(self.source):
            np.testing.assert_array_equal(frame.padding, outside())

    def test_output_has_the_padding_and_inside_what_nan_there_would_give(self):
        self.write(-32768, PixelPaddingValue=-32768)
        output = self.folder / "out.nii.gz"
        code, _, err = run(
            *("upsample", self.source, output, "--model", "fast-x2-psnr", "--device", "cpu")
        )
        self.assertEqual(code, 0, err)
        count = np.count_nonzero(outside())
        self.assertIn(f"note: {count} of 320 voxels are padding (-32768), not image.", err)
        self.assertNotIn("warning: ", err.replace("warning: fast-x2-psnr was not trained", ""))
        volume = read_volume(self.source)
        nan = np.where(outside(), np.nan, volume.array)
        expected = upsample_volume(
            Volume(nan, volume.ijk_to_ras), UpsamplingOptions("fast-x2-psnr", device="cpu")
        ).array
        result, large = read_volume(output).array, np.isnan(expected)
        np.testing.assert_array_equal(large, outside().repeat(2, 1).repeat(2, 2))
        self.assertTrue((result[large] == -32768).all())
        np.testing.assert_allclose(result[~large], expected[~large], atol=0.51)


if __name__ == "__main__":
    unittest.main()
