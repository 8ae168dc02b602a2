import unittest

import numpy as np

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError


def matrix_of(columns, spacing):
    """IJKToRAS with voxel axes along `columns`: "LSA" is i to the left, j up, k to the front."""
    directions = {
        "R": (1, 0, 0),
        "L": (-1, 0, 0),
        "A": (0, 1, 0),
        "P": (0, -1, 0),
        "S": (0, 0, 1),
        "I": (0, 0, -1),
    }
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([directions[c] for c in columns]).T * spacing
    return matrix


class SliceAxisTest(unittest.TestCase):
    def test_nearly_isotropic_volume_gets_axial_slices_in_any_storage_order(self):
        for columns, axis in (("RAS", "k"), ("LIA", "j"), ("PIR", "j"), ("SRA", "i")):
            with self.subTest(columns):
                self.assertEqual(
                    geometry.choose_slice_axis(matrix_of(columns, (1, 1, 1.2))).name, axis
                )

    def test_thick_slices_keep_their_acquisition_plane(self):
        axis = geometry.choose_slice_axis(matrix_of("IRP", (1.1, 1.1, 3.3)))
        self.assertEqual((axis.name, axis.plane, axis.reason), ("k", "coronal", "thick slices"))

    def test_acquisition_direction_can_be_any_voxel_axis(self):
        self.assertEqual(geometry.choose_slice_axis(matrix_of("RAS", (4, 1, 1))).name, "i")

    def test_spacing_ratio_of_one_and_a_half_counts_as_nearly_isotropic_in_single_precision(self):
        for thick in (4.5, np.float32(4.5000005)):
            self.assertEqual(
                geometry.choose_slice_axis(matrix_of("PIL", (3, 3, thick))).plane, "axial"
            )
        self.assertEqual(geometry.choose_slice_axis(matrix_of("PIL", (3, 3, 4.51))).name, "k")

    def test_thick_slices_exceed_both_other_spacings(self):
        self.assertEqual(geometry.choose_slice_axis(matrix_of("RAS", (1, 3, 3))).plane, "axial")

    def test_single_slice_is_cut_along_its_own_normal_whatever_its_spacing(self):
        for index, name in enumerate("ijk"):
            size = [12, 16, 9]
            size[index] = 1
            for columns in ("RAS", "LIA", "PIR"):
                for spacing in ((1, 1, 1), (5, 1, 1), (1, 1, 5)):
                    with self.subTest(name, columns=columns, spacing=spacing):
                        axis = geometry.choose_slice_axis(matrix_of(columns, spacing), size=size)
                        self.assertEqual((axis.name, axis.reason), (name, "single slice"))

    def test_line_of_voxels_and_a_requested_direction_are_cut_as_any_other_volume(self):
        for size in ((1, 1, 9), (1, 1, 1), (5, 6, 7)):
            axis = geometry.choose_slice_axis(np.eye(4), size=size)
            self.assertEqual((axis.name, axis.reason), ("k", "nearly isotropic"))
        axis = geometry.choose_slice_axis(np.eye(4), "axial", (16, 1, 12))
        self.assertEqual((axis.name, axis.reason), ("k", "requested"))

    def test_requested_plane_selects_the_nearest_voxel_axis_of_an_oblique_volume(self):
        angle = np.radians(30)
        tilt = np.eye(4)
        tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix = tilt @ matrix_of("LIA", (1, 1, 1))
        self.assertEqual(
            [
                geometry.choose_slice_axis(matrix, plane).name
                for plane in ("sagittal", "axial", "coronal")
            ],
            ["i", "j", "k"],
        )

    def test_requested_voxel_axis_is_used_and_its_plane_is_named(self):
        axis = geometry.choose_slice_axis(matrix_of("LIA", (1, 1, 5)), "i")
        self.assertEqual((axis.index, axis.numpy_axis, axis.plane), (0, 2, "sagittal"))

    def test_description_gives_plane_and_spacings(self):
        for spacing, expected in (
            ((1, 1, 3), "Axial slices (k): 3 mm slice spacing, 1 mm in-plane"),
            ((0.5, 0.75, 3), "Axial slices (k): 3 mm slice spacing, 0.5×0.75 mm in-plane"),
            (
                (1.1250001, 1.12499998, 3.2999999),
                "Axial slices (k): 3.3 mm slice spacing, 1.12 mm in-plane",
            ),
        ):
            matrix = matrix_of("RAS", spacing)
            self.assertEqual(geometry.choose_slice_axis(matrix).description(matrix), expected)
        matrix = matrix_of("RAS", (1, 2, 4))
        self.assertEqual(
            geometry.choose_slice_axis(matrix, "i").description(matrix),
            "Sagittal slices (i): 1 mm slice spacing, 2×4 mm in-plane",
        )

    def test_only_the_plane_is_upsampled(self):
        self.assertEqual(geometry.choose_slice_axis(np.eye(4), "j").factors(4), (4, 1, 4))

    def test_display_directions_are_those_of_radiology(self):
        left, posterior, inferior = (-1, 0, 0), (0, -1, 0), (0, 0, -1)
        self.assertEqual(
            geometry.RADIOLOGICAL,
            {
                "axial": (posterior, left),
                "coronal": (inferior, left),
                "sagittal": (inferior, posterior),
            },
        )

    def test_displayed_slices_show_anterior_or_superior_up_and_the_left_side_on_the_right(self):
        for columns in ("RAS", "LPS", "LIA", "PIR", "SRA", "AIL"):
            matrix = matrix_of(columns, (1, 1, 1))
            for plane in geometry.RADIOLOGICAL:
                with self.subTest(columns=columns, plane=plane):
                    axis = geometry.choose_slice_axis(matrix, plane)
                    weight_down, weight_right = (1, 10)
                    down, right = (np.array(v) for v in geometry.RADIOLOGICAL[plane])
                    gradient = (weight_down * down + weight_right * right) @ matrix[:3, :3]
                    k, j, i = np.mgrid[:2, :2, :2]
                    volume = gradient[0] * i + gradient[1] * j + gradient[2] * k
                    picture = geometry.to_radiological(
                        np.moveaxis(volume, axis.numpy_axis, 0), matrix, axis
                    )[0]
                    np.testing.assert_array_equal(picture[1] - picture[0], weight_down)
                    np.testing.assert_array_equal(picture[:, 1] - picture[:, 0], weight_right)

    def test_unknown_slice_direction_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(SuperResolutionError, "axial"):
            geometry.choose_slice_axis(np.eye(4), "transversal")


if __name__ == "__main__":
    unittest.main()
