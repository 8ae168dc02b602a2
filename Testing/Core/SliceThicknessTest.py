"""The slice thickness that upsampling between slices assumes."""

import unittest
from dataclasses import replace

import numpy as np

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.through_plane.grid import OutputGrid
from MRISuperResLib.core.through_plane.thickness import SliceThickness
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

OPTIONS = UpsamplingOptions(isotropic=True, between_slices="linear")


class SliceThicknessTest(unittest.TestCase):
    def setUp(self):
        array = np.random.default_rng(0).integers(0, 900, (4, 6, 5)).astype(np.int16)
        self.volume = Volume(array, np.diag([1.0, 1.0, 4.0, 1.0]))

    def of(self, stated=None, **changes):
        volume = replace(self.volume, slice_thickness=stated)
        options = replace(OPTIONS, **changes)
        return SliceThickness.of(volume, options, OutputGrid.of(volume, options).axis)

    def test_the_slice_spacing_is_assumed_and_said_without_a_thickness(self):
        thickness = self.of()
        self.assertEqual((thickness.mm, thickness.coverage), (4, 1))
        self.assertEqual(str(thickness), "4 mm, assumed equal to the slice spacing")

    def test_the_file_goes_before_the_spacing_and_the_options_before_the_file(self):
        thickness = self.of(3.0)
        self.assertEqual((thickness.mm, thickness.coverage, str(thickness)), (3, 0.75, "3 mm"))
        thickness = self.of(3.0, slice_thickness=5.0)
        self.assertEqual((thickness.mm, thickness.coverage), (5, 1.25))

    def test_an_implausible_thickness_of_the_file_is_ignored_with_a_warning(self):
        for stated in (0.0, -4.0, 12.01):
            with self.subTest(stated):
                thickness = self.of(stated)
                self.assertEqual((thickness.mm, thickness.is_known), (4, False))
                (message,) = thickness.messages
                self.assertTrue(message.is_warning)
                self.assertEqual(message.code, "thickness")
        self.assertEqual(self.of(12.0).messages, ())

    def test_an_implausible_thickness_of_the_options_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "more than 3 times the slice spacing"):
            self.of(slice_thickness=12.01)

    def test_the_thickness_of_the_file_is_not_that_of_other_slices(self):
        self.volume = replace(self.volume, ijk_to_ras=np.diag([2.0, 1.0, 1.0, 1.0]))
        thickness = self.of(3.0, slice_axis="i")
        self.assertEqual((thickness.mm, thickness.is_known), (2, False))

    def test_result_and_record_tell_the_thickness(self):
        result = upsample_volume(replace(self.volume, slice_thickness=3.0), OPTIONS)
        self.assertEqual(result.provenance["slice_thickness"], 3)
        self.assertIn("Slice thickness: 3 mm.", " ".join(m.text for m in result.messages))
        result = upsample_volume(replace(self.volume, slice_thickness=-1.0), OPTIONS)
        self.assertEqual([m.code for m in result.messages if m.is_warning], ["thickness"])

    def test_upsampling_in_plane_does_not_warn_about_the_thickness(self):
        volume = replace(self.volume, slice_thickness=0.0)
        result = upsample_volume(volume, UpsamplingOptions("bicubic", 2))
        self.assertFalse([message for message in result.messages if message.is_warning])


if __name__ == "__main__":
    unittest.main()
