"""Failures of GPU, worker and application during a task; see also WorkerProcessTest."""

import os
import shutil
import signal
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import slicer
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.scene.tasks import TaskState
from module_helpers import (
    click,
    command_of,
    double_worker,
    is_alive,
    job_folders,
    make_volume,
    mute_error_log,
    node_ids,
    show_panel,
    wait_for_end,
)
from panel_testing import (
    answer_next,
    emit_application_signal,
    leave_module,
    open_module,
    shown_dialogs,
    start_application,
    wait_until,
)

METHODS = ("nearest", "bicubic")
KINDS = ("upsample", "compare")
TIMEOUT = 120  # s, after which an application that hangs is killed

APPLICATION = """
import sys, unittest
sys.path.append({folder!r})
import slicer
from MRISuperRes import MRISuperResLogic
from module_helpers import double_worker, job_folders, make_volume
from panel_testing import wait_until

class ApplicationTest(unittest.TestCase):
    def test_it(self):
        logic, progress = MRISuperResLogic(worker=double_worker(self, "deaf")), []
        logic.upsample(
            make_volume(),
            model="bicubic",
            waitForCompletion=False,
            progressCallback=progress.append,
        )
        wait_until(lambda: progress)
        folder = slicer.app.temporaryPath + "/" + job_folders()[0]
        print("started", logic.worker.pid, folder, flush=True)
        wait_until(lambda: False, {patience})
"""
"""A test whose task never ends."""


