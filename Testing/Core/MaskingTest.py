"""Voxels without image: which they are, and that they stay out of the computation."""

import tempfile
import unittest

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.masking import ImageVoxels, fill_values
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

from made_bodies import enlarged
from made_models import write_model

MATRIX = np.diag([1.0, 1.0, 4.0, 1.0])
SHAPE = (3, 12, 14)
SIGNED = (np.int16, np.int32, np.float32, np.float64)


def anatomy(dtype=np.int16, seed=0, low=0, high=750):
    return np.random.default_rng(seed).integers(low, high, SHAPE).astype(dtype)


def corner(share=0.25):
    """True in about this share of the voxels, at the end of the rows."""
    outside = np.zeros(SHAPE, bool)
    outside[:, :, round(SHAPE[2] * (1 - share)) :] = True
    return outside


class FillValuesTest(unittest.TestCase):
    def test_frequent_value_far_below_the_image_is_a_fill_value(self):
        for dtype in SIGNED:
            for value in (-32768, -2000, -1024, -1000):
                array = anatomy(dtype)
                array[corner()] = value
                with self.subTest(np.dtype(dtype).name, value=value):
                    self.assertEqual(fill_values(array), [value])

    def test_air_and_tissue_of_ct_are_image_beside_the_fill_value_of_the_scanner(self):
        array = anatomy(low=-1024, high=3071)
        self.assertEqual(fill_values(array), [])
        array[corner()] = -1024
        self.assertEqual(fill_values(array), [])
        array[corner()] = -2000
        self.assertEqual(fill_values(array), [-2000])

    def test_limit_of_the_type_far_above_the_image_is_a_fill_value(self):
        for dtype, value in ((np.int16, 32767), (np.uint16, 65535), (np.float32, 65535)):
            array = anatomy(dtype)
            array[corner()] = value
            self.assertEqual(fill_values(array), [value])

    def test_fill_values_at_both_ends_are_found(self):
        array = anatomy()
        array[corner()], array[0, :, 0] = -32768, 32767
        self.assertEqual(fill_values(array), [-32768, 32767])

    def test_fill_value_of_a_map_of_small_numbers_is_as_far_away_as_their_range(self):
        array = anatomy(np.float32) / 750
        array[corner()] = -1
        self.assertEqual(fill_values(array), [-1])
        array[corner()] = -0.5
        self.assertEqual(fill_values(array), [])

    def test_ordinary_volumes_have_none(self):
        skull_stripped = anatomy(low=500, high=900)
        skull_stripped[corner(0.6)] = 0
        z_score = (skull_stripped - 700.0) / 150
        binary = np.where(corner(), -1000, 900)
        saturated = anatomy(np.uint16, high=65000)
        saturated[corner()] = 65535
        for name, array in {
            "dark background": np.where(corner(0.6), 0, anatomy()),
            "skull-stripped": skull_stripped,
            "z score": z_score,
            "phase": anatomy(low=-4096, high=4095),
            "phase without background": np.where(corner(), -4096, anatomy(low=-4096, high=4095)),
            "two values": binary,
            "one value": np.full(SHAPE, -32768, np.int16),
            "saturated": saturated,
            "rare": np.where(np.arange(anatomy().size).reshape(SHAPE) < 4, -32768, anatomy()),
        }.items():
            with self.subTest(name):
                self.assertEqual(fill_values(array), [])

    @given(st.integers(0, 2**31), st.sampled_from((np.uint8, np.uint16, np.int16, np.float32)))
    def test_dark_background_of_any_volume_from_zero_is_image(self, seed, dtype):
        array = anatomy(dtype, seed, high=2 + seed % 250)
        array[corner(0.1 + seed % 7 / 10)] = 0
        volume = Volume(array, MATRIX)
        voxels = ImageVoxels.of(volume)
        self.assertIs(voxels.array, array)
        self.assertIs(voxels.values, array)
        self.assertEqual((voxels.missing, voxels.messages), (None, ()))


