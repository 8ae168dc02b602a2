"""The worker as a process: its answers, and its end."""

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.comparison.lesions import LesionScore
from MRISuperResLib.core.comparison.scores import ScoreTable
from MRISuperResLib.core.messages import Message
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.geometry import SliceAxis
from MRISuperResLib.core.volume import Volume
from worker_client import IDENTITY, WorkerClient

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))  # made_models


class WorkerTestCase(unittest.TestCase):
    double = None

    def setUp(self):
        self.worker = self.start(self.double)

    def start(self, double):
        worker = WorkerClient(double)
        self.addCleanup(worker.close)
        return worker

    def assert_works(self, worker):
        worker.upsample("after")
        end = worker.end_of_job()
        self.assertEqual((end["event"], end["id"]), ("result", "after"))

    def files(self):
        return sorted(os.listdir(self.worker.folder))


class JobsTest(WorkerTestCase):
    def test_ready_event_has_the_pid_of_the_worker(self):
        self.assertEqual(self.worker.ready["event"], "ready")
        self.assertEqual(self.worker.ready["pid"], self.worker.process.pid)

    def test_result_has_geometry_and_provenance(self):
        volume = np.random.default_rng(0).integers(-500, 500, (3, 4, 5)).astype(np.int16)
        self.worker.upsample("one", volume)
        end = self.worker.end_of_job()
        self.assertEqual(end["event"], "result")
        output = np.load(end["output"])
        self.assertEqual((output.shape, output.dtype), ((3, 8, 10), volume.dtype))
        np.testing.assert_allclose(
            end["ijkToRAS"], [[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]]
        )
        self.assertEqual(end["provenance"]["model"]["name"], "bicubic")
        self.assertEqual(self.files(), ["input.npy", "output.npy"])

    def test_progress_starts_at_zero_and_ends_with_all_slices(self):
        self.worker.upsample("one")
        first = last = self.worker.event()
        while (event := self.worker.event())["event"] == "progress":
            last = event
        self.assertEqual(
            (first["event"], first["done"], first["total"], first["rate"]), ("progress", 0, 4, None)
        )
        self.assertEqual((last["done"], last["total"]), (4, 4))
        self.assertGreater(last["rate"], 0)

    def test_jobs_run_in_the_order_of_their_requests(self):
        for job_id in "abc":
            self.worker.upsample(job_id)
        self.assertEqual([self.worker.end_of_job()["id"] for _ in "abc"], list("abc"))

    def test_stop_ends_the_worker_after_the_jobs_before_it(self):
        self.worker.upsample("one")
        self.worker.send({"request": "stop"})
        events, _ = self.worker.events_until_end()
        self.assertEqual(events[-1]["event"], "result")
        self.assertEqual(self.worker.process.wait(), 0)

    def test_interpolation_does_not_import_torch(self):
        worker = self.start("without_torch")
        worker.upsample("one")
        self.assertEqual(worker.end_of_job()["event"], "result")


