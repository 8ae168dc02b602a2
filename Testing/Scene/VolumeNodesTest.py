"""Which volume nodes can be upsampled, and what the panel says of them."""

import unittest

import numpy as np
import slicer
import vtk
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.scene.volume_nodes import (
    describeGeometry,
    firstUpsamplableNode,
    ijkToRAS,
    upsamplableVolume,
    whyNotUpsamplable,
)
from scene_helpers import AXES, make_volume


class VolumeNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def assert_refused(self, node, words):
        self.assertIn(words, whyNotUpsamplable(node))
        with self.assertRaises(SuperResolutionError) as caught:
            upsamplableVolume(node)
        self.assertEqual(str(caught.exception), whyNotUpsamplable(node))

    def test_array_and_geometry_of_every_orientation_are_read(self):
        for name, matrix in AXES.items():
            with self.subTest(name):
                node = make_volume(ijk_to_ras=matrix)
                array, read = upsamplableVolume(node)
                np.testing.assert_array_equal(array, slicer.util.arrayFromVolume(node))
                np.testing.assert_allclose(read, matrix, atol=1e-12)

    def test_volume_under_any_transform_is_accepted(self):
        for transform in ("vtkMRMLLinearTransformNode", "vtkMRMLBSplineTransformNode"):
            node = make_volume()
            node.SetAndObserveTransformNodeID(slicer.mrmlScene.AddNewNodeByClass(transform).GetID())
            self.assertEqual(whyNotUpsamplable(node), "")

    def test_no_volume_is_refused(self):
        self.assert_refused(None, "Choose an input volume")

    def test_label_map_is_refused(self):
        self.assert_refused(
            slicer.util.addVolumeFromArray(
                np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
            ),
            "label map",
        )

    def test_color_volume_is_refused(self):
        self.assert_refused(
            slicer.util.addVolumeFromArray(
                np.zeros((2, 3, 4, 3), np.uint8), nodeClassName="vtkMRMLVectorVolumeNode"
            ),
            "3 values in each voxel",
        )

    def test_other_nodes_are_refused(self):
        self.assert_refused(
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Bone"),
            "“Bone” is not a scalar volume",
        )

    def test_volume_without_image_is_refused(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        self.assert_refused(node, "“Empty” holds no image")
        node.SetAndObserveImageData(vtk.vtkImageData())
        self.assert_refused(node, "“Empty” holds no image")

    def test_volume_without_extent_in_space_is_refused(self):
        node = make_volume()
        node.SetIJKToRASDirections(1, 0, 0, 1, 0, 0, 0, 0, 1)
        self.assert_refused(node, "no valid geometry")

    def test_first_upsamplable_node_skips_label_maps_and_empty_volumes(self):
        self.assertIsNone(firstUpsamplableNode())
        slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        self.assertIsNone(firstUpsamplableNode())
        node = make_volume()
        self.assertIs(firstUpsamplableNode(), node)

    def test_description_names_the_slices_and_the_new_grid(self):
        node = make_volume(ijk_to_ras=np.diag([1.5, 1.5, 4, 1]))
        self.assertEqual(
            describeGeometry(node, "auto", 4).splitlines(),
            [
                "Slices along k (axial): the acquired slices, 4 mm apart against 1.5 mm in plane",
                "5 × 6 × 7 → 20 × 24 × 7 voxels, 0.375 × 0.375 × 4 mm",
            ],
        )
        self.assertIn("5 × 12 × 14 voxels", describeGeometry(node, "sagittal", 2))

    def test_reading_changes_nothing(self):
        node = make_volume()
        time = node.GetMTime(), node.GetImageData().GetMTime()
        upsamplableVolume(node)
        describeGeometry(node, "auto", 2)
        ijkToRAS(node)
        self.assertEqual((node.GetMTime(), node.GetImageData().GetMTime()), time)


if __name__ == "__main__":
    unittest.main()
