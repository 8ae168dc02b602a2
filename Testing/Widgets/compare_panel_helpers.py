"""Base of the tests of the comparison in the panel."""

import unittest

import qt
import slicer
from module_helpers import (
    click,
    double_worker,
    job_folders,
    make_phantom,
    mute_error_log,
    show_panel,
    wait_for_end,
)
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import leave_module, open_module, process_events, wait_until

METHODS = ("nearest", "bilinear", "bicubic", "bicubic+bp")


class ComparePanelTestCase(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_phantom((64, 64, 3))
        self.open()
        self.uncheck_models()
        self.layout = slicer.app.layoutManager().layout

    def tearDown(self):
        """Keep the worker, whose start takes longer than a comparison."""
        self.widget.logic._worker = None
        slicer.mrmlScene.Clear(0)
        leave_module()
        self.assertEqual(job_folders(), [])

    @classmethod
    def tearDownClass(cls):
        slicer.util.getModuleWidget("MRISuperRes").logic.worker.cleanup()

    def open(self):
        self.widget = open_module("MRISuperRes")
        self.ui = self.widget.ui
        show_panel(self.widget)
        process_events()  # a panel that was reloaded is shown only now
        self.ui.tabs.setCurrentWidget(self.ui.compareTab)

    def use_double(self, name, *arguments):
        self.widget.logic._worker = double_worker(self, name, *arguments)

    @property
    def parameters(self):
        return self.widget._parameterNode

    @property
    def results(self):
        return self.widget.comparing.results

    @property
    def status(self):
        return self.ui.compareStatusLabel.text

    def items(self):
        return dict(self.widget.comparing.methods._items())

    def check(self, *names, state=qt.Qt.Checked):
        for name in names:
            self.items()[name].setCheckState(state)

    def uncheck(self, *names):
        self.check(*names, state=qt.Qt.Unchecked)

    def uncheck_models(self):
        """Uncheck the networks, since the import of torch takes seconds."""
        self.uncheck(*set(self.widget.comparing.methods.names) - set(METHODS))

    def choose(self, comboBox, data):
        comboBox.setCurrentIndex(comboBox.findData(data))

    def compare(self):
        """Click Compare and return the task."""
        self.assertEqual(self.ui.compareButton.text, "Compare")
        click(self.ui.compareButton)
        return self.widget.comparing.task

    def compare_to_the_end(self):
        task = self.compare()
        self.assert_idle(task, TaskState.FINISHED, "Done in")
        self.assert_results(areOpen=True)
        return task.result

    def compare_and_wait_for_progress(self):
        task = self.compare()
        wait_until(lambda: "slices" in self.ui.compareProgressLabel.text)
        return task

    def assert_idle(self, task, state, words):
        wait_for_end(task)
        self.assertIs(task.state, state)
        self.assertIn(words, self.status)
        self.assertEqual(self.ui.compareButton.text, "Compare")
        self.assertFalse(self.ui.compareProgressBar.visible)

    def assert_no_results(self):
        self.assertFalse(self.ui.comparisonResultsWidget.visible)
        self.assertEqual(slicer.app.layoutManager().layout, self.layout)

    def assert_results(self, areOpen):
        if areOpen:  # after the views were built one by one
            wait_until(lambda: self.results.views.isOpen)
        self.assertTrue(self.ui.comparisonResultsWidget.visible)
        self.assertEqual(self.results.views.isOpen, areOpen)
        self.assertEqual(slicer.app.layoutManager().layout == self.layout, not areOpen)
        self.assertEqual(self.ui.showViewsButton.text, "Close views" if areOpen else "Show views")
        self.assertEqual(self.ui.mapComboBox.enabled, areOpen)
