import unittest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError

FINITE = dict(allow_nan=False, allow_infinity=False)


@st.composite
def affines(draw):
    """Oblique IJKToRAS matrices, left-handed ones too, with spacings from 0.1 to 10 mm."""
    rotation = Rotation.from_euler(
        "xyz", [draw(st.floats(-180, 180, **FINITE)) for _ in range(3)], degrees=True
    ).as_matrix()
    spacing = [draw(st.floats(0.1, 10, **FINITE)) for _ in range(3)]
    signs = [draw(st.sampled_from((-1, 1))) for _ in range(3)]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ np.diag(np.multiply(spacing, signs))
    matrix[:3, 3] = [draw(st.floats(-500, 500, **FINITE)) for _ in range(3)]
    return matrix


sizes = st.tuples(*[st.integers(1, 600)] * 3)
factors = st.tuples(*[st.sampled_from((1, 2, 4, 8))] * 3)


class GeometryTest(unittest.TestCase):
    @given(affines(), sizes, factors)
    def test_volume_corners_stay_in_place(self, matrix, size, f):
        upsampled = geometry.upsampled_ijk_to_ras(matrix, f)
        before, after = (
            geometry.corners(matrix, size),
            geometry.corners(upsampled, np.multiply(size, f)),
        )
        extent = np.linalg.norm(np.multiply(size, geometry.spacing(matrix)))
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-12 * (extent + 1000))

    @given(affines(), factors)
    def test_spacing_is_divided_by_the_factor(self, matrix, f):
        np.testing.assert_allclose(
            geometry.spacing(geometry.upsampled_ijk_to_ras(matrix, f)), geometry.spacing(matrix) / f
        )

    @given(affines(), factors)
    def test_axis_directions_are_unchanged(self, matrix, f):
        upsampled = geometry.upsampled_ijk_to_ras(matrix, f)
        np.testing.assert_allclose(upsampled[:3, :3] * f, matrix[:3, :3], atol=1e-12)

    def test_first_voxel_moves_by_half_the_difference_of_the_voxel_sizes(self):
        upsampled = geometry.upsampled_ijk_to_ras(np.diag([1.2, 1.2, 3, 1]), (2, 2, 1))
        np.testing.assert_allclose(upsampled[:3, 3], [-0.3, -0.3, 0])

    def test_factor_of_one_changes_nothing(self):
        matrix = np.diag([-1.1, 2, 3, 1])
        np.testing.assert_array_equal(geometry.upsampled_ijk_to_ras(matrix, (1, 1, 1)), matrix)

    def test_unusable_matrices_are_refused(self):
        sheared_to_a_plane = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        for matrix in (
            np.diag([0, 1, 1, 1]),
            np.full((4, 4), np.nan),
            np.eye(3),
            sheared_to_a_plane,
            "axial",
            None,
        ):
            with (
                self.subTest(matrix=matrix),
                self.assertRaisesRegex(SuperResolutionError, "position in space"),
            ):
                geometry.check_ijk_to_ras(matrix)


if __name__ == "__main__":
    unittest.main()
