"""A stand-in for the training: it writes a run folder, and waits if a test asks for it.

    python training_double.py MODE GATE train|resume|export|evaluate …

MODE: gated      waits halfway through the first stage until the file GATE exists
      failing    fails with a sentence for the user
      refusing   fails with such a sentence before it locks the run
      dying      is killed halfway through the first stage
      deaf       gated, and ignores stop requests
"""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.progress import Progress
from MRISuperResTrainingLib.runs import lock
from MRISuperResTrainingLib.runs.events import write_failure
from MRISuperResTrainingLib.runs.record import RunRecord
from MRISuperResTrainingLib.runs.events import TaskReport

PREPARED = [
    {
        "path": "/data/sub-01_T2w.nii.gz",
        "subject": "sub-01",
        "anatomy": "fetal",
        "slices": 18,
        "messages": [],
        "left_out": {str(n): "empty" for n in (0, 1, 2, 21, 22)},
    },
    {
        "path": "/data/sub-02_T2w.nii.gz",
        "subject": "sub-02",
        "anatomy": "fetal",
        "slices": 24,
        "messages": [],
        "left_out": {},
    },
]


def main(mode, gate, command, *words):
    if command == "export":
        with TaskReport(option(words, "--report")):
            export(option(words, "--name"), option(words, "--to"))
    elif command == "evaluate":
        with TaskReport(option(words, "--report")) as report:
            evaluate(option(words, "--run"), Path(option(words, "--out")), Path(gate), report)
    else:
        work_on_run(mode, gate, command, *words)


def option(words, name):
    return words[words.index(name) + 1]


def work_on_run(mode, gate, command, *words):
    run = Path(option(words, "--run") if command == "train" else words[0])
    if mode == "refusing":
        error = SuperResolutionError("No disk space. Free some.")
        write_failure(run, error)
        raise error
    with lock.locked_run(run):
        if mode == "failing":
            raise SuperResolutionError("No VGG19 weights. Choose their file.")
        describe(run)
        Training(run, mode, Path(gate)).train()


def describe(run):
    if not (run / "run.json").exists():
        settings = json.loads((run / "settings.json").read_text())
        split = {"train": ["sub-01"], "validation": ["sub-02"], "by_slices": False, "messages": []}
        (run / "run.json").write_text(
            json.dumps(
                {
                    "settings": settings,
                    "volumes": PREPARED,
                    "split": split,
                    "unusable": [["/data/x.nii", "It cannot be read."]],
                }
            )
        )