class ComparisonTest(WorkerTestCase):
    def compare(self, volume, **fields):
        """The event at the end of a comparison, and its folder."""
        folder = self.worker.path("comparison")
        os.mkdir(folder)
        request = {
            "request": "compare",
            "options": {"methods": ["nearest", "bicubic+bp"], "scale": 2},
            "output": folder,
        }
        self.worker.upsample("one", volume, **{**request, **fields})
        return self.worker.end_of_job(), folder

    def setUp(self):
        super().setUp()
        self.volume = np.random.default_rng(0).integers(0, 500, (3, 24, 25)).astype(np.int16)

    def expected(self):
        options = ComparisonOptions(("nearest", "bicubic+bp"), 2)
        return compare_methods(Volume(self.volume, np.eye(4)), options)

    def test_outputs_reference_and_low_resolution_are_files_in_the_folder(self):
        end, folder = self.compare(self.volume)
        self.assertEqual(
            [(o["name"], o["stage"]) for o in end["outputs"]],
            [("nearest", "interpolation"), ("bicubic+bp", "interpolation")],
        )
        expected = self.expected()
        arrays = {file: np.load(os.path.join(folder, file)) for file in sorted(os.listdir(folder))}
        self.assertEqual(
            set(arrays), {*(o["file"] for o in end["outputs"]), "reference.npy", "low.npy"}
        )
        for output, computed in zip(end["outputs"], expected.outputs):
            np.testing.assert_array_equal(arrays[output["file"]], computed.volume.array)
            self.assertEqual(arrays[output["file"]].dtype, np.int16)
            self.assertEqual(output["provenance"]["model"]["name"], output["name"])
        np.testing.assert_array_equal(arrays[end["reference"]], expected.reference.array)
        np.testing.assert_array_equal(arrays[end["low"]], expected.low.array)
        self.assertEqual(end["ijkToRAS"], IDENTITY)
        np.testing.assert_allclose(end["lowIJKToRAS"], expected.low.ijk_to_ras)

    def test_table_lesions_axis_and_messages_come_with_the_result(self):
        end, _ = self.compare(self.volume)
        expected = self.expected()
        self.assertEqual(ScoreTable.from_dict(end["table"]).slice_csv(), expected.table.slice_csv())
        self.assertEqual([LesionScore(**lesion) for lesion in end["lesions"]], expected.lesions)
        self.assertEqual(SliceAxis(**end["axis"]), expected.axis)
        self.assertEqual(
            [Message.from_dict(message) for message in end["messages"]], list(expected.messages)
        )

    def test_comparison_without_reference_has_no_reference_file(self):
        end, folder = self.compare(
            self.volume, options={"methods": ["nearest", "bicubic"], "scale": 2, "reference": False}
        )
        self.assertIsNone(end["reference"])
        np.testing.assert_array_equal(np.load(os.path.join(folder, end["low"])), self.volume)

    def test_invalid_comparison_is_refused_and_the_worker_continues(
        self,
    ):
        end, _ = self.compare(self.volume, options={"methods": ["nearest"]})
        self.assertEqual((end["event"], end["kind"]), ("error", "settings"))
        self.assertIn("2 to 8 methods", end["message"])
        self.assert_works(self.worker)

    def test_missing_folder_is_an_error_with_advice(self):
        end, _ = self.compare(self.volume, output=self.worker.path("nowhere"))
        self.assertEqual((end["event"], end["kind"]), ("error", "environment"))
        self.assertIn("is missing. Start again.", end["message"])


class ModelTest(WorkerTestCase):
    """With an empty folder of the user's; the worker inherits it."""

    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(
            mock.patch.dict(
                os.environ, {"XDG_DATA_HOME": self.home, "APPDATA": self.home, "HOME": self.home}
            )
        )
        super().setUp()

    def add(self, request, **fields):
        self.worker.send({"request": request, "id": "one", **fields})
        return self.worker.event()

    def test_model_that_cannot_be_installed_is_refused_and_the_worker_continues(
        self,
    ):
        event = self.add("install", path=self.worker.path("mine.safetensors"))
        self.assertEqual((event["event"], event["kind"]), ("error", "model"))
        self.assertIn("no model “mine”", event["message"])
        self.assert_works(self.worker)

    def test_installed_model_can_be_used_at_once(self):
        if importlib.util.find_spec("torch") is None:
            self.skipTest("torch is not installed")
        from made_models import write_model

        write_model(self.worker.folder, "mine")
        event = self.add("install", path=self.worker.path("mine.json"))
        self.assertEqual((event["event"], event["name"], event["scale"]), ("result", "mine", 2))
        self.worker.upsample("two", options={"model": "mine", "device": "cpu"})
        self.assertEqual(self.worker.end_of_job()["provenance"]["model"]["name"], "mine")

    def test_package_is_checked_by_importing_it(self):
        event = self.add("check", name="matplotlib")
        self.assertEqual((event["state"], event["reason"]), ("usable", ""))
        self.assertEqual(event["version"], importlib.metadata.version("matplotlib"))
        self.assert_works(self.worker)

    def test_request_without_its_path_or_name_is_refused(self):
        for request, fields, words in (
            ("install", {}, "path"),
            ("import", {"path": "x.pth"}, "name"),
            ("check", {}, "name"),
        ):
            event = self.add(request, **fields)
            self.assertEqual((event["event"], event["kind"]), ("error", "request"))
            self.assertIn(words, event["message"])


