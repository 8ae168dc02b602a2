"""The tutorial for researchers in Documentation/Tutorials.md, step by step, with a real training.

Its pictures are left in build/screenshots.
"""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import qt
import slicer
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResTrainingLib.runs.record import RunState
from panel_testing import leave_module, open_module, process_events, wait_until
from tutorial_helpers import TutorialTestCase, load

from module_helpers import click

sys.path.append(str(Path(__file__).resolve().parents[1] / "TrainingWidgets"))

PATIENCE = 900


class ResearcherTutorialTest(TutorialTestCase):
    size = 1500, 1180

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        places = {
            name: str(self.folder / name)
            for name in ("XDG_DATA_HOME", "APPDATA", "HOME", "MRISUPERRES_CACHE")
        }
        self.enterContext(mock.patch.dict(os.environ, places))
        slicer.app.userSettings().setValue(
            "MRISuperResTraining/RunsFolder", str(self.folder / "runs")
        )
        self.addCleanup(slicer.app.userSettings().remove, "MRISuperResTraining/RunsFolder")

    def test_the_steps_train_evaluate_and_send_a_model(self):
        for name in ("SampleFetusT2", "SampleBrainT2"):  # 1
            load(name)
        slicer.util.reloadScriptedModule("MRISuperResTraining")
        widget = open_module("MRISuperResTraining")  # 2
        self.addCleanup(leave_module)
        self.addCleanup(widget.panel.cleanup)
        ui, panel = widget.ui, widget.panel
        panel.timer.setInterval(200)
        self.show(widget, (1, 2))
        for row, anatomy in enumerate(("fetal", "brain")):
            self.assertEqual(ui.volumesTable.cellWidget(row, 1).currentText, anatomy)
            ui.volumesTable.item(row, 0).setCheckState(qt.Qt.Checked)
        wait_until(lambda: ui.startButton.enabled)
        self.assertEqual(
            (ui.presetComboBox.currentText, ui.scaleComboBox.currentText),
            ("Quick (minutes)", "×2"),
        )  # 3
        ui.runNameLineEdit.text = "first"
        click(ui.startButton)
        record = panel.run.record
        self.assertIsNotNone(record, ui.statusLabel.text)

        wait_until(
            lambda: record.update() is not None and record.best_psnr is not None, timeout=PATIENCE
        )  # 4
        panel.poll()
        panel.run.views.open(record)  # again, because the views have their sizes only now
        process_events()
        during = self.picture("researcher_1")
        wait_until(
            lambda: (
                record.update() is not None
                and record.state is RunState.FINISHED
                and ui.evaluateButton.enabled
            ),
            timeout=PATIENCE,
        )

        ui.tabs.setCurrentWidget(ui.evaluateTab)  # 5
        click(ui.evaluateButton)
        wait_until(
            lambda: ui.evaluationTable.visible and ui.evaluateButton.enabled, timeout=PATIENCE
        )
        process_events()
        after = self.picture("researcher_2")
        self.assertNotEqual(during.read_bytes(), after.read_bytes())

        click(ui.sendButton)  # 6
        wait_until(lambda: not widget.logic.trainingRuns.tasks, timeout=PATIENCE)
        self.assertIn("first", ModelStore().pairs(2))


if __name__ == "__main__":
    unittest.main()
