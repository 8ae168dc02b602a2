"""Stage 1 of the method: the generator learns to minimise the L1 distance to the truth."""

import json
import math
import os
import time
from pathlib import Path

import torch

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.generators import make_generator

CHECKPOINT = "checkpoint.pt"
LOG_EVERY, SAVE_EVERY = 50, 250


def learning_rate(step, steps, peak):
    """Linear warm-up over the first 2 %, then half a cosine down to zero."""
    warm_up = max(1, steps // 50)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def checkpoint(run):
    """The last state of a run: a dict with net, average, optimiser, step, seconds; None before the first checkpoint."""
    path = Path(run) / CHECKPOINT
    return torch.load(path, weights_only=True) if path.exists() else None


def averaged_weights(run):
    """The averaged weights (state dict) of a run's last checkpoint; raises MRISuperResError where there is none."""
    state = checkpoint(run)
    if state is None:
        raise MRISuperResError(f"{run} holds no {CHECKPOINT}: name the folder of a run that has been trained.", "settings")
    return state["average"]


class PsnrStage:
    """Trains a generator; everything that a later process needs to go on is in the run folder.

    The run folder holds checkpoint.pt (written atomically) and events.jsonl (step, loss, learning rate, seconds).
    """

    def __init__(self, run, architecture, scale, training, sampler, start_from=None):
        """start_from: state dict of a generator of another scale whose trunk is taken over (warm start)."""
        self.run, self.training, self.sampler = Path(run), training, sampler
        self.run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(training.seed)
        self.net = make_generator(architecture, scale).to(memory_format=torch.channels_last)
        if start_from is not None:
            self.net.load_state_dict(start_from, strict=False)
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=training.learning_rate, betas=training.betas)
        self.step, self.seconds = 0, 0.0
        state = checkpoint(run)
        if state is not None:
            self._resume(state)

    def train(self, progress=None):
        """Runs the remaining steps; returns the averaged weights (state dict, float32). progress(step, steps, loss)."""
        total, started = 0.0, time.monotonic() - self.seconds
        while self.step < self.training.steps:
            total += self._one_step()
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step % LOG_EVERY == 0:
                self._log(total / LOG_EVERY)
                if progress:
                    progress(self.step, self.training.steps, total / LOG_EVERY)
                total = 0.0
            if self.step % SAVE_EVERY == 0 or self.step == self.training.steps:
                self._save()
        return self.average

    def _one_step(self):
        rate = learning_rate(self.step, self.training.steps, self.training.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        low, high = (torch.from_numpy(a).to(memory_format=torch.channels_last) for a in self.sampler(self.step))
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training.precision == "bfloat16"):
            output = self.net(low)
        loss = (output.float() - high).abs().mean()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                # early weights would weigh on a short run: the average's memory grows with the steps
                self.average[name].lerp_(value, 1 - min(self.training.ema, (1 + self.step) / (10 + self.step)))
        return float(loss.detach())

    def _log(self, loss):
        event = {"step": self.step, "l1": loss, "learning_rate": self.optimiser.param_groups[0]["lr"], "seconds": round(self.seconds, 1)}
        with open(self.run / "events.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(event) + "\n")

    def _save(self):
        temporary = self.run / (CHECKPOINT + ".part")
        torch.save({"net": self.net.state_dict(), "average": self.average, "optimiser": self.optimiser.state_dict(),
                    "step": self.step, "seconds": self.seconds}, temporary)
        os.replace(temporary, self.run / CHECKPOINT)

    def _resume(self, state):
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
