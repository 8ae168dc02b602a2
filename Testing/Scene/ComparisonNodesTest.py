"""The nodes of a comparison: content, folder, creation and removal."""

import math
import os
import tempfile
import unittest

import numpy as np
import slicer
from comparison_helpers import METHODS, STORE, make_comparison, result_of
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.scene.comparison import nodes
from MRISuperResLib.scene.comparison.builder import createComparison
from MRISuperResLib.scene.comparison.nodes import ComparisonNodes
from MRISuperResLib.scene.nodes import ijkToRAS
from MRISuperResLib.scene.steps import finish
from scene_helpers import AXES, corners_ras, make_volume, node_ids

SIZE = (40, 36, 4)


class ComparisonNodesTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.input = make_volume(size=SIZE)
        self.hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(
            slicer.mrmlScene
        )
        self.before = node_ids()

    def item(self, node):
        return self.hierarchy.GetItemByDataNode(node) or self.hierarchy.CreateItem(
            self.hierarchy.GetSceneItemID(), node
        )

    def parent(self, node):
        return self.hierarchy.GetItemParent(self.item(node))

    def cells(self, node):
        table = node.GetTable()
        return [
            [table.GetValue(row, column).ToString() for column in range(table.GetNumberOfColumns())]
            for row in range(table.GetNumberOfRows())
        ]


class VolumesTest(ComparisonNodesTest):
    def test_every_method_has_a_volume_in_the_order_of_the_options(self):
        comparison = make_comparison(self.input)
        self.assertEqual(tuple(comparison.outputs), METHODS)
        for method, node in comparison.outputs.items():
            self.assertEqual(node.GetAttribute("MRISuperRes.Model"), method)
            self.assertEqual(node.GetName(), f"Fetus restored x2 {method}")
            self.assertIn("not for diagnosis", node.GetDescription())
            self.assertIn("not for diagnosis", node.GetAttribute("MRISuperRes.Notice"))

    def test_volume_corners_are_those_of_the_input(
        self,
    ):
        for name, matrix in AXES.items():
            with self.subTest(name):
                node = make_volume(ijk_to_ras=matrix, size=SIZE)
                comparison = make_comparison(node, slice_axis="k")
                for part in (comparison.reference, comparison.low, *comparison.outputs.values()):
                    np.testing.assert_allclose(corners_ras(part), corners_ras(node), atol=1e-9)
                np.testing.assert_allclose(ijkToRAS(comparison.reference), ijkToRAS(node))
                self.assertEqual(comparison.low.GetImageData().GetDimensions(), (20, 18, 4))

    def test_reference_is_the_input_cropped_to_a_multiple_of_the_scale(self):
        node = make_volume(size=(41, 36, 4))
        comparison = make_comparison(node)
        np.testing.assert_array_equal(
            slicer.util.arrayFromVolume(comparison.reference),
            slicer.util.arrayFromVolume(node)[..., :40],
        )
        self.assertTrue([message for message in comparison.messages if message.code == "crop"])

    def test_without_a_reference_the_input_itself_is_upsampled(self):
        comparison = make_comparison(self.input, reference=False)
        self.assertIsNone(comparison.reference)
        self.assertIsNot(comparison.low, self.input)
        np.testing.assert_array_equal(
            slicer.util.arrayFromVolume(comparison.low), slicer.util.arrayFromVolume(self.input)
        )
        for method, node in comparison.outputs.items():
            self.assertEqual(
                (node.GetName(), node.GetImageData().GetDimensions()),
                (f"Fetus SR x2 {method}", (80, 72, 4)),
            )

    def test_scalar_type_is_that_of_the_input(self):
        for dtype in (np.uint8, np.int16, np.float32):
            with self.subTest(dtype.__name__):
                node = make_volume(dtype, size=SIZE)
                comparison = make_comparison(node)
                for part in (comparison.reference, *comparison.outputs.values()):
                    self.assertEqual(
                        part.GetImageData().GetScalarType(), node.GetImageData().GetScalarType()
                    )

    def test_volumes_are_displayed_like_the_input_under_its_transform(self):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        self.input.GetDisplayNode().SetAutoWindowLevel(False)
        self.input.GetDisplayNode().SetWindowLevel(33, 44)
        comparison = make_comparison(self.input, transform=transform)
        for part in (comparison.reference, comparison.low, *comparison.outputs.values()):
            self.assertIs(part.GetParentTransformNode(), transform)
            self.assertEqual(
                (part.GetDisplayNode().GetWindow(), part.GetDisplayNode().GetLevel()), (33, 44)
            )

    def test_output_of_a_gan_model_names_the_psnr_model_of_its_pair(self):
        comparison = make_comparison(self.input, ("bicubic", "net-psnr", "net-gan"))
        partners = {
            method: node.GetAttribute("MRISuperRes.Partner")
            for method, node in comparison.outputs.items()
        }
        self.assertEqual(partners, {"bicubic": None, "net-psnr": None, "net-gan": "net-psnr"})


