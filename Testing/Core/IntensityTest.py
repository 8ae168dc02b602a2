import unittest
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from MRISuperResLib.core import intensity
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import Intensity

small_shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)
narrow_integers = st.sampled_from((np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32))


class IntensityTest(unittest.TestCase):
    @given(narrow_integers.flatmap(lambda dtype: hnp.arrays(dtype, small_shapes)))
    def test_every_integer_comes_back_as_it_was(self, volume):
        scale = Intensity.of(volume)
        back = scale.restore(scale.normalize(volume))
        self.assertEqual(back.dtype, volume.dtype)
        np.testing.assert_array_equal(back, volume)

    @given(hnp.arrays(np.int64, small_shapes, elements=st.integers(-(2**50), 2**50)))
    def test_64_bit_integers_come_back_as_far_as_double_precision_goes(self, volume):
        scale = Intensity.of(volume)
        np.testing.assert_allclose(
            scale.restore(scale.normalize(volume)), volume, rtol=1e-15, atol=2
        )

    @given(hnp.arrays(np.float32, small_shapes, elements=st.floats(-1e6, 1e6, width=32)))
    def test_real_values_come_back_within_single_precision(self, volume):
        scale = Intensity.of(volume)
        back = scale.restore(scale.normalize(volume))
        self.assertEqual(back.dtype, np.float32)
        np.testing.assert_allclose(back, volume, rtol=1e-6, atol=1e-9 * (np.abs(volume).max() + 1))

    def test_a_few_spikes_do_not_decide_the_contrast_and_are_not_clipped(self):
        volume = np.tile(np.arange(1000, dtype=np.uint16), 20).reshape(20, 50, 20)
        volume[0, 0, 0] = 60000
        scale = Intensity.of(volume)
        self.assertLess(scale.high, 1001)
        self.assertGreater(scale.normalize(volume).max(), 50)
        self.assertEqual(scale.restore(scale.normalize(volume))[0, 0, 0], 60000)

    def test_12_bit_data_are_scaled_by_their_values_and_not_by_their_type(self):
        volume = np.linspace(0, 4095, 4096).astype(np.int16).reshape(16, 16, 16)
        self.assertAlmostEqual(Intensity.of(volume).normalize(volume).max(), 1.0, places=2)

    def test_a_volume_that_is_nearly_all_background_keeps_its_contrast(self):
        volume = np.zeros((20, 20, 20), np.int16)
        volume[10, 10, 10] = 7
        self.assertEqual((Intensity.of(volume).low, Intensity.of(volume).high), (0, 7))

    def test_a_constant_volume_stays_constant(self):
        volume = np.full((2, 3, 4), -5, np.int16)
        scale = Intensity.of(volume)
        np.testing.assert_array_equal(scale.restore(scale.normalize(volume)), volume)

    def test_values_beyond_the_type_saturate_and_never_wrap_around(self):
        for dtype in (np.uint8, np.int16, np.uint16, np.int64, np.uint64):
            with self.subTest(dtype):
                limits = np.iinfo(dtype)
                scale = Intensity(0.0, 1.0, np.dtype(dtype))
                back = scale.restore(np.array([-1e30, 1e30, 3.4]))
                self.assertEqual(back.tolist(), [limits.min, limits.max, 3])

    def test_integers_are_rounded_and_not_truncated(self):
        self.assertEqual(
            Intensity(0.0, 1.0, np.dtype(np.int16)).restore(np.array([1.6, -1.6])).tolist(), [2, -2]
        )


class InputCheckTest(unittest.TestCase):
    def test_nan_and_infinite_voxels_are_masked_and_the_input_is_left_alone(self):
        volume = np.ones((2, 2, 2), np.float32)
        volume[0, 0, 0], volume[1, 1, 1], volume[0, 1, 0] = np.nan, -np.inf, -3
        filled, mask = intensity.mask_non_finite(volume)
        self.assertEqual(mask.sum(), 2)
        self.assertTrue((filled[mask] == -3).all())
        self.assertTrue(np.isnan(volume[0, 0, 0]))

    def test_a_finite_volume_is_not_copied(self):
        volume = np.ones((2, 2, 2))
        filled, mask = intensity.mask_non_finite(volume)
        self.assertIs(filled, volume)
        self.assertIsNone(mask)

    def test_a_volume_without_any_finite_voxel_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "NaN"):
            intensity.mask_non_finite(np.full((2, 2, 2), np.nan))

    def test_what_is_no_gray_volume_is_refused_with_a_reason(self):
        for volume, reason in (
            (np.zeros((2, 2, 2, 3)), "three dimensions"),
            (np.zeros((2, 2, 0)), "no voxels"),
            (np.zeros((2, 2, 2), complex), "complex128"),
            (np.zeros((2, 2, 2), bool), "bool"),
        ):
            with self.subTest(reason), self.assertRaisesRegex(SuperResolutionError, reason):
                intensity.check_type(volume)


class CommonRangeTest(unittest.TestCase):
    @given(st.lists(hnp.arrays(np.int16, small_shapes), min_size=1, max_size=4))
    def test_range_is_that_of_all_volumes_together(self, volumes):
        together = Intensity.of(np.concatenate([volume.ravel() for volume in volumes]))
        self.assertEqual(intensity.common_intensity_range(volumes), (together.low, together.high))

    def test_range_does_not_depend_on_the_order_of_the_volumes(self):
        volumes = [np.random.default_rng(n).integers(0, 100 * (n + 1), (4, 5, 6)) for n in range(3)]
        self.assertEqual(
            intensity.common_intensity_range(volumes),
            intensity.common_intensity_range(volumes[::-1]),
        )

    def test_nan_and_infinite_voxels_count_for_nothing(self):
        volume = np.linspace(0, 1, 60).reshape(3, 4, 5)
        spoilt = np.full((3, 4, 5), np.nan)
        spoilt[0, 0, 0] = np.inf
        self.assertEqual(
            intensity.common_intensity_range([volume, spoilt]),
            intensity.common_intensity_range([volume]),
        )
        with self.assertRaisesRegex(SuperResolutionError, "sequence is NaN or infinite"):
            intensity.common_intensity_range([spoilt, spoilt])

    def test_of_many_voxels_some_of_all_rows_and_columns_are_enough(self):
        volumes = [np.random.default_rng(n).normal(100, 10, (8, 64, 64)) for n in range(4)]
        volumes[2][:, :, 13] = (
            500  # a bright column: a step of a whole row would see nothing else, or never
        )
        exact = intensity.common_intensity_range(volumes)
        with mock.patch.object(intensity, "MAX_VOXELS", 2**13):
            some = intensity.common_intensity_range(volumes)
        np.testing.assert_allclose(some, exact, rtol=0.05)


if __name__ == "__main__":
    unittest.main()
