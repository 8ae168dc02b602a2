"""The part of the panel that compares methods, as a user meets it: choosing, comparing, cancelling, missing packages."""

import os
import signal
import tempfile
import unittest
from unittest import mock

import slicer
from compare_panel_helpers import METHODS, ComparePanelTestCase
from module_helpers import Gate, click, is_alive, node_ids, wait_for_end
from MRISuperResLib.widgets import packages
from MRISuperResLib.widgets.package_check import PackageState
from MRISuperResLib.scene.parameters import ComparisonMode, Degradation, PerceptualScore
from MRISuperResLib.scene.tasks import TaskState
from slicerhost.testing import answer_next, expect_error, leave_module, shown_dialogs


class ChoosingTest(ComparePanelTestCase):
    def test_interpolations_the_floor_and_the_models_of_the_scale_are_checked_at_first(self):
        models = self.widget.upsampling.models._store
        self.parameters.changedMethods = ""
        for index, scale in enumerate((2, 4, 8)):
            self.ui.scaleComboBox.setCurrentIndex(index)
            cards = tuple(card.name for card in models.cards(scale))
            self.assertEqual(self.widget.comparing.methods.names, (METHODS + cards)[:8])

    def test_every_model_is_offered_with_its_back_projection(self):
        for card in self.widget.upsampling.models._store.cards(2):
            self.assertIn(card.name, self.items())
            self.assertIn(card.name + "+bp", self.items())
            self.assertIn(card.summary(), self.items()[card.name].toolTip())

    def test_names_in_the_list_are_those_of_the_tables(self):
        for name, item in self.items().items():
            self.assertTrue(item.text().startswith(f"{name} – "))

    def test_too_few_or_too_many_methods_disable_the_button_with_a_reason(self):
        self.uncheck("nearest", "bilinear", "bicubic")
        self.assertFalse(self.ui.compareButton.enabled)
        self.assertEqual(
            (self.status, self.ui.compareButton.toolTip),
            ("Check 2 to 8 methods: 1 are checked.",) * 2,
        )
        self.check("bicubic")
        self.assertTrue(self.ui.compareButton.enabled)
        with mock.patch("MRISuperResLib.widgets.comparison.panel.MOST", 2):
            self.check("nearest")
            self.assertFalse(self.ui.compareButton.enabled)

    def test_button_is_disabled_with_a_reason_without_a_volume(self):
        self.ui.inputSelector.setCurrentNode(None)
        self.assertFalse(self.ui.compareButton.enabled)
        self.assertEqual(self.status, "Choose an input volume.")
        self.assertEqual(self.ui.comparisonHelpLabel.text, "")

    def test_panel_says_what_will_be_done_with_the_volume(self):
        self.assertIn(
            "“Phantom” is the truth: it is made 2 times smaller", self.ui.comparisonHelpLabel.text
        )
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        self.assertIn("“Phantom” is made 2 times larger", self.ui.comparisonHelpLabel.text)
        self.ui.scaleComboBox.setCurrentIndex(1)
        self.assertIn("4 times", self.ui.comparisonHelpLabel.text)

    def test_noise_is_for_the_degraded_volume_only_and_the_seed_for_the_noise(self):
        self.assertEqual((self.ui.noiseSpinBox.enabled, self.ui.seedSpinBox.enabled), (True, False))
        self.ui.noiseSpinBox.value = 2
        self.assertTrue(self.ui.seedSpinBox.enabled)
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        self.assertEqual(
            (self.ui.noiseSpinBox.enabled, self.ui.seedSpinBox.enabled), (False, False)
        )

    def test_settings_are_saved_with_the_scene_and_come_back(self):
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

    def test_what_was_unchecked_stays_so_at_another_scale_and_back(self):
        self.uncheck("nearest")
        self.ui.scaleComboBox.setCurrentIndex(2)
        self.assertNotIn("nearest", self.widget.comparing.methods.names)
        self.ui.scaleComboBox.setCurrentIndex(0)
        self.assertEqual(self.widget.comparing.methods.names, METHODS[1:])

    def test_every_setting_reaches_the_job(self):
        self.ui.scaleComboBox.setCurrentIndex(1)
        self.uncheck_models()
        self.ui.sliceDirectionComboBox.setCurrentIndex(
            self.ui.sliceDirectionComboBox.findText("Sagittal")
        )
        self.ui.deviceComboBox.setCurrentIndex(1)
        self.ui.degradationComboBox.setCurrentIndex(1)
        self.ui.noiseSpinBox.value, self.ui.seedSpinBox.value = 1.5, 3
        run = self.compare()
        run.cancel()
        wait_for_end(run)
        job = run.job
        self.assertEqual(
            (
                job.methods,
                job.scale,
                job.reference,
                job.slice_axis,
                job.device,
                job.degradation,
                job.noise,
                job.seed,
                job.perceptual,
            ),
            (METHODS, 4, True, "sagittal", "cpu", "kspace", 1.5, 3, "none"),
        )

    def test_noise_of_the_other_mode_is_no_obstacle(self):
        self.ui.noiseSpinBox.value = 1.5
        self.ui.comparisonModeComboBox.setCurrentIndex(1)
        comparison = self.compare_to_the_end()
        self.assertEqual((comparison.job.noise, comparison.reference), (0, None))


