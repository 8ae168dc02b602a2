"""What the tests of the comparison in the panel share: settings, clicks, and what must be seen."""

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
from slicerhost.testing import leave_module, open_module, process_events, wait_until

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
        """The worker stays warm: starting it takes longer than comparing."""
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
        self.ui.compareCollapsibleButton.collapsed = False

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
        """The networks need torch, which takes seconds to be loaded."""
        self.uncheck(*set(self.widget.comparing.methods.names) - set(METHODS))

    def choose(self, comboBox, data):
        comboBox.setCurrentIndex(comboBox.findData(data))

    def compare(self):
        """Clicks Compare; returns the run."""
        self.assertEqual(self.ui.compareButton.text, "Compare")
        click(self.ui.compareButton)
        return self.widget.comparing.job

    def compare_to_the_end(self):
        run = self.compare()
        self.assert_idle(run, TaskState.FINISHED, "Finished in")
        return run.comparison

    def compare_and_wait_for_progress(self):
        run = self.compare()
        wait_until(lambda: "slices" in self.ui.compareProgressLabel.text)
        return run

    def assert_idle(self, run, state, words):
        wait_for_end(run)
        self.assertIs(run.state, state)
        self.assertIn(words, self.status)
        self.assertEqual(self.ui.compareButton.text, "Compare")
        self.assertFalse(self.ui.compareProgressBar.visible)

    def assert_no_results(self):
        self.assertFalse(self.ui.comparisonResultsWidget.visible)
        self.assertEqual(slicer.app.layoutManager().layout, self.layout)

    def assert_results(self, areOpen):
        self.assertTrue(self.ui.comparisonResultsWidget.visible)
        self.assertEqual(self.results.views.isOpen, areOpen)
        self.assertEqual(slicer.app.layoutManager().layout == self.layout, not areOpen)
        self.assertEqual(
            self.ui.showViewsButton.text, "Close, keep results" if areOpen else "Show again"
        )
        self.assertEqual(self.ui.mapComboBox.enabled, areOpen)
