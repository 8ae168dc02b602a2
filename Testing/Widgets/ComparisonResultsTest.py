"""Results of a comparison in the panel: views, maps, files and changes of the scene."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import slicer
from compare_panel_helpers import METHODS, ComparePanelTestCase
from module_helpers import click, make_phantom, node_ids
from MRISuperResLib.scene.comparison.layout import mainViewNames
from MRISuperResLib.scene.comparison.maps import ComparisonMaps
from panel_testing import (
    answer_next,
    expect_error,
    leave_module,
    process_events,
    shown_dialogs,
    wait_until,
)


class CloseTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.comparison = self.compare_to_the_end()

    def test_closing_the_views_restores_the_layout_and_keeps_the_results(self):
        click(self.ui.showViewsButton)
        self.assert_results(areOpen=False)
        self.assertEqual(tuple(self.comparison.outputs), METHODS)

    def test_closed_views_open_again(self):
        click(self.ui.showViewsButton)
        click(self.ui.showViewsButton)
        self.assert_results(areOpen=True)

    def test_removal_restores_layout_and_scene(self):
        click(self.ui.removeComparisonButton)
        self.assertFalse([node for node in node_ids() if "MRISuperResPlot" in node])
        before = node_ids()  # with the slice nodes of the views, which the application keeps
        self.compare_to_the_end()
        self.choose(self.ui.mapComboBox, "error")
        wait_until(lambda: len(self.results._maps.found("error")) == len(METHODS))
        click(self.ui.removeComparisonButton)
        self.assert_no_results()
        self.assertEqual(node_ids(), before)

    def test_removal_shows_the_previous_comparison(self):
        second = self.compare_to_the_end()
        click(self.ui.removeComparisonButton)
        self.assertFalse(second.isPresent)
        self.assertEqual(self.results.comparison, self.comparison)
        self.assert_results(areOpen=False)

    def test_another_layout_closes_the_views_and_keeps_the_results(self):
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
        self.assert_results(areOpen=False)


class MapTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.comparison = self.compare_to_the_end()

    def foregrounds(self):
        """Return the names of the volumes over the images."""
        composites = [
            slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
            for name in slicer.app.layoutManager().sliceViewNames()
        ]
        nodes = [
            slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
            for composite in composites
            if composite.GetForegroundVolumeID()
        ]
        return [node.GetName() for node in nodes]

    def show_map(self, kind):
        self.choose(self.ui.mapComboBox, kind)
        wait_until(
            lambda: (
                self.results._mapSteps is None or not self.ui.mapHelpLabel.text.startswith("Map ")
            )
        )

    def legends(self):
        """Return the methods whose legends are visible, once per view."""
        shown = []
        nodes = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        for name in slicer.app.layoutManager().sliceViewNames():
            manager = (
                slicer.app.layoutManager()
                .sliceWidget(name)
                .sliceView()
                .displayableManagerByClassName("vtkMRMLColorLegendDisplayableManager")
            )
            actors = [
                (
                    node.GetDisplayableNode().GetAttribute("MRISuperRes.Model"),
                    manager.GetColorLegendActor(node),
                )
                for node in nodes
            ]
            shown += [
                method for method, actor in actors if actor is not None and actor.GetVisibility()
            ]
        return sorted(shown)

    def test_maps_overlay_the_images_of_the_methods(self):
        self.show_map("error")
        self.assertEqual(
            self.foregrounds(), [f"Phantom restored x2 {method} error" for method in METHODS]
        )
        self.assertIn("reference", self.ui.mapHelpLabel.text)
        self.show_map("consistency")
        self.assertEqual(
            self.foregrounds(),
            [f"Phantom restored x2 {method} inconsistency" for method in METHODS],
        )

    def test_none_hides_the_maps_and_keeps_their_volumes(self):
        self.show_map("error")
        self.show_map(None)
        self.assertEqual(self.foregrounds(), [])
        self.assertFalse(self.ui.mapHelpLabel.visible)
        self.assertEqual(len(self.results._maps.found("error")), len(METHODS))

    def test_legend_is_visible_with_the_map(self):
        self.show_map("error")
        self.assertEqual(self.legends(), sorted(METHODS))
        self.show_map(None)
        self.assertEqual(self.legends(), [])

    def test_legend_is_visible_in_views_made_after_the_map(self):
        """Views made after the legends, as those of a loaded scene, got no event of the legends."""
        methods = ("nearest", "bilinear", "bicubic", "nearest+bp", "bilinear+bp", "bicubic+bp")
        comparison = self.widget.logic.compare(self.input, methods)
        ComparisonMaps(comparison).make("error")
        self.results.refresh(comparison)
        self.results.openViews()
        self.show_map("error")
        self.assertEqual(self.legends(), sorted(methods))

    def test_map_stays_selected_when_the_views_open_again(self):
        self.show_map("error")
        click(self.ui.showViewsButton)
        click(self.ui.showViewsButton)
        wait_until(self.foregrounds)
        self.assertEqual(len(self.foregrounds()), len(METHODS))

    def test_another_map_or_removal_interrupts_the_maps(self):
        self.choose(self.ui.mapComboBox, "error")
        self.choose(self.ui.mapComboBox, "consistency")
        click(self.ui.removeComparisonButton)
        process_events()
        self.assert_no_results()

    def test_out_of_memory_for_maps_is_an_error(self):
        with (
            mock.patch(
                "MRISuperResLib.scene.comparison.maps.difference_map", side_effect=MemoryError
            ),
            expect_error("Out of memory"),
        ):
            self.choose(self.ui.mapComboBox, "error")
            process_events()
        self.assertEqual(self.foregrounds(), [])


class ExportTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.comparison = self.compare_to_the_end()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "numbers.csv")

    def test_summary_and_slices_are_saved_as_csv(self):
        for button, text in (
            (self.ui.saveTableButton, self.comparison.table.csv()),
            (self.ui.saveSlicesButton, self.comparison.table.slice_csv()),
        ):
            answer_next(str(self.path))
            click(button)
            self.assertEqual(self.path.read_text(encoding="utf-8"), text)
        self.assertIn("Comparison of Phantom x2.csv", shown_dialogs("getSaveFileName")[0].text)

    def test_cancelled_file_dialog_saves_nothing(self):
        answer_next("")
        click(self.ui.saveTableButton)
        self.assertFalse(self.path.exists())

    def test_unwritable_path_is_an_error(self):
        answer_next(str(self.path / "nowhere" / "x.csv"))
        with expect_error("cannot be written .*\\. Choose another folder"):
            click(self.ui.saveTableButton)


class SceneTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.comparison = self.compare_to_the_end()

    def test_closed_scene_hides_the_results_and_the_next_comparison_works(self):
        slicer.mrmlScene.Clear(0)
        self.assert_no_results()
        self.assertIsNone(self.results._tableView.mrmlTableNode())
        make_phantom((64, 64, 3))
        self.ui.inputSelector.setCurrentNodeIndex(0)
        self.uncheck_models()
        self.compare_to_the_end()
        self.assert_results(areOpen=True)

    def reload(self, afterSaving=lambda: None):
        """Save the scene, close it and load it."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            afterSaving()
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(path)
        process_events()

    def texts(self):
        manager = slicer.app.layoutManager()
        return [
            manager.sliceWidget(name).overlayCornerAnnotation().GetText(2)
            for name in mainViewNames(1 + len(METHODS))
        ]

    def test_views_of_a_loaded_scene_have_names_figures_and_frame(self):
        texts = self.texts()
        self.reload()
        self.assert_results(areOpen=True)
        self.assertEqual([text.split("\n")[0] for text in texts], ["reference", *METHODS])
        self.assertIn("PSNR", texts[1])
        self.assertEqual(self.texts(), texts)
        self.assertEqual(len(slicer.util.getNodes("MRISuperRes zoomed area")), 1)

    def test_table_plot_and_maps_of_a_loaded_scene_work(self):
        self.reload()
        self.assertEqual(self.ui.comparisonComboBox.currentText, "Comparison of Phantom x2")
        self.assertIsNotNone(self.results._tableView.mrmlTableNode())
        self.assertEqual(self.results._plot._view.chart().GetNumberOfPlots(), len(METHODS))
        self.choose(self.ui.mapComboBox, "error")
        wait_until(lambda: len(self.results._maps.found("error")) == len(METHODS))

    def test_closed_views_of_a_loaded_scene_open_on_request(self):
        click(self.ui.showViewsButton)
        self.reload()
        self.assert_results(areOpen=False)
        click(self.ui.showViewsButton)
        self.assert_results(areOpen=True)

    def test_the_comparison_that_was_open_is_open_again(self):
        self.compare_to_the_end()
        self.ui.comparisonComboBox.setCurrentIndex(0)
        self.reload()
        self.assertEqual(self.results.comparison.title, "Comparison of Phantom x2")
        self.assert_results(areOpen=True)

    def test_module_that_is_opened_after_the_scene_was_loaded_fills_the_views(self):
        def close_module():
            leave_module()
            self.widget.setParameterNode(None)
            self.widget.removeObservers()

        texts = self.texts()
        self.reload(close_module)
        self.assertNotEqual(self.texts(), texts)
        slicer.util.reloadScriptedModule("MRISuperRes")
        self.open()
        self.assertEqual(self.texts(), texts)

    def test_layout_of_a_loaded_scene_without_the_volumes_is_left(self):
        slicer.mrmlScene.RemoveNode(self.comparison.hub)
        self.reload()
        self.assertEqual(
            slicer.app.layoutManager().layout, slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        )

    def test_deleted_output_keeps_the_others_visible(self):
        slicer.mrmlScene.RemoveNode(self.comparison.outputs["bicubic"])
        process_events()
        self.assert_results(areOpen=True)

    def test_deleted_table_and_chart_are_no_longer_shown(self):
        slicer.mrmlScene.RemoveNode(self.comparison.tableNode)
        slicer.mrmlScene.RemoveNode(self.comparison.plotChartNode)
        process_events()
        self.assertIsNone(self.results._tableView.mrmlTableNode())
        self.choose(self.ui.plotComboBox, "rmse")
        self.assertEqual(self.results._plot._view.chart().GetNumberOfPlots(), 0)

    def test_results_are_hidden_when_all_outputs_are_deleted(self):
        for node in self.comparison.outputs.values():
            slicer.mrmlScene.RemoveNode(node)
        process_events()
        self.assert_no_results()

    def test_results_stay_when_the_module_is_left_and_entered(self):
        leave_module()
        self.open()
        self.assert_results(areOpen=True)

    def test_reloaded_module_finds_the_comparison(self):
        slicer.util.reloadScriptedModule("MRISuperRes")
        self.open()
        self.assertEqual(self.results.comparison, self.comparison)
        self.assert_results(areOpen=False)

    def test_deleted_input_keeps_the_results(self):
        slicer.mrmlScene.RemoveNode(self.input)
        process_events()
        self.assert_results(areOpen=True)


if __name__ == "__main__":
    unittest.main()
