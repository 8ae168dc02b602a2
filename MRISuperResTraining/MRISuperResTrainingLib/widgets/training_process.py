"""The processes that train: started here, and then on their own. They outlive the panel and the application.

What becomes of them is read from the run's folder (core/run/record.py); here is only known what is too early to be found there.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.worker.client import LIBRARY_FOLDER, pythonProgram

from ..runs import lock
from ..runs.record import LOG

TRAINING_FOLDER = str(Path(__file__).resolve().parents[2])
DETACHED_ON_WINDOWS = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP

_children = {}  # {run folder: (Popen, when it was started, s since 1970)}: kept, so that they leave no zombies


def trainingCommand(arguments):
    """(program, arguments) of the command line of the training. Raises RuntimeError where no Python can be found."""
    code = f"import sys; sys.path[:0] = {[TRAINING_FOLDER, LIBRARY_FOLDER]!r}; from MRISuperResTrainingLib.__main__ import main; sys.exit(main())"
    return pythonProgram(), ["-c", code, *arguments]


def start(run, arguments, device="auto", command=trainingCommand):
    """Starts the command line in a process of its own, which writes into the run's log.txt. Returns its Popen.

    run: the run's folder. device: "auto", "cpu", or "cuda:N". Raises SuperResolutionError, RuntimeError where it can't be started.
    """
    program, words = command([str(word) for word in arguments])
    options = (
        {"creationflags": DETACHED_ON_WINDOWS}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    try:
        with open(Path(run, LOG), "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                [program, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=str(run),
                env=_environment(device),
                **options,
            )
    except OSError as error:
        raise SuperResolutionError(
            _(
                "The training could not be started in {folder} ({reason}): check that you may write to it."
            ).format(folder=run, reason=error.strerror or error),
            "environment",
        ) from error
    _children[str(run)] = child, time.time()
    return child


def startTime(run):
    """When the process that was started here for a run, and is still there, was started, s since 1970; None without one."""
    child, started = _children.get(str(run), (None, None))
    if child is not None and child.poll() is not None:
        del _children[str(run)]
        started = None
    return started


def kill(run):
    """Ends the process that works on a run at once; it loses the steps since its last checkpoint."""
    process = lock.process_of(run)
    if process is not None and process.host == lock.this_host():
        try:
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        except OSError:
            pass  # it has ended by itself
    child, _started = _children.get(str(run), (None, None))
    if child is not None:
        child.kill()  # PythonSlicer is a launcher with a number of its own


def _environment(device):
    environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "ACCELERATE_USE_CPU": "true"}
    elif device.startswith("cuda:"):
        environment["CUDA_VISIBLE_DEVICES"] = device.removeprefix("cuda:")
    return environment
