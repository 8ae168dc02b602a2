"""What both stages share: the generator, its running average, the learning rate, what a checkpoint holds."""

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from . import schedule
from .learner import Learner


class Stage:
    """A stage of the training; a subclass says in `learn` what one step is.

    name: "psnr" or "gan". accelerator: accelerate.Accelerator. settings: the run's Settings; numbers: those of the stage.
    generator: the network to begin with. step: how many are done. rate_factor: of the learning rate, below 1 after numbers became infinite.
    """

    name = None

    def __init__(self, accelerator, settings, numbers, generator):
        self.accelerator, self.settings, self.numbers = accelerator, settings, numbers
        self.generator = Learner(
            accelerator, generator, numbers.learning_rate, numbers.betas, settings.clip_norm
        )
        self._average = (
            [p.detach().clone() for p in self.generator.net.parameters()] if settings.ema else None
        )
        self.micro_batch = settings.micro_batch or settings.batch
        self.step, self.rate_factor = 0, 1.0

    @property
    def learners(self):
        return {"generator": self.generator}

    @property
    def share(self):
        """The part of the peak learning rates that the next step takes."""
        return self.rate_factor * schedule.share(
            self.numbers.schedule, self.step, self.numbers.steps
        )

    @property
    def learning_rate(self):
        """Of the generator, in the next step."""
        return self.numbers.learning_rate * self.share

    def advance(self, low, high):
        """One step on this process's part of a batch; {name: loss or norm}, tensors of this process."""
        values = self.learn(low, high)
        self.step += 1
        if self._average:
            # early weights would weigh on a short run: the average's memory grows with the steps
            decay = min(self.settings.ema, self.step / (9 + self.step))
            with torch.no_grad():
                get_ema_multi_avg_fn(decay)(
                    self._average, list(self.generator.net.parameters()), None
                )
        return values

    def learn(self, low, high):
        """low: (n, 1, h, w); high: (n, 1, scale·h, scale·w), on the device. Changes the weights once."""
        raise NotImplementedError

    def weights(self):
        """The generator's weights that are validated and kept, {name: float32 tensor}: the running average where there is one."""
        state = self.generator.net.state_dict()
        if self._average:
            state |= {
                name: value
                for (name, _), value in zip(self.generator.net.named_parameters(), self._average)
            }
        return {name: value.detach().contiguous() for name, value in state.items()}

    def state(self):
        scaler = self.accelerator.scaler
        return {
            "stage": self.name,
            "step": self.step,
            "rate_factor": self.rate_factor,
            "average": self._average,
            "scaler": scaler.state_dict() if scaler else None,
            "learners": {name: learner.state() for name, learner in self.learners.items()},
        }

    def restore(self, state):
        self.step, self.rate_factor = state["step"], state["rate_factor"]
        for name, learner in self.learners.items():
            learner.restore(state["learners"][name])
        for own, value in zip(self._average or (), state["average"] or ()):
            own.copy_(value)
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
