"""Base of the tutorial tests: their volumes, and pictures of panel and views side by side."""

import sys
import unittest
from pathlib import Path

import qt
import slicer
from panel_testing import process_events, real_data, screenshot

sys.path.append(str(Path(__file__).resolve().parents[1] / "Widgets"))
from module_helpers import make_phantom, show_panel

SAMPLES = {
    "SampleBrainT2": ("brain", "openms_p03_study1_T2W.nii.gz"),
    "SampleFetusT2": ("fetal", "sub-01_run-3_T2w.nii.gz"),
}


def load(name):
    """Return a sample of the extension if it is available, else a phantom of that name."""
    try:
        node = slicer.util.loadVolume(str(real_data(*SAMPLES[name])))
    except unittest.SkipTest:
        # of another width than the others: copies of one volume are a single subject
        node = make_phantom((96 + 8 * list(SAMPLES).index(name), 96, 12))
    node.SetName(name)
    return node


class TutorialTestCase(unittest.TestCase):
    size = 1500, 900
    """Size of the window in pixels."""

    def show(self, panel, shares=(2, 3)):
        """Show panel and views side by side."""
        self.window = qt.QWidget()
        layout = qt.QHBoxLayout(self.window)
        layout.setContentsMargins(0, 0, 0, 0)
        self.parts = [show_panel(panel), slicer.app.layoutManager().viewport()]
        for part, stretch in zip(self.parts, shares):
            layout.addWidget(part, stretch)
        self.addCleanup(self.take_apart)
        # gives the views their sizes; tutorials may run at the same time
        self.picture(f"{type(self).__name__}_size").unlink()

    def take_apart(self):
        """Keep panel and views when the window is deleted."""
        for part in self.parts:
            part.setParent(None)

    def picture(self, name):
        return screenshot(self.window, f"tutorial_{name}", self.size)

    def scroll_to(self, widget):
        """Scroll the panel to a widget."""
        process_events()
        self.parts[0].ensureWidgetVisible(widget, 0, 300)
        process_events()
