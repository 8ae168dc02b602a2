"""Faults of the worker's environment: each is an error with one sentence, and leaves no files."""

import errno
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE
from worker_client import IDENTITY, WorkerClient
from worker_in_process import answers

sys.path.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Core")
)  # made_models


class ProcessTest(unittest.TestCase):
    def start(self, *arguments, **options):
        worker = WorkerClient(*arguments, **options)
        self.addCleanup(worker.close)
        return worker

    def test_missing_numpy_is_an_error_and_the_worker_continues(self):
        worker = self.start(prelude="sys.modules['numpy'] = None")
        worker.upsample("one")
        event = worker.end_of_job()
        self.assertEqual((event["event"], event["kind"]), ("error", "packages"))
        self.assertRegex(
            event["message"],
            r"^A Python package cannot be imported \(.*numpy.*\)\. Install it, or reinstall the "
            r"application\.$",
        )
        self.assertIsNone(worker.process.poll())

    def test_failed_gpu_is_an_error_and_ends_the_worker(self):
        worker = self.start("losing_the_gpu")
        worker.upsample("one")
        events, _ = worker.events_until_end()
        self.assertEqual(
            [(event["event"], event["id"]) for event in events],
            [("progress", "one"), ("error", "one")],
        )
        self.assertEqual(events[-1]["kind"], "device")
        self.assertEqual(
            events[-1]["message"],
            "The GPU failed (CUDA error: unspecified launch failure); nothing was changed. Start "
            "again. If it fails again, choose the device cpu and restart the computer.",
        )
        self.assertEqual(worker.process.wait(), 0)
        self.assertEqual(os.listdir(worker.folder), ["input.npy"])

    def run_in_a_folder(self):
        """A worker in the middle of a job, and the folder of that."""
        worker = self.start("deaf")
        folder = worker.path("MRISuperRes-job")
        os.mkdir(folder)
        for name in ("input.npy", "output.npy"):
            Path(folder, name).write_bytes(b"voxels")
        worker.upsample("one", folder=folder)
        self.assertEqual(worker.event()["event"], "progress")
        return worker, folder

    def test_job_folder_is_deleted_when_the_parent_dies(self):
        worker, folder = self.run_in_a_folder()
        worker.close_stdin()
        self.assertEqual(worker.process.wait(), 0)
        self.assertFalse(os.path.exists(folder))

    def test_folder_that_no_request_names_is_kept(self):
        worker = self.start("deaf")
        worker.upsample("one")
        worker.event()
        worker.close_stdin()
        worker.process.wait()
        self.assertEqual(os.listdir(worker.folder), ["input.npy"])

    def test_broken_pipe_ends_the_worker_and_deletes_the_job_folder(self):
        worker = self.start()
        folder = worker.path("MRISuperRes-job")
        os.mkdir(folder)
        worker.process.stdout.close()
        worker.upsample("one", folder=folder)
        self.assertEqual(worker.process.wait(), 1)
        self.assertFalse(os.path.exists(folder))


