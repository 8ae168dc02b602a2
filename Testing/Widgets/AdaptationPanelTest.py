"""The panel: a network between slices that is adapted to the volume."""

import importlib.util
import json
import unittest
from unittest import mock

import slicer
from module_helpers import click, mute_error_log, show_panel, wait_for_end
from MRISuperResLib.core.provenance import describe_adaptation
from MRISuperResLib.scene.speeds import SETTING
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import leave_module, open_module, process_events, wait_until

# these are in the folder that module_helpers adds to the path
from adaptation_helpers import NAME, THICK, install_network, make_thick_volume  # isort: skip
from sequence_helpers import make_browser, make_sequence  # isort: skip

STEPS = "MRISuperResLib.widgets.output_grid.ADAPTATION_STEPS"
ISOTROPIC = 3


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class AdaptationPanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.app.userSettings().remove(SETTING)
        mute_error_log(self)
        folder = install_network(self)
        self.input = make_thick_volume()
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)
        self.addCleanup(self.widget.logic.cleanup)
        self.ui, self.upsampling = self.widget.ui, self.widget.upsampling
        self.ui.tabs.setCurrentWidget(self.ui.upsampleTab)
        show_panel(self.widget)
        # the panel and its worker may be older than the network
        self.widget.logic.cleanup()
        folders = self.upsampling.between._store.folders
        folders.insert(0, folder)
        self.addCleanup(self.upsampling.forget)
        self.addCleanup(folders.remove, folder)
        self.upsampling.forget()
        self.box = self.ui.adaptCheckBox
        self.ui.outputComboBox.setCurrentIndex(ISOTROPIC)
        self.choose_between(NAME)
        self.box.checked = True

    def choose_between(self, name):
        comboBox = self.ui.betweenSlicesComboBox
        comboBox.setCurrentIndex(comboBox.findData(name))
        process_events()

    def is_offered(self):
        return not self.box.isHidden() and self.box.enabled

    def apply(self):
        click(self.ui.applyButton)
        self.addCleanup(self.upsampling.beforeAfter.cleanup)
        return self.upsampling.task

    def test_adaptation_is_offered_for_networks_between_slices_only(self):
        self.assertTrue(self.is_offered())
        self.assertEqual((self.upsampling.options.adapt, self.upsampling.options.seed), (300, 0))
        self.choose_between("linear")
        self.assertFalse(self.is_offered())
        self.assertEqual(self.upsampling.options.adapt, 0)
        self.choose_between(NAME)
        self.assertEqual(self.upsampling.options.adapt, 300)
        self.ui.outputComboBox.setCurrentIndex(0)
        self.assertFalse(self.is_offered())
        self.assertEqual(self.upsampling.options.adapt, 0)
        self.ui.outputComboBox.setCurrentIndex(ISOTROPIC)
        self.box.checked = False
        self.assertEqual(self.upsampling.options.adapt, 0)

    def test_estimate_includes_the_adaptation(self):
        adapted = self.ui.estimateLabel.text
        self.box.checked = False
        self.assertIn("about", self.ui.estimateLabel.text)
        self.assertNotEqual(self.ui.estimateLabel.text, adapted)

    def test_sequences_are_not_adapted_with_a_reason(self):
        sequence = make_sequence(2, ijk_to_ras=THICK)
        _browser, proxy = make_browser(sequence)
        self.widget._parameterNode.inputVolume = proxy
        self.assertTrue(self.is_offered())
        self.ui.allFramesCheckBox.checked = True
        self.assertFalse(self.is_offered())
        self.assertIn("not to sequences", self.box.toolTip)
        self.assertEqual(self.upsampling.options.adapt, 0)
        self.ui.allFramesCheckBox.checked = False
        self.assertEqual(self.upsampling.options.adapt, 300)

    def test_output_and_details_have_the_gain(self):
        with mock.patch(STEPS, 2):
            task = self.apply()
        wait_until(lambda: not task.isRunning, timeout=300)
        wait_for_end(task)
        self.assertIs(task.state, TaskState.FINISHED, task.message)
        record = json.loads(task.result.GetAttribute("MRISuperRes.Provenance"))
        text = describe_adaptation(record["adaptation"])
        self.assertIn("in 2 steps", text)
        self.assertIn(text, task.result.GetDescription())
        self.assertIn(text, self.ui.detailsLabel.text)

    def test_adaptation_shows_progress_and_can_be_cancelled(self):
        nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        with mock.patch(STEPS, 10**6):
            task = self.apply()
        wait_until(lambda: self.ui.progressBar.value > 0, timeout=300)
        self.assertGreater(self.ui.progressBar.maximum, 10**6)
        click(self.ui.applyButton)
        wait_until(lambda: not task.isRunning, timeout=300)
        self.assertIs(task.state, TaskState.CANCELLED)
        found = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        self.assertEqual(found, nodes)

    def test_batch_adapts_to_every_volume(self):
        make_thick_volume("T1")
        self.ui.tabs.setCurrentWidget(self.ui.batchTab)
        process_events()
        with mock.patch(STEPS, 2):
            click(self.ui.batchButton)
        task = self.widget.batch.task
        wait_until(lambda: not task.isRunning, timeout=300)
        wait_for_end(task)
        for result in task.results:
            self.assertIn("in 2 steps", result.outputNode.GetDescription())


if __name__ == "__main__":
    unittest.main()