class ImageVoxelsTest(unittest.TestCase):
    def test_nan_infinite_and_padding_get_the_lowest_value_and_the_input_is_unchanged(self):
        array = anatomy(np.float32, low=-3)
        array[0, 0, :2], array[1, 1, 1], array[corner()] = np.nan, -np.inf, -32768
        array[2, 5, 5] = -3
        before = array.copy()
        voxels = ImageVoxels.of(Volume(array, MATRIX), "They are red.")
        self.assertEqual(voxels.missing.sum(), 3 + corner().sum())
        self.assertTrue((voxels.array[voxels.missing] == -3).all())
        self.assertEqual(voxels.values.size, array.size - voxels.missing.sum())
        np.testing.assert_array_equal(array, before)
        warning, note = voxels.messages
        self.assertEqual((warning.level, warning.code), ("warning", "non-finite"))
        self.assertEqual((note.level, note.code), ("info", "padding"))
        self.assertRegex(warning.text, r"^3 of 504 voxels are NaN or infinite\. .*They are red\.$")
        self.assertRegex(note.text, r"^\d+ of 504 voxels are padding \(-32768\).*They are red\.$")

    def test_padding_that_the_file_declares_needs_no_distance_from_the_image(self):
        padding = corner()
        array = np.where(padding, 300, anatomy())
        voxels = ImageVoxels.of(Volume(array, MATRIX, padding=padding))
        np.testing.assert_array_equal(voxels.missing, padding)
        array[0, 0, -1] = 310
        (note,) = ImageVoxels.of(Volume(array, MATRIX, padding=padding)).messages
        self.assertIn("padding (300 to 310)", note.text)

    def test_volume_without_image_is_refused(self):
        nan, whole = np.full((2, 2, 2), np.nan), np.ones((2, 2, 2), bool)
        for volume in (np.full((2, 2, 2), 7), np.full((2, 2, 2), 7.0)):
            with self.assertRaisesRegex(SuperResolutionError, "padding: there is no image"):
                ImageVoxels.of(Volume(volume, MATRIX, padding=whole))
        with self.assertRaisesRegex(SuperResolutionError, "NaN"):
            ImageVoxels.of(Volume(np.where(whole, 1.0, nan), MATRIX, padding=whole))


class PaddingTest(unittest.TestCase):
    """Upsampling of volumes with padding."""

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        write_model(folder, "tiny-x2")
        cls.registry = MethodRegistry(ModelStore([folder]))

    def upsample(self, volume, model="tiny-x2", **options):
        options = UpsamplingOptions(model, 2, device="cpu", **options)
        return upsample_volume(volume, options, registry=self.registry)

    @settings(max_examples=20, deadline=None)
    @given(
        st.integers(0, 2**31),
        st.sampled_from((np.int16, np.uint16, np.int32, np.float32, np.float64)),
        st.integers(-3000, 70000),
        st.sampled_from(("tiny-x2", "bicubic", "bicubic+bp")),
        st.sampled_from("ijk"),
    )
    def test_padding_comes_back_exactly_and_the_image_is_that_beside_other_padding(
        self, seed, dtype, value, model, axis
    ):
        padding = np.random.default_rng(seed).random(SHAPE) < 0.3
        padding[0, 0, 0] = True
        array = anatomy(dtype, seed)
        array[~padding] += 1
        results = []
        for number in (value, 7):
            array[padding] = np.array([number]).astype(dtype)
            result = self.upsample(Volume(array, MATRIX, padding=padding), model, slice_axis=axis)
            scale = np.divide(result.array.shape, SHAPE).astype(int)
            large = padding.repeat(scale[0], 0).repeat(scale[1], 1).repeat(scale[2], 2)
            self.assertTrue((result.array[large] == array[0, 0, 0]).all())
            results.append(result.array[~large])
        np.testing.assert_array_equal(*results)

    def test_fill_value_of_any_file_is_computed_as_nan_is(self):
        outside = corner(0.3)
        for dtype in SIGNED:
            for fill in (-32768, -1024):
                array = anatomy(dtype)
                array[outside] = fill
                nan = anatomy(np.float64)
                nan[outside] = np.nan
                with self.subTest(np.dtype(dtype).name, fill=fill):
                    result = self.upsample(Volume(array, MATRIX))
                    self.assertEqual(result.array.dtype, dtype)
                    self.assertTrue((result.array[enlarged(outside)] == fill).all())
                    self.assertEqual([m.code for m in result.messages], ["slice-axis", "padding"])
                    expected = self.upsample(Volume(nan, MATRIX)).array
                    np.testing.assert_allclose(
                        result.array[~enlarged(outside)], expected[~enlarged(outside)], atol=0.51
                    )

    def test_intensity_range_is_that_of_the_image(self):
        array, outside = anatomy(), corner(0.3)
        low, high = np.percentile(array[~outside], (0.1, 99.9))
        array[outside] = -32768
        self.assertEqual(
            self.upsample(Volume(array, MATRIX)).provenance["intensity"], {"low": low, "high": high}
        )


if __name__ == "__main__":
    unittest.main()