class TablesTest(ComparisonNodesTest):
    def test_table_has_mean_and_spread_and_marks_the_best(self):
        comparison = make_comparison(self.input)
        header, rows = comparison.table.rows()
        table = comparison.tableNode.GetTable()
        self.assertEqual(
            [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())], header
        )
        self.assertEqual(self.cells(comparison.tableNode), rows)
        self.assertEqual([row[0] for row in rows], list(METHODS))
        self.assertRegex(rows[0][1], r"^\d+\.\d\d ± \d+\.\d\d")
        self.assertTrue(any(row[1].endswith(" *") for row in rows))
        self.assertTrue(comparison.tableNode.GetLocked())

    def test_table_without_a_reference_has_inconsistency_only(self):
        comparison = make_comparison(self.input, reference=False)
        self.assertEqual([metric.key for metric in comparison.table.metrics], ["inconsistency"])
        self.assertEqual(len(self.cells(comparison.tableNode)[0]), 2)

    def test_slice_table_has_a_score_per_method_and_metric(self):
        comparison = make_comparison(self.input)
        table = comparison.sliceTableNode.GetTable()
        self.assertEqual(table.GetNumberOfRows(), 4)
        for method in METHODS:
            for metric in comparison.table.metrics:
                column = table.GetColumnByName(f"{method} {metric.key}")
                shown = [
                    None if math.isnan(column.GetValue(n)) else column.GetValue(n) for n in range(4)
                ]
                self.assertEqual(shown, comparison.table.values(method, metric.key))

    def test_undefined_score_of_a_slice_is_a_gap_in_the_plot(self):
        slicer.util.arrayFromVolume(self.input)[2] = 0  # no foreground there
        comparison = make_comparison(self.input)
        self.assertIsNone(comparison.table.values("nearest", "psnr_foreground")[2])
        column = comparison.sliceTableNode.GetTable().GetColumnByName("nearest psnr_foreground")
        self.assertEqual(
            [math.isnan(column.GetValue(n)) for n in range(4)], [False, False, True, False]
        )

    def test_lesion_table_has_a_row_per_method(self):
        comparison = make_comparison(make_volume(size=(160, 160, 2)))
        rows = self.cells(comparison.lesionTableNode)
        self.assertEqual([row[0] for row in rows], list(METHODS))
        self.assertEqual(len(rows[0]), 1 + len({lesion.diameter for lesion in comparison.lesions}))
        self.assertRegex(rows[0][1], r"^(preserved|weakened|lost|exaggerated), \d+%$")

    def test_volume_too_small_for_lesions_has_no_lesion_table(self):
        comparison = make_comparison(make_volume(size=(12, 10, 2)))
        self.assertEqual(comparison.lesions, [])
        self.assertIsNone(comparison.lesionTableNode)

    def test_report_has_messages_and_lesions(self):
        comparison = make_comparison(self.input)
        self.assertIn("Axial slices (k)", comparison.report)
        self.assertIn(comparison.lesions[0].text(), comparison.report)


class PlotTest(ComparisonNodesTest):
    def test_chart_has_a_line_per_method_each_with_another_color(self):
        chart = make_comparison(self.input).plotChartNode
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        self.assertEqual([node.GetName() for node in series], list(METHODS))
        self.assertEqual(len({node.GetColor() for node in series}), len(METHODS))

    def test_chart_shows_the_first_metric_until_another_is_selected(self):
        comparison = make_comparison(self.input)
        chart = comparison.plotChartNode
        self.assertEqual(chart.GetYAxisTitle(), "PSNR (dB)")
        comparison.showMetric("ssim_wang_foreground")
        self.assertEqual(
            chart.GetYAxisTitle(), comparison.table.metric("ssim_wang_foreground").heading
        )
        for n, method in enumerate(METHODS):
            series = chart.GetNthPlotSeriesNode(n)
            self.assertEqual(
                (series.GetXColumnName(), series.GetYColumnName()),
                ("slice", f"{method} ssim_wang_foreground"),
            )
            self.assertIsNotNone(
                series.GetTableNode().GetTable().GetColumnByName(series.GetYColumnName())
            )

    def test_lines_of_a_second_comparison_have_the_names_of_their_methods(self):
        make_comparison(self.input)
        chart = make_comparison(self.input).plotChartNode
        self.assertEqual([chart.GetNthPlotSeriesNode(n).GetName() for n in range(3)], list(METHODS))

    def test_there_are_as_many_colors_as_methods_in_a_comparison(self):
        self.assertEqual(len(set(nodes.PLOT_COLORS)), 8)


