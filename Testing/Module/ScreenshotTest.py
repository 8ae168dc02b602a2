"""Pictures of the panel beside the slice views: before, during and after a run on a real volume, in build/screenshots."""

import unittest

import slicer
from module_helpers import Gate, click, double_worker, make_phantom, show_panel, wait_for_end
from PySide6.QtWidgets import QHBoxLayout, QWidget
from slicerhost.testing import leave_module, open_module, real_data, screenshot, wait_until

VOLUME = ("fetal", "sub-01_run-3_T2w.nii.gz")


class ScreenshotTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.addCleanup(leave_module)

    def load(self):
        """The real volume where it is at hand, else a phantom."""
        try:
            return slicer.util.loadVolume(str(real_data(*VOLUME)))
        except unittest.SkipTest:
            return make_phantom()

    def window(self, panel):
        """Panel and views side by side, as in the application's main window."""
        window = QWidget()
        layout = QHBoxLayout(window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(show_panel(panel), 2)
        layout.addWidget(slicer.app.layoutManager().viewport(), 3)
        self.addCleanup(lambda: slicer.app.layoutManager().viewport().setParent(None))
        return window

    def test_panel_before_during_and_after_a_run(self):
        volume = self.load()
        widget = open_module("MRISuperRes")
        gate = Gate()
        widget.logic._worker = double_worker(self, "gated", gate.path)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        window = self.window(widget)
        size = (1150, 720)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        sliceNode = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        sliceNode.SetOrientationToCoronal()
        screenshot(window, "panel_before", size)
        slicer.app.layoutManager().resetSliceViews()
        before = screenshot(window, "panel_before", size)

        click(widget.ui.applyButton)
        total = volume.GetImageData().GetDimensions()[2]
        wait_until(lambda: widget.ui.progressLabel.text.startswith(f"{total // 2}/"), timeout=300)
        during = screenshot(window, "panel_during", size)

        gate.open()
        wait_until(lambda: not widget.job.isRunning, timeout=300)
        wait_for_end(widget.job)
        after = screenshot(window, "panel_after", size)
        self.assertEqual(len({path.read_bytes() for path in (before, during, after)}), 3)
        widget.logic.cleanup()
        widget.logic._worker = None


if __name__ == "__main__":
    unittest.main()
