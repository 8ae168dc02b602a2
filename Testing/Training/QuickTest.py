"""The preset quick: two volumes, two stages, two models, on the CPU and without VGG."""

import os
import unittest
from unittest import mock

import made_volumes
from made_runs import RunTest
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.models.store import FOLDERS_VARIABLE as MODELS_VARIABLE
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResTrainingLib.__main__ import main


class QuickTest(RunTest):
    def test_two_volumes_give_a_pair_that_beats_bicubic_on_the_held_out_one(
        self,
    ):
        for seed, name in enumerate(("first", "second")):
            made_volumes.write(
                self.folder / "data" / f"{name}.nii.gz", made_volumes.tissue(seed, (6, 96, 112))
            )
        run, models = self.folder / "run", self.folder / "models"
        self.enterContext(mock.patch.dict(os.environ, {MODELS_VARIABLE: str(models)}))
        self.assertEqual(
            main(
                [
                    "train",
                    str(self.folder / "data"),
                    "--preset",
                    "quick",
                    "--scale",
                    "2",
                    "--run",
                    str(run),
                    "--cache",
                    str(self.folder / "cache"),
                ]
            ),
            0,
        )
        self.assertEqual(main(["export", str(run), "--name", "quick", "--to", str(models)]), 0)

        losses = [
            event["losses"]["content"]
            for event in self.events(kind="step")
            if event["stage"] == "psnr"
        ]
        self.assertLess(sum(losses[-5:]), 0.7 * sum(losses[:5]))
        held = self.events(kind="validation")
        self.assertGreater(held[-1]["scores"]["contrast"], held[-1]["bicubic"]["contrast"])
        name = ModelStore().model("quick-psnr").card.metrics[0]["data"]
        volume = read_volume(self.folder / "data" / f"{name}.nii.gz")
        methods = ("bicubic", "quick-psnr", "quick@0.5", "quick-gan")
        table = compare_methods(volume, ComparisonOptions(methods, 2, device="cpu")).table
        for method in ("quick-psnr", "quick@0.5", "quick-gan"):
            gains = [
                model - bicubic
                for model, bicubic in zip(
                    table.values(method, "psnr"), table.values("bicubic", "psnr")
                )
            ]
            self.assertGreater(min(gains), 1.0, method)  # dB, on every slice


if __name__ == "__main__":
    unittest.main()
