"""Run of one stage: from its first step, or its last checkpoint, to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError, is_out_of_memory
from MRISuperResLib.core.messages import warning
from MRISuperResLib.core.validation import invalid

from ..runs.events import EventLog
from ..runs.folder import RunFolder
from .stages import Stage, Values
from .validation import Validation

REPORT_EVERY = 10
"""Steps between two reports, which also check that all values are finite."""
MAX_RECOVERIES = 5
RECOVERY_FACTOR = 0.5
"""Factor of the learning rate after a divergence: at the same rate the same steps would diverge
again."""


class Sampler(Protocol):
    """Source of batches, see `data.sampler.PatchSampler`."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return a part of the batch of a step."""


class Batches:
    """Batches of this process; the next one is prepared while the network processes this one.

    Args:
        sampler: Sampler whose batches depend on the seed and the step only.
        accelerator: Number of this process and of all processes; device.
    """

    def __init__(self, sampler: Sampler, accelerator: Accelerator) -> None:
        self._sampler, self._accelerator = sampler, accelerator
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[tuple[np.ndarray, np.ndarray]]] | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return (low, high) of a step: (n, 1, h, w) float32 on the device."""
        is_ready = self._next is not None and self._next[0] == step
        low, high = self._next[1].result() if self._next and is_ready else self._make(step)
        self._next = (step + 1, self._pool.submit(self._make, step + 1))
        return self._moved(low), self._moved(high)

    def close(self) -> None:
        """Stop prefetching."""
        self._pool.shutdown(cancel_futures=True)

    def _make(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self._sampler.batch(
            step, self._accelerator.process_index, self._accelerator.num_processes
        )

    def _moved(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(
            self._accelerator.device, memory_format=torch.channels_last
        )


class StageRun:
    """Run of a stage.

    Args:
        stage: The stage.
        batches: Its batches.
        validation: Its validation; None without held-out slices.
        folder: Folder of the run.
        log: Log of the events.
        is_stop_requested: Called after every step, in every process. If it returns True, a
            checkpoint is written, and Cancelled is raised.
    """

    def __init__(
        self,
        stage: Stage,
        batches: Batches,
        validation: Validation | None,
        folder: RunFolder,
        log: EventLog,
        is_stop_requested: Callable[[], bool],
    ) -> None:
        self.stage, self._batches, self._validation = stage, batches, validation
        self._folder, self._log, self._is_stop_requested = folder, log, is_stop_requested
        self._best: dict[str, Any] | None = None  # "step" and "value" of the best model
        self._is_new, self._recoveries = True, 0
        self._start = time.monotonic()  # as if the stage had never been interrupted
        self._reset_means()

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint of this stage."""
        self.stage.restore(state)
        self._best, self._is_new = state["best"], False
        self._start = time.monotonic() - state["seconds"]
        self._reset_means()

    def run(self) -> None:
        """Make the remaining steps.

        Raises:
            Cancelled: A stop was requested.
            SuperResolutionError: The training diverged repeatedly (kind "settings"), or memory is
                exhausted (kind "memory").
        """
        if self._is_new:
            self._begin()
        settings = self.stage.settings
        while self.stage.step < self.stage.options.steps:
            self._add(self._step())
            is_stopping = self._any_process_stops()
            is_report_due = is_stopping or self._is_due(
                REPORT_EVERY, settings.checkpoint_every, settings.validate_every
            )
            if is_report_due and not self._report():
                self._recover()
            else:
                if self._is_due(settings.validate_every):
                    self._validate()
                if is_stopping or self._is_due(settings.checkpoint_every):
                    self._save()
                if not self._count:
                    self._since = time.monotonic()  # the rate is that of the steps alone
            if is_stopping:
                self._log.write("stopped", self.stage.name, self.stage.step)
                raise Cancelled

    def _begin(self) -> None:
        self._log.write("stage", self.stage.name, 0, steps=self.stage.options.steps)
        if self.stage.name == "gan":
            self._validate(is_candidate=False)  # scores of stage 1 by the measure of stage 2
        self._save()  # a state to return to, from the first step on
        self._start = time.monotonic()
        self._reset_means()

    def _is_due(self, *intervals: int) -> bool:
        step = self.stage.step
        return step == self.stage.options.steps or any(
            step % interval == 0 for interval in intervals
        )

    def _step(self) -> Values:
        try:
            return self.stage.advance(*self._batches(self.stage.step))
        except (MemoryError, RuntimeError) as e:  # PyTorch raises RuntimeErrors
            if not is_out_of_memory(e):
                raise
            patches = min(self.stage.micro_batch, self.stage.settings.batch)
            raise _memory_error(self.stage.accelerator, patches) from e

    def _reset_means(self) -> None:
        self._values: dict[str, list[Tensor]] = {}
        self._count, self._since = 0, time.monotonic()

    def _add(self, values: Values) -> None:
        for name, value in values.items():
            self._values.setdefault(name, []).append(value.float())
        self._count += 1

    def _report(self) -> bool:
        """Log the means since the last report; False if one of them is not finite."""
        stage = self.stage
        averages = torch.stack([torch.stack(values).mean() for values in self._values.values()])
        means: list[float] = stage.accelerator.reduce(averages, "mean").tolist()  # type: ignore[union-attr]
        losses = dict(zip(self._values, means))  # of the steps that report each of them
        rate = self._count / (time.monotonic() - self._since)
        self._reset_means()
        if not all(abs(mean) < float("inf") for mean in means):
            return False
        seconds = time.monotonic() - self._start  # with the validations
        self._log.write(
            "step",
            stage.name,
            stage.step,
            steps=stage.options.steps,
            losses=losses,
            learning_rate=stage.learning_rate,
            rate=rate,
            remaining=(stage.options.steps - stage.step) * seconds / stage.step,
        )
        return True

    def _recover(self) -> None:
        """Return to the last checkpoint with a smaller learning rate."""
        self._recoveries += 1
        stage, step = self.stage, self.stage.step
        factor = stage.rate_factor * RECOVERY_FACTOR
        state = self._folder.checkpoint()
        if self._recoveries > MAX_RECOVERIES or state is None:
            raise invalid(
                f"Training diverged {self._recoveries} times (last before step {step} of the stage "
                f"{stage.name}): train again with a smaller learning rate, a smaller “clip_norm” "
                "or the precision float32."
            )
        self.restore(state)
        stage.rate_factor = factor
        message = warning(
            "training",
            f"Training diverged before step {step}: continued from step {stage.step} with "
            f"{factor:g} of the learning rate.",
        )
        self._log.write("nan", stage.name, step, back_to=stage.step, messages=[message.to_dict()])

    def _validate(self, is_candidate: bool = True) -> None:
        if self._validation is None:
            return
        stage, measure = self.stage, self._validation.measure(self.stage.name)
        weights = stage.weights()
        scores = self._validation.scores(weights, measure)
        is_best = is_candidate and (
            self._best is None or measure.is_better(scores[measure.name], self._best["value"])
        )
        if is_best:
            self._best = {"step": stage.step, "value": scores[measure.name]}
            self._folder.write_model(f"{stage.name}-best", stage.name, weights, stage.step)
        self._folder.write_samples(self._validation.samples())
        self._log.write(
            "validation",
            stage.name,
            stage.step,
            scores=scores,
            baseline=self._validation.baseline,
            **{self._validation.baseline: self._validation.baseline_scores(measure)},
            by=measure.name,
            best=is_best,
            messages=[message.to_dict() for message in self._validation.messages],
        )

    def _save(self) -> None:
        stage = self.stage
        self._folder.write_model(f"{stage.name}-last", stage.name, stage.weights(), stage.step)
        if self._validation is None:
            self._folder.write_model(f"{stage.name}-best", stage.name, stage.weights(), stage.step)
        seconds = time.monotonic() - self._start
        self._folder.write_checkpoint(stage.state() | {"best": self._best, "seconds": seconds})
        self._log.write("checkpoint", stage.name, stage.step)

    def _any_process_stops(self) -> bool:
        """True if a stop was requested in any process: all stop after the same step."""
        accelerator, is_requested = self.stage.accelerator, self._is_stop_requested()
        if accelerator.num_processes == 1:
            return is_requested
        flag = torch.tensor(float(is_requested), device=accelerator.device)
        return bool(accelerator.reduce(flag, "sum"))


def _memory_error(accelerator: Accelerator, patches: int) -> SuperResolutionError:
    """Return the error for a training step that did not fit into memory.

    Args:
        accelerator: Device of the run.
        patches: Patches per forward pass.
    """
    return SuperResolutionError(
        f"Out of memory on {accelerator.device} with {patches} patches at a time: choose a smaller "
        f"“micro_batch”, for example {max(1, patches // 2)}. The result stays the same.",
        "memory",
    )
