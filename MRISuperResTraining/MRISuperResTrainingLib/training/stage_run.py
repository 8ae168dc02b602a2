"""A stage from its first step, or its last checkpoint, to its end."""

import time

import torch

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError

REPORT_EVERY = 10
"""Steps; so often it is also looked whether all numbers are finite."""
MAX_RECOVERIES = 5
RECOVERY = 0.5
"""By which the learning rate is multiplied each time that a number became infinite: the same steps at the same rate would end there again."""


class StageRun:
    """stage: a Stage; batches: see batches.Batches; validation: validation.Validation, None where there are no slices for it.

    folder: run_folder.RunFolder. log: events.EventLog. asked_to_stop(): after every step, in every process; then a checkpoint is
    written and Cancelled raised.
    """

    def __init__(self, stage, batches, validation, folder, log, asked_to_stop):
        (
            self.stage,
            self._batches,
            self._validation,
            self._folder,
            self._log,
            self._asked_to_stop,
        ) = stage, batches, validation, folder, log, asked_to_stop
        self._best = None  # {"step", "value"} of the best model until now
        self._is_new, self._recoveries = True, 0
        self._began = time.monotonic()  # as if the stage had never been stopped
        self._forget()

    def restore(self, state):
        """state: of a checkpoint of this stage."""
        self.stage.restore(state)
        self._best, self._began, self._is_new = (
            state["best"],
            time.monotonic() - state["seconds"],
            False,
        )
        self._forget()

    def run(self):
        """The remaining steps. Raises Cancelled, and SuperResolutionError where the numbers become infinite again and again."""
        if self._is_new:
            self._log.write("stage", self.stage.name, 0, steps=self.stage.numbers.steps)
            if self.stage.name == "gan":
                self._validate(
                    is_candidate=False
                )  # what the first stage has come to, by the measure of the second
            self._save()  # something to go back to, from the first step on
            self._began = time.monotonic()
            self._forget()
        settings = self.stage.settings
        while self.stage.step < self.stage.numbers.steps:
            self._add(self._one_step())
            stop = self._is_asked_to_stop()
            if (
                stop
                or self._is_due(REPORT_EVERY, settings.checkpoint_every, settings.validate_every)
            ) and not self._report():
                self._go_back()
            else:
                if self._is_due(settings.validate_every):
                    self._validate()
                if stop or self._is_due(settings.checkpoint_every):
                    self._save()
                if not self._count:
                    self._since = time.monotonic()  # the rate is that of the steps alone
            if stop:
                self._log.write("stopped", self.stage.name, self.stage.step)
                raise Cancelled

    def _is_due(self, *intervals):
        return self.stage.step == self.stage.numbers.steps or any(
            self.stage.step % interval == 0 for interval in intervals
        )

    def _one_step(self):
        try:
            return self.stage.advance(*self._batches(self.stage.step))
        except torch.OutOfMemoryError as e:
            micro = min(self.stage.micro_batch, self.stage.settings.batch)
            raise SuperResolutionError(
                f"The memory of {self.stage.accelerator.device} is not enough for {micro} patches at a time: train with a smaller "
                f"“micro_batch” ({max(1, micro // 2)}, say), which changes nothing but the time.",
                "memory",
            ) from e

    def _seconds(self):
        """That the steps of the stage have taken, with the validations between them."""
        return time.monotonic() - self._began

    def _forget(self):
        self._sums, self._count, self._since = {}, 0, time.monotonic()

    def _add(self, values):
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value
        self._count += 1

    def _report(self):
        """Logs the means since the last report; False where one of them is infinite or not a number. The same in all processes."""
        stage = self.stage
        means = stage.accelerator.reduce(
            torch.stack([value.float() for value in self._sums.values()]) / self._count, "mean"
        ).tolist()
        losses, rate = dict(zip(self._sums, means)), self._count / (time.monotonic() - self._since)
        self._forget()
        if not all(abs(mean) < float("inf") for mean in means):
            return False
        self._log.write(
            "step",
            stage.name,
            stage.step,
            steps=stage.numbers.steps,
            losses=losses,
            learning_rate=stage.learning_rate,
            rate=rate,
            remaining=(stage.numbers.steps - stage.step) * self._seconds() / stage.step,
        )
        return True

    def _go_back(self):
        self._recoveries += 1
        failed_at, factor = self.stage.step, self.stage.rate_factor * RECOVERY
        if self._recoveries > MAX_RECOVERIES:
            raise SuperResolutionError(
                f"Numbers became infinite {self._recoveries} times, the last time before step {failed_at} of the stage {self.stage.name}: "
                "train anew with a smaller learning rate, a smaller “clip_norm” or the precision float32.",
                "settings",
            )
        self.restore(self._folder.checkpoint())
        self.stage.rate_factor = factor
        self._log.write(
            "nan",
            self.stage.name,
            failed_at,
            back_to=self.stage.step,
            message=f"A number became infinite before step {failed_at}: back to step {self.stage.step}, from there with {factor:g} of the learning rate.",
        )

    def _validate(self, is_candidate=True):
        if self._validation is None:
            return
        stage, by = self.stage, self._validation.judge(self.stage.name)
        weights = stage.weights()
        scores = self._validation.scores(weights, by)
        is_best = is_candidate and (
            self._best is None or by.is_better(scores[by.name], self._best["value"])
        )
        if is_best:
            self._best = {"step": stage.step, "value": scores[by.name]}
            self._folder.write_model(f"{stage.name}-best", stage.name, weights, stage.step)
        self._folder.write_samples(self._validation.samples())
        self._log.write(
            "validation",
            stage.name,
            stage.step,
            scores=scores,
            bicubic=self._validation.bicubic(by),
            by=by.name,
            best=is_best,
        )

    def _save(self):
        stage = self.stage
        self._folder.write_model(f"{stage.name}-last", stage.name, stage.weights(), stage.step)
        if self._validation is None:
            self._folder.write_model(f"{stage.name}-best", stage.name, stage.weights(), stage.step)
        self._folder.write_checkpoint(
            stage.state() | {"best": self._best, "seconds": self._seconds()}
        )
        self._log.write("checkpoint", stage.name, stage.step)

    def _is_asked_to_stop(self):
        """Where one process is asked to, all stop."""
        accelerator, asked = self.stage.accelerator, self._asked_to_stop()
        if accelerator.num_processes == 1:
            return asked
        return bool(
            accelerator.reduce(torch.tensor(float(asked), device=accelerator.device), "sum")
        )
