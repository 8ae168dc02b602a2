"""Volume nodes that can be upsampled, and reasons why others cannot."""

import unittest

import numpy as np
import slicer
import vtk
from dicom_helpers import DatabaseDouble, opened
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.scene.nodes import (
    firstUpsamplableNode,
    ijkToRAS,
    volumeFromNode,
    whyNotUpsamplable,
)
from scene_helpers import AXES, make_volume


class VolumeNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def assert_refused(self, node, words):
        self.assertIn(words, whyNotUpsamplable(node))
        with self.assertRaises(SuperResolutionError) as caught:
            volumeFromNode(node)
        self.assertEqual(str(caught.exception), whyNotUpsamplable(node))

    def test_array_and_geometry_are_read_in_every_orientation(self):
        for name, matrix in AXES.items():
            with self.subTest(name):
                node = make_volume(ijk_to_ras=matrix)
                volume = volumeFromNode(node)
                np.testing.assert_array_equal(volume.array, slicer.util.arrayFromVolume(node))
                np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=1e-12)

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
            "3 values per voxel",
        )

    def test_other_nodes_are_refused(self):
        self.assert_refused(
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Bone"),
            "“Bone” is not a scalar volume",
        )

    def test_volume_without_image_is_refused(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        self.assert_refused(node, "“Empty” has no voxels")
        node.SetAndObserveImageData(vtk.vtkImageData())
        self.assert_refused(node, "“Empty” has no voxels")

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

    def test_node_from_dicom_images_of_another_modality_has_a_warning(self):
        for modality, codes in (("MR", []), ("CT", ["modality"]), ("", [])):
            node = make_volume()
            self.assertEqual(volumeFromNode(node).messages, ())
            node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
            self.assertEqual(volumeFromNode(node).messages, ())  # no database is open
            with opened(DatabaseDouble({"1.2.3": "a", "1.2.4": "b"}, modality)):
                messages = volumeFromNode(node).messages
                self.assertEqual([m.code for m in messages if m.is_warning], codes, modality)

    def test_reading_does_not_change_the_node(self):
        node = make_volume()
        time = node.GetMTime(), node.GetImageData().GetMTime()
        volumeFromNode(node)
        ijkToRAS(node)
        self.assertEqual((node.GetMTime(), node.GetImageData().GetMTime()), time)


if __name__ == "__main__":
    unittest.main()
