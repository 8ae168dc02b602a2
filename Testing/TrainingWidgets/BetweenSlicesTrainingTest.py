"""The training panel with the preset of the network between slices."""

import unittest
from unittest import mock

import numpy as np
import slicer
from MRISuperResTrainingLib.options.presets import PRESETS, preset
from MRISuperResTrainingLib.runs.record import RunRecord
from MRISuperResTrainingLib.scene.parameters import Preset, Scale, trainingSettings
from MRISuperResTrainingLib.scene.run_nodes import SampleVolumes, psnrLines, readSamples
from MRISuperResTrainingLib.widgets.run_section import progressText
from panel_testing import process_events, screenshot
from training_helpers import (
    ONE_SCREEN,
    RunsTestCase,
    TrainingPanelTestCase,
    choose,
    make_volume,
)

FIXED = {"scale": "Up to ×8", "generator": "Between slices", "degradation": "Slice profile"}
GAN = "ganStepsSpinBox", "vggLineEdit", "vggButton"

SUMMARY = """anatomy,scale,method,metric,mean,low,high,subjects
brain,1,bspline,psnr,31.2,,,1
brain,1,psnr-best,psnr,34.7,,,1
"""


class ThroughPlanePresetTest(TrainingPanelTestCase):
    @property
    def settings(self):
        return trainingSettings(self.widget._parameterNode)

    def shown(self):
        """Return {name: (choice is visible, fixed value is visible)}."""
        return {
            name: (
                getattr(self.ui, f"{name}ComboBox").visible,
                getattr(self.ui, f"{name}FixedComboBox").visible,
            )
            for name in FIXED
        }

    def test_its_settings_are_those_of_the_preset(self):
        self.ui.ganStepsSpinBox.value = 7
        choose(self.ui.presetComboBox, "Through-plane")
        self.assertEqual(self.settings, preset("through-plane"))
        self.ui.psnrStepsSpinBox.value, self.ui.patchSpinBox.value = 70, 64
        self.assertEqual(
            self.settings,
            preset("through-plane", psnr={"steps": 70}, data={"patch": 64}),
        )

    def test_what_it_fixes_is_shown_in_disabled_boxes(self):
        self.ui.advancedCollapsibleButton.collapsed = False
        process_events()
        self.assertEqual(self.shown(), dict.fromkeys(FIXED, (True, False)))
        choose(self.ui.presetComboBox, "Through-plane")
        process_events()
        self.assertEqual(self.shown(), dict.fromkeys(FIXED, (False, True)))
        for name, text in FIXED.items():
            box = getattr(self.ui, f"{name}FixedComboBox")
            self.assertEqual((box.enabled, box.currentText), (False, text))
            self.assertIn("Fixed by the preset", box.toolTip)
        self.assertEqual([getattr(self.ui, name).enabled for name in GAN], [False] * 3)
        self.assertEqual(self.ui.ganStepsSpinBox.value, 0)
        self.assertIn("no GAN stage", self.ui.ganStepsSpinBox.toolTip)
        screenshot(self.area, "training_through_plane", ONE_SCREEN)

    def test_another_preset_restores_the_choices(self):
        self.ui.scaleComboBox.setCurrentIndex(1)
        choose(self.ui.presetComboBox, "Modern")
        before = self.settings
        toolTip = self.ui.ganStepsSpinBox.toolTip
        choose(self.ui.presetComboBox, "Through-plane")
        choose(self.ui.presetComboBox, "Modern")
        process_events()
        self.assertEqual((self.settings, self.settings.scale), (before, 4))
        self.assertEqual(self.ui.ganStepsSpinBox.toolTip, toolTip)
        self.assertEqual([getattr(self.ui, name).enabled for name in GAN], [True] * 3)
        self.assertTrue(self.ui.scaleComboBox.visible)
        self.assertFalse(self.ui.scaleFixedComboBox.visible)

    def test_a_loaded_scene_shows_it(self):
        choose(self.ui.presetComboBox, "Through-plane")
        path = str(self.folder / "scene.mrb")
        slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(0)
        process_events()
        self.assertFalse(self.ui.scaleFixedComboBox.visible)
        slicer.util.loadScene(path)
        process_events()
        self.assertTrue(self.ui.scaleFixedComboBox.visible)
        self.assertEqual(self.settings, preset("through-plane"))

    def test_a_run_is_described_without_a_fixed_scale(self):
        choose(self.ui.presetComboBox, "Through-plane")
        self.open_gate()
        record = self.start()
        self.assertRegex(record.name, r"^through-plane-20\d\d-")
        self.assertIn(f"{record.name} – through-plane, up to ×8 –", self.ui.runTitleLabel.text)
        self.assertIn("through-plane, up to ×8, ", self.ui.runsTable.item(0, 0).toolTip())

    def test_its_evaluation_is_titled_between_slices(self):
        record = self.finished_run()
        (record.path / "evaluation").mkdir()
        (record.path / "evaluation" / "summary.csv").write_text(SUMMARY)
        self.panel.poll()
        table = self.ui.evaluationTable
        self.assertEqual(
            [table.item(row, 0).text() for row in range(table.rowCount)],
            ["brain, between slices", "bspline", "psnr-best"],
        )

    def test_every_preset_can_be_chosen(self):
        self.assertEqual({choice.value for choice in Preset}, set(PRESETS))
        for choice in Preset:
            with self.subTest(choice):
                self.widget._parameterNode.preset = choice
                self.widget._parameterNode.scale = Scale.X4
                self.panel._onPresetChosen(0)
                self.assertEqual(self.settings.preset, choice.value)


