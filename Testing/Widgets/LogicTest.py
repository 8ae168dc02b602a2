"""The module's logic, as a script uses it."""

import importlib.util
import os
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
import slicer
from module_helpers import (
    double_worker,
    job_folders,
    make_volume,
    mute_error_log,
    node_ids,
    wait_for_end,
)
from MRISuperRes import MRISuperResLogic
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import default_comparison_methods
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE, ModelStore
from MRISuperResLib.worker.client import WorkerProcess
from MRISuperResLib.scene.comparison.maps import mapKinds
from MRISuperResLib.scene.tasks import TaskState
from panel_testing import wait_until

sys.path.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Core")
)  # made_models


class LogicTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume()
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_upsample_returns_the_output_node(self):
        output = self.logic.upsample(self.input, model="bicubic", scale=4)
        self.assertEqual(output.GetImageData().GetDimensions(), (20, 24, 7))
        self.assertEqual(job_folders(), [])

    def test_every_setting_reaches_the_core(self):
        output = self.logic.upsample(
            self.input, model="nearest", scale=2, sliceAxis="i", device="cpu"
        )
        self.assertEqual(output.GetImageData().GetDimensions(), (5, 12, 14))
        np.testing.assert_array_equal(
            slicer.util.arrayFromVolume(output)[::2, ::2], slicer.util.arrayFromVolume(self.input)
        )

    def test_given_output_volume_is_returned(self):
        output = make_volume(name="Mine")
        self.assertIs(self.logic.upsample(self.input, model="bicubic", outputVolume=output), output)

    def test_logics_share_one_worker(self):
        self.logic.upsample(self.input, model="bicubic")
        pid = self.logic.worker.pid
        other = MRISuperResLogic()
        other.upsample(self.input, model="bicubic")
        self.assertEqual(other.worker.pid, pid)

    def test_progress_is_reported_in_slices(self):
        reports = []
        self.logic.upsample(
            self.input,
            model="bicubic",
            progressCallback=lambda progress: reports.append((progress.done, progress.total)),
        )
        self.assertEqual((reports[0], reports[-1]), ((0, 7), (7, 7)))

    def test_progress_callback_cancels_by_returning_false(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        self.assertIsNone(
            logic.upsample(self.input, model="bicubic", progressCallback=lambda progress: False)
        )
        self.assertEqual(job_folders(), [])

    def test_error_in_the_progress_callback_cancels_and_is_raised(self):
        def fail(progress):
            raise ZeroDivisionError("in the callback")

        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        with self.assertRaisesRegex(ZeroDivisionError, "in the callback"):
            logic.upsample(self.input, model="bicubic", progressCallback=fail)
        self.assertFalse(logic.worker.isBusy)

    def test_invalid_input_raises_the_reason(self):
        labels = slicer.util.addVolumeFromArray(
            np.zeros((2, 3, 4), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
        )
        for node, words in ((None, "Choose an input volume"), (labels, "label map")):
            with self.assertRaisesRegex(RuntimeError, words):
                self.logic.upsample(node)

    def test_invalid_options_raise_the_reason(self):
        for settings, words in (
            ({"scale": 3}, "“scale” must be one of 2, 4, 8, or none, not 3"),
            ({"sliceAxis": "up"}, "“slice_axis” must be one of"),
            ({"device": "abacus"}, "“device” must be auto, cpu"),
            ({"model": "no-such-model"}, "no-such-model"),
        ):
            with self.subTest(settings), self.assertRaisesRegex(RuntimeError, words):
                self.logic.upsample(self.input, **settings)

    def test_failed_task_raises_the_reason(self):
        logic = MRISuperResLogic(worker=double_worker(self, "out_of_memory"))
        with self.assertRaisesRegex(RuntimeError, "Out of memory"):
            logic.upsample(self.input, model="bicubic")

    def test_crashed_worker_raises_an_error_and_the_next_task_works(self):
        logic = MRISuperResLogic(worker=double_worker(self, "crashing"))
        with self.assertRaisesRegex(RuntimeError, "ended unexpectedly"):
            logic.upsample(self.input, model="bicubic")
        self.assertIsNotNone(self.logic.upsample(self.input, model="bicubic"))

    def test_input_deleted_during_the_task_raises_the_reason(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        with self.assertRaisesRegex(RuntimeError, "input was deleted"):
            logic.upsample(
                self.input,
                model="bicubic",
                progressCallback=lambda progress: slicer.mrmlScene.RemoveNode(self.input),
            )

    def test_background_task_reports_its_end(self):
        ended = []
        task = self.logic.upsample(
            self.input, model="bicubic", waitForCompletion=False, onFinished=ended.append
        )
        self.assertTrue(task.isRunning)
        wait_until(lambda: ended)
        self.assertIs(task.state, TaskState.FINISHED)
        self.assertEqual(task.result.GetName(), "Fetus SR x2 bicubic")

    def test_background_task_can_be_cancelled(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        task = logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        task.cancel()
        wait_for_end(task)
        self.assertIs(task.state, TaskState.CANCELLED)

    def test_second_task_is_refused_and_the_first_continues(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        task = logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with self.assertRaisesRegex(RuntimeError, "Another task is running"):
            logic.upsample(self.input, model="bicubic")
        task.cancel()
        wait_for_end(task)
        self.assertEqual(job_folders(), [])


class CompareTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        mute_error_log(self)
        self.input = make_volume(size=(20, 18, 3))
        self.logic = MRISuperResLogic()

    @classmethod
    def tearDownClass(cls):
        MRISuperResLogic().worker.cleanup()

    def test_compare_returns_the_comparison(self):
        comparison = self.logic.compare(self.input, ["bicubic", "bicubic+bp"])
        self.assertEqual(tuple(comparison.outputs), ("bicubic", "bicubic+bp"))
        self.assertGreater(
            comparison.table.mean("bicubic+bp", "psnr"), comparison.table.mean("bicubic", "psnr")
        )
        self.assertEqual(job_folders(), [])

    def test_every_setting_reaches_the_core(self):
        settings = {
            "scale": 2,
            "reference": True,
            "sliceAxis": "j",
            "device": "cpu",
            "degradation": "kspace",
            "noise": 3.0,
            "seed": 5,
        }
        comparison = self.logic.compare(
            make_volume(size=(20, 18, 12)), ("nearest", "bicubic"), **settings
        )
        settings["slice_axis"] = settings.pop("sliceAxis")
        self.assertEqual(comparison.options, ComparisonOptions(("nearest", "bicubic"), **settings))
        self.assertEqual(comparison.axis.name, "j")
        self.assertEqual(comparison.low.GetImageData().GetDimensions(), (10, 18, 6))

    def test_scores_depend_on_the_seed_of_the_noise_alone(self):
        tables = [
            self.logic.compare(
                self.input, ("nearest", "bicubic"), noise=5.0, seed=seed
            ).table.to_dict()
            for seed in (1, 1, 2)
        ]
        self.assertEqual(tables[0], tables[1])
        self.assertNotEqual(tables[0], tables[2])

    def test_default_methods_are_compared_if_none_are_given(
        self,
    ):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        task = logic.compare(self.input, scale=4, waitForCompletion=False)
        task.cancel()
        wait_for_end(task)
        self.assertEqual(
            task.strategy._options.methods, default_comparison_methods(4, ModelStore())
        )

    def test_models_of_a_pair_and_their_blend_can_be_compared_and_used(self):
        if importlib.util.find_spec("torch") is None:
            self.skipTest("torch is not installed")
        from made_models import write_model

        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(os.environ, {FOLDERS_VARIABLE: folder}),
        ):
            for stage in ("psnr", "gan"):
                write_model(folder, f"net-{stage}", stage=stage, seed=len(stage), pair="net")
            worker = WorkerProcess()
            self.addCleanup(worker.cleanup)
            logic = MRISuperResLogic(worker=worker)
            comparison = logic.compare(
                self.input, ("net-psnr", "net-gan", "net@0.5", "net-gan+bp"), device="cpu"
            )
            partners = {
                method: node.GetAttribute("MRISuperRes.Partner")
                for method, node in comparison.outputs.items()
            }
            self.assertEqual(
                partners,
                {
                    "net-psnr": None,
                    "net-gan": "net-psnr",
                    "net@0.5": "net-psnr",
                    "net-gan+bp": "net-psnr",
                },
            )
            self.assertIn("hallucination", [kind.key for kind in mapKinds(comparison)])
            self.assertLess(
                comparison.table.mean("net-gan+bp", "inconsistency"),
                comparison.table.mean("net-gan", "inconsistency"),
            )
            output = logic.upsample(self.input, model="net@0.5", device="cpu")
            self.assertEqual(output.GetAttribute("MRISuperRes.Model"), "net@0.5")

    def test_progress_is_reported_and_can_cancel(self):
        reports = []
        self.logic.compare(
            self.input,
            ("nearest", "bicubic"),
            progressCallback=lambda progress: reports.append((progress.done, progress.total)),
        )
        self.assertEqual(
            (reports[0], reports[-1]), ((0, 4), (4, 4))
        )  # three slices, and one with synthetic lesions
        before = node_ids()
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        self.assertIsNone(
            logic.compare(
                self.input, ("nearest", "bicubic"), progressCallback=lambda progress: False
            )
        )
        self.assertEqual(node_ids(), before)

    def test_invalid_input_and_options_raise_the_reason(self):
        with self.assertRaisesRegex(RuntimeError, "Choose an input volume"):
            self.logic.compare(None)
        for settings, words in (
            ({"methods": ["bicubic"]}, "2 to 8 methods"),
            ({"methods": ["bicubic"] * 2}, "Listed twice"),
            ({"scale": 3}, "“scale” must be one of 2, 4, 8, not 3"),
            ({"noise": 21}, "“noise” must be a number from 0 to 20"),
            ({"perceptual": "taste"}, "perceptual"),
            ({"degradation": "age"}, "degradation"),
            ({"methods": ["bicubic", "no-such-model"]}, "no-such-model"),
        ):
            with self.subTest(settings), self.assertRaisesRegex(RuntimeError, words):
                self.logic.compare(self.input, **settings)

    def test_background_task_reports_its_end(self):
        ended = []
        task = self.logic.compare(
            self.input, ("nearest", "bicubic"), waitForCompletion=False, onFinished=ended.append
        )
        self.assertTrue(task.isRunning)
        wait_until(lambda: ended)
        self.assertEqual(task.result.title, "Comparison of Fetus x2")

    def test_comparison_is_refused_during_upsampling(self):
        logic = MRISuperResLogic(worker=double_worker(self, "until_cancelled"))
        task = logic.upsample(self.input, model="bicubic", waitForCompletion=False)
        with self.assertRaisesRegex(RuntimeError, "Another task is running"):
            logic.compare(self.input, ("nearest", "bicubic"))
        task.cancel()
        wait_for_end(task)


if __name__ == "__main__":
    unittest.main()
