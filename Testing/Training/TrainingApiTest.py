"""The public Python API of the training."""

import subprocess
import sys
import unittest
import os
from unittest import mock

from made_runs import RunTest, settings
from made_volumes import tissue, write
import MRISuperResTrainingLib as srt
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResTrainingLib.training import trainer


class LazyImportTest(unittest.TestCase):
    def test_importing_the_package_loads_no_heavy_library(self):
        code = (
            "import sys, MRISuperResTrainingLib as srt; "
            "heavy = {'torch', 'nibabel', 'pydicom', 'scipy', 'accelerate', 'psutil', 'numpy'}; "
            "print(sorted(heavy & set(sys.modules)))"
        )
        found = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.assertEqual((found.stdout, found.stderr), ("[]\n", ""))

    def test_the_record_of_a_run_loads_neither_torch_nor_psutil(self):
        code = (
            "import sys; sys.modules['psutil'] = sys.modules['torch'] = None; "
            "from MRISuperResTrainingLib.runs.record import runs_in; print(runs_in('nowhere'))"
        )
        found = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.assertEqual((found.stdout, found.stderr), ("[]\n", ""))

    def test_every_exported_name_exists(self):
        for name in srt.__all__:
            self.assertIsNotNone(getattr(srt, name), name)
        with self.assertRaises(AttributeError):
            srt.nothing  # noqa: B018


class ApiTest(RunTest):
    def test_train_evaluate_and_export_in_three_calls(self):
        self.volumes()
        events, reports, messages = [], [], []
        run = srt.train(
            self.folder / "data",
            self.folder / "run",
            settings(),
            cache=self.folder / "cache",
            on_event=lambda event: events.append(event["event"]),
            on_progress=reports.append,
        )
        self.assertEqual((events[0], events[-1]), ("start", "end"))
        self.assertEqual((reports[-1].done, reports[-1].total), (24, 24))
        self.assertTrue((run.models / "gan-best.safetensors").exists())
        evaluation = srt.evaluate(run=run.path, on_message=messages.append)
        (scores,) = evaluation.volumes
        self.assertEqual(scores.scale, 2)
        self.assertLessEqual({"bicubic", "psnr-best", "gan-best"}, set(scores.table.methods))
        cards = srt.export(
            run.path, "tiny", self.folder / "models", measure=False, on_message=messages.append
        )
        self.assertEqual([card.name for card in cards], ["tiny-psnr", "tiny-gan"])
        self.assertEqual(messages, [])

    def test_skipped_files_are_warnings_of_the_run(self):
        self.volumes()
        (self.folder / "list.txt").write_text("data/a.nii.gz\ndata/b.nii.gz\ndata/gone.nii.gz\n")
        run = srt.train(
            self.folder / "list.txt", self.folder / "run", settings(gan=None),
            cache=self.folder / "cache",
        )  # fmt: skip
        (message,) = (m for m in run.description()["messages"] if "gone.nii.gz" in m["text"])
        self.assertEqual((message["level"], message["code"]), ("warning", "data"))

    def test_a_run_on_too_few_slices_to_hold_any_out_says_so(self):
        path = write(self.folder / "data" / "a.nii.gz", tissue(1, (2, 48, 56)))
        with mock.patch.object(trainer, "_Run"):  # the data decide, not the training
            run = srt.train(path, self.folder / "run", settings(), cache=self.folder / "cache")
        texts = [message["text"] for message in run.description()["messages"]]
        self.assertEqual([text for text in texts if "held out" in text], [texts[0]])
        self.assertRegex(texts[0], "fewer than 3 slices, so none is held out")
        with self.assertRaisesRegex(SuperResolutionError, "held out no subject. Name volumes of"):
            srt.evaluate(run=run.path)

    def test_training_volumes_are_not_evaluated(self):
        source = srt.Source(self.volumes()[0].path, "a", use="train")
        with self.assertRaisesRegex(SuperResolutionError, "Nothing|no volume|No volume"):
            srt.evaluate([source], models=["fast-x2-psnr"], out=self.folder / "out")

    def test_an_evaluation_needs_volumes_or_a_run(self):
        with self.assertRaisesRegex(SuperResolutionError, "Name the volumes to evaluate, or a run"):
            srt.evaluate(models=["fast-x2-psnr"])


if __name__ == "__main__":
    unittest.main()