class InProcess(unittest.TestCase):
    """A job for a small volume; `fault` is a context in which it fails."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.input, self.output = (
            os.path.join(self.folder, "input.npy"),
            os.path.join(self.folder, "output.npy"),
        )
        np.save(self.input, np.arange(4 * 16 * 16, dtype=np.int16).reshape(4, 16, 16))

    def request(self, **fields):
        return json.dumps(
            {
                "request": "upsample",
                "id": "one",
                "options": {"model": "bicubic"},
                "input": self.input,
                "output": self.output,
                "ijkToRAS": IDENTITY,
                **fields,
            }
        ).encode()

    def assert_error(self, kind, pattern, **fields):
        """One sentence, no output, and the next job has a result."""
        request, again = (
            self.request(**fields),
            self.request(id="again", output=os.path.join(self.folder, "again.npy")),
        )
        with self.fault:
            *_, end = answers([request])
        self.assertEqual((end["event"], end.get("kind")), ("error", kind), end)
        self.assertRegex(end["message"], pattern)
        self.assertNotIn("Traceback", end["message"])
        self.assertFalse(os.path.exists(self.output))
        self.assertEqual(answers([again])[-1]["event"], "result")


class StageTest(InProcess):
    """Doubles inside the core."""

    def test_out_of_memory_is_an_error_at_every_stage(self):
        for stage, target in (
            ("reading", "numpy.load"),
            ("intensities", "numpy.percentile"),
            (
                "the network",
                "MRISuperResLib.core.methods.interpolation.InterpolationMethod.__call__",
            ),
            ("the output", "numpy.lib.format.open_memmap"),
            ("writing", "numpy.memmap.flush"),
            ("geometry", "MRISuperResLib.core.upsampling.choose_slice_axis"),
        ):
            self.fault = mock.patch(target, side_effect=MemoryError)
            with self.subTest(stage):
                self.assert_error("memory", "^Out of memory")

    def test_out_of_memory_in_a_comparison_is_an_error_and_the_worker_continues(self):
        target = os.path.join(self.folder, "comparison")
        os.mkdir(target)
        for stage, where in (
            ("reading", "numpy.load"),
            ("intensities", "numpy.percentile"),
            ("scores", "MRISuperResLib.core.comparison.scores.SliceScores.of"),
            ("the reference", "MRISuperResLib.worker.jobs.write_array"),
        ):
            self.fault = mock.patch(where, side_effect=MemoryError)
            with self.subTest(stage):
                self.assert_error(
                    "memory",
                    "^Out of memory",
                    request="compare",
                    options={"methods": ["nearest", "bicubic"]},
                    output=target,
                )

    def assert_error_of_map(self, number, kind, pattern):
        self.fault = mock.patch(
            "numpy.lib.format.open_memmap", side_effect=OSError(number, os.strerror(number))
        )
        self.assert_error(kind, pattern)

    def test_full_disk_missing_folder_and_failed_mapping_are_distinguished(
        self,
    ):
        self.assert_error_of_map(
            errno.ENOSPC,
            "environment",
            "cannot be written to the temporary folder .*Free some space there",
        )
        self.assert_error_of_map(
            errno.ENOENT,
            "environment",
            "^The temporary folder of this task is missing. Start again",
        )
        self.assert_error_of_map(errno.ENOMEM, "memory", "^Out of memory for the output")

    def test_temporary_folder_that_disappears_is_an_error(self):
        with mock.patch(
            "MRISuperResLib.core.masking.missing_voxels",
            lambda *arguments: shutil.rmtree(self.folder),
        ):
            end = answers([self.request()])[-1]
        self.assertEqual(
            (end["event"], end["message"]),
            ("error", "The temporary folder of this task is missing. Start again."),
        )
        os.mkdir(self.folder)


class ModelTest(InProcess):
    """A model whose files are not what they should be."""

    def setUp(self):
        from made_models import write_model

        super().setUp()
        self.models = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.fault = mock.patch.dict(os.environ, {FOLDERS_VARIABLE: str(self.models)})
        write_model(self.models, "mine")
        self.weights, self.card = self.models / "mine.safetensors", self.models / "mine.json"

    def assert_refused(self, kind, pattern, **options):
        self.assert_error(kind, pattern, options={"model": "mine", "device": "cpu", **options})

    def test_unreadable_weights_are_an_error(self):
        self.weights.unlink()
        self.weights.mkdir()
        self.assert_refused(
            "model", "^The weights of the model mine cannot be read .*Install the model again"
        )

    def test_unreadable_card_is_an_error(self):
        self.card.unlink()
        self.assert_refused("model", "card .* cannot be used.*Install the model again")

    def test_weights_with_another_hash_are_an_error(self):
        self.weights.write_bytes(self.weights.read_bytes() + b"!")
        self.assert_refused("model", "SHA-256 differs")

    def test_model_of_another_scale_is_an_error(self):
        self.assert_refused("settings", "The model mine upsamples ×2, not ×4", scale=4)

    def test_removed_model_is_an_error(self):
        self.weights.unlink()
        self.assert_refused("model", "There is no model “mine”")


if __name__ == "__main__":
    unittest.main()
