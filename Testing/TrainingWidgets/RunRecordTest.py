"""What is known of a run from its folder, whatever has become of the process that worked on it."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResTrainingLib.runs import lock
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
    def test_a_run_that_no_process_works_on_and_that_has_no_end_was_interrupted(self):
        self.write("start")
        self.step(10)
        self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_run_that_a_process_works_on_is_running(self):
        with lock.working_on(self.path):
            self.assertIs(self.state, RunState.RUNNING)
            self.assertEqual(self.record.process["pid"], os.getpid())
        self.assertIsNone(lock.process_of(self.path))

    def test_an_end_a_stop_and_a_failure_are_told_apart_and_forgotten_when_the_run_goes_on(self):
        for event, state in (
            ("stopped", RunState.STOPPED),
            ("error", RunState.FAILED),
            ("end", RunState.FINISHED),
        ):
            self.write(event, message="No room.")
            self.assertIs(self.state, state)
            self.assertEqual(self.record.message, "No room." if event == "error" else "")
            self.write("start")
            self.assertIs(self.state, RunState.INTERRUPTED)

    def test_an_exception_is_the_reason_of_a_failure(self):
        with self.assertRaises(SuperResolutionError), lock.working_on(self.path):
            raise SuperResolutionError("The disk is full: free some space.")
        self.assertIs(self.state, RunState.FAILED)
        self.assertEqual(self.record.message, "The disk is full: free some space.")

    def test_the_last_words_of_a_process_are_the_reason_where_it_did_not_come_to_the_run(self):
        (self.path / "log.txt").write_text("note: reading\nerror: There is no such generator.\n")
        self.assertIs(self.state, RunState.FAILED)
        self.assertEqual(self.record.message, "There is no such generator.")

    def test_a_process_that_fails_before_it_goes_on_with_a_stopped_run_says_why(self):
        self.write("stopped")
        (self.path / "log.txt").write_text(
            "error: stopped. “resume run” goes on from the last checkpoint.\n"
        )
        self.assertIs(self.state, RunState.STOPPED)
        (self.path / "log.txt").write_text("error: The package accelerate is missing.\n")
        self.assertIs(self.state, RunState.FAILED)
        self.assertEqual(self.record.message, "The package accelerate is missing.")

    def test_what_was_told_before_the_last_event_is_no_reason(self):
        (self.path / "log.txt").write_text("error: The disk is full.\n")
        os.utime(self.path / "log.txt", (time.time() - 60,) * 2)
        self.write("start")
        self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_run_that_is_stopped_before_its_first_step_was_stopped(self):
        with self.assertRaises(Cancelled), lock.working_on(self.path):
            lock.ask_to_stop(self.path)
            raise Cancelled
        (self.path / "log.txt").write_text("error: stopped.\n")
        self.assertIs(self.state, RunState.STOPPED)

    def test_a_killed_process_leaves_an_interrupted_run_that_another_one_takes_over(self):
        code = f"import os, signal\nfrom MRISuperResTrainingLib.runs import lock\nwith lock.working_on({str(self.path)!r}):\n os.kill(os.getpid(), signal.SIGKILL)"
        subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
            timeout=60,
        )
        self.assertTrue((self.path / "process.json").exists())
        self.assertIs(self.state, RunState.INTERRUPTED)
        with lock.working_on(self.path):
            self.assertIs(self.state, RunState.RUNNING)

    def test_a_process_with_the_number_of_an_earlier_one_is_not_taken_for_it(self):
        with lock.working_on(self.path):
            process = json.loads((self.path / "process.json").read_text())
            (self.path / "process.json").write_text(
                json.dumps(process | {"identity": "of another boot"})
            )
            self.assertIs(self.state, RunState.INTERRUPTED)

    def test_a_second_process_is_refused(self):
        with (
            lock.working_on(self.path),
            self.assertRaisesRegex(SuperResolutionError, "Another process works on the run"),
            lock.working_on(self.path),
        ):
            self.fail("two processes work on one run")

    def test_an_old_wish_to_stop_is_forgotten_when_the_run_goes_on(self):
        lock.ask_to_stop(self.path)
        with lock.working_on(self.path):
            self.assertFalse(lock.is_asked_to_stop(self.path))


class ContentTest(RunFolderTestCase):
    def test_nothing_is_known_of_an_empty_run_but_what_was_asked_for(self):
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

    def test_only_what_is_new_is_read_and_half_a_line_waits_for_its_other_half(self):
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

    def test_a_long_run_is_read_in_parts_and_what_a_curve_can_not_show_is_forgotten(self):
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

    def test_the_rest_of_a_line_in_which_a_process_was_killed_is_passed_over(self):
        with open(self.path / "events.jsonl", "a") as file:
            file.write('{"event": "step", "ti\n')
        self.step(10)
        self.record.update()
        self.assertEqual([event["step"] for event in self.record.events], [10])

    def test_steps_that_are_done_again_count_once(self):
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

    def test_what_the_training_writes_of_itself_replaces_what_was_asked_for(self):
        self.record.update()
        self.assertFalse(self.record.has_begun)
        (self.path / "run.json").write_text(
            json.dumps({"settings": {"psnr": {"steps": 7}, "gan": None}, "volumes": []})
        )
        self.assertTrue(self.record.update())
        self.assertEqual((self.record.total, self.record.has_begun), (7, True))


class FolderTest(RunFolderTestCase):
    def test_runs_are_listed_the_newest_first_and_other_folders_are_not(self):
        self.write("start")
        (self.folder / "something else").mkdir()
        newer = self.make_run("newer")
        os.utime(newer, (time.time() + 60,) * 2)
        self.assertEqual([record.name for record in runs_in(self.folder)], ["newer", "run"])

    def test_records_that_are_known_go_on_where_they_were(self):
        first = runs_in(self.folder)
        self.assertIs(runs_in(self.folder, first)[0], first[0])

    def test_a_folder_that_is_not_there_has_no_runs(self):
        self.assertEqual(runs_in(self.folder / "nowhere"), [])


if __name__ == "__main__":
    unittest.main()
