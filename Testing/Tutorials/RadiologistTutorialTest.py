"""Every step of the tutorial for radiologists in Documentation/Tutorials.md, with pictures."""

import unittest

import slicer
from MRISuperResLib.scene.comparison.layout import mainViewNames
from MRISuperResLib.worker.client import WorkerProcess
from panel_testing import leave_module, open_module, process_events, wait_until
from tutorial_helpers import TutorialTestCase, load

from module_helpers import click

TIMEOUT = 300


class RadiologistTutorialTest(TutorialTestCase):
    def test_volume_is_upsampled_and_checked_against_a_reference(self):
        slicer.mrmlScene.Clear(0)
        volume = load("SampleBrainT2")  # 1
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        self.addCleanup(leave_module)
        widget = open_module("MRISuperRes")  # 2
        ui = widget.ui
        self.worker = widget.logic._worker = WorkerProcess()
        self.addCleanup(self.end, widget)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        self.show(widget)
        slicer.util.resetSliceViews()
        self.assertIs(ui.inputSelector.currentNode(), volume)
        self.assertIn("Axial slices (k): 3", ui.geometryLabel.text)
        self.assertEqual(
            (ui.outputComboBox.currentText, ui.modelComboBox.currentText),
            ("×2", "Fast (CPU): PSNR model"),
        )  # 3
        before = self.picture("radiologist_1")

        click(ui.applyButton)  # 4
        self.assertEqual(ui.applyButton.text, "Cancel")
        wait_until(lambda: not widget.upsampling.isRunning, timeout=TIMEOUT)
        process_events()
        output = slicer.util.getNode("SampleBrainT2 SR x2 fast-x2-psnr")  # 5
        self.assertIs(widget.upsampling.task.result, output)
        shown = [
            slicer.app.layoutManager()
            .sliceWidget(name)
            .mrmlSliceCompositeNode()
            .GetBackgroundVolumeID()
            for name in mainViewNames(2)
        ]
        self.assertEqual(shown, [widget.upsampling.task.inputNode.GetID(), output.GetID()])
        after = self.picture("radiologist_2")
        click(ui.consistencyMapButton)
        wait_until(lambda: "Mean inconsistency" in ui.consistencyLabel.text, timeout=TIMEOUT)
        click(ui.beforeAfterButton)
        self.assertEqual(ui.beforeAfterButton.text, "Show beside input")

        ui.tabs.setCurrentWidget(ui.compareTab)  # 6
        click(ui.compareButton)
        wait_until(lambda: ui.showViewsButton.text == "Close views", timeout=TIMEOUT)
        self.scroll_to(ui.showViewsButton)
        compared = self.picture("radiologist_3")

        self.choose_map(ui, "|SR − reference|")  # 7
        error = self.picture("radiologist_4")
        self.choose_map(ui, "|GAN − PSNR|")
        added = self.picture("radiologist_5")
        self.assertEqual(
            len({path.read_bytes() for path in (before, after, compared, error, added)}), 5
        )

        self.assertEqual(ui.showViewsButton.text, "Close views")  # 8
        click(ui.showViewsButton)
        self.assertEqual(
            slicer.app.layoutManager().layout,
            slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView,
        )

    def choose_map(self, ui, title):
        box = ui.mapComboBox
        self.assertIn(title, [box.itemText(index) for index in range(box.count)])
        box.setCurrentIndex(box.findText(title))
        wait_until(lambda: not ui.mapHelpLabel.text.startswith("Map "), timeout=TIMEOUT)
        process_events()

    def end(self, widget):
        self.worker.cleanup()
        widget.logic._worker = None


if __name__ == "__main__":
    unittest.main()
