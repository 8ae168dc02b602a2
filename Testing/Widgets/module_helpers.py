"""Volumes, and worker processes that run test doubles."""

import os
import sys
import tempfile
from unittest import mock

import numpy as np
import qt
import slicer
from MRISuperResLib.worker.client import LIBRARY_FOLDER, WorkerProcess
from panel_testing import click, process_events, wait_until  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER_TESTS = os.path.join(os.path.dirname(HERE), "Worker")
sys.path.append(os.path.join(os.path.dirname(HERE), "Scene"))
from scene_helpers import AXES, make_volume, node_ids, upsample  # noqa: E402, F401


def command_of(double, *arguments):
    """Return the command of a worker that runs a double of Testing/Worker/worker_doubles.py."""
    program = (
        f"import sys; sys.path[:0] = {[LIBRARY_FOLDER, WORKER_TESTS]!r}; import worker_doubles; "
    )
    program += "from MRISuperResLib.worker.child import main; "
    program += f"main(**worker_doubles.for_both_jobs({double!r}))"
    return lambda: (sys.executable, ["-c", program, *arguments])


def double_worker(test, double, *arguments):
    """A WorkerProcess for a test, ended with it."""
    worker = WorkerProcess(command_of(double, *arguments))
    test.addCleanup(worker.cleanup)
    return worker


def mute_error_log(test):
    """Mute tracebacks of expected faults in the application log."""
    patch = mock.patch("MRISuperResLib.scene.tasks.logging.error")
    patch.start()
    test.addCleanup(patch.stop)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def job_folders():
    return [
        name for name in os.listdir(slicer.app.temporaryPath) if name.startswith("MRISuperRes-")
    ]


def show_panel(widget, size=(440, 700)):
    """Show a panel in a scroll area, as the application does, and return the area."""
    area = widget.parent.parentWidget()
    while area is not None and not isinstance(area, qt.QScrollArea):
        area = area.parentWidget()
    if area is None:
        area = _areas.setdefault(widget, qt.QScrollArea())
        area.setWidgetResizable(True)
        area.setWidget(widget.parent)
    area.resize(*size)
    area.show()
    return area


_areas = {}  # keeps them alive


class Gate:
    """Stops the double `gated` halfway through its slices until it is opened."""

    def __init__(self):
        self.path = os.path.join(tempfile.mkdtemp(), "open")

    def open(self):
        with open(self.path, "w"):
            pass


def wait_for_end(task):
    wait_until(lambda: not task.isRunning, message="the task did not end")
    process_events()


def make_phantom(size=(96, 96, 12)):
    """Return a phantom with thick slices; size: (i, j, k)."""
    k, j, i = np.mgrid[: size[2], : size[1], : size[0]].astype(float)
    i, j = i * 96 / size[0], j * 96 / size[1]
    radius = np.hypot((i - 48) / 38, (j - 48) / 44)
    array = 900 * np.exp(-(((radius - 0.95) / 0.05) ** 2)) + (radius < 0.85) * (
        500 + 150 * np.sin(9 * np.arctan2(j - 48, i - 48) + 5 * radius + k / 4)
    )
    return slicer.util.addVolumeFromArray(
        array.astype(np.int16), np.diag([1.2, 1.2, 4, 1]), "Phantom"
    )
