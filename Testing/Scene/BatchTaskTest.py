"""A task over several volumes, with a worker double."""

import unittest

import numpy as np
import slicer
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.scene.batch import BatchTask
from MRISuperResLib.scene.tasks import TaskState
from scene_helpers import WorkerDouble, corners_ras, make_volume, node_ids

OPTIONS = UpsamplingOptions(model="bicubic", scale=2)


def texts(task):
    return [message.text for message in task.messages]


class BatchTaskTest(unittest.TestCase):
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
            OPTIONS,
            self.progress.append,
            self.ended.append,
            lambda task: self.changes.append([result.state for result in task.results]),
        )

    def assert_ended(self, task, state, words=""):
        self.assertEqual(self.ended, [task])
        self.assertIs(task.state, state)
        self.assertIn(words, task.message)
        self.assertFalse(self.worker.isBusy)

    def fail_volume(self, kind="memory", message="Too large."):
        with self.assertLogs(level="ERROR"):
            self.worker.end("error", kind=kind, message=message, log="")

    def outputs(self, task):
        return [result.outputNode and result.outputNode.GetName() for result in task.results]

    def test_volumes_are_upsampled_one_after_the_other(self):
        task = self.start()
        for _volume in self.volumes:
            self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(
            self.outputs(task), ["A SR x2 bicubic", "B SR x2 bicubic", "C SR x2 bicubic"]
        )
        for volume, result in zip(self.volumes, task.results):
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
        self.assertEqual(
            [(report.done, report.total) for report in self.progress], [(0, 20), (9, 20)]
        )

    def test_failed_volume_does_not_stop_the_others(self):
        task = self.start()
        self.worker.finish()
        self.fail_volume()
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(self.outputs(task), ["A SR x2 bicubic", None, "C SR x2 bicubic"])
        self.assertEqual(
            (task.results[1].state, texts(task)), (TaskState.FAILED, ["“B”: Too large."])
        )

    def test_volumes_with_the_same_reason_share_a_message(self):
        task = self.start()
        for message in ("Too large.", "Too small.", "Too large."):
            self.fail_volume(message=message)
        self.assertEqual(texts(task), ["“A”, “C”: Too large.", "“B”: Too small."])

    def test_crash_of_the_worker_fails_one_volume(self):
        task = self.start()
        self.fail_volume("crash", "The worker process ended unexpectedly.")
        self.worker.finish()
        self.worker.finish()
        self.assertEqual(self.outputs(task), [None, "B SR x2 bicubic", "C SR x2 bicubic"])

    def test_error_that_concerns_all_volumes_fails_the_task(self):
        for kind in ("environment", "packages", "device"):
            with self.subTest(kind):
                self.setUp()
                task = self.start()
                self.worker.finish()
                self.fail_volume(kind, "PyTorch is missing.")
                self.assert_ended(task, TaskState.FAILED, "PyTorch is missing.")
                self.assertEqual(task.errorKind, kind)
                self.assertEqual(
                    [result.message for result in task.results],
                    ["", "PyTorch is missing.", "Not started."],
                )

    def test_cancel_keeps_finished_outputs(self):
        task = self.start()
        self.worker.finish()
        task.cancel()
        self.assertEqual(self.worker.cancelCount, 1)
        self.worker.end("cancelled")
        self.assert_ended(
            task, TaskState.CANCELLED, "Cancelled: 1 of 3 volumes were upsampled and are kept."
        )
        self.assertEqual(self.outputs(task), ["A SR x2 bicubic", None, None])
        self.assertEqual(
            [result.message for result in task.results], ["", "Cancelled.", "Not started."]
        )

    def test_worker_that_the_application_ended_is_not_started_again(self):
        task = self.start()
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "Cancelled: 0 of 3 volumes were upsampled")

    def test_deleted_volumes_are_skipped(self):
        task = self.start()
        slicer.mrmlScene.RemoveNode(self.volumes[1])
        slicer.mrmlScene.RemoveNode(self.volumes[0])
        self.worker.end("cancelled")
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(self.outputs(task), [None, None, "C SR x2 bicubic"])
        self.assertEqual(
            texts(task),
            ["“A”: Cancelled: the input was deleted.", "“B”: The volume was deleted."],
        )

    def test_closed_scene_cancels_the_task(self):
        task = self.start()
        self.worker.finish()
        slicer.mrmlScene.Clear(0)
        next_ = [make_volume(name=f"Next {n}") for n in range(4)]
        before = node_ids()
        self.worker.end("cancelled")
        self.assert_ended(task, TaskState.CANCELLED, "scene was closed")
        self.assertEqual((node_ids(), self.outputs(task)), (before, [None] * 3))
        self.assertEqual(len(next_), 4)

    def test_volumes_that_cannot_be_upsampled_fail_with_a_reason(self):
        self.volumes[1].SetAndObserveImageData(None)
        task = self.start()
        self.worker.finish()
        self.worker.finish()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertIn("has no voxels", task.results[1].message)

    def test_task_without_any_usable_volume_ends_at_once(self):
        for volume in self.volumes:
            volume.SetAndObserveImageData(None)
        task = self.start()
        self.assert_ended(task, TaskState.FINISHED)
        self.assertEqual(len(task.messages), 3)

    def test_no_volumes_and_a_busy_worker_are_refused(self):
        for nodes in ([], [None], iter(())):
            with self.assertRaisesRegex(SuperResolutionError, "Choose at least one volume"):
                BatchTask(self.worker, nodes, OPTIONS)
        self.start()
        with self.assertRaisesRegex(RuntimeError, "Another task is running"):
            BatchTask(self.worker, self.volumes, OPTIONS)

    def test_deleted_output_is_none(self):
        task = self.start()
        for _volume in self.volumes:
            self.worker.finish()
        slicer.mrmlScene.RemoveNode(task.results[0].outputNode)
        self.assertEqual(self.outputs(task), [None, "B SR x2 bicubic", "C SR x2 bicubic"])


if __name__ == "__main__":
    unittest.main()
