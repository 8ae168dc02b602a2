"""A run over several volumes, with a worker that does what the test says."""

import unittest

import numpy as np
import slicer
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.batch import BatchTask
from MRISuperResLib.scene.tasks import TaskState
from scene_helpers import WorkerDouble, corners_ras, make_volume, node_ids

JOB = UpsamplingOptions(model="bicubic", scale=2)


class ManyJobTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.worker = WorkerDouble()
        self.ended, self.progress, self.changes = [], [], []
        self.volumes = [
            make_volume(name=name, size=size)
            for name, size in (("A", (5, 6, 7)), ("B", (6, 5, 4)), ("C", (4, 4, 9)))
        ]

    def start(self):
        return BatchTask(
            self.worker,
            self.volumes,
            JOB,
            lambda *progress: self.progress.append(progress),
            self.ended.append,
            lambda job: self.changes.append([result.state for result in job.results]),
        )

    def assert_ended(self, job, state, words=""):
        self.assertEqual(self.ended, [job])
        self.assertIs(job.state, state)
        self.assertIn(words, job.message)
        self.assertFalse(self.worker.isBusy)

    def fail_volume(self, kind="memory", message="Too large."):
        with self.assertLogs(level="ERROR"):
            self.worker.end("error", kind=kind, message=message, log="")

    def outputs(self, job):
        return [result.outputNode and result.outputNode.GetName() for result in job.results]

    def test_volumes_are_upsampled_one_after_the_other(self):
        job = self.start()
        for _volume in self.volumes:
            self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(
            self.outputs(job), ["A SR x2 bicubic", "B SR x2 bicubic", "C SR x2 bicubic"]
        )
        for volume, result in zip(self.volumes, job.results):
            np.testing.assert_allclose(
                corners_ras(result.outputNode), corners_ras(volume), atol=1e-9
            )
        running, done = TaskState.RUNNING, TaskState.FINISHED
        self.assertEqual(
            self.changes,
            [
                [running, None, None],
                [done, None, None],
                [done, running, None],
                [done, done, None],
                [done, done, running],
                [done] * 3,
                [done] * 3,
            ],
        )

    def test_progress_counts_the_slices_of_all_volumes(self):
        self.start()
        self.worker.progress(0, 7)
        self.worker.finish()
        self.worker.progress(2, 4)
        self.assertEqual([report[:2] for report in self.progress], [(0, 20), (9, 20)])

    def test_a_volume_that_fails_does_not_stop_the_rest(self):
        job = self.start()
        self.worker.finish()
        self.fail_volume()
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(self.outputs(job), ["A SR x2 bicubic", None, "C SR x2 bicubic"])
        self.assertEqual(
            (job.results[1].state, job.messages), (TaskState.FAILED, ["“B”: Too large."])
        )

    def test_the_same_reason_is_told_once_for_all_its_volumes(self):
        job = self.start()
        for message in ("Too large.", "Too small.", "Too large."):
            self.fail_volume(message=message)
        self.assertEqual(job.messages, ["“A”, “C”: Too large.", "“B”: Too small."])

    def test_a_worker_that_dies_costs_one_volume(self):
        job = self.start()
        self.fail_volume("crash", "The worker process ended unexpectedly.")
        self.worker.finish()
        self.worker.finish()
        self.assertEqual(self.outputs(job), [None, "B SR x2 bicubic", "C SR x2 bicubic"])

    def test_what_all_volumes_would_miss_ends_the_run(self):
        for kind in ("environment", "packages", "device"):
            with self.subTest(kind):
                self.setUp()
                job = self.start()
                self.worker.finish()
                self.fail_volume(kind, "PyTorch is missing.")
                self.assert_ended(job, TaskState.FAILED, "PyTorch is missing.")
                self.assertEqual(job.errorKind, kind)
                self.assertEqual(
                    [result.message for result in job.results],
                    ["", "PyTorch is missing.", "Not begun."],
                )

    def test_cancel_keeps_what_is_finished_and_says_so(self):
        job = self.start()
        self.worker.finish()
        job.cancel()
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.end("cancelled")
        self.assert_ended(
            job, TaskState.CANCELLED, "Cancelled: 1 of 3 volumes are finished and stay."
        )
        self.assertEqual(self.outputs(job), ["A SR x2 bicubic", None, None])
        self.assertEqual(
            [result.message for result in job.results], ["", "Cancelled.", "Not begun."]
        )

    def test_worker_that_is_ended_by_the_application_is_not_started_again(self):
        job = self.start()
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "Cancelled: 0 of 3 volumes are finished")

    def test_volume_that_is_deleted_before_or_in_its_turn_is_passed_over(self):
        job = self.start()
        slicer.mrmlScene.RemoveNode(self.volumes[1])
        slicer.mrmlScene.RemoveNode(self.volumes[0])
        self.worker.end("cancelled")
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(self.outputs(job), [None, None, "C SR x2 bicubic"])
        self.assertEqual(
            job.messages,
            ["“A”: Cancelled: the input volume was deleted.", "“B”: The volume was deleted."],
        )

    def test_closed_scene_ends_the_run(self):
        job = self.start()
        self.worker.finish()
        slicer.mrmlScene.Clear(0)
        next_ = [make_volume(name=f"Next {n}") for n in range(4)]
        before = node_ids()
        self.worker.end("cancelled")
        self.assert_ended(job, TaskState.CANCELLED, "scene was closed")
        self.assertEqual((node_ids(), self.outputs(job)), (before, [None] * 3))
        self.assertEqual(len(next_), 4)

    def test_volumes_that_cannot_be_upsampled_are_told_of(self):
        self.volumes[1].SetAndObserveImageData(None)
        job = self.start()
        self.worker.finish()
        self.worker.finish()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertIn("holds no image", job.results[1].message)

    def test_run_without_one_volume_that_can_be_upsampled_ends_at_once(self):
        for volume in self.volumes:
            volume.SetAndObserveImageData(None)
        job = self.start()
        self.assert_ended(job, TaskState.FINISHED)
        self.assertEqual(len(job.messages), 3)

    def test_no_volumes_and_a_busy_worker_are_refused(self):
        for nodes in ([], [None], iter(())):
            with self.assertRaisesRegex(SuperResolutionError, "Choose one volume"):
                BatchTask(self.worker, nodes, JOB)
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another volume is being processed"):
            BatchTask(self.worker, self.volumes, JOB)

    def test_output_that_was_deleted_since_is_none(self):
        job = self.start()
        for _volume in self.volumes:
            self.worker.finish()
        slicer.mrmlScene.RemoveNode(job.results[0].outputNode)
        self.assertEqual(self.outputs(job), [None, "B SR x2 bicubic", "C SR x2 bicubic"])


if __name__ == "__main__":
    unittest.main()
