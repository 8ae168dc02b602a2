"""A killed run continues as if it had not been interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from made_runs import RunTest, settings
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResTrainingLib.training.trainer import resume
from MRISuperResTrainingLib.runs.folder import RunFolder

DRIVER = """
import os, signal, sys
import torch
sys.path.insert(0, sys.argv[1])
from made_runs import settings
from MRISuperResTrainingLib.data.sources import read_sources
from MRISuperResTrainingLib.training import trainer

folder, run, kill_at = sys.argv[2:5]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def on_event(event):
    if kill_at == "{event} {stage} {step}".format(**event):
        kill()

def torn(state, file, save=torch.save):
    save(state, file)
    if kill_at == "write {stage} {step}".format(**state):
        file.truncate(1000)
        kill()

torch.save = torn
if os.path.exists(run + "/run.json"):
    trainer.resume(run, on_event)
else:
    changes = dict(ema=0.9, precision="bfloat16", psnr={"steps": 24}, gan={"steps": 6})
    changes["checkpoint_every"] = 4
    sources = read_sources([folder])[0]
    trainer.train(settings(**changes), sources, run, None, folder + "/cache", on_event)
"""


def flat(value, name=""):
    """{name: tensor or number} of a checkpoint."""
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            inner: entry
            for key, part in entries
            for inner, entry in flat(part, f"{name}/{key}").items()
        }
    return {name: value}


class StageCheckpointTest(RunTest):
    def test_a_restored_stage_continues_bit_for_bit(self):
        for make, changes in (
            (self.psnr_stage, {"ema": 0.9}),
            (self.gan_stage, {"gan": {"adversarial_terms": "both"}}),
        ):
            with self.subTest(make.__name__):
                whole, first, second = (make(settings(seed=seed, **changes)) for seed in (3, 3, 4))
                second.settings = whole.settings  # another beginning, the same batches
                self.advance(whole, 6)
                self.advance(first, 3)
                folder = RunFolder(self.folder)
                folder.write_checkpoint(first.state())
                second.restore(folder.checkpoint())
                self.advance(second, 3)
                one, other = flat(whole.state()), flat(second.state())
                self.assertEqual(one.keys(), other.keys())
                for name, value in one.items():
                    self.assertTrue(
                        torch.equal(value, other[name])
                        if isinstance(value, torch.Tensor)
                        else value == other[name],
                        name,
                    )

    def test_a_damaged_checkpoint_is_reported(self):
        path = self.folder / "checkpoint.pt"
        folder = RunFolder(self.folder)
        self.assertIsNone(folder.checkpoint())
        for content in (b"", b"something"):
            path.write_bytes(content)
            with self.assertRaisesRegex(SuperResolutionError, "Cannot read the checkpoint"):
                folder.checkpoint()


class KillTest(RunTest):
    def process(self, run, kill_at="never"):
        """The exit code of a process that trains, or goes on, and kills itself."""
        libraries = os.pathsep.join(path for path in sys.path if path)
        return subprocess.run(
            [
                sys.executable,
                "-c",
                DRIVER,
                str(Path(__file__).parent),
                str(self.folder / "data"),
                str(self.folder / run),
                kill_at,
            ],
            env={**os.environ, "PYTHONPATH": libraries},
            timeout=300,
        ).returncode

    def test_a_run_killed_three_times_ends_with_the_same_weights(self):
        self.volumes()
        self.assertEqual(self.process("undisturbed"), 0)
        for moment in ("step psnr 20", "write psnr 24", "write gan 4"):
            self.assertEqual(self.process("killed", moment), -signal.SIGKILL)
        self.assertEqual(self.process("killed"), 0)

        one, other = (RunFolder(self.folder / name) for name in ("undisturbed", "killed"))
        for name in ("psnr-best", "psnr-last", "gan-best", "gan-last"):
            self.assertEqual(
                *((run.models / f"{name}.safetensors").read_bytes() for run in (one, other)), name
            )
        one, other = (flat(run.checkpoint()) for run in (one, other))
        for name in one.keys() - {"/seconds"}:
            self.assertTrue(
                torch.equal(one[name], other[name])
                if isinstance(one[name], torch.Tensor)
                else one[name] == other[name],
                name,
            )
        self.assertEqual(
            [(e["event"], e["step"]) for e in self.events("killed") if e["event"] != "start"],
            [(e["event"], e["step"]) for e in self.events("undisturbed") if e["event"] != "start"],
        )
        starts = [(e["stage"], e["step"]) for e in self.events("killed", "start")]
        self.assertEqual(starts, [("psnr", 0), ("psnr", 16), ("psnr", 20), ("gan", 0)])


class ResumeTest(RunTest):
    def stopped(self, **changes):
        """A run that was stopped after its first steps."""
        with self.assertRaises(Cancelled):
            self.train(is_cancelled=lambda: bool(self.events(kind="step")), **changes)

    def test_a_finished_run_resumes_without_work(self):
        self.stopped()
        resume(self.folder / "run")
        self.assertEqual(self.events()[-1]["event"], "end")
        before = RunFolder(self.folder / "run").weights("gan-last")
        resume(self.folder / "run")
        self.assert_same_weights(RunFolder(self.folder / "run").weights("gan-last"), before)

    def test_a_resumed_run_remembers_its_best_model(self):
        self.stopped()
        folder = RunFolder(self.folder / "run")
        folder.write_model("psnr-best", "psnr", folder.weights("psnr-last"), 11)
        folder.write_checkpoint(folder.checkpoint() | {"best": {"step": 11, "value": 99.0}})
        resume(self.folder / "run")
        self.assertFalse(
            any(
                event["best"]
                for event in self.events(kind="validation")
                if event["stage"] == "psnr"
            )
        )
        self.assertEqual(folder.card("psnr-best").training["steps"], 11)

    def test_a_run_with_changed_volumes_is_not_resumed(self):
        self.stopped()
        volume = self.folder / "data" / "a.nii.gz"
        volume.write_bytes((self.folder / "data" / "b.nii.gz").read_bytes())
        with self.assertRaisesRegex(
            SuperResolutionError,
            "a.nii.gz is missing or has changed since the run started",
        ):
            resume(self.folder / "run")
        volume.unlink()
        with self.assertRaisesRegex(SuperResolutionError, "a.nii.gz is missing"):
            resume(self.folder / "run")

    def test_a_full_disk_is_one_sentence_and_keeps_the_old_checkpoint(self):
        path = self.folder / "checkpoint.pt"
        path.write_bytes(b"old")
        program = (
            "import resource, sys, torch; "
            "from MRISuperResTrainingLib.runs.folder import RunFolder; "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
            "RunFolder(sys.argv[1]).write_checkpoint({'weights': torch.zeros(9999)})"
        )
        result = subprocess.run(
            [sys.executable, "-c", program, str(self.folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertRegex(
            result.stderr,
            r"SuperResolutionError: .*checkpoint.pt cannot be written: the disk is full",
        )
        self.assertEqual((path.read_bytes(), [*self.folder.glob(".*")]), (b"old", []))

    def test_a_folder_without_a_run_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "is not the folder of a training run"):
            resume(self.folder)


if __name__ == "__main__":
    import unittest

    unittest.main()
