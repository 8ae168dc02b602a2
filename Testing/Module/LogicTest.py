"""The module's logic, as a script uses it."""

import unittest

import numpy as np
import slicer
from module_helpers import double_worker, job_folders, make_volume, mute_error_log, wait_for_end
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.mrml.scene_job import JobState
from slicerhost.testing import wait_until


class LogicTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume()
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_upscale_returns_the_output_node(self):
        output = self.logic.upscale(self.input, model="bicubic", scale=4)
        self.assertEqual(output.GetImageData().GetDimensions(), (20, 24, 7))
        self.assertEqual(job_folders(), [])

    def test_every_setting_reaches_the_core(self):
        output = self.logic.upscale(self.input, model="nearest", scale=2, axis="i", device="cpu")
        self.assertEqual(output.GetImageData().GetDimensions(), (5, 12, 14))
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(output)[::2, ::2], slicer.util.arrayFromVolume(self.input))

    def test_given_output_volume_is_returned(self):
        output = make_volume(name="Mine")
        self.assertIs(self.logic.upscale(self.input, model="bicubic", outputVolume=output), output)

    def test_the_worker_stays_warm_for_other_logics(self):
        self.logic.upscale(self.input, model="bicubic")
        pid = self.logic.worker.pid
        other = MRISuperResLogic()
        other.upscale(self.input, model="bicubic")
        self.assertEqual(other.worker.pid, pid)

    def test_progress_is_reported_in_slices(self):
        reports = []
        self.logic.upscale(self.input, model="bicubic", progressCallback=lambda done, total: reports.append((done, total)))
        self.assertEqual((reports[0], reports[-1]), ((0, 7), (7, 7)))

    def test_progress_callback_that_returns_false_cancels(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        self.assertIsNone(logic.upscale(self.input, model="bicubic", progressCallback=lambda done, total: False))
        self.assertEqual(job_folders(), [])

    def test_error_in_the_progress_callback_cancels_and_reaches_the_script(self):
        def fail(done, total):
            raise ZeroDivisionError("in the callback")
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        with self.assertRaisesRegex(ZeroDivisionError, "in the callback"):
            logic.upscale(self.input, model="bicubic", progressCallback=fail)
        self.assertFalse(logic.worker.isBusy)

    def test_impossible_input_raises_the_sentence(self):
        labels = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode")
        for node, words in ((None, "Choose an input volume"), (labels, "label map")):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.upscale(node)

    def test_impossible_settings_raise_the_sentence(self):
        for settings, words in (({"scale": 3}, "scale must be"), ({"axis": "up"}, "slice direction"), ({"device": "abacus"}, "no device"),
                                ({"model": "no-such-model"}, "no-such-model")):
            with self.subTest(settings), self.assertRaisesRegex(RuntimeError, words):
                self.logic.upscale(self.input, **settings)

    def test_failed_run_raises_the_sentence_of_the_worker(self):
        logic = MRISuperResLogic(worker=double_worker(self, "out_of_memory"))
        with self.assertRaisesRegex(RuntimeError, "memory of this computer is not enough"):
            logic.upscale(self.input, model="bicubic")

    def test_worker_that_dies_raises_a_sentence_and_the_next_run_works(self):
        logic = MRISuperResLogic(worker=double_worker(self, "crashing"))
        with self.assertRaisesRegex(RuntimeError, "ended unexpectedly"):
            logic.upscale(self.input, model="bicubic")
        self.assertIsNotNone(self.logic.upscale(self.input, model="bicubic"))

    def test_input_that_is_deleted_meanwhile_raises_the_sentence(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        with self.assertRaisesRegex(RuntimeError, "input volume was deleted"):
            logic.upscale(self.input, model="bicubic", progressCallback=lambda done, total: slicer.mrmlScene.RemoveNode(self.input))

    def test_run_in_the_background_is_a_job_that_tells_its_end(self):
        ended = []
        job = self.logic.upscale(self.input, model="bicubic", waitForCompletion=False, onFinished=ended.append)
        self.assertTrue(job.isRunning)
        wait_until(lambda: ended)
        self.assertIs(job.state, JobState.FINISHED)
        self.assertEqual(job.outputNode.GetName(), "Fetus SR x2 bicubic")

    def test_run_in_the_background_can_be_cancelled(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        job = logic.upscale(self.input, model="bicubic", waitForCompletion=False)
        job.cancel()
        wait_for_end(job)
        self.assertIs(job.state, JobState.CANCELLED)

    def test_second_run_while_one_is_running_is_refused_and_does_it_no_harm(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        job = logic.upscale(self.input, model="bicubic", waitForCompletion=False)
        with self.assertRaisesRegex(RuntimeError, "Another volume is being processed"):
            logic.upscale(self.input, model="bicubic")
        job.cancel()
        wait_for_end(job)
        self.assertEqual(job_folders(), [])


if __name__ == "__main__":
    unittest.main()
