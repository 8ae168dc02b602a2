"""Pairs of input and output in the scene, and the consistency map of the output."""

import json
import unittest
from unittest import mock

import numpy as np
import slicer
from comparison_helpers import make_comparison
from MRISuperResLib.core.resampling import degrade
from MRISuperResLib.scene.comparison.before_after import ConsistencyMap, UpsampledPair
from MRISuperResLib.scene.nodes import ijkToRAS
from scene_helpers import AXES, make_volume, node_ids, upsample
from sequence_helpers import make_browser, make_sequence


def array(node):
    return slicer.util.arrayFromVolume(node).astype(float)


class PairTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_pair_has_model_scale_and_slice_direction_of_the_run(self):
        for axis in "ijk":
            volume = make_volume()
            output = upsample(volume, "bicubic", scale=4, slice_axis=axis)
            pair = UpsampledPair.of(volume, output)
            self.assertEqual((pair.input, pair.output), (volume, output))
            self.assertEqual((pair.model, pair.kind, pair.axis.name), ("bicubic", "×4", axis))

    def test_newest_output_of_a_volume_is_found(self):
        volume, other = make_volume(), make_volume(name="Other")
        self.assertIsNone(UpsampledPair.newestOf(volume))
        outputs = [upsample(volume), upsample(volume, "bicubic")]
        upsample(other)
        self.assertIs(UpsampledPair.newestOf(volume).output, outputs[1])
        outputs[0].SetAttribute("MRISuperRes.Date", "2999-01-01T00:00:00+00:00")  # replaced later
        self.assertIs(UpsampledPair.newestOf(volume).output, outputs[0])
        outputs[0].SetAttribute("MRISuperRes.Date", "2000-01-01T00:00:00+00:00")
        slicer.mrmlScene.RemoveNode(outputs[1])
        self.assertIs(UpsampledPair.newestOf(volume).output, outputs[0])
        self.assertIsNone(UpsampledPair.newestOf(None))

    def test_output_elsewhere_is_not_taken_for_that_of_the_volume(self):
        volume = make_volume()
        output = upsample(volume)
        matrix = ijkToRAS(volume)
        matrix[0, 3] += 1
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        self.assertIsNone(UpsampledPair.of(volume, output))
        self.assertIsNone(UpsampledPair.newestOf(volume))

    def test_restored_volume_of_a_comparison_is_not_an_output_of_its_reference(self):
        volume = make_volume(size=(12, 10, 8))
        make_comparison(volume, reference=True)
        self.assertIsNone(UpsampledPair.newestOf(volume))
        comparison = make_comparison(volume, reference=False)
        self.assertIn(UpsampledPair.newestOf(volume).output, comparison.outputs.values())

    def test_volumes_without_voxels_or_record_are_no_pair(self):
        volume = make_volume()
        output = upsample(volume)
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        for given in ((None, output), (volume, None), (empty, output), (volume, volume)):
            self.assertIsNone(UpsampledPair.of(*given))
        output.SetAttribute("MRISuperRes.Provenance", json.dumps({"scale": 2}))
        self.assertIsNone(UpsampledPair.of(volume, output))

    def test_sequence_is_paired_by_the_volumes_that_show_its_frames(self):
        sequence = make_sequence()
        browser, proxy = make_browser(sequence)
        result = upsample(sequence)
        pair = UpsampledPair.of(proxy, result)
        self.assertEqual((pair.input, pair.output), (proxy, browser.GetProxyNode(result)))
        self.assertEqual(UpsampledPair.newestOf(proxy).outputId, pair.outputId)
        browser.SetSelectedItemNumber(2)
        self.assertEqual(UpsampledPair.of(proxy, result), pair)


class ConsistencyMapTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def make(self, volume, **options):
        consistency = ConsistencyMap(UpsampledPair.of(volume, upsample(volume, **options)))
        for _step in consistency.steps():
            self.assertIsNone(consistency.node)
        return consistency

    def test_map_is_the_difference_of_the_degraded_output_in_percent_of_the_range(self):
        for dtype in (np.int16, np.float32):
            volume = make_volume(dtype, size=(12, 10, 4))
            consistency = self.make(volume, slice_axis="k")
            output, low = UpsampledPair.newestOf(volume).output, array(volume)
            width = np.ptp(np.percentile(low, (0.1, 99.9)))
            expected = 100 * np.abs(degrade(array(output), 2) - low) / width
            np.testing.assert_allclose(array(consistency.node), expected, atol=1e-3)
            self.assertAlmostEqual(consistency.mean, expected.mean(), 4)
            np.testing.assert_array_equal(ijkToRAS(consistency.node), ijkToRAS(volume))

    def test_map_in_steps_equals_the_map_at_once(self):
        volume = make_volume(size=(12, 10, 8))
        for axis in "ijk":
            whole = self.make(volume, slice_axis=axis)
            with mock.patch("MRISuperResLib.scene.comparison.maps.STEP_VOXELS", 1):
                steps = self.make(volume, slice_axis=axis)
            np.testing.assert_array_equal(array(whole.node), array(steps.node))

    def test_back_projection_makes_the_map_darker(self):
        volume = make_volume(np.float32, size=(12, 10, 4))
        means = [self.make(volume, model=model).mean for model in ("nearest", "nearest+bp")]
        self.assertLess(means[1], 0.1 * means[0])

    def test_voxels_without_image_take_no_part(self):
        volume = make_volume(np.float32, size=(12, 10, 4))
        slicer.util.arrayFromVolume(volume)[:] += 100
        for missing in (np.nan, -2000):
            slicer.util.arrayFromVolume(volume)[:, :, :3] = missing
            consistency = self.make(volume, slice_axis="k")
            made = array(consistency.node)
            self.assertEqual(made[:, :, :3].max(), 0)
            self.assertGreater(made[:, :, 4:].min(), 0)
            self.assertAlmostEqual(consistency.mean, made[:, :, 3:].mean(), 4)

    def test_constant_volume_is_consistent(self):
        volume = make_volume()
        slicer.util.arrayFromVolume(volume)[:] = 7
        self.assertEqual(self.make(volume).mean, 0)

    def test_rounding_stays_dark(self):
        volume = make_volume(np.float32, size=(12, 10, 4))
        display = self.make(volume, model="bicubic+bp").node.GetDisplayNode()
        self.assertEqual((display.GetWindow(), display.GetLevel()), (1, 0.5))

    def test_map_has_a_legend_and_is_temporary(self):
        volume = make_volume(ijk_to_ras=AXES["oblique"])
        upsample(volume)
        before = node_ids()
        consistency = ConsistencyMap(UpsampledPair.newestOf(volume))
        list(consistency.steps())
        legend = consistency.node.GetNthDisplayNode(1)
        self.assertEqual(legend.GetTitleText(), "inconsistency (%)")
        self.assertTrue(consistency.node.GetHideFromEditors())
        added = map(slicer.mrmlScene.GetNodeByID, node_ids() - before)
        self.assertFalse(any(node.GetSaveWithScene() for node in added))
        consistency.remove()
        self.assertEqual(node_ids(), before)
        self.assertIsNone(consistency.node)

    def test_volume_deleted_meanwhile_ends_the_steps_without_nodes(self):
        volume = make_volume()
        upsample(volume)
        consistency = ConsistencyMap(UpsampledPair.newestOf(volume))
        steps = consistency.steps()
        next(steps)
        slicer.mrmlScene.RemoveNode(volume)
        before = node_ids()
        list(steps)
        self.assertEqual((node_ids(), consistency.mean), (before, None))


if __name__ == "__main__":
    unittest.main()
