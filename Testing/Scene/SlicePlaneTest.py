"""Slice views in the plane of the slices."""

import unittest

import numpy as np
import slicer
from MRISuperResLib.scene.comparison.slice_views import (
    ijkToWorld,
    lookAt,
    middle,
    pixelSize,
    shownSlice,
    slicePlane,
    viewCenter,
)
from scene_helpers import AXES, make_volume

PRESETS = {2: "Axial", 1: "Coronal", 0: "Sagittal"}
SIZE = (6, 8, 5)


def rotation(degrees):
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


class SlicePlaneTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()

    def test_planes_along_the_patient_axes_are_the_presets_of_slicer(self):
        matrix = np.diag([1.5, 2.5, 3.5, 1])
        for axis, preset in PRESETS.items():
            with self.subTest(preset):
                expected = slicer.util.arrayFromVTKMatrix(
                    self.view.GetSliceOrientationPreset(preset)
                )
                np.testing.assert_array_equal(slicePlane(matrix, axis, (0, 0, 0))[:3, :3], expected)

    def test_mirrored_and_permuted_axes_have_the_same_planes(self):
        for name in ("left handed", "permuted"):
            with self.subTest(name):
                along = np.abs(np.array(AXES[name])[:3, :3]).argmax(
                    axis=0
                )  # the patient axis of each voxel axis
                for axis in range(3):
                    preset = PRESETS[along[axis]]
                    expected = slicer.util.arrayFromVTKMatrix(
                        self.view.GetSliceOrientationPreset(preset)
                    )
                    np.testing.assert_allclose(
                        slicePlane(np.array(AXES[name]), axis, (0, 0, 0))[:3, :3],
                        expected,
                        atol=1e-12,
                    )

    def test_plane_contains_both_in_plane_axes(self):
        for name, matrix in AXES.items():
            matrix = np.array(matrix)
            for axis in range(3):
                with self.subTest(name, axis=axis):
                    plane = slicePlane(matrix, axis, (1, 2, 3))
                    np.testing.assert_allclose(
                        plane[:3, :3].T @ plane[:3, :3], np.eye(3), atol=1e-12
                    )
                    np.testing.assert_allclose(
                        np.delete(matrix[:3, :3], axis, 1).T @ plane[:3, 2], 0, atol=1e-12
                    )
                    np.testing.assert_allclose(plane[:3, 3], (matrix @ [1, 2, 3, 1])[:3])

    def test_oblique_rows_are_horizontal(self):
        plane = slicePlane(np.array(AXES["oblique"]), 2, (0, 0, 0))
        np.testing.assert_allclose(plane[:3, 0], [-0.8, -0.6, 0])
        np.testing.assert_allclose(plane[:3, 1], [-0.6, 0.8, 0])

    def test_shown_slice_is_none_outside_of_the_volume(self):
        for name, matrix in AXES.items():
            matrix = np.array(matrix)
            for axis in range(3):
                with self.subTest(name, axis=axis):
                    shown = []
                    for number in (
                        -0.6,
                        -0.4,
                        *range(SIZE[axis]),
                        SIZE[axis] - 0.6,
                        SIZE[axis] - 0.4,
                    ):
                        index = np.array(middle(SIZE), float)
                        index[axis] = number
                        lookAt(self.view, slicePlane(matrix, axis, index))
                        shown.append(shownSlice(self.view, matrix, axis, SIZE))
                    self.assertEqual(shown, [None, 0, *range(SIZE[axis]), SIZE[axis] - 1, None])

    def test_panning_and_zooming_keep_the_slice(self):
        matrix = np.array(AXES["sheared"])
        plane = slicePlane(matrix, 2, (3, 3, 4))
        lookAt(self.view, plane, (50, -20, 0), 0.1)
        self.assertEqual(shownSlice(self.view, matrix, 2, SIZE), 4)
        np.testing.assert_allclose(viewCenter(self.view), (plane @ [50, -20, 0, 1])[:3])
        self.assertAlmostEqual(pixelSize(self.view), 0.1)

    def test_oblique_view_shows_no_slice(self):
        matrix = np.diag([1.5, 2.5, 3.5, 1])
        for degrees, expected in ((0.1, 2), (5, None), (90, None)):
            plane = slicePlane(matrix, 0, (2, 2, 2))
            plane[:3, :3] = rotation(degrees)[:3, :3] @ plane[:3, :3]
            lookAt(self.view, plane)
            self.assertEqual(shownSlice(self.view, matrix, 0, SIZE), expected)

    def test_linear_parent_transforms_are_included(self):
        volume = make_volume(ijk_to_ras=np.diag([1.5, 1.5, 4, 1]))
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(rotation(30)))
        volume.SetAndObserveTransformNodeID(transform.GetID())
        np.testing.assert_allclose(
            ijkToWorld(volume), rotation(30) @ np.diag([1.5, 1.5, 4, 1]), atol=1e-12
        )

    def test_nonlinear_parent_transforms_are_ignored(self):
        volume = make_volume()
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
        volume.SetAndObserveTransformNodeID(transform.GetID())
        np.testing.assert_allclose(ijkToWorld(volume), AXES["oblique"])


if __name__ == "__main__":
    unittest.main()
