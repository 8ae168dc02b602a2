"""Pictures of panel and views during a training and after an evaluation, in build/screenshots.

The training is a double.
"""

import unittest

import slicer  # noqa: F401 - starts the host
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.scene import dataset
from panel_testing import process_events, screenshot, show_beside_views, wait_until
from training_helpers import ONE_SCREEN, TrainingPanelTestCase, click, make_volume

SIZE = 1500, 1180


class TrainingScreenshotTest(TrainingPanelTestCase):
    def test_the_panel_differs_during_training_and_after_evaluation(self):
        for number in (2, 3):
            dataset.choose(make_volume(f"sub-0{number}_T2w", seed=number), True)
        for node in dataset.trainableNodes():
            dataset.setAnatomy(node, "fetal")
        window = show_beside_views(self, self.area, (1, 2))
        self.ui.runNameLineEdit.text = "fetal"
        record = self.start_and_wait()
        self.panel.poll()
        screenshot(window, "training_during", SIZE)  # gives the views their sizes
        self.panel.run.views.open(record)
        process_events()
        during = screenshot(window, "training_during", SIZE)

        self.open_gate()
        wait_until(lambda: record.state is RunState.FINISHED and self.ui.evaluateButton.enabled)
        click(self.ui.evaluateButton)
        wait_until(lambda: self.ui.evaluationTable.visible)
        process_events()
        after = screenshot(window, "training_after", SIZE)
        self.assertNotEqual(during.read_bytes(), after.read_bytes())

    def test_the_tabs_are_legible_in_both_themes(self):
        for number in (2, 3):
            dataset.choose(make_volume(f"sub-0{number}_run-1_HASTE_fetal", seed=number), True)
        self.finished_run()
        click(self.ui.evaluateButton)
        wait_until(lambda: self.ui.evaluationTable.visible)
        for theme in ("light", "dark"):
            self.show_theme(theme)
            for tab in ("train", "runs", "evaluate"):
                self.show_tab(tab)
                screenshot(self.area, f"training_{tab}_{theme}", ONE_SCREEN)


if __name__ == "__main__":
    unittest.main()
