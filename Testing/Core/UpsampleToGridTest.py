"""Upsampling to isotropic voxels and requested spacings."""

import unittest
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import MRISuperResLib as sr
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.slice_profile import INTERPOLATIONS
from MRISuperResLib.core.upsampling import upsample_frames, upsample_volume
from MRISuperResLib.core.volume import Frames, Volume

THICK = np.diag([1.0, 1.0, 3.0, 1.0])
TYPES = (np.uint8, np.int16, np.uint16, np.float32, np.float64)
KINDS = st.sampled_from(INTERPOLATIONS)
SIDES = st.tuples(*[st.floats(0.6, 2)] * 2, st.floats(0.6, 3))


def options_of(kind="bspline", **changes):
    changes = changes if "spacing" in changes else {"isotropic": True, **changes}
    return UpsamplingOptions("bicubic", between_slices=kind, **changes)


def random_volume(dtype=np.int16, shape=(5, 8, 7), matrix=THICK, seed=0):
    array = np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)
    return Volume(array, matrix)


class ValuesTest(unittest.TestCase):
    @settings(deadline=None, max_examples=40)
    @given(st.sampled_from(TYPES), st.integers(0, 250), KINDS, SIDES)
    def test_constants_and_the_type_stay(self, dtype, value, kind, spacing):
        volume = Volume(np.full((4, 6, 5), value, dtype), THICK)
        result = upsample_volume(volume, options_of(kind, spacing=spacing))
        self.assertEqual(result.array.dtype, dtype)
        np.testing.assert_array_equal(result.array, np.asarray(value, dtype))

    @settings(deadline=None, max_examples=25)
    @given(
        st.sampled_from(("linear", "bspline")),
        st.tuples(*[st.floats(-30, 30)] * 3),
        st.integers(4, 20),
        st.sampled_from("ijk"),
    )
    def test_ramps_stay_ramps_away_from_the_ends(self, kind, slope, count, axis):
        index = "ijk".index(axis)
        size = np.full(3, 8)
        places = np.moveaxis(np.indices((8, 8, 8))[::-1], 0, -1)  # (i, j, k) per voxel
        matrix = np.diag([*np.where(np.arange(3) == index, 3.0, 1.0), 1.0])
        volume = Volume((places @ slope).astype(np.float64), matrix)
        spacing = np.where(np.arange(3) == index, 24 / max(count, 8), 1.0)
        options = options_of(kind, spacing=tuple(map(float, spacing)), slice_axis=axis)
        result = upsample_volume(volume, options)
        size = np.array(result.size)
        places = np.moveaxis(np.indices(tuple(size[::-1]))[::-1], 0, -1)
        expected = ((places + 0.5) * 8 / size - 0.5) @ slope
        inner = slice(size[index] * 3 // 8, size[index] * 5 // 8)
        got, known = (np.moveaxis(a, 2 - index, 0)[inner] for a in (result.array, expected))
        tolerance = 0.02 * max(1, np.abs(slope).sum())  # the prefilter of splines decays slowly
        np.testing.assert_allclose(got, known, rtol=0, atol=tolerance)

    @settings(deadline=None, max_examples=30)
    @given(st.sampled_from(TYPES), KINDS, st.floats(0.4, 4), st.integers(0, 9))
    def test_an_isotropic_volume_is_its_own_isotropic_output(self, dtype, kind, side, seed):
        volume = random_volume(dtype, matrix=np.diag([side, side, side, 1]), seed=seed)
        result = upsample_volume(volume, options_of(kind))
        if np.dtype(dtype).kind in "iu":
            np.testing.assert_array_equal(result.array, volume.array)
        else:
            np.testing.assert_allclose(result.array, volume.array, atol=1e-3)
        np.testing.assert_allclose(result.ijk_to_ras, volume.ijk_to_ras)

    @settings(deadline=None, max_examples=30)
    @given(KINDS, SIDES, st.integers(0, 9))
    def test_clipping_keeps_the_range_of_the_input(self, kind, spacing, seed):
        volume = random_volume(np.int16, seed=seed)
        result = upsample_volume(volume, options_of(kind, spacing=spacing, clip="input")).array
        self.assertGreaterEqual(result.min(), volume.array.min())
        self.assertLessEqual(result.max(), volume.array.max())

    @settings(deadline=None, max_examples=30)
    @given(KINDS, SIDES, st.sampled_from((np.nan, np.inf, "padding")), st.integers(0, 9))
    def test_voxels_without_image_keep_their_values(self, kind, spacing, value, seed):
        rng = np.random.default_rng(seed)
        volume = random_volume(np.float32, seed=seed)
        missing = rng.random(volume.array.shape) < 0.2
        array = volume.array.copy()
        array[missing] = -2000 if value == "padding" else value
        padding = missing if value == "padding" else None
        volume = replace(volume, array=array, padding=padding)
        result = upsample_volume(volume, options_of(kind, spacing=spacing)).array
        centers = [
            np.floor((np.arange(new) + 0.5) * old / new).astype(int)
            for old, new in zip(array.shape, result.shape)
        ]
        is_missing = missing[np.ix_(*centers)]
        np.testing.assert_array_equal(result[is_missing], array[np.ix_(*centers)][is_missing])
        self.assertTrue(np.isfinite(result[~is_missing]).all())
        self.assertGreater(result[~is_missing].min(), -1000)

    def test_the_order_of_the_voxel_axes_makes_no_difference(self):
        volume = random_volume()
        expected = upsample_volume(volume, options_of()).array
        turned = Volume(volume.array.transpose(2, 0, 1), THICK[:, [1, 2, 0, 3]])
        result = upsample_volume(turned, options_of()).array
        np.testing.assert_array_equal(result, expected.transpose(2, 0, 1))


class TaskTest(unittest.TestCase):
    def test_progress_rises_to_the_end(self):
        reports = []
        options = options_of(spacing=(0.5, 0.5, 1.0))
        upsample_volume(random_volume(), options, on_progress=reports.append)
        done = [report.done for report in reports]
        self.assertEqual(done, sorted(done))
        self.assertEqual({report.total for report in reports}, {5 + 16 + 14})
        self.assertEqual((done[0], done[-1]), (0, 35))

    def test_cancelling_stops_before_and_between_slices(self):
        for allowed in range(3):
            calls = []

            def is_cancelled(allowed=allowed, calls=calls):
                calls.append(1)
                return len(calls) > allowed

            with self.subTest(allowed), self.assertRaises(sr.Cancelled):
                options = options_of(spacing=(0.5, 0.5, 1.0))
                upsample_volume(random_volume(), options, is_cancelled=is_cancelled)

    def test_frames_share_one_intensity_range_and_grid(self):
        dark = random_volume(np.float32)
        bright = replace(dark, array=dark.array * 3)
        reports = []
        frames = upsample_frames(
            Frames(2, (dark, bright).__getitem__), options_of(), on_progress=reports.append
        )
        first, second = frames
        self.assertEqual(first.size, (7, 8, 15))
        self.assertEqual(first.provenance["intensity"], second.provenance["intensity"])
        np.testing.assert_allclose(second.array, first.array * 3, atol=0.01)
        self.assertEqual((reports[-1].done, reports[-1].total), (30, 30))

    def test_python_takes_the_options(self):
        volume = random_volume()
        result = sr.upsample(
            volume, spacing=[1.0, 1.0, 1.5], between_slices="linear", slice_thickness=2.0
        )
        self.assertEqual(result.size, (7, 8, 10))
        self.assertEqual(result.provenance["slice_thickness"], 2)
        result = sr.upsample(volume, isotropic=True, between_slices="fourier")
        self.assertEqual(result.size, (7, 8, 15))
        self.assertEqual(result.provenance["model"]["name"], "fourier")


if __name__ == "__main__":
    unittest.main()
