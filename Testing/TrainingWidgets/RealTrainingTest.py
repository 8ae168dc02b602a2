"""A tiny real training, from the panel to a model that upsamples in MRISuperRes."""

import os
import unittest
from unittest import mock

import slicer
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.scene import dataset
from MRISuperResTrainingLib.widgets import run_tasks
from panel_testing import wait_until
from training_helpers import TrainingPanelTestCase, click, make_volume

TINY = {
    "preset": "quick",
    "generator": {"network": "compact", "blocks": 1, "features": 8},
    "data": {"patch": 16},
    "batch": 4,
    "psnr": {"steps": 40},
    "gan": {"steps": 10},
    "checkpoint_every": 10,
    "validate_every": 10,
}


class RealTrainingTest(TrainingPanelTestCase):
    def command(self, words):
        return run_tasks.trainingCommand(words)

    def test_the_models_of_a_training_upsample_in_mrisuperres(self):
        places = {
            name: str(self.folder / name)
            for name in ("XDG_DATA_HOME", "APPDATA", "HOME", "MRISUPERRES_CACHE")
        }
        self.enterContext(mock.patch.dict(os.environ, places))
        first, second = (make_volume(f"sub-0{n}_T2w", (44, 48, 4), n) for n in (3, 4))
        for node in (first, second):
            dataset.choose(node, True)
        record = self.widget.logic.start(dataset.chosenNodes(), TINY, "tiny", "cpu")
        self.panel.poll()
        self.panel.table.choose(record)
        click(self.ui.openButton)
        wait_until(
            lambda: not self.runs.isActive(record) and self.ui.stopButton.text == "Resume",
            timeout=120,
        )
        self.assertEqual((record.state, record.message, record.done), (RunState.FINISHED, "", 50))
        self.assertTrue(self.panel.run.views.isOpen)
        self.assertRegex(
            self.ui.detailsTextEdit.plainText, r"sub-04_T2w\.nrrd: 4 (training|held-out) slices"
        )
        self.assertIsNotNone(record.best_psnr)

        click(self.ui.sendButton)
        wait_until(lambda: not self.runs.tasks, timeout=120)
        self.assertIn("sent to MRISuperRes", self.status)
        self.assertIn("tiny", ModelStore().pairs(2))
        output = slicer.util.getModuleWidget("MRISuperRes").logic.upsample(
            first, model="tiny-psnr", device="cpu"
        )
        self.assertEqual(output.GetImageData().GetDimensions(), (88, 96, 4))


if __name__ == "__main__":
    unittest.main()
