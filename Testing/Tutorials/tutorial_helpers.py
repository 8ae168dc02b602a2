"""Base of the tutorial tests: their volumes, and pictures of panel and views side by side."""

import sys
import unittest
from pathlib import Path

import slicer
from panel_testing import process_events, real_data, screenshot, show_beside_views

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
        self.area = show_panel(panel)
        self.window = show_beside_views(self, self.area, shares)
        # gives the views their sizes; tutorials may run at the same time
        self.picture(f"{type(self).__name__}_size").unlink()

    def picture(self, name):
        return screenshot(self.window, f"tutorial_{name}", self.size)

    def scroll_to(self, widget):
        """Scroll the panel to a widget."""
        process_events()
        self.area.ensureWidgetVisible(widget, 0, 300)
        process_events()
