"""What the tests of the module share: volumes, real worker processes that run test doubles, clicks."""

import os
import sys
import tempfile

import slicer
from MRISuperResLib.gui.worker_process import LIBRARY_FOLDER, WorkerProcess
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from slicerhost import testing

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER_TESTS = os.path.join(os.path.dirname(HERE), "Worker")
sys.path.append(os.path.join(os.path.dirname(HERE), "Mrml"))
from scene_helpers import make_volume  # noqa: E402, F401


def command_of(double, *arguments):
    """The command of a worker that runs a function of Testing/Worker/worker_doubles.py instead of the core."""
    program = f"import sys; sys.path[:0] = {[LIBRARY_FOLDER, WORKER_TESTS]!r}; import worker_doubles; "
    program += f"from MRISuperResLib.worker import main; main(worker_doubles.{double})"
    return lambda: (sys.executable, ["-c", program, *arguments])


def double_worker(test, double, *arguments):
    """A WorkerProcess for a test, ended with it."""
    worker = WorkerProcess(command_of(double, *arguments))
    test.addCleanup(worker.cleanup)
    return worker


def click(button):
    """As with the mouse; a disabled button does nothing."""
    QTest.mouseClick(button, Qt.LeftButton)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def job_folders():
    return [name for name in os.listdir(slicer.app.temporaryPath) if name.startswith("MRISuperRes-")]


class Gate:
    """Holds up the double `gated` halfway through its slices until it is opened."""

    def __init__(self):
        self.path = os.path.join(tempfile.mkdtemp(), "open")

    def open(self):
        with open(self.path, "w"):
            pass


def wait_for_end(job):
    testing.wait_until(lambda: not job.isRunning, message="the run did not end")
    testing.process_events()
