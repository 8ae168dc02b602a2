"""Derived DICOM series of isotropic outputs and requested spacings."""

import shutil
import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume

from made_dicom import DerivedSeriesTest, contradictions, standard_errors, stored
from made_files import grid, run

METHODS = {"model": "bicubic", "between_slices": "linear"}
SPACING = (1.0, 1.0, 3.5)


class DicomGridTest(DerivedSeriesTest):
    def derive_grid(self, **options):
        shutil.rmtree(self.out, ignore_errors=True)
        options = UpsamplingOptions(**METHODS, **options)
        result = upsample_volume(read_volume(self.source), options)
        self.output().write(result)
        return result

    def write_thick(self, **changes):
        self.write_source(matrix=grid(spacing=SPACING), **changes)

    def windows(self):
        return [float(image.WindowCenter) for image in self.images()]

    def test_slices_lie_between_those_of_the_source(self):
        self.write_thick()
        result = self.derive_grid(isotropic=True)
        self.assertEqual(result.size, (10, 8, 14))
        written = read_volume(self.out)
        np.testing.assert_array_equal(written.array, result.array)
        np.testing.assert_allclose(written.ijk_to_ras, result.ijk_to_ras, atol=1e-4)
        self.assertEqual(written.slice_thickness, 1)
        self.assertEqual({float(image.SpacingBetweenSlices) for image in self.images()}, {1.0})

    @settings(deadline=None, max_examples=15)
    @given(
        angles=st.tuples(*[st.floats(-40, 40)] * 3),
        spacing=st.tuples(*[st.floats(0.6, 4)] * 3),
        requested=st.tuples(*[st.floats(0.7, 3)] * 3),
        axis=st.sampled_from("ijk"),
        is_reversed=st.booleans(),
    )
    def test_any_grid_is_written_in_place(self, angles, spacing, requested, axis, is_reversed):
        self.write_source(matrix=grid(angles, spacing))
        low = read_volume(self.source)
        options = UpsamplingOptions(**METHODS, spacing=requested, slice_axis=axis)
        result = upsample_volume(low, options)
        if not np.greater(result.size, low.size).any():
            return
        given_matrix = result.ijk_to_ras
        if is_reversed:
            flip = np.diag([1.0, 1, -1, 1])
            flip[2, 3] = len(result.array) - 1
            given_matrix = given_matrix @ flip
        shutil.rmtree(self.out, ignore_errors=True)
        array = result.array[::-1] if is_reversed else result.array
        self.output().write(type(result)(array, given_matrix, provenance=result.provenance))
        written = read_volume(self.out)
        np.testing.assert_array_equal(written.array, result.array)
        self.assert_same_place(
            low.ijk_to_ras, low.array.shape, written.ijk_to_ras, written.array.shape
        )

    def test_attributes_are_those_of_the_nearest_slice(self):
        self.write_thick()
        for k, image in enumerate(self.images(self.source)):
            image.WindowCenter = 100 * (k + 1)
            (path,) = self.source.glob(f"*-{k}.dcm")
            image.save_as(path)
        self.derive_grid(isotropic=True)
        self.assertEqual(self.windows(), [100] * 3 + [200] * 4 + [300] * 3 + [400] * 4)
        self.derive_grid(spacing=(1.0, 1.0, 1.75))
        self.assertEqual(self.windows(), np.repeat([100, 200, 300, 400], 2).tolist())

    def test_every_image_is_derived_from_all_slices(self):
        self.write_thick()
        self.derive_grid(isotropic=True)
        old = {image.SOPInstanceUID for image in self.images(self.source)}
        for image in self.images():
            self.assertEqual(
                {item.ReferencedSOPInstanceUID for item in image.SourceImageSequence}, old
            )

    def test_the_thickness_of_the_source_stays_where_its_slices_stay(self):
        self.write_thick(SliceThickness="3")
        self.derive_grid(spacing=(0.5, 0.5, 3.5))
        self.assertEqual({float(image.SliceThickness) for image in self.images()}, {3.0})

    def test_description_names_voxel_size_and_both_models(self):
        self.write_thick()
        self.derive_grid(spacing=(0.5, 0.5, 1.0))
        image = self.images()[0]
        self.assertEqual(image.SeriesDescription, "T2 HASTE SR 0.5x0.5x1 mm linear (synthetic)")
        self.assertIn("Super-resolution 0.5x0.5x1 mm of the", image.DerivationDescription)
        self.assertIn("model linear (interpolation)", image.DerivationDescription)
        self.assertIn("model bicubic (interpolation)", image.DerivationDescription)

    def test_a_long_description_is_cut_to_the_length_of_the_standard(self):
        self.write_thick(SeriesDescription="a" * 64)
        result = self.derive_grid(spacing=(0.333, 0.333, 1.111))
        result.provenance["model"]["name"] = "m" * 64
        shutil.rmtree(self.out)
        self.output().write(result)
        description = self.images()[0].SeriesDescription
        self.assertLessEqual(len(description), 64)
        self.assertRegex(description, r"SR 0.333x0.333x1.08 mm m+ \(synthetic\)$")

    def test_the_series_keeps_the_standard(self):
        self.write_source(stored("uint16"), grid(spacing=SPACING))
        self.derive_grid(isotropic=True)
        paths = sorted(self.out.glob("*.dcm"))
        for path in paths:
            self.assertEqual(standard_errors(path), [])
        self.assertEqual(contradictions([*paths, *self.source.glob("*.dcm")]), [])

    def test_the_command_writes_an_isotropic_series(self):
        self.write_thick(SliceThickness="3")
        words = ("--dicom", "--isotropic", "--between-slices", "fourier")
        code, out, err = run("upsample", self.source, self.out, *words)
        self.assertEqual(code, 0, err)
        self.assertIn("10×8×14 voxels of 1×1×1 mm", out)
        self.assertIn("Slice thickness: 3 mm.", err)
        self.assertEqual(len(self.images()), 14)

    def test_an_output_as_large_as_the_source_is_refused(self):
        self.write_thick()
        words = ("--dicom", "--spacing", *SPACING)
        code, _, err = run("upsample", self.source, self.out, *words)
        self.assertEqual(code, 2)
        self.assertIn("is not larger than", err)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
