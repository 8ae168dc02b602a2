"""The worker as the application sees it, with test doubles and with real processes."""

import json
import os
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
import qt
from MRISuperResLib import __version__
from MRISuperResLib.worker.client import LOG_LIMIT, WorkerProcess, WorkerState, workerCommand
from module_helpers import command_of, double_worker, is_alive
from panel_testing import wait_until


class FakeByteArray:
    def __init__(self, data):
        self._data = data

    def data(self):
        return self._data


class FakeProcess:
    """A QProcess that a test controls."""

    def __init__(self):
        self.slots, self.requests = {}, []
        self.starts = self.kills = 0
        self.startFails = self.isStuck = False
        self.running, self.output, self.log = False, b"", b""
        self.timeouts = []

    def connect(self, signature, slot):
        self.slots[signature] = slot

    def start(self, program, arguments):
        self.starts += 1
        self.running = not self.startFails
        if self.startFails:
            self.slots["errorOccurred(QProcess::ProcessError)"](qt.QProcess.FailedToStart)

    def state(self):
        return qt.QProcess.Running if self.running else qt.QProcess.NotRunning

    def errorString(self):
        return "no such file"

    def write(self, data):
        self.requests.append(json.loads(data))

    def readAllStandardOutput(self):
        output, self.output = self.output, b""
        return FakeByteArray(output)

    def readAllStandardError(self):
        log, self.log = self.log, b""
        return FakeByteArray(log)

    def kill(self):
        self.kills += 1

    def closeWriteChannel(self):
        self.isClosed = True

    def waitForFinished(self, timeout):
        self.timeouts.append(timeout)
        if self.isStuck and not self.kills:
            return False
        self.end(0, qt.QProcess.NormalExit)
        return True

    # actions of the worker

    def say(self, data):
        self.output += data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n"
        self.slots["readyReadStandardOutput()"]()

    def complain(self, text):
        self.log += text.encode()
        self.slots["readyReadStandardError()"]()

    def end(self, exitCode, exitStatus):
        self.running = False
        self.slots["finished(int,QProcess::ExitStatus)"](exitCode, exitStatus)


class FakeTimer:
    """A QTimer whose time passes only in `advance`."""

    def __init__(self):
        self.isRunning = False

    def setSingleShot(self, singleShot):
        assert singleShot

    def setInterval(self, interval):
        self.interval = interval

    def connect(self, signature, slot):
        self.slot = slot

    def start(self):
        self.isRunning, self.elapsed = True, 0

    def stop(self):
        self.isRunning = False

    def advance(self, milliseconds):
        self.elapsed += milliseconds
        if self.isRunning and self.elapsed >= self.interval:
            self.isRunning = False
            self.slot()


