"""The training panel: choose volumes and settings, start, follow, stop and resume runs."""

import os
import unittest
from unittest import mock

import ctk
import numpy as np
import qt
import slicer
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.widgets import packages
from MRISuperResTrainingLib.options.presets import PRESETS
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.scene import dataset
from MRISuperResTrainingLib.scene.parameters import Generator, trainingSettings
from MRISuperResTrainingLib.scene.run_nodes import KINDS, LAYOUT_ID, PLOT_VIEWS, SLICE_VIEWS
from MRISuperResTrainingLib.widgets import run_section
from panel_testing import (
    answer_next,
    expect_error,
    leave_module,
    open_module,
    press_key,
    process_events,
    shown_dialogs,
    type_text,
    wait_until,
)
from training_helpers import TrainingPanelTestCase, choose, click, is_alive, make_volume

STEPS = {stage: PRESETS["quick"][stage]["steps"] for stage in ("psnr", "gan")}


class ChoosingTest(TrainingPanelTestCase):
    def cell(self, row, column):
        return self.ui.volumesTable.item(row, column)

    def test_volumes_of_the_scene_are_listed_with_anatomy_and_subject(self):
        self.assertEqual(
            [self.cell(0, 0).text(), self.anatomy_box().currentText, self.cell(0, 2).text()],
            ["sub-01_T2w", "unspecified", "sub-01"],
        )
        make_volume("sub-02_T2w")
        wait_until(lambda: self.ui.volumesTable.rowCount == 2)
        slicer.mrmlScene.RemoveNode(self.volume)
        wait_until(lambda: self.ui.volumesTable.rowCount == 1)
        self.assertEqual(self.cell(0, 0).text(), "sub-02_T2w")

    def test_start_is_disabled_with_a_reason_until_a_volume_is_checked(self):
        self.assertFalse(self.ui.startButton.enabled)
        self.assertIn("No training volumes", self.status)
        self.assertEqual(self.ui.startButton.toolTip, self.status)
        self.check()
        self.assertEqual(self.status, "Ready.")

    def test_the_anatomy_is_guessed_from_the_name(self):
        self.volume.SetName("SampleFetusT2")
        make_volume("SampleBrainT2")
        wait_until(lambda: self.ui.volumesTable.rowCount == 2)
        self.assertEqual(
            [self.anatomy_box(row).currentText for row in range(2)], ["fetal", "brain"]
        )

    def test_an_anatomy_can_be_chosen_or_typed(self):
        box = self.anatomy_box()
        press_key(box, qt.Qt.Key_Down)
        self.assertEqual(dataset.anatomyOf(self.volume), "fetal")
        box.lineEdit().selectAll()
        type_text(box.lineEdit(), "placenta")
        self.assertEqual(dataset.anatomyOf(self.volume), "fetal")
        press_key(box.lineEdit(), qt.Qt.Key_Return)
        self.assertEqual(dataset.anatomyOf(self.volume), "placenta")

    def test_an_anatomy_applies_to_all_selected_rows(self):
        other, third = make_volume("sub-02_T2w"), make_volume("sub-03_T2w")
        wait_until(lambda: self.ui.volumesTable.rowCount == 3)
        for row in range(2):
            self.cell(row, 0).setSelected(True)
        press_key(self.anatomy_box(1), qt.Qt.Key_Down)
        process_events()
        self.assertEqual(
            [dataset.anatomyOf(node) for node in (self.volume, other, third)],
            ["fetal", "fetal", "unspecified"],
        )
        self.assertEqual(self.anatomy_box(0).currentText, "fetal")

    def test_scrolling_over_the_table_changes_no_anatomy(self):
        self.assertEqual(self.anatomy_box().scrollWheelEffect, ctk.ctkComboBox.NeverScroll)

    def test_an_anatomy_that_is_typed_while_its_volume_is_removed_is_ignored(self):
        editor = self.anatomy_box().lineEdit()
        type_text(editor, "placenta")
        slicer.mrmlScene.RemoveNode(self.volume)
        press_key(editor, qt.Qt.Key_Return)
        wait_until(lambda: self.ui.volumesTable.rowCount == 0)
        self.assertIsNone(self.volume.GetAttribute(dataset.ANATOMY))

    def test_a_subject_can_be_edited(self):
        self.cell(0, 2).setText("patient 7")
        process_events()
        self.assertEqual(dataset.subjectOf(self.volume), "patient 7")
        self.cell(0, 2).setText(" ")
        process_events()
        self.assertEqual(self.cell(0, 2).text(), "sub-01")

    def test_a_check_mark_applies_to_all_selected_rows(self):
        make_volume("sub-02_T2w")
        wait_until(lambda: self.ui.volumesTable.rowCount == 2)
        self.ui.volumesTable.selectAll()
        self.check()
        self.assertEqual(len(dataset.chosenNodes()), 2)

    def test_a_single_subject_is_a_warning(self):
        self.check()
        self.assertIn("Only one subject, sub-01", self.ui.datasetLabel.text)
        warning = self.text_color(self.ui.datasetLabel)
        dataset.choose(make_volume("sub-02_T2w"), True)
        wait_until(lambda: "2 volumes, 2 subjects" in self.ui.datasetLabel.text)
        self.assertNotEqual(self.text_color(self.ui.datasetLabel), warning)

    def test_files_of_a_folder_are_counted_and_skipped_files_reported(self):
        for name in ("sub-05_T1w.nii.gz", "sub-06_T1w.nii.gz"):
            (self.folder / name).touch()
        answer_next(str(self.folder))
        click(self.ui.folderButton)
        self.assertIn("2 volumes, 2 subjects", self.ui.datasetLabel.text)
        self.assertTrue(self.ui.startButton.enabled)
        (self.folder / "list.txt").write_text("sub-05_T1w.nii.gz\ngone.nii.gz\n")
        answer_next(str(self.folder / "list.txt"))
        click(self.ui.filesButton)
        self.assertIn("Skipped files: 1, first gone.nii.gz", self.ui.datasetLabel.text)
        self.assertIn("does not exist", self.ui.datasetLabel.toolTip)

    def test_a_missing_path_disables_start(self):
        self.ui.filesLineEdit.text = str(self.folder / "nowhere")
        self.assertIn("No such file or folder", self.status)
        self.assertFalse(self.ui.startButton.enabled)

    def test_files_are_not_listed_while_the_path_is_typed(self):
        with mock.patch("MRISuperResTrainingLib.widgets.dataset_panel.read_sources") as read:
            type_text(self.ui.filesLineEdit, str(self.folder))
            read.assert_not_called()

    def test_an_invalid_list_is_an_error(self):
        (self.folder / "list.csv").write_text("nothing\n1\n")
        answer_next(str(self.folder / "list.csv"))
        with expect_error("must name the columns"):
            click(self.ui.filesButton)