class RunTest(ComparePanelTestCase):
    def test_click_on_compare_shows_the_pictures_side_by_side(self):
        run = self.compare()
        self.assertEqual(self.ui.compareButton.text, "Cancel")
        self.assertIn("Running: Phantom", self.status)
        self.assert_idle(run, TaskState.FINISHED, "“Comparison of Phantom x2”")
        self.assertIn("slices along k", self.status)
        self.assert_results(areOpen=True)
        shown = [
            slicer.app.layoutManager()
            .sliceWidget(name)
            .sliceLogic()
            .GetSliceCompositeNode()
            .GetBackgroundVolumeID()
            for name in slicer.app.layoutManager().sliceViewNames()
        ]
        for node in (run.comparison.reference, *run.comparison.outputs.values()):
            self.assertIn(node.GetID(), shown)

    def test_table_shows_one_part_of_the_numbers_at_a_time(self):
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
        self.choose(self.ui.tableComboBox, "dots")
        self.assertIs(view.mrmlTableNode(), comparison.dotsTableNode)
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

    def test_plot_view_is_no_part_of_the_application_and_is_not_saved(self):
        self.compare_to_the_end()
        (node,) = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLPlotViewNode")
            if node.GetName() == "MRISuperResPlot"
        ]
        self.assertFalse(node.GetSaveWithScene() or node.GetDoPropagatePlotChartSelection())
        self.assertIsNotNone(node.GetParentLayoutNode())

    def test_zoomed_views_can_be_switched_off(self):
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

    def test_progress_is_shown_and_the_panel_stays_alive_during_a_run(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        run = self.compare_and_wait_for_progress()
        self.assertTrue(self.ui.compareProgressBar.visible)
        self.ui.scaleComboBox.setCurrentIndex(2)
        leave_module()
        self.open()
        self.assertEqual(self.ui.compareButton.text, "Cancel")
        gate.open()
        self.assert_idle(run, TaskState.FINISHED, "Finished")
        self.assertEqual(run.comparison.job.scale, 2)

    def test_apply_and_compare_wait_for_each_other(self):
        gate = Gate()
        self.use_double("gated", gate.path)
        self.assertEqual(self.ui.applyButton.enabled, True)
        run = self.compare_and_wait_for_progress()
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertIn("Another volume is being processed", self.ui.applyButton.toolTip)
        gate.open()
        self.assert_idle(run, TaskState.FINISHED, "Finished")
        self.assertTrue(self.ui.applyButton.enabled)
        self.choose(self.ui.modelComboBox, "bicubic")
        message = self.status
        click(self.ui.applyButton)
        self.assertFalse(self.ui.compareButton.enabled)
        wait_for_end(self.widget.upsampling.job)
        self.assertTrue(self.ui.compareButton.enabled)
        self.assertEqual(self.status, message)

    def test_second_comparison_is_shown_instead_and_the_first_can_be_chosen(self):
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
            self.compare_to_the_end()
        self.assert_results(areOpen=False)


class FaultTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.use_double("until_cancelled")

    def test_click_on_cancel_ends_the_run_and_leaves_nothing(self):
        run = self.compare_and_wait_for_progress()
        before = node_ids()
        click(self.ui.compareButton)
        self.assertEqual((self.status, self.ui.compareButton.enabled), ("Cancelling …", False))
        self.assert_idle(run, TaskState.CANCELLED, "Cancelled: nothing was changed.")
        self.assertEqual(node_ids(), before)
        self.assert_no_results()

    def test_input_deleted_during_a_run_ends_it_with_a_message(self):
        run = self.compare_and_wait_for_progress()
        slicer.mrmlScene.RemoveNode(self.input)
        self.assert_idle(run, TaskState.CANCELLED, "Cancelled: the input volume was deleted.")
        self.assert_no_results()

    def test_scene_closed_during_a_run_ends_it_with_a_message(self):
        run = self.compare_and_wait_for_progress()
        slicer.mrmlScene.Clear(0)
        self.assert_idle(run, TaskState.CANCELLED, "Cancelled: the scene was closed.")
        self.assert_no_results()

    def test_worker_killed_during_a_run_is_an_error_and_the_next_comparison_works(self):
        run = self.compare_and_wait_for_progress()
        with expect_error("ended unexpectedly"):
            os.kill(self.widget.logic.worker.pid, signal.SIGKILL)
            self.assert_idle(
                run, TaskState.FAILED, "The worker process ended unexpectedly (signal 9)"
            )
        self.widget.logic._worker = None
        self.compare_to_the_end()

    def test_worker_that_another_run_uses_is_an_error_and_the_panel_stays_usable(self):
        other = self.widget.logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with expect_error("Another volume is being processed"):
            self.compare()
        self.assertEqual(self.ui.compareButton.text, "Compare")
        self.assertIn("Another volume is being processed", self.status)
        other.cancel()
        wait_for_end(other)

    def test_cleanup_during_a_run_ends_everything_silently(self):
        run = self.compare_and_wait_for_progress()
        pid, status = self.widget.logic.worker.pid, self.status
        self.widget.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status, status)
        self.assertIs(run.state, TaskState.CANCELLED)
        self.widget.setup()