class WarmTest(WorkerTestCase):
    double = "counting"

    def test_second_job_runs_in_the_same_process_with_the_same_registry(self):
        self.worker.upsample("one")
        self.worker.upsample("two")
        ends = [self.worker.end_of_job() for _ in range(2)]
        self.assertEqual(
            [end["provenance"] for end in ends],
            [{"calls": 1, "same_registry": True}, {"calls": 2, "same_registry": True}],
        )


class CancelTest(WorkerTestCase):
    double = "until_cancelled"

    def test_running_job_is_cancelled_without_output(self):
        self.worker.upsample("one")
        self.assertEqual(self.worker.event()["event"], "progress")
        self.worker.send({"request": "cancel", "id": "one"})
        self.assertEqual(self.worker.end_of_job(), {"event": "cancelled", "id": "one"})
        self.assertEqual(self.files(), ["input.npy"])

    def test_waiting_job_is_cancelled_before_it_starts(self):
        self.worker.upsample("one")
        self.worker.upsample("two")
        self.worker.send({"request": "cancel", "id": "two"})
        self.worker.send({"request": "cancel", "id": "one"})
        self.assertEqual([self.worker.end_of_job()["id"] for _ in range(2)], ["one", "two"])
        self.assertIsNone(self.worker.process.poll())

    def test_cancel_of_an_unknown_job_is_ignored(self):
        self.worker.send({"request": "cancel", "id": "nobody"})
        self.worker.send({"request": "cancel"})
        self.worker.upsample("one")
        self.assertEqual(self.worker.event()["event"], "progress")
        self.worker.send({"request": "cancel", "id": "one"})
        self.assertEqual(self.worker.end_of_job()["event"], "cancelled")


class ParentTest(WorkerTestCase):
    double = "deaf"

    def test_closed_stdin_ends_the_worker_during_a_job(self):
        self.worker.upsample("one")
        self.assertEqual(self.worker.event()["event"], "progress")
        events, _ = self.worker.close_stdin()
        self.assertEqual(events, [])
        self.assertEqual(self.worker.process.wait(), 0)
        self.assertEqual(self.files(), ["input.npy"])


class StdoutTest(WorkerTestCase):
    double = "talkative"

    def test_output_of_libraries_goes_to_the_log_and_not_between_events(self):
        self.worker.upsample("one")
        self.worker.send({"request": "stop"})
        events, log = self.worker.events_until_end()
        self.assertEqual([event["id"] for event in events], ["one"] * len(events))
        self.assertEqual(events[-1]["event"], "result")
        for text in ("a library prints this", "a C library writes this", "a program prints this"):
            self.assertIn(text, log)