class SettingsTest(TrainingPanelTestCase):
    @property
    def settings(self):
        return trainingSettings(self.widget._parameterNode)

    def test_a_preset_sets_the_parameters_that_it_determines(self):
        for text, name in (("Thesis", "thesis"), ("Modern", "modern"), ("Quick", "quick")):
            choose(self.ui.presetComboBox, text)
            values = PRESETS[name]
            self.assertEqual(
                (self.ui.psnrStepsSpinBox.value, self.ui.ganStepsSpinBox.value),
                (values["psnr"]["steps"], values["gan"]["steps"]),
            )
            self.assertEqual(
                (self.ui.patchSpinBox.value, self.ui.batchSpinBox.value),
                (values["data"]["patch"], values.get("batch", 16)),
            )
            self.assertEqual(self.settings.generator, values["generator"])
            self.assertEqual(
                self.settings.to_dict()["data"] | values["data"], self.settings.to_dict()["data"]
            )

    def test_generators_have_the_sizes_of_their_labels(self):
        choose(self.ui.presetComboBox, "Thesis")
        for generator, blocks in ((Generator.RRDB_23, 23), (Generator.RRDB_8, 8)):
            self.widget._parameterNode.generator = generator
            self.assertEqual(
                (self.settings.generator["blocks"], self.settings.generator["first_kernel"]),
                (blocks, 9),
            )
        self.widget._parameterNode.generator = Generator.COMPACT
        self.assertEqual(self.settings.generator["network"], "compact")

    def test_contradicting_settings_disable_start_with_a_reason(self):
        self.check()
        self.ui.patchSpinBox.value = 65
        self.assertIn("“patch” must be a multiple of the scale 2", self.status)
        self.assertFalse(self.ui.startButton.enabled)
        self.ui.patchSpinBox.value = 66
        self.assertTrue(self.ui.startButton.enabled)

    def test_zero_gan_steps_skip_the_second_stage(self):
        self.ui.ganStepsSpinBox.value = 0
        self.assertIsNone(self.settings.gan)

    def test_chosen_settings_are_those_of_the_run(self):
        self.ui.scaleComboBox.setCurrentIndex(1)
        self.ui.psnrStepsSpinBox.value, self.ui.preCheckBox.checked = 70, False
        self.ui.vggLineEdit.text = "/weights/vgg19.npz"
        self.ui.runNameLineEdit.text = "mine"
        record = self.start()
        settings = record.settings
        self.assertEqual(
            (
                record.name,
                settings["scale"],
                settings["psnr"]["steps"],
                settings["data"]["pre_check"],
                settings["gan"]["vgg"],
            ),
            ("mine", 4, 70, False, "/weights/vgg19.npz"),
        )

    def test_settings_are_saved_with_the_scene(self):
        self.ui.psnrStepsSpinBox.value = 4321
        choose(self.ui.degradationComboBox, "Mixture")
        path = str(self.folder / "scene.mrb")
        slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(0)
        self.assertEqual(self.ui.psnrStepsSpinBox.value, STEPS["psnr"])
        slicer.util.loadScene(path)
        self.assertEqual(
            (self.ui.psnrStepsSpinBox.value, self.ui.degradationComboBox.currentText),
            (4321, "Mixture of all"),
        )


