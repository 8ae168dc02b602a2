"""The example for Slicer's Python console in the documentation, with a double of the training."""

import ast
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

import slicer
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.widgets.runs import TrainingRuns
from training_helpers import RunsTestCase, make_volume

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from readme_examples import console_examples


class ReadmeTrainingConsoleTest(RunsTestCase):
    def setUp(self):
        super().setUp()
        home = {name: str(self.folder / "home") for name in ("XDG_DATA_HOME", "APPDATA", "HOME")}
        self.enterContext(mock.patch.dict(os.environ, home))
        self.enterContext(mock.patch.object(TrainingRuns.__init__, "__defaults__", (self.command,)))
        make_volume("sub-01")
        study = self.folder / "study"
        study.mkdir()
        slicer.util.saveNode(make_volume("sub-02"), str(study / "sub-02.nii.gz"))

    def wait_after(self, statement, console):
        """Wait as the user would before the next statement."""
        if "logic.start(" in statement:
            self.wait_for_half(console["run"])
        elif "logic.stop(" in statement:
            self.wait_for_state(console["run"], RunState.STOPPED)
        elif "logic.resume(" in statement:
            self.open_gate()
            self.wait_for_state(console["run"], RunState.FINISHED)

    def test_the_example_starts_stops_resumes_evaluates_and_sends_a_run(self):
        (example,) = console_examples("MRISuperResTrainingLogic")
        source = example.replace("/data/study", str(self.folder / "study"))
        console = {"slicer": slicer, "getNode": slicer.util.getNode}
        for node in ast.parse(source).body:
            statement = ast.get_source_segment(source, node)
            with self.subTest(statement):
                exec(statement, console)
                self.wait_after(statement, console)
        self.assertEqual(
            (console["run"].name, console["run"].state), ("first-x4", RunState.FINISHED)
        )


if __name__ == "__main__":
    unittest.main()
