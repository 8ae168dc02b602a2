"""Comparison in the panel: options, task, faults and missing packages."""

import os
import signal
import tempfile
import unittest
from unittest import mock

import slicer
from compare_panel_helpers import METHODS, ComparePanelTestCase
from module_helpers import Gate, click, is_alive, node_ids, wait_for_end
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.packages import PackageState
from MRISuperResLib.scene.parameters import ComparisonMode, Degradation, PerceptualScore
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import answer_next, expect_error, leave_module, shown_dialogs


class ChoosingTest(ComparePanelTestCase):
    def test_baselines_and_models_of_the_scale_are_checked_by_default(self):
        models = self.widget.upsampling.models._store
        self.parameters.changedMethods = ""
        for index, scale in enumerate((2, 4, 8)):
            self.ui.outputComboBox.setCurrentIndex(index)
            cards = tuple(card.name for card in models.cards(scale))
            self.assertEqual(self.widget.comparing.methods.names, (METHODS + cards)[:8])

    def test_every_model_is_listed_with_its_back_projection(self):
        for card in self.widget.upsampling.models._store.cards(2):
            self.assertIn(card.name, self.items())
            self.assertIn(card.name + "+bp", self.items())
            self.assertIn("PSNR over bicubic", self.items()[card.name].toolTip())

    def test_list_items_start_with_the_method_name(self):
        for name, item in self.items().items():
            self.assertTrue(item.text().startswith(f"{name} – "))

    def test_too_few_or_too_many_methods_disable_the_button_with_a_reason(self):
        self.uncheck("nearest", "bilinear", "bicubic")
        self.assertFalse(self.ui.compareButton.enabled)
        self.assertEqual(
            (self.status, self.ui.compareButton.toolTip),
            ("Check 2 to 8 methods (1 checked).",) * 2,
        )
        self.check("bicubic")
        self.assertTrue(self.ui.compareButton.enabled)
        with mock.patch("MRISuperResLib.widgets.comparison.panel.MAX_METHODS", 2):
            self.check("nearest")
            self.assertFalse(self.ui.compareButton.enabled)

    def test_button_is_disabled_with_a_reason_without_a_volume(self):
        self.ui.inputSelector.setCurrentNode(None)
        self.assertFalse(self.ui.compareButton.enabled)
        self.assertEqual(self.status, "Choose an input volume.")
        self.assertEqual(self.ui.comparisonHelpLabel.text, "")

    def test_description_follows_mode_and_scale(self):
        self.assertIn(
            "“Phantom” is the reference. Every method restores it after ×2",
            self.ui.comparisonHelpLabel.text,
        )
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        self.assertIn("“Phantom” is upsampled by ×2", self.ui.comparisonHelpLabel.text)
        self.ui.outputComboBox.setCurrentIndex(1)
        self.assertIn("×4", self.ui.comparisonHelpLabel.text)

    def test_noise_needs_a_reference_and_the_seed_needs_noise(self):
        self.assertEqual((self.ui.noiseSpinBox.enabled, self.ui.seedSpinBox.enabled), (True, False))
        self.ui.noiseSpinBox.value = 2
        self.assertTrue(self.ui.seedSpinBox.enabled)
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        self.assertEqual(
            (self.ui.noiseSpinBox.enabled, self.ui.seedSpinBox.enabled), (False, False)
        )

    def test_settings_are_restored_with_the_scene(self):
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        self.ui.degradationComboBox.setCurrentIndex(1)
        self.ui.noiseSpinBox.value, self.ui.seedSpinBox.value = 2.5, 7
        self.ui.perceptualComboBox.setCurrentIndex(1)
        self.uncheck("nearest")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertIn("nearest", self.widget.comparing.methods.names)
            slicer.util.loadScene(path)
        parameters = self.parameters
        self.assertEqual(
            (
                parameters.comparisonMode,
                parameters.degradation,
                parameters.noise,
                parameters.seed,
                parameters.perceptualScore,
            ),
            (ComparisonMode.NO_REFERENCE, Degradation.KSPACE, 2.5, 7, PerceptualScore.NIQE),
        )
        self.assertEqual(
            (
                self.ui.noiseSpinBox.value,
                self.ui.seedSpinBox.value,
                self.ui.degradationComboBox.currentIndex,
            ),
            (2.5, 7, 1),
        )
        self.assertEqual(self.widget.comparing.methods.names, METHODS[1:])

    def test_unchecked_method_stays_unchecked_at_other_scales(self):
        self.uncheck("nearest")
        self.ui.outputComboBox.setCurrentIndex(2)
        self.assertNotIn("nearest", self.widget.comparing.methods.names)
        self.ui.outputComboBox.setCurrentIndex(0)
        self.assertEqual(self.widget.comparing.methods.names, METHODS[1:])

    def test_every_setting_reaches_the_options(self):
        self.ui.outputComboBox.setCurrentIndex(1)
        self.uncheck_models()
        self.ui.sliceAxisComboBox.setCurrentIndex(self.ui.sliceAxisComboBox.findText("Sagittal"))
        self.ui.deviceComboBox.setCurrentIndex(1)
        self.ui.degradationComboBox.setCurrentIndex(1)
        self.ui.noiseSpinBox.value, self.ui.seedSpinBox.value = 1.5, 3
        task = self.compare()
        task.cancel()
        wait_for_end(task)
        options = task.strategy._options
        self.assertEqual(
            (
                options.methods,
                options.scale,
                options.reference,
                options.slice_axis,
                options.device,
                options.degradation,
                options.noise,
                options.seed,
                options.perceptual,
            ),
            (METHODS, 4, True, "sagittal", "cpu", "kspace", 1.5, 3, "none"),
        )

    def test_noise_is_ignored_without_a_reference(self):
        self.ui.noiseSpinBox.value = 1.5
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        comparison = self.compare_to_the_end()
        self.assertEqual((comparison.options.noise, comparison.reference), (0, None))


