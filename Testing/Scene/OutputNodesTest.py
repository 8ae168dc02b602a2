"""Output nodes: position, display, place in the subject hierarchy, provenance."""

import json
import unittest
from unittest import mock

import numpy as np
import slicer
import vtk
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.scene.nodes import (
    createOutput,
    ijkToRAS,
    imageSteps,
    updateOutput,
    volumeFromNode,
)
from MRISuperResLib.scene.steps import finish
from scene_helpers import AXES, corners_ras, make_volume
from vtk.util.numpy_support import vtk_to_numpy

TYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64)


class OutputNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume()
        self.hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(
            slicer.mrmlScene
        )

    def result(self, node):
        """Return the result of the core."""
        return upsample_volume(volumeFromNode(node), UpsamplingOptions(model="bicubic", scale=2))

    def create(self, node=None, transform=None):
        node = node or self.input
        return createOutput(node, self.result(node), transform)

    def item(self, node):
        """Return the item of a node, which only the application makes by itself."""
        return self.hierarchy.GetItemByDataNode(node) or self.hierarchy.CreateItem(
            self.hierarchy.GetSceneItemID(), node
        )

    def parent_item(self, node):
        return self.hierarchy.GetItemParent(self.hierarchy.GetItemByDataNode(node))

    def test_volume_corners_stay_in_place_in_every_orientation(self):
        for name, matrix in AXES.items():
            with self.subTest(name):
                node = make_volume(ijk_to_ras=matrix)
                output = self.create(node)
                np.testing.assert_allclose(corners_ras(output), corners_ras(node), atol=1e-9)
                self.assertEqual(
                    np.sign(np.linalg.det(ijkToRAS(output)[:3, :3])),
                    np.sign(np.linalg.det(ijkToRAS(node)[:3, :3])),
                )
                np.testing.assert_array_equal(
                    slicer.util.arrayFromVolume(output), self.result(node).array
                )

    def test_scalar_type_is_kept(self):
        for dtype in TYPES:
            with self.subTest(dtype.__name__):
                node = make_volume(dtype)
                output = self.create(node)
                self.assertEqual(
                    output.GetImageData().GetScalarType(), node.GetImageData().GetScalarType()
                )
                self.assertEqual(slicer.util.arrayFromVolume(output).dtype, dtype)

    def test_input_is_not_changed(self):
        before = (
            self.input.GetMTime(),
            self.input.GetImageData().GetMTime(),
            self.input.GetDisplayNode().GetMTime(),
        )
        self.create()
        self.assertEqual(
            (
                self.input.GetMTime(),
                self.input.GetImageData().GetMTime(),
                self.input.GetDisplayNode().GetMTime(),
            ),
            before,
        )

    def test_output_is_under_the_transform_of_the_input(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        self.assertIs(self.create(transform=transform).GetParentTransformNode(), transform)
        self.assertIsNone(self.create().GetParentTransformNode())

    def test_output_is_displayed_like_the_input(self):
        display = self.input.GetDisplayNode()
        display.SetAutoWindowLevel(True)
        display.SetInterpolate(False)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeWarm1")
        display.SetApplyThreshold(True)
        display.SetThreshold(10, 60)
        for automatic in (True, False):
            with self.subTest(automatic=automatic):
                if not automatic:
                    display.SetAutoWindowLevel(False)
                    display.SetWindowLevel(33, 44)
                output = self.create().GetDisplayNode()
                self.assertFalse(output.GetAutoWindowLevel())
                self.assertEqual(
                    (output.GetWindow(), output.GetLevel()),
                    (display.GetWindow(), display.GetLevel()),
                )
                self.assertFalse(output.GetInterpolate())
                self.assertEqual(output.GetColorNodeID(), "vtkMRMLColorTableNodeWarm1")
                self.assertEqual(
                    (
                        output.GetApplyThreshold(),
                        output.GetLowerThreshold(),
                        output.GetUpperThreshold(),
                    ),
                    (1, 10, 60),
                )
                self.assertIsNot(output, display)

    def test_input_without_display_node_is_accepted(self):
        self.input.SetAndObserveDisplayNodeID(None)
        self.assertIsNotNone(self.create().GetDisplayNode())

    def test_output_is_in_the_study_of_the_input(self):
        patient = self.hierarchy.CreateSubjectItem(self.hierarchy.GetSceneItemID(), "Patient")
        study = self.hierarchy.CreateStudyItem(patient, "Study")
        self.hierarchy.SetItemParent(self.item(self.input), study)
        self.assertEqual(self.parent_item(self.create()), study)

    def test_output_of_an_input_without_study_is_at_the_top(self):
        self.assertEqual(self.parent_item(self.create()), self.hierarchy.GetSceneItemID())

    def test_dicom_identity_is_not_copied(self):
        self.input.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
        self.hierarchy.SetItemUID(self.item(self.input), "DICOM", "1.2")
        output = self.create()
        self.assertIsNone(output.GetAttribute("DICOM.instanceUIDs"))
        self.assertEqual(self.hierarchy.GetItemUID(self.item(output), "DICOM"), "")

    def test_name_contains_scale_and_model_and_is_unique(self):
        self.assertEqual(self.create().GetName(), "Fetus SR x2 bicubic")
        self.assertNotEqual(self.create().GetName(), "Fetus SR x2 bicubic")

    def test_attributes_contain_notice_and_provenance(self):
        output = self.create()
        attributes = {
            name: output.GetAttribute("MRISuperRes." + name)
            for name in (
                "Notice",
                "Model",
                "ModelSHA256",
                "Settings",
                "Versions",
                "InputName",
                "InputID",
                "Date",
                "Provenance",
            )
        }
        self.assertIn("not for diagnosis", attributes["Notice"])
        self.assertIn("not for diagnosis", output.GetDescription())
        self.assertEqual((attributes["Model"], attributes["ModelSHA256"]), ("bicubic", None))
        self.assertEqual(json.loads(attributes["Settings"])["scale"], 2)
        self.assertIn("numpy", json.loads(attributes["Versions"]))
        self.assertEqual(
            (attributes["InputName"], attributes["InputID"]), ("Fetus", self.input.GetID())
        )
        self.assertRegex(attributes["Date"], r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(json.loads(attributes["Provenance"])["input"]["size"], [5, 6, 7])

    def test_hash_of_the_model_is_recorded(self):
        volume = self.result(self.input)
        volume.provenance["model"] = {"name": "net", "sha256": "ab" * 32}
        output = createOutput(self.input, volume)
        self.assertEqual(output.GetAttribute("MRISuperRes.ModelSHA256"), "ab" * 32)

    def test_given_output_keeps_its_identity(self):
        output = make_volume(np.float64, np.eye(4), (2, 2, 2), "Mine")
        output.SetAttribute("DICOM.instanceUIDs", "1.2.3")
        output.SetAttribute("MRISuperRes.ModelSHA256", "of an earlier run")
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        identity = output.GetID(), output.GetName(), output.GetDisplayNodeID()
        updateOutput(output, self.input, self.result(self.input))
        self.assertEqual((output.GetID(), output.GetName(), output.GetDisplayNodeID()), identity)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)
        np.testing.assert_allclose(corners_ras(output), corners_ras(self.input), atol=1e-9)
        self.assertEqual(
            output.GetImageData().GetScalarType(), self.input.GetImageData().GetScalarType()
        )
        self.assertIsNone(output.GetAttribute("DICOM.instanceUIDs"))
        self.assertIsNone(output.GetAttribute("MRISuperRes.ModelSHA256"))

    def test_given_output_stays_in_the_folder_of_the_user(self):
        folder = self.hierarchy.CreateFolderItem(self.hierarchy.GetSceneItemID(), "Results")
        study = self.hierarchy.CreateStudyItem(self.hierarchy.GetSceneItemID(), "Study")
        self.hierarchy.SetItemParent(self.item(self.input), study)
        output = make_volume(name="Mine")
        self.hierarchy.SetItemParent(self.item(output), folder)
        updateOutput(output, self.input, self.result(self.input))
        self.assertEqual(self.parent_item(output), folder)

    def test_failure_leaves_no_node(self):
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        volume = self.result(self.input)
        del volume.provenance["versions"]
        with self.assertRaises(KeyError):
            createOutput(self.input, volume)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)

    def test_voxels_are_copied_in_steps(self):
        """A copy of a large volume in one go would freeze the application."""
        array = np.random.default_rng(0).integers(0, 99, (7, 6, 5)).astype(np.int16)
        with mock.patch("MRISuperResLib.scene.nodes.STEP_VOXELS", 2 * 6 * 5):
            steps = imageSteps(array, vtk.VTK_SHORT)
            self.assertEqual(len(list(steps)), 4)
            image = finish(imageSteps(array, vtk.VTK_SHORT))
        np.testing.assert_array_equal(
            vtk_to_numpy(image.GetPointData().GetScalars()), array.ravel()
        )


if __name__ == "__main__":
    unittest.main()
