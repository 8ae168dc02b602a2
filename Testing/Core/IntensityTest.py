import unittest
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from MRISuperResLib.core import intensity
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.volume import Volume

small_shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)
narrow_integers = st.sampled_from((np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32))


def common_range(volumes):
    """Return the common intensity range of arrays."""
    total = sum(volume.size for volume in volumes)
    computed = (Volume(each, np.eye(4), provenance={}) for each in volumes)
    return intensity.common_intensity_range(computed, total)


class IntensityTest(unittest.TestCase):
    @given(narrow_integers.flatmap(lambda dtype: hnp.arrays(dtype, small_shapes)))
    def test_every_integer_is_restored_exactly(self, volume):
        scale = Intensity.of(volume)
        back = scale.restore(scale.normalize(volume))
        self.assertEqual(back.dtype, volume.dtype)
        np.testing.assert_array_equal(back, volume)

    @given(hnp.arrays(np.int64, small_shapes, elements=st.integers(-(2**50), 2**50)))
    def test_64_bit_integers_are_restored_within_double_precision(self, volume):
        scale = Intensity.of(volume)
        np.testing.assert_allclose(
            scale.restore(scale.normalize(volume)), volume, rtol=1e-15, atol=2
        )

    @given(hnp.arrays(np.float32, small_shapes, elements=st.floats(-1e6, 1e6, width=32)))
    def test_real_values_are_restored_within_single_precision(self, volume):
        scale = Intensity.of(volume)
        back = scale.restore(scale.normalize(volume))
        self.assertEqual(back.dtype, np.float32)
        np.testing.assert_allclose(back, volume, rtol=1e-6, atol=1e-9 * (np.abs(volume).max() + 1))

    def test_spikes_neither_determine_the_contrast_nor_are_clipped(self):
        volume = np.tile(np.arange(1000, dtype=np.uint16), 20).reshape(20, 50, 20)
        volume[0, 0, 0] = 60000
        scale = Intensity.of(volume)
        self.assertLess(scale.high, 1001)
        self.assertGreater(scale.normalize(volume).max(), 50)
        self.assertEqual(scale.restore(scale.normalize(volume))[0, 0, 0], 60000)

    def test_12_bit_data_are_scaled_by_their_values_and_not_by_their_type(self):
        volume = np.linspace(0, 4095, 4096).astype(np.int16).reshape(16, 16, 16)
        self.assertAlmostEqual(Intensity.of(volume).normalize(volume).max(), 1.0, places=2)

    def test_volume_of_mostly_background_keeps_its_contrast(self):
        volume = np.zeros((20, 20, 20), np.int16)
        volume[10, 10, 10] = 7
        self.assertEqual((Intensity.of(volume).low, Intensity.of(volume).high), (0, 7))

    def test_constant_volumes_are_restored_exactly_up_to_the_largest_exact_value(self):
        for value, dtype in (
            (-5, np.int16),
            (2**53, np.int64),
            (-(2**53), np.int64),
            (2.0**53, np.float64),
            (2.0**53, np.float32),
            (1e-300, np.float64),
        ):
            with self.subTest(value=value, dtype=np.dtype(dtype).name):
                volume = np.full((2, 3, 4), value, dtype)
                scale = Intensity.of(volume)
                self.assertGreater(scale.high, scale.low)
                np.testing.assert_array_equal(scale.normalize(volume), 0)
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
    def test_intensities_beyond_double_precision_are_refused(self):
        for value, dtype in (
            (1e17, np.float32),
            (1e300, np.float64),
            (-1e17, np.float64),
            (2**60, np.int64),
            (2**53 + 1, np.int64),
            (-(2**63), np.int64),
            (2**64 - 1, np.uint64),
        ):
            volume = np.zeros((2, 2, 2), dtype)
            volume[1, 1, 1] = value
            with self.subTest(value=value), self.assertRaisesRegex(SuperResolutionError, "2\\^53"):
                intensity.check_range(volume)

    def test_largest_exact_intensities_are_accepted_beside_non_finite_voxels(self):
        for value, dtype in ((2**53, np.int64), (-(2**53), np.int64), (2.0**53, np.float32)):
            intensity.check_range(np.full((2, 2, 2), value, dtype))
        volume = np.full((2, 2, 2), 2.0**53)
        volume[0, 0] = np.nan, -np.inf
        intensity.check_range(volume)
        volume[1, 0, 0] = 2.0**54
        with self.assertRaisesRegex(SuperResolutionError, "magnitude 1.8e\\+16"):
            intensity.check_range(volume)


class CommonRangeTest(unittest.TestCase):
    @given(st.lists(hnp.arrays(np.uint8, small_shapes), min_size=1, max_size=4))
    def test_common_range_is_that_of_all_volumes_together(self, volumes):
        together = Intensity.of(np.concatenate([volume.ravel() for volume in volumes]))
        self.assertEqual(common_range(volumes), (together.low, together.high))

    def test_common_range_does_not_depend_on_the_order_of_the_volumes(self):
        volumes = [np.random.default_rng(n).integers(0, 100 * (n + 1), (4, 5, 6)) for n in range(3)]
        self.assertEqual(
            common_range(volumes),
            common_range(volumes[::-1]),
        )

    def test_common_range_ignores_nan_and_infinite_voxels(self):
        volume = np.linspace(0, 1, 60).reshape(3, 4, 5)
        spoilt = np.full((3, 4, 5), np.nan)
        spoilt[0, 0, 0] = np.inf
        self.assertEqual(
            common_range([volume, spoilt]),
            common_range([volume]),
        )
        with self.assertRaisesRegex(SuperResolutionError, "sequence is NaN, infinite"):
            common_range([spoilt, spoilt])

    def test_common_range_ignores_the_fill_value_of_every_volume(self):
        volumes = [np.random.default_rng(n).integers(0, 700, (4, 5, 6)) for n in range(2)]
        filled = [np.concatenate([volume, np.full((2, 5, 6), -32768)]) for volume in volumes]
        self.assertEqual(common_range(filled), common_range(volumes))
        padded = [
            Volume(np.where(volume < 50, 300, volume), np.eye(4), padding=volume < 50)
            for volume in volumes
        ]
        above = [volume[volume >= 50].reshape(-1, 1, 1) for volume in volumes]
        self.assertEqual(intensity.common_intensity_range(padded, 240), common_range(above))

    def test_common_range_of_many_voxels_samples_all_rows_and_columns(self):
        volumes = [np.random.default_rng(n).normal(100, 10, (8, 64, 64)) for n in range(4)]
        # a stride of a whole row would sample this bright column always or never
        volumes[2][:, :, 13] = 500
        exact = common_range(volumes)
        with mock.patch.object(intensity, "MAX_VOXELS", 2**13):
            some = common_range(volumes)
        np.testing.assert_allclose(some, exact, rtol=0.05)


if __name__ == "__main__":
    unittest.main()
