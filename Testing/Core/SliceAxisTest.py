import unittest

import numpy as np

from MRISuperResLib.core import slice_axis
from MRISuperResLib.core.errors import SuperResolutionError


def matrix_of(columns, spacing):
    """IJKToRAS whose voxel axes point along `columns`, for instance "LSA": i to the left, j up, k to the front."""
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
    def test_a_nearly_isotropic_volume_is_cut_axially_whatever_its_storage_order(self):
        for columns, axis in (("RAS", "k"), ("LIA", "j"), ("PIR", "j"), ("SRA", "i")):
            with self.subTest(columns):
                self.assertEqual(
                    slice_axis.choose_slice_axis(matrix_of(columns, (1, 1, 1.2))).name, axis
                )

    def test_thick_slices_are_cut_in_their_acquisition_plane(self):
        taken = slice_axis.choose_slice_axis(matrix_of("IRP", (1.1, 1.1, 3.3)))
        self.assertEqual((taken.name, taken.plane), ("k", "coronal"))
        self.assertIn("3.3 mm", taken.reason)

    def test_the_acquisition_plane_need_not_be_the_last_voxel_axis(self):
        self.assertEqual(slice_axis.choose_slice_axis(matrix_of("RAS", (4, 1, 1))).name, "i")

    def test_a_spacing_of_exactly_one_and_a_half_counts_as_nearly_isotropic_also_in_single_precision(
        self,
    ):
        for thick in (4.5, np.float32(4.5000005)):
            self.assertEqual(
                slice_axis.choose_slice_axis(matrix_of("PIL", (3, 3, thick))).plane, "axial"
            )
        self.assertEqual(slice_axis.choose_slice_axis(matrix_of("PIL", (3, 3, 4.51))).name, "k")

    def test_thick_means_thicker_than_both_other_axes(self):
        self.assertEqual(slice_axis.choose_slice_axis(matrix_of("RAS", (1, 3, 3))).plane, "axial")

    def test_a_named_plane_takes_the_nearest_voxel_axis_of_an_oblique_volume(self):
        angle = np.radians(30)
        tilt = np.eye(4)
        tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix = tilt @ matrix_of("LIA", (1, 1, 1))
        self.assertEqual(
            [
                slice_axis.choose_slice_axis(matrix, plane).name
                for plane in ("sagittal", "axial", "coronal")
            ],
            ["i", "j", "k"],
        )

    def test_a_voxel_axis_can_be_asked_for_and_the_plane_is_named(self):
        taken = slice_axis.choose_slice_axis(matrix_of("LIA", (1, 1, 5)), "i")
        self.assertEqual((taken.axis, taken.numpy_axis, taken.plane), (0, 2, "sagittal"))

    def test_only_the_plane_is_enlarged(self):
        self.assertEqual(slice_axis.choose_slice_axis(np.eye(4), "j").factors(4), (4, 1, 4))

    def test_the_planes_on_screen_are_those_of_radiology(self):
        left, posterior, inferior = (-1, 0, 0), (0, -1, 0), (0, 0, -1)
        self.assertEqual(
            slice_axis.ON_SCREEN,
            {
                "axial": (posterior, left),
                "coronal": (inferior, left),
                "sagittal": (inferior, posterior),
            },
        )

    def test_pictures_show_anterior_or_superior_above_and_the_patients_left_on_the_right(self):
        for columns in ("RAS", "LPS", "LIA", "PIR", "SRA", "AIL"):
            matrix = matrix_of(columns, (1, 1, 1))
            for plane in slice_axis.ON_SCREEN:
                with self.subTest(columns=columns, plane=plane):
                    axis = slice_axis.choose_slice_axis(matrix, plane)
                    weight_down, weight_right = (1, 10)
                    down, right = (np.array(v) for v in slice_axis.ON_SCREEN[plane])
                    gradient = (weight_down * down + weight_right * right) @ matrix[:3, :3]
                    k, j, i = np.mgrid[:2, :2, :2]
                    volume = gradient[0] * i + gradient[1] * j + gradient[2] * k
                    picture = slice_axis.to_radiological(
                        np.moveaxis(volume, axis.numpy_axis, 0), matrix, axis
                    )[0]
                    np.testing.assert_array_equal(picture[1] - picture[0], weight_down)
                    np.testing.assert_array_equal(picture[:, 1] - picture[:, 0], weight_right)

    def test_an_unknown_direction_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(SuperResolutionError, "axial"):
            slice_axis.choose_slice_axis(np.eye(4), "transversal")


if __name__ == "__main__":
    unittest.main()
