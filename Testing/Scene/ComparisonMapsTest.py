"""Difference maps: values, position, colors, and nodes that are deleted meanwhile."""

import unittest
from unittest import mock

import numpy as np
import slicer
from comparison_helpers import METHODS, PAIR, make_comparison
from MRISuperResLib.core import resampling
from MRISuperResLib.scene.comparison.maps import (
    CONSISTENCY,
    ERROR,
    HALLUCINATION,
    ComparisonMaps,
    mapKinds,
    updateLegends,
)
from MRISuperResLib.scene.nodes import ijkToRAS
from scene_helpers import AXES, corners_ras, make_volume, node_ids

SIZE = (40, 36, 4)


def array(node):
    return slicer.util.arrayFromVolume(node).astype(float)


class ComparisonMapsTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=SIZE)

    def keys(self, comparison):
        return [kind.key for kind in mapKinds(comparison)]

    def test_kinds_depend_on_reference_and_pair(self):
        self.assertEqual(self.keys(make_comparison(self.input)), [ERROR, CONSISTENCY])
        self.assertEqual(self.keys(make_comparison(self.input, reference=False)), [CONSISTENCY])
        self.assertEqual(
            self.keys(make_comparison(self.input, PAIR)), [ERROR, CONSISTENCY, HALLUCINATION]
        )
        self.assertEqual(
            self.keys(make_comparison(self.input, PAIR, reference=False)),
            [CONSISTENCY, HALLUCINATION],
        )

    def test_kinds_have_a_formula_and_a_tooltip(self):
        for kind in mapKinds(make_comparison(self.input, PAIR)):
            self.assertTrue(kind.title.startswith("|") and len(kind.help) > 20)

    def test_error_map_is_the_difference_to_the_reference(self):
        comparison = make_comparison(self.input)
        for method, node in ComparisonMaps(comparison).make(ERROR).items():
            np.testing.assert_allclose(
                array(node), np.abs(array(comparison.outputs[method]) - array(comparison.reference))
            )
            np.testing.assert_allclose(ijkToRAS(node), ijkToRAS(comparison.reference))

    def test_inconsistency_map_is_the_difference_of_the_degraded_output_to_the_input(self):
        for degradation in ("bicubic", "kspace"):
            with self.subTest(degradation):
                comparison = make_comparison(self.input, degradation=degradation)
                found = ComparisonMaps(comparison).make(CONSISTENCY)
                self.assertEqual(list(found), list(METHODS))
                for method, node in found.items():
                    expected = np.abs(
                        resampling.degrade(array(comparison.outputs[method]), 2, degradation)
                        - array(comparison.low)
                    )
                    np.testing.assert_allclose(array(node), expected, atol=1e-3)
                    np.testing.assert_allclose(ijkToRAS(node), ijkToRAS(comparison.low))

    def test_map_covers_the_volume_in_every_orientation_and_slice_direction(self):
        for name, axis in (("permuted", "i"), ("left handed", "j"), ("sheared", "k")):
            with self.subTest(name):
                node = make_volume(ijk_to_ras=AXES[name], size=(12, 10, 8))
                for kind in (ERROR, CONSISTENCY):
                    for found in (
                        ComparisonMaps(make_comparison(node, slice_axis=axis)).make(kind).values()
                    ):
                        np.testing.assert_allclose(corners_ras(found), corners_ras(node), atol=1e-9)

    def test_hallucination_map_is_the_difference_of_gan_and_psnr_model(self):
        comparison = make_comparison(self.input, PAIR)
        found = ComparisonMaps(comparison).make(HALLUCINATION)
        self.assertEqual(list(found), ["net-gan"])
        np.testing.assert_allclose(
            array(found["net-gan"]),
            np.abs(array(comparison.outputs["net-gan"]) - array(comparison.outputs["net-psnr"])),
        )

    def test_maps_of_a_kind_have_the_same_window(self):
        maps = ComparisonMaps(make_comparison(self.input))
        displays = [node.GetDisplayNode() for node in maps.make(ERROR).values()]
        brightest = np.percentile(
            np.concatenate([array(node).ravel() for node in maps.found(ERROR).values()]), 99.5
        )
        for display in displays:
            self.assertEqual(display.GetColorNodeID(), displays[0].GetColorNodeID())
            self.assertAlmostEqual(display.GetWindowLevelMin(), 0)
            self.assertAlmostEqual(display.GetWindowLevelMax(), brightest, 4)
            self.assertFalse(
                display.GetInterpolate()
                or display.GetAutoWindowLevel()
                or display.GetApplyThreshold()
            )

    def test_lightness_of_the_colors_increases_from_black(self):
        node = next(iter(ComparisonMaps(make_comparison(self.input)).make(ERROR).values()))
        color, lightness = [0.0] * 4, []
        for n in range(256):
            node.GetDisplayNode().GetColorNode().GetColor(n, color)
            lightness.append(np.dot(color[:3], (0.2126, 0.7152, 0.0722)))
            self.assertEqual(color[3], 1)
        self.assertTrue((np.diff(lightness[::8]) > 0).all())  # neighbors may be equal to 8 bits
        self.assertLess(lightness[0], 0.01)
        self.assertGreater(lightness[-1], 0.9)

    def test_map_has_a_legend_with_its_name(self):
        node = ComparisonMaps(make_comparison(self.input)).make(ERROR)["nearest"]
        legend = node.GetNthDisplayNode(1)
        self.assertTrue(legend.IsA("vtkMRMLColorLegendDisplayNode"))
        self.assertIs(legend.GetPrimaryDisplayNode(), node.GetDisplayNode())
        self.assertEqual(legend.GetTitleText(), "error")  # a | would break the title in two

    def test_legends_are_updated_in_the_views(self):
        comparison = make_comparison(self.input)
        maps = ComparisonMaps(comparison)
        legends = [node.GetNthDisplayNode(1) for node in maps.make(ERROR).values()]
        updated = []
        for legend in legends:
            legend.AddObserver("ModifiedEvent", lambda caller, event: updated.append(caller))
        updateLegends(maps.found(ERROR).values())
        self.assertEqual(updated, legends)

    def test_maps_without_any_difference_have_a_window(self):
        slicer.util.arrayFromVolume(self.input)[:] = 5
        for node in ComparisonMaps(make_comparison(self.input)).make(ERROR).values():
            self.assertEqual(node.GetDisplayNode().GetWindow(), 1)

    def test_map_is_under_the_transform_of_the_volumes(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        for kind in (ERROR, CONSISTENCY):
            for node in (
                ComparisonMaps(make_comparison(self.input, transform=transform)).make(kind).values()
            ):
                self.assertIs(node.GetParentTransformNode(), transform)

    def test_maps_are_computed_one_by_one_and_once(self):
        maps = ComparisonMaps(make_comparison(self.input))
        self.assertEqual(list(maps.steps(ERROR)), [(0, 3), (1, 3), (2, 3), (3, 3)])
        made = maps.found(ERROR)
        self.assertEqual(maps.make(ERROR), made)
        self.assertEqual(maps.found(CONSISTENCY), {})

    def test_large_map_is_computed_in_short_steps_with_the_same_result(self):
        node = make_volume(size=(12, 10, 8))
        for axis, count in (("i", 12), ("j", 10), ("k", 8)):
            whole = {
                kind: array(
                    ComparisonMaps(make_comparison(node, slice_axis=axis)).make(kind)["bicubic"]
                )
                for kind in (ERROR, CONSISTENCY)
            }
            with mock.patch("MRISuperResLib.scene.comparison.maps.STEP_VOXELS", 1):
                for kind, expected in whole.items():
                    maps = ComparisonMaps(make_comparison(node, slice_axis=axis))
                    self.assertEqual(len(list(maps.steps(kind))), 3 * count + 1)
                    np.testing.assert_array_equal(array(maps.found(kind)["bicubic"]), expected)

    def test_existing_maps_are_found(self):
        comparison = make_comparison(self.input)
        made = ComparisonMaps(comparison).make(ERROR)
        self.assertEqual(ComparisonMaps(comparison).found(ERROR), made)

    def test_nodes_deleted_between_two_maps_are_skipped(self):
        comparison = make_comparison(self.input)
        steps = ComparisonMaps(comparison).steps(ERROR)
        next(steps)
        next(steps)
        slicer.mrmlScene.RemoveNode(comparison.outputs["bicubic"])
        slicer.mrmlScene.RemoveNode(comparison.reference)
        list(steps)
        self.assertEqual(list(ComparisonMaps(comparison).found(ERROR)), ["nearest"])

    def test_output_deleted_during_its_map_has_no_map(self):
        comparison = make_comparison(self.input)
        with mock.patch("MRISuperResLib.scene.comparison.maps.STEP_VOXELS", 1):
            steps = ComparisonMaps(comparison).steps(ERROR)
            for _step in range(3):
                self.assertEqual(next(steps), (0, 3))
            slicer.mrmlScene.RemoveNode(comparison.outputs["nearest"])
            list(steps)
        self.assertEqual(list(ComparisonMaps(comparison).found(ERROR)), ["bicubic", "bicubic+bp"])
        maps = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetName().endswith("error")
        ]
        self.assertEqual(len(maps), 2)

    def test_scene_closed_between_two_maps_stays_empty(self):
        steps = ComparisonMaps(make_comparison(self.input)).steps(ERROR)
        next(steps)
        slicer.mrmlScene.Clear(0)
        before = node_ids()
        list(steps)
        self.assertEqual(node_ids(), before)

    def test_maps_are_removed_with_the_comparison(self):
        before = node_ids()
        comparison = make_comparison(self.input, PAIR)
        for kind in mapKinds(comparison):
            ComparisonMaps(comparison).make(kind.key)
        comparison.remove()
        self.assertEqual(node_ids(), before)


if __name__ == "__main__":
    unittest.main()