class BadRequestTest(WorkerTestCase):
    def assert_error(self, kind, words, job_id=None):
        """One error event with a sentence for the user; the worker lives on."""
        event = self.worker.end_of_job()
        self.assertEqual((event["event"], event["id"], event["kind"]), ("error", job_id, kind))
        self.assertIn(words, event["message"])
        self.assertNotIn("Traceback", event["message"])
        self.assert_works(self.worker)

    def test_invalid_line_is_an_error_and_the_worker_continues(self):
        lines = [
            b"garbage",
            b"\xff\xfe\x00",
            b"[1, 2]",
            b'"text"',
            b"null",
            b"{}",
            b"[" * 100000,
            b'{"request": "upsample"',
        ]
        for line in lines:
            with self.subTest(line[:20]):
                self.worker.send_line(line)
                self.assert_error("request", "invalid line")

    def test_empty_lines_are_ignored(self):
        self.worker.send_line(b"")
        self.assert_works(self.worker)

    def test_unknown_request_is_an_error(self):
        for name in ("dance", None, ["upsample"], 7):
            with self.subTest(name):
                self.worker.send({"request": name})
                self.assert_error("request", "unknown request")

    def test_upsample_request_needs_all_fields(self):
        for fields in (
            {"id": 7},
            {"id": None},
            {"options": "bicubic"},
            {"input": None},
            {"output": 1},
            {"ijkToRAS": 1},
            {"ijkToRAS": [[1, 0], [0, 1]]},
            {"ijkToRAS": [[1, 0, 0]] * 4},
            {"ijkToRAS": IDENTITY[:3]},
            {"ijkToRAS": [["1"] * 4] * 4},
        ):
            with self.subTest(fields):
                self.worker.upsample("one", **fields)
                self.assert_error("request", next(iter(fields)))

    def test_second_job_with_the_same_id_is_refused(self):
        worker = self.start("until_cancelled")
        worker.upsample("one")
        worker.upsample("one")
        error = worker.end_of_job()
        self.assertEqual((error["event"], error["id"], error["kind"]), ("error", None, "request"))

    def test_invalid_options_are_an_error_of_the_job(self):
        self.worker.upsample("one", options={"scale": 3})
        self.assert_error("settings", "scale", "one")

    def test_missing_input_is_an_error_of_the_job(self):
        self.worker.upsample("one", input=self.worker.path("nothing.npy"))
        self.assert_error("input", "is missing", "one")

    def test_input_without_an_array_is_an_error_of_the_job(self):
        for content in (b"", b"no array at all", b"\x93NUMPY\x01\x00"):
            with self.subTest(content), open(self.worker.path("broken.npy"), "wb") as file:
                file.write(content)
                file.close()
                self.worker.upsample("one", input=file.name)
                self.assert_error("input", "is not readable", "one")

    def test_array_of_wrong_shape_is_an_error_of_the_job(self):
        for shape in ((4, 5), (2, 3, 4, 5), (0, 3, 3)):
            with self.subTest(shape):
                self.worker.upsample("one", np.zeros(shape))
                event = self.worker.end_of_job()
                self.assertEqual((event["event"], event["kind"]), ("error", "input"))

    def test_geometry_without_extent_is_an_error_of_the_job(self):
        self.worker.upsample(
            "one", ijkToRAS=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
        )
        self.assert_error("input", "position in space", "one")

    def test_output_that_cannot_be_written_is_an_error_of_the_job(self):
        os.mkdir(self.worker.path("folder"))
        self.worker.upsample("one", output=self.worker.path("folder"))
        self.assert_error("environment", "cannot be written", "one")


class FailingCoreTest(WorkerTestCase):
    def error_of(self, double):
        worker = self.start(double)
        worker.upsample("one")
        event = worker.end_of_job()
        self.assertEqual((event["event"], event["id"]), ("error", "one"))
        self.assertEqual(sorted(os.listdir(worker.folder)), ["input.npy"])
        self.assertIsNone(worker.process.poll())
        return event

    def test_memory_error_has_its_own_kind_and_gives_advice(self):
        event = self.error_of("out_of_memory")
        self.assertEqual(event["kind"], "memory")
        self.assertIn("crop the volume", event["message"])

    def test_bug_is_an_internal_error_with_the_traceback_in_the_log_only(self):
        event = self.error_of("buggy")
        self.assertEqual(event["kind"], "internal")
        self.assertNotIn("Traceback", event["message"])
        self.assertIn("ZeroDivisionError", event["log"])
        self.assertIn("in buggy", event["log"])

    def test_job_that_fails_while_writing_leaves_no_partial_file(self):
        self.assertEqual(self.error_of("halfway")["kind"], "internal")

    def test_output_larger_than_the_disk_is_refused_before_the_computation(self):
        event = self.error_of("too_large_for_the_disk")
        self.assertEqual(event["kind"], "environment")
        self.assertIn("cannot be written to the temporary folder", event["message"])
        self.assertIn("Free some space", event["message"])


if __name__ == "__main__":
    unittest.main()