class FolderTest(ComparisonNodesTest):
    def test_all_nodes_are_in_one_folder_beside_the_input(self):
        study = self.hierarchy.CreateStudyItem(self.hierarchy.GetSceneItemID(), "Study")
        self.hierarchy.SetItemParent(self.item(self.input), study)
        comparison = make_comparison(self.input)
        folder = self.parent(comparison.tableNode)
        self.assertEqual(self.hierarchy.GetItemName(folder), "Comparison of Fetus x2")
        self.assertEqual(self.hierarchy.GetItemParent(folder), study)
        for node in (
            comparison.reference,
            comparison.low,
            comparison.plotChartNode,
            comparison.sliceTableNode,
            *comparison.outputs.values(),
        ):
            self.assertEqual(self.parent(node), folder)

    def test_lines_are_under_their_chart(self):
        chart = make_comparison(self.input).plotChartNode
        for n in range(len(METHODS)):
            self.assertEqual(self.parent(chart.GetNthPlotSeriesNode(n)), self.item(chart))

    def test_removal_leaves_the_scene_unchanged(self):
        items = self.hierarchy.GetNumberOfItems()
        make_comparison(self.input).remove()
        self.assertEqual((node_ids(), self.hierarchy.GetNumberOfItems()), (self.before, items))

    def test_removal_keeps_nodes_that_the_user_put_into_the_folder(self):
        comparison = make_comparison(self.input)
        mine = make_volume(name="Mine")
        folder = self.parent(comparison.tableNode)
        self.hierarchy.SetItemParent(self.item(mine), folder)
        comparison.remove()
        self.assertEqual(self.parent(mine), folder)
        self.assertTrue(slicer.mrmlScene.IsNodePresent(mine))

    def test_removal_of_one_comparison_keeps_the_other(self):
        first, second = make_comparison(self.input), make_comparison(self.input)
        first.remove()
        self.assertEqual(tuple(second.outputs), METHODS)
        self.assertFalse(first.isPresent)
        self.assertEqual(ComparisonNodes.inScene(), [second])

    def test_second_removal_has_no_effect(self):
        comparison = make_comparison(self.input)
        comparison.remove()
        comparison.remove()
        self.assertEqual(node_ids(), self.before)


class LifeTest(ComparisonNodesTest):
    def test_failure_leaves_the_scene_unchanged(self):
        options = ComparisonOptions(METHODS)
        items = self.hierarchy.GetNumberOfItems()
        fields, files = result_of(self.input, options)
        del files[fields["outputs"][-1]["file"]]
        with self.assertRaises(KeyError):
            finish(createComparison(self.input, options, fields, files.__getitem__, None, STORE))
        self.assertEqual((node_ids(), self.hierarchy.GetNumberOfItems()), (self.before, items))

    def test_deleted_nodes_are_missing_and_the_rest_is_usable(self):
        comparison = make_comparison(self.input)
        for node in (
            comparison.outputs["bicubic"],
            comparison.reference,
            comparison.plotChartNode,
            comparison.tableNode,
        ):
            slicer.mrmlScene.RemoveNode(node)
        self.assertEqual(tuple(comparison.outputs), ("nearest", "bicubic+bp"))
        self.assertEqual(
            (comparison.reference, comparison.plotChartNode, comparison.tableNode),
            (None, None, None),
        )
        comparison.showMetric("rmse")
        self.assertTrue(comparison.isPresent)

    def test_nodes_of_the_next_scene_do_not_belong_to_a_closed_one(self):
        comparison = make_comparison(self.input)
        slicer.mrmlScene.Clear(0)
        again = make_comparison(make_volume(size=SIZE))
        self.assertEqual(
            (comparison.isPresent, comparison.low, comparison.outputs), (False, None, {})
        )
        comparison.remove()
        self.assertEqual(tuple(again.outputs), METHODS)

    def test_comparison_is_saved_and_loaded_with_the_scene(self):
        saved = make_comparison(self.input, noise=1.0, seed=3)
        table, lesions, options = saved.table.to_dict(), saved.lesions, saved.options
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(ComparisonNodes.inScene(), [])
            slicer.util.loadScene(path)
        (comparison,) = ComparisonNodes.inScene()
        self.assertEqual(
            (
                comparison.table.to_dict(),
                comparison.lesions,
                comparison.options,
                comparison.axis.name,
            ),
            (table, lesions, options, "k"),
        )
        self.assertEqual(tuple(comparison.outputs), METHODS)
        self.assertEqual(comparison.reference.GetName(), "Fetus reference")
        self.assertEqual(self.cells(comparison.tableNode), comparison.table.rows()[1])
        comparison.showMetric("rmse")
        column = comparison.sliceTableNode.GetTable().GetColumnByName(
            comparison.plotChartNode.GetNthPlotSeriesNode(1).GetYColumnName()
        )
        self.assertAlmostEqual(column.GetValue(0), comparison.table.values("bicubic", "rmse")[0], 2)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(comparison.tableNode))
        self.assertEqual(hierarchy.GetItemName(folder), "Comparison of Fetus x2")
        comparison.remove()
        self.assertEqual(hierarchy.GetItemByName("Comparison of Fetus x2"), 0)
        self.assertFalse([node for node in node_ids() if "Table" in node and "Color" not in node])

    def test_comparison_of_another_version_is_skipped(self):
        comparison = make_comparison(self.input)
        comparison.hub.SetAttribute("MRISuperRes.Description", '{"title": "from the future"}')
        with self.assertLogs(level="WARNING"):
            self.assertEqual(ComparisonNodes.inScene(), [])


if __name__ == "__main__":
    unittest.main()