class PackagesTest(ComparePanelTestCase):
    """pyiqa is missing; the installation itself is replaced."""

    def setUp(self):
        super().setUp()
        self.missing, self.installed = ["pyiqa"], []
        for name, double in (
            ("missingPackages", lambda perceptual=False: list(self.missing) if perceptual else []),
            ("_pipInstall", self.install),
            ("_exists", lambda name: False),
            (
                "checkPackages",
                lambda wanted: {each: PackageState(each, "", "usable") for each in wanted},
            ),
        ):
            patch = mock.patch.object(packages, name, double)
            patch.start()
            self.addCleanup(patch.stop)
        self.ui.perceptualComboBox.setCurrentIndex(1)
        self.jobBefore = self.widget.comparing.job

    def install(self, arguments):
        self.installed.append(arguments)
        self.missing.clear()

    def test_user_is_asked_with_the_license_and_the_comparison_starts_after_the_installation(self):
        self.use_double("until_cancelled")
        answer_next(True)
        run = self.compare()
        self.assertEqual(len(shown_dialogs("PolyForm Noncommercial")), 1)
        self.assertEqual(len(self.installed), 1)
        self.assertEqual(run.job.perceptual, "niqe")
        run.cancel()
        wait_for_end(run)

    def test_user_who_declines_is_not_asked_again(self):
        answer_next(False)
        self.assertIs(self.compare(), self.jobBefore)
        self.assertIs(self.parameters.perceptualScore, PerceptualScore.NONE)
        self.assertIn("the score was switched off", self.status)
        self.assertTrue(self.ui.compareButton.enabled)
        self.compare_to_the_end()
        self.assertEqual(len(shown_dialogs()), 1)

    def test_failed_installation_is_shown_and_nothing_starts(self):
        answer_next(True)
        with (
            mock.patch.object(packages, "_pipInstall", side_effect=OSError("no network")),
            expect_error("no network"),
        ):
            self.compare()
        self.assertIs(self.widget.comparing.job, self.jobBefore)
        self.assertTrue(self.ui.compareButton.enabled)

    def test_installed_packages_are_not_asked_for(self):
        self.missing.clear()
        self.use_double("until_cancelled")
        run = self.compare()
        self.assertEqual(shown_dialogs(), [])
        run.cancel()
        wait_for_end(run)


if __name__ == "__main__":
    unittest.main()