class FakeWorkerTest(unittest.TestCase):
    def setUp(self):
        self.process, self.timer, self.events = FakeProcess(), FakeTimer(), []
        self.worker = WorkerProcess(lambda: ("python", []), self.process, self.timer)

    def run_job(self, jobId="one"):
        self.worker.run({"request": "upsample", "id": jobId}, self.events.append)

    def run_ready_job(self):
        self.run_job()
        self.process.say({"event": "ready", "pid": 4711, "version": __version__})

    def names(self):
        return [event["event"] for event in self.events]

    def test_first_job_starts_the_process(self):
        self.assertIs(self.worker.state, WorkerState.STOPPED)
        self.run_ready_job()
        self.assertIs(self.worker.state, WorkerState.BUSY)
        self.process.say({"event": "result", "id": "one"})
        self.assertIs(self.worker.state, WorkerState.IDLE)
        self.run_job("two")
        self.assertEqual(self.process.starts, 1)
        self.assertEqual([request["id"] for request in self.process.requests], ["one", "two"])

    def test_events_in_pieces_are_joined(self):
        self.run_ready_job()
        line = json.dumps({"event": "progress", "id": "one", "done": 1}).encode() + b"\n"
        self.process.say(line[:7])
        self.assertEqual(self.events, [])
        self.process.say(line[7:] + line + line[:3])
        self.assertEqual(self.names(), ["progress", "progress"])

    def test_lines_other_than_events_are_logged(self):
        self.run_ready_job()
        for line in (b"hello\n", b"\xff\xfe\n", b"[1]\n", b"7\n", b'{"no": "event"}\n', b"\n"):
            self.process.say(line)
        self.process.say(
            {
                "event": "error",
                "id": "one",
                "kind": "internal",
                "message": "Wrong.",
                "log": "Traceback",
            }
        )
        self.assertEqual(self.names(), ["error"])
        self.assertIn("hello", self.events[0]["log"])
        self.assertIn("Traceback", self.events[0]["log"])

    def test_late_events_of_an_earlier_job_are_ignored(self):
        self.run_ready_job()
        self.process.say({"event": "result", "id": "one"})
        self.process.say({"event": "progress", "id": "one"})
        self.run_job("two")
        self.process.say({"event": "result", "id": "one"})
        self.assertEqual(self.names(), ["result"])
        self.assertTrue(self.worker.isBusy)

    def test_second_job_is_refused_while_one_is_running(self):
        self.run_job()
        with self.assertRaisesRegex(RuntimeError, "Another task"):
            self.run_job("two")
        self.assertEqual(len(self.process.requests), 1)

    def test_error_without_an_id_ends_the_job(self):
        self.run_ready_job()
        self.process.say(
            {"event": "error", "id": None, "kind": "request", "message": "What?", "log": ""}
        )
        self.assertEqual(self.names(), ["error"])

    def test_cancel_is_a_request_before_a_kill(self):
        self.run_ready_job()
        self.worker.cancel()
        self.assertEqual(self.process.requests[-1], {"request": "cancel", "id": "one"})
        self.assertTrue(self.timer.isRunning)
        self.process.say({"event": "cancelled", "id": "one"})
        self.assertEqual(
            (self.names(), self.timer.isRunning, self.process.kills), (["cancelled"], False, 0)
        )
        self.assertIs(self.worker.state, WorkerState.IDLE)

    def test_unanswered_cancel_kills_launcher_and_worker(self):
        self.run_ready_job()
        self.worker.cancel()
        with mock.patch("os.kill") as kill:
            self.timer.slot()
        self.assertEqual(kill.call_args.args[0], 4711)
        self.assertEqual(self.process.kills, 1)
        self.process.end(9, qt.QProcess.CrashExit)
        self.assertEqual(self.names(), ["cancelled"])
        self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_worker_has_seconds_to_answer_a_cancel_and_is_killed_within_ten(self):
        self.run_ready_job()
        self.worker.cancel()
        with mock.patch("os.kill"):
            self.timer.advance(2000)  # the time of a batch of slices on a slow CPU
            self.assertEqual(self.process.kills, 0)
            self.timer.advance(8000)
        self.assertEqual(self.process.kills, 1)

    def test_process_has_half_a_second_to_end_and_is_killed_within_five(self):
        self.process.isStuck = True
        self.run_ready_job()
        with mock.patch("os.kill"):
            self.worker.cleanup()
        self.assertTrue(all(500 <= timeout <= 5000 for timeout in self.process.timeouts))
        self.assertEqual(len(self.process.timeouts), 2)

    def test_result_that_crosses_the_cancel_request_is_cancelled(self):
        for answer in ("result", "error"):
            with self.subTest(answer):
                self.setUp()
                self.run_ready_job()
                self.worker.cancel()
                self.process.say({"event": "progress", "id": "one"})
                self.process.say({"event": answer, "id": "one"})
                self.process.say({"event": "cancelled", "id": "one"})
                self.assertEqual(self.names(), ["cancelled"])

    def test_end_of_the_process_during_a_job_is_an_error_with_its_log(self):
        for code, status, words in (
            (9, qt.QProcess.CrashExit, "signal 9"),
            (7, qt.QProcess.NormalExit, "exit code 7"),
            (0, qt.QProcess.NormalExit, "exit code 0"),
        ):
            with self.subTest(words):
                self.setUp()
                self.run_ready_job()
                self.process.complain("segmentation fault")
                self.process.end(code, status)
                self.assertEqual((self.names(), self.events[0]["kind"]), (["error"], "crash"))
                self.assertIn(words, self.events[0]["message"])
                self.assertIn("segmentation fault", self.events[0]["log"])
                self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_result_right_before_the_end_of_the_process_is_kept(self):
        self.run_ready_job()
        self.process.output = b'{"event": "result", "id": "one"}\n'
        self.process.end(0, qt.QProcess.NormalExit)
        self.assertEqual(self.names(), ["result"])

    def test_job_after_a_crash_starts_the_process_again(self):
        self.worker.run({"request": "upsample", "id": "one"}, lambda event: self.run_job("two"))
        self.process.end(1, qt.QProcess.NormalExit)
        self.assertEqual(self.process.starts, 2)
        self.assertIs(self.worker.state, WorkerState.BUSY)
        self.process.say({"event": "result", "id": "two"})
        self.assertEqual(self.names(), ["result"])

    def test_job_that_follows_the_last_result_of_a_process_runs_in_another(self):
        self.worker.run({"request": "upsample", "id": "one"}, lambda event: self.run_job("two"))
        self.process.output = b'{"event": "result", "id": "one"}\n'
        self.process.end(1, qt.QProcess.NormalExit)
        self.assertEqual((self.process.starts, self.names()), (2, []))
        self.process.say({"event": "result", "id": "two"})
        self.assertEqual(self.names(), ["result"])

    def test_end_of_an_idle_process_is_no_error(self):
        self.run_ready_job()
        self.process.say({"event": "result", "id": "one"})
        self.process.end(1, qt.QProcess.NormalExit)
        self.assertEqual(self.names(), ["result"])
        self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_process_that_does_not_start_is_an_error(self):
        self.process.startFails = True
        self.run_job()
        self.assertEqual((self.names(), self.events[0]["kind"]), (["error"], "crash"))
        self.assertIn("did not start (no such file)", self.events[0]["message"])
        self.assertIs(self.worker.state, WorkerState.STOPPED)
        self.assertEqual(self.process.requests, [])

    def test_process_that_ends_before_it_is_ready_failed_to_start_up(self):
        self.run_job()
        self.process.complain("PythonSlicer: error while loading shared libraries")
        self.process.end(127, qt.QProcess.NormalExit)
        self.assertEqual(
            self.events[0]["message"],
            "The worker process failed to start up (exit code 127). "
            "Reinstall the extension, or check the application log.",
        )
        self.assertIn("shared libraries", self.events[0]["log"])
        self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_worker_of_another_version_is_killed_with_advice_to_restart(self):
        for version in ({"version": "0.0.1"}, {}):
            with self.subTest(version):
                self.setUp()
                self.run_job()
                with mock.patch("os.kill") as kill:
                    self.process.say({"event": "ready", "pid": 4711, **version})
                self.assertEqual((kill.call_args.args[0], self.process.kills), (4711, 1))
                self.process.say({"event": "progress", "id": "two"})
                self.process.end(9, qt.QProcess.CrashExit)
                self.assertEqual((self.names(), self.events[0]["kind"]), (["error"], "environment"))
                self.assertEqual(
                    self.events[0]["message"],
                    "The extension was updated while the application was running. "
                    "Restart the application.",
                )
                self.assertIs(self.worker.state, WorkerState.STOPPED)

    def lose_the_gpu(self):
        self.run_ready_job()
        self.process.say(
            {
                "event": "error",
                "id": "one",
                "kind": "device",
                "message": "The GPU failed.",
                "log": "Traceback",
            }
        )

    def test_device_error_is_reported_after_the_end_of_the_process(
        self,
    ):
        self.lose_the_gpu()
        self.assertEqual((self.events, self.worker.state), ([], WorkerState.BUSY))
        self.process.end(0, qt.QProcess.NormalExit)
        self.assertEqual(
            (self.names(), self.events[0]["kind"], self.events[0]["message"]),
            (["error"], "device", "The GPU failed."),
        )
        self.run_job("two")
        self.assertEqual(self.process.starts, 2)
        self.process.end(3, qt.QProcess.NormalExit)
        self.assertEqual(self.events[1]["kind"], "crash")

    def test_process_that_survives_a_device_error_is_killed(self):
        self.lose_the_gpu()
        self.assertTrue(self.timer.isRunning)
        with mock.patch("os.kill") as kill:
            self.timer.slot()
        self.assertEqual((kill.call_args.args[0], self.process.kills), (4711, 1))
        self.process.end(9, qt.QProcess.CrashExit)
        self.assertEqual(self.events[0]["kind"], "device")

    def test_application_without_python_is_an_error(self):
        with (
            mock.patch("shutil.which", return_value=None),
            mock.patch.object(sys, "executable", "/opt/Slicer/bin/SlicerApp-real"),
        ):
            worker = WorkerProcess(workerCommand, self.process, self.timer)
            worker.run({"request": "upsample", "id": "one"}, self.events.append)
        self.assertEqual(self.names(), ["error"])
        self.assertIn("Python", self.events[0]["message"])
        self.assertEqual(self.process.starts, 0)

    def test_python_of_the_application_is_preferred(self):
        with mock.patch("shutil.which", return_value="/opt/Slicer/bin/PythonSlicer"):
            self.assertEqual(workerCommand()[0], "/opt/Slicer/bin/PythonSlicer")

    def test_log_is_bounded(self):
        self.run_ready_job()
        for _ in range(10):
            self.process.complain("x" * LOG_LIMIT)
        self.process.end(1, qt.QProcess.NormalExit)
        self.assertLess(len(self.events[0]["log"]), LOG_LIMIT + 1000)

    def test_cleanup_closes_stdin_and_waits(self):
        self.run_ready_job()
        self.process.say({"event": "result", "id": "one"})
        self.worker.cleanup()
        self.assertTrue(self.process.isClosed)
        self.assertEqual((self.names(), self.process.kills), (["result"], 0))
        self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_cleanup_ends_a_running_job_as_cancelled_and_kills_a_stuck_process(self):
        self.process.isStuck = True
        self.run_ready_job()
        with mock.patch("os.kill"):
            self.worker.cleanup()
        self.assertEqual((self.names(), self.process.kills), (["cancelled"], 1))
        self.assertIs(self.worker.state, WorkerState.STOPPED)

    def test_cleanup_of_a_stopped_worker_does_nothing(self):
        self.worker.cleanup()
        self.assertFalse(hasattr(self.process, "isClosed"))