class RunTest(ComparePanelTestCase):
    def test_compare_shows_the_images_side_by_side(self):
        task = self.compare()
        self.assertEqual(self.ui.compareButton.text, "Cancel")
        self.assertIn("Running: Phantom", self.status)
        self.assert_idle(task, TaskState.FINISHED, "“Comparison of Phantom x2”")
        self.assertIn("(k)", self.ui.compareDetailsLabel.text)
        self.assert_results(areOpen=True)
        shown = [
            slicer.app.layoutManager()
            .sliceWidget(name)
            .sliceLogic()
            .GetSliceCompositeNode()
            .GetBackgroundVolumeID()
            for name in slicer.app.layoutManager().sliceViewNames()
        ]
        for node in (task.result.reference, *task.result.outputs.values()):
            self.assertIn(node.GetID(), shown)

    def test_table_shows_one_region_at_a_time(self):
        comparison = self.compare_to_the_end()
        view = self.results._tableView
        self.assertIs(view.mrmlTableNode(), comparison.tableNode)
        for region in ("image", "foreground", ""):
            self.choose(self.ui.tableComboBox, region)
            shown = [
                metric.region
                for column, metric in enumerate(comparison.table.metrics, 1)
                if not view.isColumnHidden(column)
            ]
            self.assertTrue(shown)
            self.assertEqual(set(shown), {region})
        self.assertFalse(view.isColumnHidden(0))
        self.choose(self.ui.tableComboBox, "lesions")
        self.assertIs(view.mrmlTableNode(), comparison.lesionTableNode)
        self.assertFalse(view.isColumnHidden(1))

    def test_plot_shows_the_chosen_metric(self):
        comparison = self.compare_to_the_end()
        chart = self.results._plot._view.chart()
        self.assertEqual(chart.GetNumberOfPlots(), len(METHODS))
        self.assertEqual(self.ui.plotComboBox.count, len(comparison.table.metrics))
        self.choose(self.ui.plotComboBox, "rmse_foreground")
        self.assertEqual(
            chart.GetAxis(0).GetTitle(), comparison.table.metric("rmse_foreground").heading
        )

    def test_plot_view_is_private_and_not_saved(self):
        self.compare_to_the_end()
        (node,) = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLPlotViewNode")
            if node.GetName() == "MRISuperResPlot"
        ]
        self.assertFalse(node.GetSaveWithScene() or node.GetDoPropagatePlotChartSelection())
        self.assertIsNotNone(node.GetParentLayoutNode())

    def test_zoomed_views_can_be_hidden(self):
        self.compare_to_the_end()
        self.addCleanup(lambda: setattr(self.ui.zoomCheckBox, "checked", True))
        for zoomed in (5, 0):
            layout = (
                slicer.app.layoutManager()
                .layoutLogic()
                .GetLayoutNode()
                .GetCurrentLayoutDescription()
            )
            self.assertEqual(
                (layout.count("MRISuperResCompare"), layout.count("MRISuperResZoom")), (5, zoomed)
            )
            click(self.ui.zoomCheckBox)
        self.ui.zoomCheckBox.checked = False
        click(self.ui.showViewsButton)
        click(self.ui.showViewsButton)
        self.assertNotIn(
            "MRISuperResZoom",
            slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetCurrentLayoutDescription(),
        )

    def test_panel_shows_progress_and_stays_responsive(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        task = self.compare_and_wait_for_progress()
        self.assertTrue(self.ui.compareProgressBar.visible)
        self.ui.outputComboBox.setCurrentIndex(2)
        leave_module()
        self.open()
        self.assertEqual(self.ui.compareButton.text, "Cancel")
        gate.open()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertEqual(task.result.options.scale, 2)

    def test_apply_and_compare_exclude_each_other(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        self.assertEqual(self.ui.applyButton.enabled, True)
        task = self.compare_and_wait_for_progress()
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("Another task is running", self.ui.applyButton.toolTip)
        gate.open()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assertTrue(self.ui.applyButton.enabled)
        self.choose(self.ui.modelComboBox, "bicubic")
        message = self.status
        click(self.ui.applyButton)
        self.assertFalse(self.ui.compareButton.enabled)
        wait_for_end(self.widget.upsampling.task)
        self.assertTrue(self.ui.compareButton.enabled)
        self.assertEqual(self.status, message)

    def test_second_comparison_replaces_the_first_which_stays_selectable(self):
        first, second = self.compare_to_the_end(), self.compare_to_the_end()
        self.assertEqual(
            [
                self.ui.comparisonComboBox.itemText(n)
                for n in range(self.ui.comparisonComboBox.count)
            ],
            [first.title, second.title],
        )
        self.assertNotEqual(first.title, second.title)
        self.assertEqual(self.results.comparison, second)
        self.ui.comparisonComboBox.setCurrentIndex(0)
        self.assertEqual(self.results.comparison, first)
        self.assertIs(self.results._tableView.mrmlTableNode(), first.tableNode)
        self.assert_results(areOpen=True)
        click(self.ui.showViewsButton)
        self.ui.comparisonComboBox.setCurrentIndex(1)
        self.assertEqual(self.results.comparison, second)
        self.assert_results(areOpen=False)

    def test_comparison_works_without_a_layout_manager(self):
        with mock.patch.object(type(slicer.app), "layoutManager", lambda app: None):
            self.assert_idle(self.compare(), TaskState.FINISHED, "Done in")
        self.assert_results(areOpen=False)


class FaultTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_cancel_ends_the_task_without_output(self):
        task = self.compare_and_wait_for_progress()
        before = node_ids()
        click(self.ui.compareButton)
        self.assertEqual((self.status, self.ui.compareButton.enabled), ("Cancelling …", False))
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled. Nothing was changed.")
        self.assertEqual(node_ids(), before)
        self.assert_no_results()

    def test_deleted_input_cancels_the_task_with_a_message(self):
        task = self.compare_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled: the input was deleted.")
        self.assert_no_results()

    def test_closed_scene_cancels_the_task_with_a_message(self):
        task = self.compare_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        self.assert_idle(task, TaskState.CANCELLED, "Cancelled: the scene was closed.")
        self.assert_no_results()

    def test_killed_worker_is_an_error_and_the_next_comparison_works(self):
        task = self.compare_and_wait_for_progress()
        with expect_error("ended unexpectedly"):
            os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
            self.assert_idle(
                task, TaskState.FAILED, "The worker process ended unexpectedly (signal 9)"
            )
        self.widget.logic._worker = None
        self.compare_to_the_end()

    def test_busy_worker_is_an_error_and_the_panel_stays_usable(self):
        other = self.widget.logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with expect_error("Another task is running"):
            self.compare()
        self.assertEqual(self.ui.compareButton.text, "Compare")
        self.assertIn("Another task is running", self.status)
        other.cancel()
        wait_for_end(other)

    def test_cleanup_during_a_task_ends_it_silently(self):
        task = self.compare_and_wait_for_progress()
        pid, status = self.widget.logic.worker.pid, self.status
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status, status)
        self.assertIs(task.state, TaskState.CANCELLED)
        self.widget.setup()


class PackagesTest(ComparePanelTestCase):
    """pyiqa is missing, and its installation is a double."""

    def setUp(self):
        super().setUp()
        self.missing, self.installed = ["pyiqa"], []
        for name, double in (
            ("missingPackages", lambda perceptual=False: list(self.missing) if perceptual else []),
            ("_exists", lambda name: False),
            (
                "checkPackages",
                lambda requested: {each: PackageState(each, "usable") for each in requested},
            ),
        ):
            patch = mock.patch.object(packages, name, double)
            patch.start()
            self.addCleanup(patch.stop)
        self.enterContext(mock.patch.dict(vars(slicer.util), pip_install=self.install))
        self.ui.perceptualComboBox.setCurrentIndex(1)
        self.taskBefore = self.widget.comparing.task

    def install(self, arguments):
        self.installed.append(arguments)
        self.missing.clear()

    def test_comparison_starts_after_the_user_accepts_license_and_installation(self):
        self.use_double("until_cancelled")
        answer_next(True)
        task = self.compare()
        self.assertEqual(len(shown_dialogs("PolyForm Noncommercial")), 1)
        self.assertEqual(len(self.installed), 1)
        self.assertEqual(task.strategy._options.perceptual, "niqe")
        task.cancel()
        wait_for_end(task)

    def test_declined_installation_is_not_offered_again(self):
        answer_next(False)
        self.assertIs(self.compare(), self.taskBefore)
        self.assertIs(self.parameters.perceptualScore, PerceptualScore.NONE)
        self.assertIn("No-reference metric switched off", self.status)
        self.assertTrue(self.ui.compareButton.enabled)
        self.compare_to_the_end()
        self.assertEqual(len(shown_dialogs()), 1)

    def test_failed_installation_is_shown_and_nothing_starts(self):
        answer_next(True)
        with (
            mock.patch.object(packages, "_install", side_effect=OSError("no network")),
            expect_error("no network"),
        ):
            self.compare()
        self.assertIs(self.widget.comparing.task, self.taskBefore)
        self.assertTrue(self.ui.compareButton.enabled)

    def test_installed_packages_need_no_question(self):
        self.missing.clear()
        self.use_double("until_cancelled")
        task = self.compare()
        self.assertEqual(shown_dialogs(), [])
        task.cancel()
        wait_for_end(task)


if __name__ == "__main__":
    unittest.main()
