"""Voxel grids of isotropic outputs and requested spacings."""

import unittest

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import corners
from MRISuperResLib.core.options import SCALES, UpsamplingOptions
from MRISuperResLib.core.through_plane.grid import MAX_FACTOR, OutputGrid
from MRISuperResLib.core.volume import Volume

SIZES = st.tuples(*[st.integers(2, 40)] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 6)] * 3)
ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
FLIPS = st.tuples(*[st.sampled_from((-1, 1))] * 3)


def volume_of(size, spacing, angles=(0, 0, 0), flips=(1, 1, 1)):
    matrix = np.eye(4)
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, :3] = rotation * np.multiply(spacing, flips)
    matrix[:3, 3] = (-80, 60.5, 33)
    return Volume(np.zeros(size[::-1], np.uint8), matrix)


def grid_of(volume, **options):
    try:
        return OutputGrid.of(volume, UpsamplingOptions(**options))
    except SuperResolutionError:
        assume(False)  # finer than allowed


class OutputGridTest(unittest.TestCase):
    @settings(deadline=None)
    @given(SIZES, SPACINGS, ANGLES, FLIPS, st.one_of(st.none(), SPACINGS))
    def test_corners_of_the_volume_stay_and_whole_voxels_fill_it(
        self, size, spacing, angles, flips, requested
    ):
        volume = volume_of(size, spacing, angles, flips)
        grid = grid_of(volume, isotropic=requested is None, spacing=requested)
        np.testing.assert_allclose(
            corners(grid.ijk_to_ras, grid.size),
            corners(volume.ijk_to_ras, volume.size),
            rtol=0,
            atol=1e-9,
        )
        np.testing.assert_allclose(grid.spacing, np.multiply(size, spacing) / grid.size)
        directions = [
            m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0)
            for m in (grid.ijk_to_ras, volume.ijk_to_ras)
        ]
        np.testing.assert_allclose(*directions, atol=1e-12)

    @settings(deadline=None)
    @given(SIZES, SPACINGS, st.one_of(st.none(), SPACINGS))
    def test_spacing_is_the_requested_one_within_half_a_voxel(self, size, spacing, requested):
        volume = volume_of(size, spacing)
        grid = grid_of(volume, isotropic=requested is None, spacing=requested)
        if requested is None:
            requested = 3 * (min(np.delete(spacing, grid.axis.index)),)
        for count, side, extent in zip(grid.size, requested, np.multiply(size, spacing)):
            if count > 1:
                self.assertLessEqual(abs(count * side - extent), side / 2 * (1 + 1e-9))
            else:
                self.assertLessEqual(extent, 1.5 * side * (1 + 1e-9))

    @settings(deadline=None)
    @given(SIZES, SPACINGS, SPACINGS, st.sampled_from("ijk"))
    def test_the_in_plane_scale_is_the_next_larger_one(self, size, spacing, requested, axis):
        volume = volume_of(size, spacing)
        grid = grid_of(volume, spacing=requested, slice_axis=axis)
        finest = np.delete(np.divide(grid.size, size), "ijk".index(axis)).max()
        fitting = [scale for scale in SCALES if scale >= finest]
        self.assertEqual(grid.scale, fitting[0] if finest > 1 else None)

    def test_a_factor_that_is_a_scale_takes_this_scale(self):
        volume = volume_of((20, 20, 10), (1, 1, 4))
        for scale in SCALES:
            options = UpsamplingOptions(spacing=(1 / scale, 1 / scale, 4.0))
            self.assertEqual(OutputGrid.of(volume, options).scale, scale)

    @settings(deadline=None)
    @given(SIZES, st.floats(0.3, 3))
    def test_an_isotropic_volume_keeps_its_grid(self, size, side):
        volume = volume_of(size, (side,) * 3)
        grid = grid_of(volume, isotropic=True)
        self.assertEqual((grid.size, grid.scale), (volume.size, None))
        np.testing.assert_allclose(grid.ijk_to_ras, volume.ijk_to_ras)

    def test_voxels_that_are_too_small_are_refused_with_the_smallest(self):
        volume = volume_of((20, 20, 10), (1, 1, 4))
        with self.assertRaisesRegex(SuperResolutionError, "at least 0.125×0.125×0.5 mm"):
            OutputGrid.of(volume, UpsamplingOptions(spacing=(0.12, 1.0, 1.0)))
        smallest = np.divide(volume.spacing, MAX_FACTOR)
        grid = OutputGrid.of(volume, UpsamplingOptions(spacing=tuple(map(float, smallest))))
        self.assertEqual(grid.size, (160, 160, 80))

    def test_a_single_slice_is_refused_between_slices_alone(self):
        volume = volume_of((20, 20, 1), (1, 1, 4))
        with self.assertRaisesRegex(SuperResolutionError, "single slice"):
            OutputGrid.of(volume, UpsamplingOptions(isotropic=True))
        grid = OutputGrid.of(volume, UpsamplingOptions(spacing=(0.5, 0.5, 4.0)))
        self.assertEqual(grid.size, (40, 40, 1))


if __name__ == "__main__":
    unittest.main()