class RealWorkerTest(unittest.TestCase):
    def start(self, worker):
        """Send a job for a small volume; return the list that receives its events."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "input.npy")
        np.save(path, np.zeros((2, 3, 4)))
        events = []
        worker.run(
            {
                "request": "upsample",
                "id": "one",
                "options": {},
                "input": path,
                "ijkToRAS": np.eye(4).tolist(),
                "output": path + ".out",
            },
            events.append,
        )
        return events

    def test_worker_that_ignores_a_cancel_is_killed(self):
        worker = double_worker(self, "deaf")
        worker._cancelTimer.setInterval(1)
        events = self.start(worker)
        wait_until(lambda: events)
        pid = worker.pid
        worker.cancel()
        wait_until(lambda: not worker.isBusy)
        self.assertEqual(events[-1]["event"], "cancelled")
        self.assertFalse(is_alive(pid))

    def test_launcher_and_worker_are_both_killed(self):
        program, arguments = command_of("deaf")()
        launcher = (
            "import subprocess, sys; "
            f"sys.exit(subprocess.run({[program, *arguments]!r}).returncode)"
        )
        worker = WorkerProcess(lambda: (sys.executable, ["-c", launcher]))
        self.addCleanup(worker.cleanup)
        worker._cancelTimer.setInterval(1)
        events = self.start(worker)
        wait_until(lambda: events)
        launcherPid, pid = worker._process.processId(), worker.pid
        self.assertNotEqual(launcherPid, pid)
        worker.cancel()
        wait_until(lambda: not worker.isBusy)
        wait_until(lambda: not is_alive(pid))
        self.assertFalse(is_alive(launcherPid))

    def test_cleanup_ends_a_process_during_a_job(self):
        worker = double_worker(self, "deaf")
        events = self.start(worker)
        wait_until(lambda: events)
        pid = worker.pid
        worker.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertEqual(events[-1]["event"], "cancelled")

    def test_crash_is_reported_with_the_log(self):
        worker = double_worker(self, "crashing")
        events = self.start(worker)
        wait_until(lambda: not worker.isBusy)
        self.assertIn("exit code 7", events[-1]["message"])
        self.assertIn("last words", events[-1]["log"])

    def test_program_other_than_python_is_an_error(self):
        worker = WorkerProcess(
            lambda: (sys.executable, ["-c", "import sys; sys.exit('no Python here')"])
        )
        events = self.start(worker)
        wait_until(lambda: not worker.isBusy)
        self.assertIn("failed to start up (exit code 1)", events[-1]["message"])
        self.assertIn("no Python here", events[-1]["log"])

    def test_silent_worker_is_killed_after_a_cancel(self):
        worker = WorkerProcess(
            lambda: (sys.executable, ["-c", "import threading; threading.Event().wait()"])
        )
        self.addCleanup(worker.cleanup)
        worker._cancelTimer.setInterval(1)
        events = self.start(worker)
        worker._process.waitForStarted()
        pid = worker._process.processId()
        worker.cancel()
        wait_until(lambda: not worker.isBusy)
        self.assertEqual([event["event"] for event in events], ["cancelled"])
        self.assertFalse(is_alive(pid))

    def test_missing_program_is_an_error(self):
        worker = WorkerProcess(lambda: ("/no/such/program", []))
        events = self.start(worker)
        wait_until(lambda: not worker.isBusy)
        self.assertIn("did not start", events[-1]["message"])


if __name__ == "__main__":
    unittest.main()
