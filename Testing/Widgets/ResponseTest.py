"""The application responds while results are added to the scene and shown."""

import time
import unittest
from unittest import mock

import numpy as np
import qt
import slicer
from compare_panel_helpers import ComparePanelTestCase
from module_helpers import click
from MRISuperResLib.widgets.comparison.panel import MethodList
from panel_testing import process_events, wait_until

LIMIT = 0.6
"""Largest share of the work that an event may wait for. In one step instead of several, the results
of a comparison take 0.8 of it. Shares do not depend on the speed of the computer."""
METHODS = ("nearest", "bilinear", "bicubic", "nearest+bp", "bilinear+bp", "bicubic+bp")


class EventLoopMeter:
    """Longest work between two turns of the event loop, as a share of all work.

    Work is the main thread's processor time: neither the worker nor a busy computer count.
    """

    def __init__(self):
        self._longest, self._total, self._last = 0.0, 0.0, None
        self._timer = qt.QTimer()
        self._timer.setInterval(5)
        self._timer.connect("timeout()", self._onTurn)

    def __enter__(self):
        self._last = time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *error):
        process_events()
        self._timer.stop()

    def _onTurn(self):
        now = time.thread_time()
        self._longest = max(self._longest, now - self._last)
        self._total += now - self._last
        self._last = now

    @property
    def longest_share(self):
        return self._longest / self._total


class ResponseTest(ComparePanelTestCase):
    def setUp(self):
        super().setUp()
        self.widget.logic._worker = None
        _k, j, i = np.mgrid[:30, :256, :256]
        body = 500 * np.exp(-((i - 128) ** 2 + (j - 128) ** 2) / 4000)
        noise = np.random.default_rng(0).normal(0, 10, body.shape)
        slicer.mrmlScene.Clear(0)
        self.input = slicer.util.addVolumeFromArray((body + noise).astype(np.int16), name="Body")
        self.ui.inputSelector.setCurrentNode(self.input)
        viewport = slicer.app.layoutManager().viewport()
        viewport.resize(1200, 900)
        # the host paints all views in one turn, unlike the application
        viewport.setUpdatesEnabled(False)
        viewport.show()
        process_events()

    def measure(self, start, condition):
        """Return the longest work from the start until a condition is true, as a share of all."""
        with EventLoopMeter() as meter:
            start()
            wait_until(condition, timeout=200)
        return meter.longest_share

    def compare_and_wait(self):
        self.compare()
        wait_until(lambda: not self.widget.comparing.task.isRunning, timeout=200)

    def test_no_event_waits_for_the_end_of_a_comparison_and_its_maps(self):
        with mock.patch.object(MethodList, "names", METHODS):
            longest = self.measure(
                self.compare_and_wait, lambda: self.results.views and self.results.views.isOpen
            )
        self.assertEqual(len(self.results.comparison.outputs), len(METHODS))
        self.assertLess(longest, LIMIT)
        for kind in ("error", "consistency"):
            longest = self.measure(
                lambda: self.choose(self.ui.mapComboBox, kind),
                lambda: not self.ui.mapHelpLabel.text.startswith("Map "),
            )
            self.assertLess(longest, LIMIT)

    def test_no_event_waits_for_the_end_of_an_upsampling_and_its_views(self):
        self.ui.outputComboBox.setCurrentIndex(1)
        self.choose(self.ui.modelComboBox, "bicubic")
        longest = self.measure(
            lambda: click(self.ui.applyButton),
            lambda: self.widget.upsampling.beforeAfter.isOpen,
        )
        self.assertLess(longest, LIMIT)

    def test_no_event_waits_for_the_outputs_of_a_batch(self):
        loop = []
        longest = self.measure(
            lambda: self.widget.logic.upsampleBatch(
                [self.input, self.input],
                model="bicubic",
                scale=4,
                waitForCompletion=False,
                onFinished=loop.append,
            ),
            lambda: loop,
        )
        self.assertEqual([result.outputId is None for result in loop[0].results], [False, False])
        self.assertLess(longest, LIMIT)


if __name__ == "__main__":
    unittest.main()
