"""Helpers of the tests of the training panel: volumes, temporary runs, stand-ins for trainings."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import qt
import slicer
from MRISuperResTrainingLib.runs.record import RunState
from MRISuperResTrainingLib.widgets import run_tasks
from MRISuperResTrainingLib.widgets.runs import TrainingRuns
from panel_testing import leave_module, open_module, press_key, process_events, wait_until

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "Widgets"))
from module_helpers import click, is_alive, show_panel  # noqa: E402, F401

ONE_SCREEN = 330, 800
"""Pixels of the panel."""
LIBRARIES = [str(HERE.parents[1] / name) for name in ("MRISuperRes", "MRISuperResTraining")]


def make_volume(name="sub-01_T2w", size=(80, 88, 5), seed=0):
    """Return a volume node of size (i, j, k) with smooth structures and noise."""
    k, j, i = np.mgrid[: size[2], : size[1], : size[0]].astype(float)
    noise = np.random.default_rng(seed).normal(0, 15, size[::-1])
    array = (
        400
        * np.exp(-((i - size[0] / 2) ** 2 + (j - size[1] / 2) ** 2) / 600)
        * (1 + 0.4 * np.sin(i / 3 + k) * np.cos(j / 4 + seed))
        + 100
        + noise
    )
    return slicer.util.addVolumeFromArray(array.astype(np.int16), np.diag([1, 1, 4, 1]), name)


def choose(comboBox, text):
    """Choose an item with the keyboard."""
    comboBox.setFocus()
    for _ in range(comboBox.count):
        if comboBox.currentText.startswith(text):
            return
        press_key(
            comboBox,
            qt.Qt.Key_Down
            if comboBox.findText(text, qt.Qt.MatchStartsWith) > comboBox.currentIndex
            else qt.Qt.Key_Up,
        )
    raise AssertionError(f"{text} cannot be chosen")


def dark_palette():
    """Colors like those of the style “Dark Slicer”."""
    colors = {
        qt.QPalette.Window: "#323232",
        qt.QPalette.WindowText: "#ffffff",
        qt.QPalette.Base: "#2a2a2a",
        qt.QPalette.AlternateBase: "#3a3a3a",
        qt.QPalette.Text: "#ffffff",
        qt.QPalette.Button: "#323232",
        qt.QPalette.ButtonText: "#ffffff",
        qt.QPalette.ToolTipBase: "#2a2a2a",
        qt.QPalette.ToolTipText: "#ffffff",
        qt.QPalette.Highlight: "#2a82da",
        qt.QPalette.HighlightedText: "#ffffff",
        qt.QPalette.PlaceholderText: "#a0a0a0",
    }
    palette = qt.QPalette()
    for role, color in colors.items():
        palette.setColor(role, qt.QColor(color))
    for role in (qt.QPalette.WindowText, qt.QPalette.Text, qt.QPalette.ButtonText):
        palette.setColor(qt.QPalette.Disabled, role, qt.QColor("#8c8c8c"))
    return palette


class RunsTestCase(unittest.TestCase):
    """Runs in an empty folder; their processes are the double in the mode `mode`."""

    mode = "gated"

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.folder = Path(tempfile.mkdtemp())
        self.gate = self.folder / "gate"
        self.runs = self.make_runs()
        self.addCleanup(self.forget)

    def make_runs(self):
        runs = TrainingRuns(self.command)
        runs.folder = self.folder / "runs"
        return runs

    def command(self, words):
        code = (
            f"import runpy, sys; sys.path[:0] = {LIBRARIES!r}; "
            f"sys.argv[0] = {str(HERE / 'training_double.py')!r}; "
            "runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        return sys.executable, ["-c", code, self.mode, str(self.gate), *words]

    def forget(self):
        self.open_gate()
        for child, _started in list(run_tasks._children.values()):
            child.kill()
            child.wait()
        run_tasks._children.clear()
        slicer.app.userSettings().remove("MRISuperResTraining/RunsFolder")
        shutil.rmtree(self.folder, ignore_errors=True)

    def open_gate(self):
        self.gate.touch()

    def wait_for_state(self, record, state):
        wait_until(
            lambda: (
                record.update() is not None
                and record.state is state
                and not self.runs.isStarting(record)
            ),
            message=f"{record.name} did not become {state}",
        )

    def wait_for_half(self, record):
        """Wait until the double waits for its gate."""
        try:
            wait_until(
                lambda: (
                    record.update() is not None and record.position[1] >= record.steps("psnr") / 2
                ),
                timeout=20,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}: {(record.path / 'log.txt').read_text()}") from error


class TrainingPanelTestCase(RunsTestCase):
    def setUp(self):
        super().setUp()
        self.volume = make_volume()
        self.open()

    def open(self):
        """Open the module as after a start of the application."""
        slicer.app.userSettings().setValue(
            "MRISuperResTraining/RunsFolder", str(self.folder / "runs")
        )
        slicer.util.reloadScriptedModule("MRISuperResTraining")
        self.widget = open_module("MRISuperResTraining")
        self.addCleanup(leave_module)
        self.ui, self.panel = self.widget.ui, self.widget.panel
        self.runs = self.widget.logic.trainingRuns
        self.runs.command = self.command
        self.panel.timer.setInterval(50)
        self.area = show_panel(self.widget, ONE_SCREEN)

    def tearDown(self):
        self.widget.panel.cleanup()

    def check(self, row=0):
        self.ui.volumesTable.item(row, 0).setCheckState(qt.Qt.Checked)
        wait_until(lambda: self.ui.startButton.enabled)

    def anatomy_box(self, row=0):
        return self.ui.volumesTable.cellWidget(row, 1)

    @staticmethod
    def text_color(label):
        """Return the color of a text, such as "#545454"."""
        return label.palette.color(qt.QPalette.WindowText).name()

    def start(self):
        """Click Start and return the record of the run."""
        self.check()
        click(self.ui.startButton)
        return self.panel.run.record

    def start_and_wait(self):
        record = self.start()
        self.assertIsNotNone(record, self.ui.statusLabel.text)
        self.wait_for_half(record)
        return record

    def show_theme(self, name):
        """Show the panel in the colors of a theme: "light" or "dark"."""
        self.area.setPalette(dark_palette() if name == "dark" else qt.QPalette())
        self.addCleanup(self.area.setPalette, qt.QPalette())
        process_events()
        self.widget.enter()

    def finished_run(self):
        self.open_gate()
        record = self.start()
        wait_until(lambda: record.state is RunState.FINISHED and not self.runs.isActive(record))
        self.panel.poll()
        return record

    def show_tab(self, name):
        """Click a tab: "train", "runs" or "evaluate"."""
        self.ui.tabs.setCurrentWidget(getattr(self.ui, f"{name}Tab"))
        process_events()

    @property
    def status(self):
        return self.ui.statusLabel.text

    def row(self, row=0):
        table = self.ui.runsTable
        return [table.item(row, column).text() for column in range(table.columnCount)]