class ThroughPlaneRunTest(RunsTestCase):
    def validated(self, **baseline):
        """Return a mock record with a validation, and the name of its baseline."""
        record = RunRecord(self.folder)
        event = {
            "event": "validation",
            "stage": "psnr",
            "step": 10,
            "time": 0.0,
            "scores": {"psnr": 33.0},
            **baseline,
        }
        record._reader.events = [event]
        with mock.patch.object(record._reader, "read", return_value=True):
            record.update()
        return record

    def test_the_gain_is_over_the_baseline_of_the_run(self):
        for text, values in (
            ("B-spline", {"baseline": "bspline", "bspline": {"psnr": 31.0}}),
            ("bicubic", {"baseline": "bicubic", "bicubic": {"psnr": 31.0}}),
            ("bicubic", {"bicubic": {"psnr": 31.0}}),
        ):
            record = self.validated(**values)
            self.assertIn(f"(+2.00 dB over {text})", progressText(record))
            self.assertEqual([line.text for line in psnrLines(record)], ["stage 1", text])

    def test_settings_without_a_scale_get_that_of_the_preset(self):
        for settings in ("through-plane", {"preset": "through-plane"}):
            record = self.runs.start([make_volume()], settings)
            self.assertEqual(record.settings["scale"], 8)

    def test_thick_slices_are_shown_on_the_grid_of_the_reference(self):
        rng = np.random.default_rng(0)
        arrays = {}
        for number, slices in enumerate((6, 4)):
            arrays[f"high_{number}"] = rng.random((24, 20)).astype(np.float32)
            arrays[f"output_{number}"] = arrays[f"high_{number}"]
            arrays[f"low_{number}"] = rng.random((slices, 20)).astype(np.float32)
        np.savez(self.folder / "samples.npz", **arrays)
        volumes = SampleVolumes()
        self.addCleanup(volumes.remove)
        volumes.show(readSamples(self.folder / "samples.npz"))
        shown = slicer.util.arrayFromVolume(volumes.nodes["low"])
        for number, slices in enumerate((6, 4)):
            expected = np.repeat(arrays[f"low_{number}"], 24 // slices, axis=0)
            np.testing.assert_array_equal(shown[number], expected)
        bounds = {kind: [0.0] * 6 for kind in volumes.nodes}
        for kind, node in volumes.nodes.items():
            node.GetRASBounds(bounds[kind])
        np.testing.assert_allclose(bounds["low"], bounds["high"])


if __name__ == "__main__":
    unittest.main()
