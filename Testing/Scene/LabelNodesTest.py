"""Label maps and segmentations come along to the voxels of an output."""

import unittest
from unittest import mock

import numpy as np
import slicer
from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.labels import upsample_labels
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.volume import Volume
from MRISuperResLib.scene.labels import LabelSource, whyNotLabels
from MRISuperResLib.scene.nodes import ijkToRAS, volumeFromNode
from MRISuperResLib.scene.tasks import Task, TaskState
from MRISuperResLib.scene.upsampling import VolumeUpsampling
from scene_helpers import AXES, WorkerDouble, make_volume, node_ids

SIZE = 8, 9, 5
SEGMENTS = {
    "Liver": (np.s_[1:3, 2:5, 1:4], (0.1, 0.2, 0.3)),
    "Tumor": (np.s_[2:3, 3:4, 2:6], (0.9, 0.2, 0.3)),  # overlaps the liver
    "Cyst": (np.s_[4:5, 7:8, 6:7], (0.5, 0.6, 0.7)),
}


def make_segmentation(volume):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, (box, color) in SEGMENTS.items():
        inside = np.zeros(SIZE[::-1], np.uint8)
        inside[box] = 1
        segment = node.GetSegmentation().AddEmptySegment(name.lower(), name, color)
        slicer.util.updateSegmentBinaryLabelmapFromArray(inside, node, segment, volume)
    return node


