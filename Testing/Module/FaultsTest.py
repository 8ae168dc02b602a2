"""What is read and what is left when GPU, worker or application go away in the middle of a run. More of it: WorkerProcessTest, PanelTest, ComparePanelTest."""

import os
import signal
import unittest

import slicer
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.mrml.scene_job import JobState
from module_helpers import command_of, double_worker, is_alive, job_folders, make_volume, mute_error_log, node_ids, wait_for_end
from slicerhost.testing import leave_module, open_module, wait_until

METHODS = ("nearest", "bicubic")
KINDS = ("upscale", "compare")


class FaultsTest(unittest.TestCase):
    """Both kinds of run, as a script starts them."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume(size=(20, 18, 3))
        self.nodes = node_ids()
        self.addCleanup(MRISuperResLogic().worker.cleanup)

    def start(self, logic, kind):
        """An upscaling or a comparison, of which the worker is in the middle."""
        progress, options = [], {"waitForCompletion": False, "progressCallback": lambda *state: progress.append(state)}
        run = logic.upscale(self.input, model="bicubic", **options) if kind == "upscale" else logic.compare(self.input, METHODS, **options)
        wait_until(lambda: progress or not run.isRunning)
        return run

    def runs(self, logic):
        """One of each kind, one after the other."""
        for kind in KINDS:
            yield self.start(logic, kind)

    def assert_clean(self, run, state, words):
        """The run has ended and left neither node nor file."""
        wait_for_end(run)
        self.assertIs(run.state, state)
        self.assertIn(words, run.message)
        self.assertEqual(node_ids(), self.nodes)
        self.assertEqual(job_folders(), [])

    def assert_works(self, logic):
        output = logic.upscale(self.input, model="bicubic")
        self.assertEqual(output.GetImageData().GetDimensions()[:2], (40, 36))
        slicer.mrmlScene.RemoveNode(output)
        for node in set(node_ids()) - self.nodes:
            slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetNodeByID(node))

    def test_gpu_that_vanishes_is_told_and_the_next_run_has_a_new_worker(self):
        logic = MRISuperResLogic(worker=double_worker(self, "losing_the_gpu"))
        for run in self.runs(logic):
            pid = logic.worker.pid
            self.assert_clean(run, JobState.FAILED, "The GPU has failed (CUDA error: unspecified launch failure), nothing was changed: start the run again")
            self.assertEqual(run.errorKind, "device")
            self.assertFalse(pid is not None and is_alive(pid))
        logic.worker._command = command_of("talkative")
        self.assert_works(logic)

    def test_killed_worker_is_told_and_the_next_run_works(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        for run in self.runs(logic):
            os.kill(logic.worker.pid, signal.SIGKILL)
            self.assert_clean(run, JobState.FAILED, "The worker process ended unexpectedly (signal 9), perhaps for want of memory")
        self.assert_works(MRISuperResLogic())

    def test_application_that_quits_leaves_no_process_and_no_file(self):
        worker = MRISuperResLogic().worker
        command, worker._command = worker._command, command_of("deaf")
        self.addCleanup(setattr, worker, "_command", command)
        for run in self.runs(MRISuperResLogic()):
            pid = worker.pid
            slicer.app.aboutToQuit.emit()
            self.assertFalse(is_alive(pid))
            self.assert_clean(run, JobState.CANCELLED, "Cancelled")

    def test_module_that_is_reloaded_ends_the_comparison_and_works_again(self):
        for kind in KINDS:
            widget = open_module("MRISuperRes")
            self.nodes = node_ids()
            widget.logic._worker = double_worker(self, "until_cancelled")
            run, pid = self.start(widget.logic, kind), widget.logic.worker.pid
            slicer.util.reloadScriptedModule("MRISuperRes")
            self.assertFalse(is_alive(pid))
            self.assert_clean(run, JobState.CANCELLED, "Cancelled")
        leave_module()
        self.assert_works(MRISuperResLogic())

    def test_scene_that_is_closed_and_nodes_that_are_deleted_end_the_run_and_nothing_comes_back(self):
        for remove, words in ((lambda: slicer.mrmlScene.RemoveNode(self.input), "the input volume was deleted"), (lambda: slicer.mrmlScene.Clear(0), "the scene was closed")):
            logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
            for run in self.runs(logic):
                remove()
                self.nodes = node_ids()
                self.assert_clean(run, JobState.CANCELLED, f"Cancelled: {words}.")
                self.input = make_volume(size=(20, 18, 3))


if __name__ == "__main__":
    unittest.main()