class FaultsTest(unittest.TestCase):
    """Upsampling and comparison, started by a script."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume(size=(20, 18, 3))
        self.nodes = node_ids()
        self.addCleanup(MRISuperResLogic().worker.cleanup)

    def start(self, logic, kind):
        """Start a task and wait for its first progress."""
        progress, options = (
            [],
            {"waitForCompletion": False, "progressCallback": lambda *state: progress.append(state)},
        )
        task = (
            logic.upsample(self.input, model="bicubic", **options)
            if kind == "upsample"
            else logic.compare(self.input, METHODS, **options)
        )
        wait_until(lambda: progress or not task.isRunning)
        return task

    def tasks(self, logic):
        """Yield a task of each kind."""
        for kind in KINDS:
            yield self.start(logic, kind)

    def assert_clean(self, task, state, words):
        """Check that the task ended and left neither nodes nor files."""
        wait_for_end(task)
        self.assertIs(task.state, state)
        self.assertIn(words, task.message)
        self.assertEqual(node_ids(), self.nodes)
        self.assertEqual(job_folders(), [])

    def assert_works(self, logic):
        output = logic.upsample(self.input, model="bicubic")
        self.assertEqual(output.GetImageData().GetDimensions()[:2], (40, 36))
        slicer.mrmlScene.RemoveNode(output)
        for node in set(node_ids()) - self.nodes:
            slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetNodeByID(node))

    def test_lost_gpu_is_reported_and_the_next_task_has_a_new_worker(self):
        logic = MRISuperResLogic(worker=double_worker(self, "losing_the_gpu"))
        for task in self.tasks(logic):
            pid = logic.worker.pid
            self.assert_clean(
                task,
                TaskState.FAILED,
                "The GPU failed (CUDA error: unspecified launch failure); nothing was changed.",
            )
            self.assertEqual(task.errorKind, "device")
            self.assertFalse(pid is not None and is_alive(pid))
        logic.worker._command = command_of("talkative")
        self.assert_works(logic)

    def test_killed_worker_is_reported_and_the_next_task_works(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        for task in self.tasks(logic):
            os.kill(logic.worker.pid, signal.SIGKILL)
            self.assert_clean(
                task,
                TaskState.FAILED,
                "The worker process ended unexpectedly (signal 9), possibly out of memory",
            )
        self.assert_works(MRISuperResLogic())

    def test_quitting_application_leaves_no_process_and_no_file(self):
        worker = MRISuperResLogic().worker
        command, worker._command = worker._command, command_of("deaf")
        self.addCleanup(setattr, worker, "_command", command)
        for task in self.tasks(MRISuperResLogic()):
            pid = worker.pid
            emit_application_signal("aboutToQuit")
            self.assertFalse(is_alive(pid))
            self.assert_clean(task, TaskState.CANCELLED, "Cancelled")

    def test_crashed_application_leaves_no_process_and_no_voxels(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "ApplicationTest.py")
            file.write_text(APPLICATION.format(folder=str(Path(__file__).parent), patience=TIMEOUT))
            with start_application(file) as application:
                watchdog = threading.Timer(TIMEOUT, application.kill)
                watchdog.start()
                pid, jobFolder = (
                    next(line for line in application.stdout if "started " in line)
                    .partition("started ")[2]
                    .split()
                )
                pid, jobFolder = int(pid), Path(jobFolder)
                self.assertTrue((jobFolder / "input.npy").is_file() and is_alive(pid))
                application.kill()
                watchdog.cancel()
            self.addCleanup(shutil.rmtree, jobFolder.parent, ignore_errors=True)
            wait_until(lambda: not jobFolder.exists())
            wait_until(lambda: not is_alive(pid))

    def test_reloaded_module_ends_the_comparison_and_works_again(self):
        for kind in KINDS:
            widget = open_module("MRISuperRes")
            self.nodes = node_ids()
            widget.logic._worker = double_worker(self, "until_cancelled")
            task, pid = self.start(widget.logic, kind), widget.logic.worker.pid
            slicer.util.reloadScriptedModule("MRISuperRes")
            self.assertFalse(is_alive(pid))
            self.assert_clean(task, TaskState.CANCELLED, "Cancelled")
        leave_module()
        self.assert_works(MRISuperResLogic())

    def test_closed_scene_and_deleted_nodes_end_the_task_without_output(
        self,
    ):
        for remove, words in (
            (lambda: slicer.mrmlScene.RemoveNode(self.input), "the input was deleted"),
            (lambda: slicer.mrmlScene.Clear(0), "the scene was closed"),
        ):
            logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
            for task in self.tasks(logic):
                remove()
                self.nodes = node_ids()
                self.assert_clean(task, TaskState.CANCELLED, f"Cancelled: {words}.")
                self.input = make_volume(size=(20, 18, 3))


class BrokenTorchTest(unittest.TestCase):
    """An installed PyTorch that cannot be imported; only pip is a double."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.torch = folder / "torch"
        self.torch.mkdir()
        (self.torch / "__init__.py").write_text(
            "raise OSError('libc10.so: cannot open shared object file')"
        )
        self.enterContext(
            mock.patch.dict(
                os.environ,
                {
                    "PYTHONPATH": os.pathsep.join(
                        filter(None, [str(folder), os.environ.get("PYTHONPATH")])
                    )
                },
            )
        )
        make_volume(size=(8, 9, 2))
        self.widget = open_module("MRISuperRes")
        self.addCleanup(leave_module)
        self.addCleanup(self.widget.logic.worker.cleanup)
        self.widget.logic.worker.cleanup()  # the next one gets the environment
        show_panel(self.widget)

    def test_broken_torch_is_repaired_after_a_question_and_the_task_restarts(
        self,
    ):
        installed = []

        def pip(arguments):
            installed.append(arguments)
            shutil.rmtree(self.torch, ignore_errors=True)

        answer_next(True)
        with mock.patch.dict(vars(slicer.util), pip_install=pip):
            click(self.widget.ui.applyButton)
            first = self.widget.upsampling.task
            wait_until(lambda: self.widget.upsampling.task is not first, timeout=120)
        self.assertEqual((first.state, first.errorKind), (TaskState.FAILED, "packages"))
        self.assertIn(
            "cannot be imported (libc10.so: cannot open shared object file)", first.message
        )
        self.assertEqual(
            [dialog.text.partition(",")[0] for dialog in shown_dialogs()],
            ["MRISuperRes needs the Python packages torch"],
        )
        self.assertEqual([arguments[-1] for arguments in installed], ["torch>=2.3"] * 2)
        wait_until(lambda: not self.widget.upsampling.task.isRunning, timeout=120)
        self.assertIs(
            self.widget.upsampling.task.state,
            TaskState.FINISHED,
            self.widget.upsampling.task.message,
        )


if __name__ == "__main__":
    unittest.main()