def make_label_map(volume, dtype=np.uint8):
    array = np.random.default_rng(2).integers(0, 4, SIZE[::-1]).astype(dtype)
    node = slicer.util.addVolumeFromArray(
        array, ijkToRAS(volume), "Tissue", nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    node.CreateDefaultDisplayNodes()
    return node


class LabelNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.volume = make_volume(size=SIZE)

    def run_task(self, labels, output=None, interpolation="nearest", **options):
        """Return the finished task."""
        options = UpsamplingOptions("nearest", **({"scale": 2} | options))
        strategy = VolumeUpsampling(options, output, None, labels, interpolation)
        worker = WorkerDouble()
        task = Task(worker, self.volume, strategy)
        while task.isRunning:
            worker.finish()
        return task

    def upsampled(self, labels, task, interpolation="nearest"):
        """Return what the core makes of label map and output."""
        given = Volume(slicer.util.arrayFromVolume(labels), ijkToRAS(labels))
        return upsample_labels(given, volumeFromNode(task.result), interpolation).array

    def test_label_map_gets_the_voxels_of_the_output(self):
        for interpolation in ("nearest", "smooth"):
            for dtype in (np.uint8, np.int16, np.float32):
                labels = make_label_map(self.volume, dtype)
                task = self.run_task(labels, interpolation=interpolation)
                result = task.strategy.labelsResult
                self.assertTrue(result.GetName().startswith("Tissue x2"))
                self.assertTrue(result.IsA("vtkMRMLLabelMapVolumeNode"))
                self.assertEqual(slicer.util.arrayFromVolume(result).dtype, dtype)
                np.testing.assert_array_equal(
                    slicer.util.arrayFromVolume(result),
                    self.upsampled(labels, task, interpolation),
                )
                np.testing.assert_allclose(ijkToRAS(result), ijkToRAS(task.result))

    def test_colors_of_the_label_map_are_kept(self):
        labels = make_label_map(self.volume)
        colors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", "Colors")
        labels.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        result = self.run_task(labels).strategy.labelsResult
        self.assertIs(result.GetDisplayNode().GetColorNode(), colors)

    def test_segments_keep_ids_names_colors_and_overlap(self):
        labels = make_segmentation(self.volume)
        before = node_ids()
        task = self.run_task(labels)
        added = {slicer.mrmlScene.GetNodeByID(name).GetClassName() for name in node_ids() - before}
        result = task.strategy.labelsResult
        self.assertEqual(result.GetName(), "Organs x2")
        segmentation = result.GetSegmentation()
        self.assertEqual(list(segmentation.GetSegmentIDs()), ["liver", "tumor", "cyst"])
        for name, (box, color) in SEGMENTS.items():
            segment = segmentation.GetSegment(name.lower())
            self.assertEqual(segment.GetName(), name)
            np.testing.assert_allclose(segment.GetColor(), color)
            inside = np.zeros(SIZE[::-1], np.uint8)
            inside[box] = 1
            np.testing.assert_array_equal(
                slicer.util.arrayFromSegmentBinaryLabelmap(result, name.lower(), task.result),
                inside.repeat(2, 1).repeat(2, 2),
                name,
            )
        self.assertEqual(
            added,
            {
                *("vtkMRMLScalarVolumeNode", "vtkMRMLScalarVolumeDisplayNode"),
                *("vtkMRMLSegmentationNode", "vtkMRMLSegmentationDisplayNode"),
            },
        )

    @settings(max_examples=10, deadline=None)
    @given(
        matrix=st.sampled_from(["left handed", "permuted", "oblique"]),
        scale=st.sampled_from([2, 4]),
    )
    def test_segments_stay_in_place_in_every_orientation(self, matrix, scale):
        slicer.mrmlScene.Clear(0)
        self.volume = make_volume(size=SIZE, ijk_to_ras=AXES[matrix])
        task = self.run_task(make_segmentation(self.volume), scale=scale)
        (inside,) = (
            slicer.util.arrayFromSegmentBinaryLabelmap(
                task.strategy.labelsResult, "tumor", task.result
            ),
        )
        self.assertEqual(inside.sum(), 4 * scale**2)
        self.assertTrue(inside[2, 3 * scale : 4 * scale, 2 * scale : 6 * scale].all())

    def test_labels_come_along_to_an_isotropic_output(self):
        labels, segmentation = make_label_map(self.volume), make_segmentation(self.volume)
        grid = {"scale": None, "isotropic": True, "between_slices": "linear"}
        task = self.run_task(labels, **grid)
        result = task.strategy.labelsResult
        self.assertTrue(result.GetName().startswith("Tissue isotropic"))
        np.testing.assert_array_equal(
            slicer.util.arrayFromVolume(result), self.upsampled(labels, task)
        )
        task = self.run_task(segmentation, **grid)
        shape = slicer.util.arrayFromVolume(task.result).shape
        for name in SEGMENTS:
            inside = slicer.util.arrayFromSegmentBinaryLabelmap(
                task.strategy.labelsResult, name.lower(), task.result
            )
            self.assertEqual(inside.shape, shape)
            self.assertTrue(inside.any())

    def test_messages_of_the_volume_are_those_of_a_run_without_labels(self):
        plain = self.run_task(None)
        self.assertEqual(self.run_task(make_segmentation(self.volume)).messages, plain.messages)

    def test_earlier_output_can_be_replaced_with_labels(self):
        output = self.run_task(None).result
        task = self.run_task(make_label_map(self.volume), output, scale=4)
        self.assertIs(task.result, output)
        self.assertEqual(
            task.strategy.labelsResult.GetImageData().GetDimensions(),
            output.GetImageData().GetDimensions(),
        )

    def test_labels_elsewhere_are_refused_before_the_task(self):
        labels = make_label_map(self.volume)
        labels.SetOrigin(5, 5, 5)
        self.assertIn("voxel grid", whyNotLabels(labels, self.volume))
        with self.assertRaisesRegex(SuperResolutionError, "voxel grid"):
            self.run_task(labels)

    def test_unusable_labels_are_refused_with_a_reason(self):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Nothing")
        self.assertIn("no segments", whyNotLabels(empty, self.volume))
        void = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Void")
        self.assertIn("no voxels", whyNotLabels(void, self.volume))
        moved = make_label_map(self.volume)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        moved.SetAndObserveTransformNodeID(transform.GetID())
        self.assertIn("transform", whyNotLabels(moved, self.volume))
        sheared = make_volume(size=SIZE, ijk_to_ras=AXES["sheared"])
        self.assertIn("perpendicular", whyNotLabels(make_segmentation(self.volume), sheared))
        self.assertEqual(whyNotLabels(None, self.volume), "")
        fractions = make_label_map(self.volume, np.float32)
        slicer.util.arrayFromVolume(fractions)[0] = 0.5
        with self.assertRaisesRegex(SuperResolutionError, "whole numbers"):
            LabelSource.of(fractions, self.volume)

    def test_failure_leaves_neither_output_nor_labels(self):
        labels = make_segmentation(self.volume)
        before = node_ids()
        for place in ("createOutput", "addLabels"):
            failure = mock.Mock(side_effect=RuntimeError)
            with (
                mock.patch(f"MRISuperResLib.scene.upsampling.{place}", failure),
                mock.patch("MRISuperResLib.scene.tasks.logging.exception"),
            ):
                task = self.run_task(labels)
            self.assertIs(task.state, TaskState.FAILED)
            self.assertEqual(node_ids(), before, place)

    def test_cancelling_during_any_step_leaves_nothing(self):
        labels = make_segmentation(self.volume)
        before = node_ids()
        for steps in range(40):
            strategy = VolumeUpsampling(
                UpsamplingOptions("nearest", 2), labelsNode=labels, labelInterpolation="nearest"
            )
            worker = WorkerDouble()
            task = Task(worker, self.volume, strategy)
            worker.isPaused = True
            taken = 0
            while task.isRunning and taken < steps:
                if worker.later:
                    worker.later.pop(0)()
                else:
                    worker.finish()
                taken += 1
            if not task.isRunning:
                break
            task.cancel()
            while task.isRunning:
                if worker.later:
                    worker.later.pop(0)()
                else:
                    worker.end("cancelled")
            self.assertIs(task.state, TaskState.CANCELLED)
            self.assertEqual(node_ids(), before)
        self.assertGreater(steps, 5)
        self.assertIs(task.state, TaskState.FINISHED)


if __name__ == "__main__":
    unittest.main()