class Training:
    def __init__(self, run, mode, gate):
        self.run, self.mode, self.gate = run, mode, gate
        self.steps = {
            stage: (json.loads((run / "settings.json").read_text())[stage] or {}).get("steps", 0)
            for stage in ("psnr", "gan")
        }
        record = RunRecord(run)
        record.update()
        self.first = record.position

    def train(self):
        self.write("start", self.first[0] or "psnr", self.first[1], resumed=bool(self.first[0]))
        for stage in [
            stage
            for stage in ("psnr", "gan")
            if self.steps[stage] and (self.first[0] != "gan" or stage == "gan")
        ]:
            self.write("stage", stage, 0, steps=self.steps[stage])
            self.stage(stage, self.first[1] if stage == self.first[0] else 0)
        self.write("end", stage, self.steps[stage])

    def stage(self, stage, first):
        steps = self.steps[stage]
        every = max(1, steps // 50)
        for step in range(first // every * every + every, steps + 1, every):
            fall = np.exp(-4 * step / steps)
            wave = 0.06 * np.sin(step * 1.7)
            losses = (
                {"content": 0.012 + 0.05 * fall * (1 + wave)}
                if stage == "psnr"
                else {
                    "content": 0.014 + 0.002 * fall + 0.001 * wave,
                    "adversarial": 0.9 + wave,
                    "perceptual": 0.2 + 0.3 * fall,
                    "discriminator": 0.6 - wave,
                    "gradient_norm": 1.0,
                }
            )
            self.write(
                "step",
                stage,
                step,
                steps=steps,
                losses=losses,
                learning_rate=1e-3,
                rate=12.5,
                remaining=(steps - step) / 12.5,
            )
            if step % (every * 10) == 0:
                self.validate(
                    stage, step, 31 + 4 * (1 - fall) if stage == "psnr" else 34.6 - 0.4 * (1 - fall)
                )
            if stage == "psnr" and first < steps / 2 <= step and step - every < steps / 2:
                self.wait(stage, step)

    def wait(self, stage, step):
        if self.mode == "dying":
            os.kill(os.getpid(), signal.SIGKILL)
        while not self.gate.exists():
            if self.mode != "deaf" and lock.is_stop_requested(self.run):
                self.write("checkpoint", stage, step)
                self.write("stopped", stage, step)
                raise Cancelled
            time.sleep(0.01)

    def validate(self, stage, step, psnr):
        reference = (
            np.load(os.environ["TRAINING_DOUBLE_SLICES"])
            if "TRAINING_DOUBLE_SLICES" in os.environ
            else slices()
        )
        low = reference.reshape(
            len(reference), reference.shape[1] // 2, 2, reference.shape[2] // 2, 2
        ).mean((2, 4))
        output = 0.8 * reference + 0.2 * low.repeat(2, 1).repeat(2, 2)
        images = {
            f"{kind}_{n}": image
            for kind, stack in (("low", low), ("output", output), ("high", reference))
            for n, image in enumerate(stack)
        }
        with open(self.run / "samples.part", "wb") as file:
            np.savez(file, **{name: image.astype(np.float32) for name, image in images.items()})
        os.replace(self.run / "samples.part", self.run / "samples.npz")
        self.write(
            "validation",
            stage,
            step,
            scores={"psnr": psnr, "ssim": 0.9},
            bicubic={"psnr": 31.2, "ssim": 0.88},
            by="psnr",
            best=True,
        )

    def write(self, event, stage, step, **values):
        with open(self.run / "events.jsonl", "a") as file:
            file.write(
                json.dumps(
                    {"event": event, "time": time.time(), "stage": stage, "step": step, **values}
                )
                + "\n"
            )


def slices(count=3, size=(64, 56)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack(
        [
            np.exp(-((y - 32) ** 2 + (x - 28) ** 2) / 400) * (0.8 + 0.2 * np.sin(x / (2 + n)))
            for n in range(count)
        ]
    ).astype(np.float32)


def export(name, folder):
    Path(folder).mkdir(parents=True, exist_ok=True)
    if name == "impossible":
        print("error: a line of the log", flush=True)
        raise SuperResolutionError("The run has no models.")
    if name == "crash":
        print("error: a line of the log", flush=True)
        os._exit(3)
    for stage in ("psnr", "gan"):
        weights = f"weights of {stage}".encode()
        card = {
            "name": f"{name}-{stage}",
            "title": f"{name} {stage}",
            "scale": 2,
            "stage": stage,
            "sha256": hashlib.sha256(weights).hexdigest(),
            "architecture": {"network": "compact"},
            "pair": name,
        }
        Path(folder, f"{name}-{stage}.json").write_text(json.dumps(card))
        Path(folder, f"{name}-{stage}.safetensors").write_bytes(weights)


def evaluate(run, folder, gate, report):
    if Path(run).name == "one-subject":
        raise SuperResolutionError("The run held out no subject.")
    report.progress(Progress(1, 2))
    while not gate.exists():
        time.sleep(0.01)
    folder.mkdir()
    (folder / "summary.csv").write_text(SUMMARY)


SUMMARY = """anatomy,scale,method,metric,mean,low,high,subjects
fetal,2,bicubic,psnr,31.2,30.1,32.5,4
fetal,2,bicubic,ssim_wang,0.9012,,,4
fetal,2,bicubic,rmse,7.1,,,4
fetal,2,psnr-best,psnr,34.7,33.3,36.1,4
fetal,2,psnr-best,ssim_wang,0.9512,,,4
fetal,2,psnr-best,rmse,4.9,,,4
"""


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SuperResolutionError as error:
        sys.exit(f"error: {error}")
    except Cancelled:
        sys.exit(130)
