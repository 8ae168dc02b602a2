"""Processes that share a batch come to what one process comes to with all of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import torch
from made_runs import RunTest, settings
from MRISuperResTrainingLib.runs.folder import RunFolder

CHANGES = {
    "ema": 0.9,
    "batch": 8,
    "data": {"patch": 32},
    "psnr": {"steps": 12, "fft_weight": 0.1},
    "gan": {"steps": 3, "adversarial_weight": 0.05},
    "micro_batch": 2,
}
TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--nproc-per-node=2",
    "--local-addr=127.0.0.1",  # the name of this computer may have no address
    "-m",
    "--",
]  # without the dashes it takes --run for one of its own options
ACCELERATE = ["-m", "accelerate.commands.launch", "--num_processes=2", "--cpu", "-m"]


ON_CPU = {"ACCELERATE_USE_CPU": "true"} if torch.cuda.is_available() else {}
"""Two processes could not share one GPU."""


def environment():
    """Of a process that finds the libraries where this one does."""
    return {**os.environ, **ON_CPU, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


IN_DOUBLE_PRECISION = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from made_runs import RunTest, Squares, settings

torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
test = RunTest()
gan = {"adversarial_terms": "both", "adversarial_weight": 0.1, "learning_rate": 1e-3}
stage = test.gan_stage(settings(gan=gan, micro_batch=1))
accelerator = stage.accelerator
for step in range(6):
    part, parts = accelerator.process_index, accelerator.num_processes
    low, high = Squares(stage.settings).batch(step, part, parts)
    stage.advance(torch.from_numpy(low).double(), torch.from_numpy(high).double())
if accelerator.is_main_process:
    weights = stage.generator.net.state_dict() | stage.discriminator.net.state_dict(prefix="D.")
    torch.save({"processes": accelerator.num_processes} | weights, sys.argv[2])
test.doCleanups()
"""


class GanStageTest(RunTest):
    def test_weights_in_double_precision_agree_to_ten_digits(self):
        script = self.folder / "script.py"
        script.write_text(IN_DOUBLE_PRECISION)
        results = []
        for launcher in (
            [],
            ["-m", "torch.distributed.run", "--nproc-per-node=2", "--local-addr=127.0.0.1"],
        ):
            subprocess.run(
                [
                    sys.executable,
                    *launcher,
                    str(script),
                    str(Path(__file__).parent),
                    str(self.folder / "weights.pt"),
                ],
                env=environment(),
                timeout=300,
                check=True,
            )
            results.append(torch.load(self.folder / "weights.pt"))
        self.assertEqual([result.pop("processes") for result in results], [1, 2])
        self.assert_same_weights(*results, tolerance=1e-10)


class DistributedTest(RunTest):
    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.dict(os.environ, ON_CPU))
        self.one = self.train("one", **CHANGES)

    def launch(self, launcher, run):
        """Train with the same settings in processes of a launcher: (RunFolder, standard error)."""
        file = self.folder / "settings.json"
        file.write_text(json.dumps(settings(**CHANGES).to_dict()))
        words = [
            "MRISuperResTrainingLib",
            "train",
            self.folder / "data",
            "--settings",
            file,
            "--run",
            self.folder / run,
            "--cache",
            self.folder / "cache",
        ]
        done = subprocess.run(
            [sys.executable, *launcher, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment(),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return RunFolder(self.folder / run), done.stderr

    def assert_same_models(self, other, processes):
        self.assertEqual(self.events(other.path.name, "start")[0]["processes"], processes)
        # Adam's first steps are as large as the learning rate even if a gradient is rounding
        for name, tolerance in (("psnr-last", 1e-5), ("psnr-best", 1e-5), ("gan-last", 3e-4)):
            self.assert_same_weights(self.one.weights(name), other.weights(name), tolerance)
        for mine, others in zip(
            self.events("one", "validation"), self.events(other.path.name, "validation")
        ):
            for score, value in mine["scores"].items():
                self.assertAlmostEqual(value, others["scores"][score], places=3)
        for mine, others in zip(self.events("one", "step"), self.events(other.path.name, "step")):
            for loss, value in mine["losses"].items():
                self.assertAlmostEqual(
                    value, others["losses"][loss], delta=1e-2 * max(0.1, abs(value)), msg=loss
                )

    def test_two_processes_give_the_weights_of_one(self):
        self.assert_same_models(self.launch(TORCHRUN, "two")[0], 2)

    def test_accelerate_on_cpus_gives_the_same_with_a_note_about_its_single_process(
        self,
    ):
        other, said = self.launch(ACCELERATE, "accelerate")
        self.assert_same_models(other, 1)
        self.assertIn("accelerate started one process only", said)


if __name__ == "__main__":
    import unittest

    unittest.main()
