"""Records of runs: state and content read from the folder, whatever happened to the process."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.progress import Progress
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.runs import events, lock
from MRISuperResTrainingLib.runs.events import TaskReport, failure_message, last_progress
from MRISuperResTrainingLib.runs.record import RunRecord, RunState, runs_in


class RunFolderTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.make_run("run")
        self.record = RunRecord(self.path)

    def make_run(self, name, **settings):
        path = self.folder / name
        path.mkdir()
        (path / "settings.json").write_text(
            json.dumps({"scale": 2, "psnr": {"steps": 100}, "gan": {"steps": 50}} | settings)
        )
        return path

    def write(self, event, stage="psnr", step=0, **values):
        with open(self.path / "events.jsonl", "a") as file:
            file.write(
                json.dumps(
                    {"event": event, "time": time.time(), "stage": stage, "step": step, **values}
                )
                + "\n"
            )

    def step(self, step, stage="psnr", **losses):
        self.write("step", stage, step, losses=losses or {"content": 0.1}, rate=5.0, remaining=20.0)

    def validation(self, step, psnr, stage="psnr"):
        self.write("validation", stage, step, scores={"psnr": psnr}, bicubic={"psnr": 30.0})

    @property
    def state(self):
        self.record.update()
        return self.record.state


class StateTest(RunFolderTestCase):
    def test_a_run_without_a_process_and_an_end_was_interrupted(self):
        self.write("start")
        self.step(10)
        self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_locked_run_is_running(self):
        with lock.locked_run(self.path):
            self.assertIs(self.state, RunState.RUNNING)
            self.assertEqual(self.record.process.pid, os.getpid())
        self.assertIsNone(lock.process_of(self.path))

    def test_end_stop_and_failure_give_the_state_until_the_run_is_resumed(self):
        for event, state in (
            ("stopped", RunState.STOPPED),
            ("error", RunState.FAILED),
            ("end", RunState.FINISHED),
        ):
            self.write(event, message="Disk full.")
            self.assertIs(self.state, state)
            self.assertEqual(self.record.message, "Disk full." if event == "error" else "")
            self.write("start")
            self.assertIs(self.state, RunState.INTERRUPTED)

    def test_an_exception_is_the_reason_of_a_failure(self):
        with self.assertRaises(SuperResolutionError), lock.locked_run(self.path):
            raise SuperResolutionError("The disk is full: free some space.")
        self.assertIs(self.state, RunState.FAILED)
        self.assertEqual(self.record.message, "The disk is full: free some space.")

    def test_a_failure_before_the_run_started_is_its_reason(self):
        events.write_failure(self.path, SuperResolutionError("Unknown generator."))
        self.assertIs(self.state, RunState.FAILED)
        self.assertEqual(self.record.message, "Unknown generator.")

    def test_a_stopped_run_that_cannot_be_resumed_has_failed(self):
        self.write("stopped")
        self.assertIs(self.state, RunState.STOPPED)
        error = ModuleNotFoundError("No module named 'accelerate'", name="accelerate")
        events.write_failure(self.path, error)
        self.assertIs(self.state, RunState.FAILED)
        self.assertIn("package accelerate is missing", self.record.message)

    def test_lines_of_the_log_do_not_decide_the_state(self):
        self.write("start")
        (self.path / "log.txt").write_text("error: The disk is full.\n")
        self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_run_cancelled_before_its_first_step_was_stopped(self):
        with self.assertRaises(Cancelled), lock.locked_run(self.path):
            lock.request_stop(self.path)
            raise Cancelled
        self.assertIs(self.state, RunState.STOPPED)

    def test_a_killed_process_leaves_an_interrupted_run_that_can_be_locked(self):
        code = (
            "import os, signal\nfrom MRISuperResTrainingLib.runs import lock\n"
            f"with lock.locked_run({str(self.path)!r}):\n os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
            timeout=60,
        )
        self.assertTrue((self.path / "process.json").exists())
        self.assertIs(self.state, RunState.INTERRUPTED)
        with lock.locked_run(self.path):
            self.assertIs(self.state, RunState.RUNNING)

    def test_a_process_that_reuses_a_number_is_another_process(self):
        with lock.locked_run(self.path):
            process = json.loads((self.path / "process.json").read_text())
            (self.path / "process.json").write_text(
                json.dumps(process | {"created": process["created"] - 60})
            )
            self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_second_process_is_refused(self):
        with (
            lock.locked_run(self.path),
            self.assertRaisesRegex(SuperResolutionError, "Another process works on the run"),
            lock.locked_run(self.path),
        ):
            self.fail("two processes work on one run")

    def test_an_old_stop_request_is_cleared_when_the_run_is_resumed(self):
        lock.request_stop(self.path)
        with lock.locked_run(self.path):
            self.assertFalse(lock.is_stop_requested(self.path))


class ContentTest(RunFolderTestCase):
    def test_an_empty_run_has_only_its_requested_steps(self):
        self.assertTrue(self.record.update())
        self.assertEqual(
            (
                self.record.total,
                self.record.done,
                self.record.position,
                self.record.rate,
                self.record.best_psnr,
            ),
            (150, 0, (None, 0), (None, None), None),
        )

    def test_an_incomplete_line_is_read_when_it_is_complete(self):
        self.step(10)
        self.assertTrue(self.record.update())
        self.assertFalse(self.record.update())
        with open(self.path / "events.jsonl", "a") as file:
            file.write('{"event": "step", "time": 1, "stage": "psnr", "st')
        self.assertFalse(self.record.update())
        with open(self.path / "events.jsonl", "a") as file:
            file.write('ep": 20, "losses": {"content": 0.2}}\n')
        self.assertTrue(self.record.update())
        self.assertEqual(self.record.position, ("psnr", 20))

    def test_a_long_run_is_read_in_parts_and_thinned(self):
        lines = [
            json.dumps(
                {
                    "event": "step",
                    "time": 1.0,
                    "stage": "psnr",
                    "step": step,
                    "losses": {"content": 0.1},
                }
            )
            for step in range(1, 20001)
        ]
        (self.path / "events.jsonl").write_text(
            "\n".join(
                [*lines, json.dumps({"event": "end", "time": 2.0, "stage": "psnr", "step": 20000})]
            )
            + "\n"
        )
        self.assertTrue(self.record.update(limit=100_000))
        self.assertTrue(self.record.is_behind)
        while self.record.is_behind:
            self.record.update(limit=1_000_000)
        points = self.record.losses("psnr")["content"]
        self.assertTrue(2000 < len(points) <= 5000, len(points))
        self.assertEqual((points[-1][0], self.record.state), (20000, RunState.FINISHED))
        self.assertEqual(
            len({second[0] - first[0] for first, second in zip(points[-1000:], points[-999:])}), 1
        )

    def test_a_truncated_line_of_a_killed_process_is_ignored(self):
        with open(self.path / "events.jsonl", "a") as file:
            file.write('{"event": "step", "ti\n')
        self.step(10)
        self.record.update()
        self.assertEqual([event["step"] for event in self.record.events], [10])

    def test_repeated_steps_count_once(self):
        for step in (10, 20, 30):
            self.step(step)
        self.write("start", step=10, resumed=True)
        self.step(20)
        self.record.update()
        self.assertEqual(self.record.losses("psnr"), {"content": [(10, 0.1), (20, 0.1)]})
        self.assertEqual(self.record.done, 20)

    def test_the_steps_of_the_second_stage_follow_those_of_the_first(self):
        self.step(100)
        self.step(10, "gan", content=0.1, adversarial=1.0, gradient_norm=3.0, real=0.5)
        self.validation(20, 31.0, "gan")
        self.record.update()
        self.assertEqual(self.record.done, 120)
        self.assertEqual(
            self.record.losses("gan"), {"content": [(110, 0.1)], "adversarial": [(110, 1.0)]}
        )
        self.assertEqual(self.record.validations("gan", "psnr"), [(120, 31.0, 30.0)])

    def test_the_best_validation_is_that_of_the_first_stage(self):
        for step, psnr in ((20, 31.0), (40, 33.0), (60, 32.0)):
            self.validation(step, psnr)
        self.validation(10, 34.0, "gan")
        self.record.update()
        self.assertEqual(self.record.best_psnr, (33.0, 30.0))

    def test_run_json_replaces_the_requested_settings(self):
        self.record.update()
        self.assertFalse(self.record.has_begun)
        (self.path / "run.json").write_text(
            json.dumps({"settings": {"psnr": {"steps": 7}, "gan": None}, "volumes": []})
        )
        self.assertTrue(self.record.update())
        self.assertEqual((self.record.total, self.record.has_begun), (7, True))


class FolderTest(RunFolderTestCase):
    def test_the_newest_run_is_first_and_other_folders_are_ignored(self):
        self.write("start")
        (self.folder / "something else").mkdir()
        newer = self.make_run("newer")
        os.utime(newer, (time.time() + 60,) * 2)
        self.assertEqual([record.name for record in runs_in(self.folder)], ["newer", "run"])

    def test_known_records_are_reused(self):
        first = runs_in(self.folder)
        self.assertIs(runs_in(self.folder, first)[0], first[0])

    def test_a_missing_folder_has_no_runs(self):
        self.assertEqual(runs_in(self.folder / "nowhere"), [])


class TaskReportTest(RunFolderTestCase):
    def setUp(self):
        super().setUp()
        self.report = self.folder / "report.jsonl"

    def test_a_report_holds_the_latest_progress_and_no_failure(self):
        with TaskReport(self.report) as report:
            for done in (1, 2):
                report.progress(Progress(done, 3, 0.5, 2.0))
        self.assertEqual(last_progress(self.report), Progress(2, 3, 0.5, 2.0))
        self.assertEqual(failure_message(self.report), "")

    def test_a_missing_or_incomplete_report_holds_nothing(self):
        self.assertEqual((last_progress(self.report), failure_message(self.report)), (None, ""))
        self.report.write_text('{"progress": {"done": 1')
        self.assertEqual((last_progress(self.report), failure_message(self.report)), (None, ""))

    def test_an_exception_is_the_failure_but_a_stop_is_not(self):
        with self.assertRaises(Cancelled), TaskReport(self.report):
            raise Cancelled
        self.assertEqual(failure_message(self.report), "")
        with self.assertRaises(SuperResolutionError), TaskReport(self.report):
            raise SuperResolutionError("error: this text is not parsed.")
        self.assertEqual(failure_message(self.report), "error: this text is not parsed.")

    def test_commands_report_why_they_failed(self):
        for command, words in (
            ("export", [self.path, "--name", "a", "--to", self.folder / "models"]),
            ("evaluate", ["--run", self.path, "--out", self.folder / "evaluation"]),
        ):
            with self.subTest(command), contextlib.redirect_stderr(io.StringIO()):
                self.report.unlink(missing_ok=True)
                code = main([command, *map(str, words), "--report", str(self.report)])
                self.assertEqual(code, 2)
                self.assertIn("is not the folder of a training run", failure_message(self.report))


if __name__ == "__main__":
    unittest.main()