class RunTest(TrainingPanelTestCase):
    def assert_state(self, record, state, text):
        wait_until(lambda: record.state is state and not self.runs.isStarting(record))
        self.panel.poll()
        self.assertIn(text, self.ui.runTitleLabel.text)
        self.assertEqual(self.row(self.panel.table.records.index(record))[1], text)

    def test_start_shows_the_run_with_progress_and_volumes(self):
        record = self.start_and_wait()
        self.panel.poll()
        self.assertIn(f"{record.name} – quick, ×2 – running", self.ui.runTitleLabel.text)
        self.assertIn(
            f"Stage 1 (PSNR): step {STEPS['psnr'] // 2} of {STEPS['psnr']}, 12.5 steps/s",
            self.ui.progressLabel.text,
        )
        self.assertRegex(self.ui.progressLabel.text, r"\d+ s left")
        self.assertIn("dB over bicubic", self.ui.progressLabel.text)
        self.assertEqual(
            (self.ui.progressBar.value, self.ui.progressBar.maximum),
            (STEPS["psnr"] // 2, sum(STEPS.values())),
        )
        details = self.ui.detailsTextEdit.plainText
        self.assertIn("sub-01_T2w.nii.gz: 18 training slices, 5 skipped", details)
        self.assertIn("little or no anatomy: 0–2, 21–22", details)
        self.assertIn("sub-02_T2w.nii.gz: 24 held-out slices", details)
        self.assertIn("Skipped x.nii: It cannot be read.", details)
        self.assertEqual(self.ui.stopButton.text, "Stop")

    def test_the_timer_stops_when_the_run_is_finished(self):
        record = self.start_and_wait()
        self.assertTrue(self.panel.timer.active)
        self.open_gate()
        self.assert_state(record, RunState.FINISHED, "finished")
        wait_until(lambda: not self.panel.timer.active)
        self.assertEqual(self.ui.progressBar.value, sum(STEPS.values()))
        steps = sum(STEPS.values())
        self.assertRegex(self.row()[2], r"\d\d\.\d\d \(\+\d\.\d\d\)")
        self.assertRegex(
            self.ui.runsTable.item(0, 0).toolTip(),
            rf"quick, ×2, {steps} of {steps} steps, started 20\d\d-",
        )
        self.assertFalse(self.ui.stopButton.enabled)
        self.assertTrue(self.ui.startButton.enabled)

    def test_a_run_stopped_with_the_button_can_be_resumed_with_it(self):
        record = self.start_and_wait()
        click(self.ui.stopButton)
        self.assert_state(record, RunState.STOPPED, "stopped")
        self.assertEqual(self.ui.stopButton.text, "Resume")
        click(self.ui.stopButton)
        self.assertIn("starting", self.ui.runTitleLabel.text)
        self.assertEqual(self.ui.stopButton.text, "Stop")
        self.open_gate()
        self.assert_state(record, RunState.FINISHED, "finished")
        self.assertEqual(shown_dialogs(), [])

    def test_a_process_that_does_not_stop_is_killed_only_after_a_while_and_a_question(self):
        self.mode = "deaf"
        record = self.start_and_wait()
        pid = record.process.pid
        click(self.ui.stopButton)
        self.assertEqual(
            (self.ui.stopButton.text, self.ui.stopButton.enabled), ("Stopping…", False)
        )
        self.assertIn("stopping", self.ui.runTitleLabel.text)
        with mock.patch.object(run_section, "STOP_TIMEOUT", 0.0):
            wait_until(lambda: self.ui.stopButton.text == "Kill process…")
            answer_next(False)
            click(self.ui.stopButton)
            self.assertTrue(is_alive(pid))
            answer_next(True)
            click(self.ui.stopButton)
        wait_until(lambda: record.state is not RunState.RUNNING and not self.runs.isActive(record))
        self.assertIsNone(record.process)

    def test_the_reason_of_a_failure_is_shown(self):
        self.mode = "failing"
        record = self.start()
        self.assert_state(record, RunState.FAILED, "failed")
        self.assertEqual(self.ui.runMessageLabel.text, "No VGG19 weights. Choose their file.")
        self.assertEqual(self.ui.stopButton.text, "Resume")

    def test_a_run_continues_while_another_module_is_shown(self):
        record = self.start_and_wait()
        leave_module()
        self.open_gate()
        wait_until(lambda: record.state is RunState.FINISHED)
        open_module("MRISuperResTraining")
        self.assertIn("finished", self.ui.runTitleLabel.text)

    def test_a_run_is_found_again_after_a_restart_of_the_application(self):
        before = self.start_and_wait()
        self.panel.cleanup()
        leave_module()
        slicer.mrmlScene.Clear(0)
        self.open()
        record = self.panel.run.record
        self.assertIsNot(record, before)
        self.assertEqual(record.name, before.name)
        self.assertIn("running", self.ui.runTitleLabel.text)
        self.assertTrue(self.panel.timer.active)
        self.open_gate()
        self.assert_state(record, RunState.FINISHED, "finished")

    def test_closing_the_scene_does_not_stop_the_run(self):
        record = self.start_and_wait()
        slicer.mrmlScene.Clear(0)
        self.assertFalse(self.ui.startButton.enabled)
        self.open_gate()
        self.assert_state(record, RunState.FINISHED, "finished")

    def test_two_runs_train_at_the_same_time(self):
        first = self.start_and_wait()
        second = self.start_and_wait()
        self.assertIsNot(first, second)
        self.assertIs(self.panel.run.record, second)
        self.open_gate()
        self.assert_state(first, RunState.FINISHED, "finished")

    def test_missing_packages_are_offered_at_the_start_of_a_training(self):
        with (
            mock.patch.object(packages, "missingPackages", lambda **_kinds: ["accelerate"]),
            mock.patch.object(packages, "installPackages", return_value=False) as install,
        ):
            self.assertIsNone(self.start())
            install.assert_called_once_with(["accelerate"])
        self.assertEqual(self.panel.table.records, [])

    def test_a_training_that_cannot_start_is_an_error(self):
        (self.folder / "file").touch()
        self.runs.folder = str(self.folder / "file" / "runs")
        with expect_error("Choose another folder for the runs"):
            self.start()
        self.assertIn("Choose another folder for the runs", self.status)


class ViewsTest(TrainingPanelTestCase):
    @property
    def layout(self):
        return slicer.app.layoutManager().layout

    def points(self, tag):
        """Return {text in the legend: number of points} of a plot view."""
        chart = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode").GetPlotChartNode()
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        return {node.GetName(): node.GetTableNode().GetNumberOfRows() for node in series}

    def background(self, kind):
        composite = (
            slicer.app.layoutManager()
            .sliceWidget(SLICE_VIEWS[kind])
            .sliceLogic()
            .GetSliceCompositeNode()
        )
        return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")

    def test_curves_grow_with_the_run(self):
        record = self.start_and_wait()
        self.panel.poll()
        self.assertEqual(self.layout, LAYOUT_ID)
        psnr, loss = PLOT_VIEWS
        before = self.points(loss)
        self.assertEqual(before, {"L1, stage 1": 25})
        self.assertEqual(self.points(psnr), {"stage 1": 2, "bicubic": 2})
        for tag, title in ((psnr, "PSNR (dB)"), (loss, "Loss (log10)")):
            chart = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode").GetPlotChartNode()
            self.assertEqual((chart.GetXAxisTitle(), chart.GetYAxisTitle()), ("Step", title))
        self.open_gate()
        wait_until(lambda: record.state is RunState.FINISHED)
        self.panel.poll()
        self.assertEqual(
            self.points(loss),
            {
                "L1, stage 1": 50,
                "L1, stage 2": 50,
                "perceptual": 50,
                "adversarial": 50,
                "discriminator": 50,
            },
        )
        self.assertEqual(self.points(psnr), {"stage 1": 5, "stage 2": 5, "bicubic": 10})

    def test_sample_volumes_have_the_same_bounds(self):
        self.start_and_wait()
        self.panel.poll()
        nodes = {kind: self.background(kind) for kind in KINDS}
        self.assertEqual(
            {kind: node.GetImageData().GetDimensions() for kind, node in nodes.items()},
            {"low": (28, 32, 3), "output": (56, 64, 3), "high": (56, 64, 3)},
        )
        bounds = {kind: [0.0] * 6 for kind in KINDS}
        for kind, node in nodes.items():
            node.GetRASBounds(bounds[kind])
        np.testing.assert_allclose(bounds["low"], bounds["high"])
        np.testing.assert_allclose(bounds["output"], bounds["high"])
        self.assertEqual({node.GetDisplayNode().GetWindow() for node in nodes.values()}, {1.0})

    def test_sample_volumes_are_neither_trainable_nor_saved(self):
        self.start_and_wait()
        self.panel.poll()
        self.assertEqual(dataset.trainableNodes(), [self.volume])
        path = str(self.folder / "scene.mrml")
        slicer.util.saveScene(path)
        text = (self.folder / "scene.mrml").read_text()
        self.assertNotIn("Training sample", text)
        self.assertNotIn("<PlotSeries", text)

    def test_closing_restores_the_layout_and_leaves_no_nodes(self):
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.start_and_wait()
        self.panel.poll()
        click(self.ui.viewsButton)
        self.assertEqual(self.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.assertEqual(
            slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")
            + slicer.util.getNodesByClass("vtkMRMLTableNode"),
            [],
        )
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"), [self.volume])
        click(self.ui.viewsButton)
        self.assertEqual(self.layout, LAYOUT_ID)
        self.assertIsNotNone(self.background("high"))

    def test_another_layout_closes_the_views(self):
        self.start_and_wait()
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.assertEqual(self.ui.viewsButton.text, "Show views")
        self.panel.poll()
        self.assertEqual(self.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def test_closing_the_scene_closes_the_views(self):
        self.start_and_wait()
        self.panel.poll()
        slicer.mrmlScene.Clear(0)
        self.panel.poll()
        self.assertFalse(self.panel.run.views.isOpen)
        click(self.ui.viewsButton)
        self.assertIsNotNone(self.background("low"))


class HistoryTest(TrainingPanelTestCase):
    def test_buttons_are_disabled_with_a_reason_without_a_run(self):
        for names, reason in (
            (("open", "resume", "delete"), "Select a run."),
            (("evaluate", "send"), "Open a run first."),
        ):
            for name in names:
                button = getattr(self.ui, f"{name}Button")
                self.assertEqual((button.enabled, button.toolTip), (False, reason))
        self.assertEqual(self.ui.evaluationLabel.text, "Open a run first.")

    def test_an_active_run_can_only_be_opened(self):
        self.start_and_wait()
        self.panel.poll()
        enabled = {
            name: getattr(self.ui, f"{name}Button").enabled
            for name in ("open", "resume", "evaluate", "send", "delete")
        }
        self.assertEqual([name for name, isEnabled in enabled.items() if isEnabled], ["open"])
        self.assertIn("Stop it first", self.ui.deleteButton.toolTip)
        self.assertEqual(self.ui.evaluationLabel.text, "The run is not finished.")

    def test_opening_an_older_run_shows_its_curves(self):
        older = self.finished_run()
        newer = self.finished_run()
        self.assertIs(self.panel.run.record, newer)
        self.panel.table.choose(older)
        click(self.ui.openButton)
        self.assertIn(older.name, self.ui.runTitleLabel.text)
        self.assertIs(self.panel.run.views.record, older)

    def test_resume_continues_the_selected_run(self):
        record = self.start_and_wait()
        click(self.ui.stopButton)
        wait_until(lambda: self.ui.resumeButton.enabled)
        self.open_gate()
        click(self.ui.resumeButton)
        wait_until(lambda: record.state is RunState.FINISHED)

    def test_delete_asks_and_removes_the_folder(self):
        record = self.finished_run()
        answer_next(False)
        click(self.ui.deleteButton)
        self.assertTrue(record.path.exists())
        answer_next(True)
        click(self.ui.deleteButton)
        self.assertFalse(record.path.exists())
        self.assertEqual((self.ui.runsTable.rowCount, self.panel.run.record), (0, None))
        self.assertIn("Start a run", self.ui.runTitleLabel.text)

    def test_a_run_whose_folder_disappears_is_not_shown_any_more(self):
        record = self.finished_run()
        record.path.rename(self.folder / "elsewhere")
        self.panel.poll()
        self.assertEqual((self.ui.runsTable.rowCount, self.panel.run.record), (0, None))

    def test_sent_models_are_in_the_model_store_and_replaced_only_after_a_question(self):
        with mock.patch.dict(
            os.environ,
            XDG_DATA_HOME=str(self.folder),
            APPDATA=str(self.folder),
            HOME=str(self.folder),
        ):
            self.finished_run()
            click(self.ui.sendButton)
            wait_until(lambda: "sent to MRISuperRes" in self.status)
            self.assertEqual(
                [
                    card.stage
                    for card in ModelStore().cards(2)
                    if card.name.startswith("quick-x2-2")
                ],
                ["psnr", "gan"],
            )
            wait_until(lambda: self.ui.sendButton.enabled)
            answer_next(False)
            click(self.ui.sendButton)
            self.assertEqual(len(shown_dialogs("Replace?")), 1)
            self.assertEqual(self.runs.tasks, [])

    def test_an_evaluation_is_shown_as_a_table_with_the_best_in_bold(self):
        record = self.finished_run()
        self.gate.unlink()
        click(self.ui.evaluateButton)
        wait_until(lambda: "1/2 volumes" in self.status)
        self.assertEqual(
            (self.ui.evaluateButton.enabled, self.ui.evaluateButton.toolTip),
            (False, "In progress."),
        )
        self.open_gate()
        wait_until(lambda: self.status.startswith("Evaluation of") and "done" in self.status)
        table = self.ui.evaluationTable
        cells = [
            [table.item(row, column).text() for column in range(table.columnCount)]
            for row in (1, 2)
        ]
        self.assertEqual((table.item(0, 0).text(), table.columnSpan(0, 0)), ("fetal, ×2", 4))
        self.assertEqual(
            cells,
            [["bicubic", "31.20", "0.9012", "7.10"], ["psnr-best", "34.70", "0.9512", "4.90"]],
        )
        self.assertEqual(
            [[table.item(row, column).font().bold() for column in (1, 2, 3)] for row in (1, 2)],
            [[False] * 3, [True] * 3],
        )
        self.assertEqual(
            table.item(2, 1).toolTip(), "95% confidence interval 33.30 to 36.10, 4 subjects"
        )
        self.assertTrue(self.ui.evaluateButton.enabled)
        self.panel.run.show(None)
        self.assertFalse(table.visible)
        self.panel.run.show(record)
        self.assertTrue(table.visible)

    def test_the_table_of_an_evaluation_is_in_view_when_it_ends(self):
        self.finished_run()
        self.gate.unlink()
        self.area.resize(330, 300)
        self.show_tab("evaluate")
        click(self.ui.evaluateButton)
        self.show_tab("train")
        self.ui.advancedCollapsibleButton.collapsed = False
        self.ui.detailsButton.collapsed = False
        process_events()
        bar = self.area.verticalScrollBar()
        bar.value = bar.maximum
        self.assertGreater(bar.value, 0)
        self.open_gate()
        table = self.ui.evaluationTable
        wait_until(lambda: table.visible)
        process_events()
        top = table.mapTo(self.area, qt.QPoint(0, 0)).y()
        self.assertGreaterEqual(top, 0)
        self.assertLessEqual(top + table.height, self.area.height)

    def test_the_reason_of_a_failed_evaluation_is_shown(self):
        self.ui.runNameLineEdit.text = "one subject"
        self.finished_run()
        with expect_error("held out no subject"):
            click(self.ui.evaluateButton)
            wait_until(lambda: not self.runs.tasks)
        self.assertIn("held out no subject", self.status)

    def test_the_runs_folder_is_remembered(self):
        self.finished_run()
        answer_next(str(self.folder))
        click(self.ui.runsFolderButton)
        self.assertEqual(self.panel.table.records, [])
        self.assertEqual(
            slicer.app.userSettings().value("MRISuperResTraining/RunsFolder"), str(self.folder)
        )
        self.ui.runsFolderLineEdit.text = str(self.folder / "runs")
        press_key(self.ui.runsFolderLineEdit, qt.Qt.Key_Return)
        self.assertEqual(self.ui.runsTable.rowCount, 1)


if __name__ == "__main__":
    unittest.main()
