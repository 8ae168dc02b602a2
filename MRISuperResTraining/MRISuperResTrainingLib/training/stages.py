"""Training stages: their networks, their steps and their checkpoints."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.swa_utils import get_ema_multi_avg_fn

from MRISuperResLib.core.networks import make_generator

from ..networks.discriminators import make_discriminator
from ..networks.vgg import VGG
from ..options.settings import GanSettings, Settings, StageSettings
from ..runs.folder import RunFolder
from .losses import (
    artifacts,
    discriminator_loss,
    fft_l1,
    generator_loss,
    l1,
    mesh,
    perceptual,
    r1_penalty,
)
from .optimizer import OptimizedNetwork, learning_rate_share, micro_batches
from .start import find_start

Values = dict[str, Tensor]
"""Losses and norms of a step, scalars of this process."""


class Stage:
    """Base of the stages: generator, moving average of its weights, learning rate, checkpoint.

    Args:
        accelerator: Device, processes and precision.
        settings: Settings of the run.
        options: Settings of the stage.
        generator: Generator to start from.

    Attributes:
        step: Number of steps that are done.
        rate_factor: Factor of the learning rate, below 1 after a divergence.
    """

    name: str

    def __init__(
        self,
        accelerator: Accelerator,
        settings: Settings,
        options: StageSettings | GanSettings,
        generator: nn.Module,
    ) -> None:
        self.accelerator, self.settings, self.options = accelerator, settings, options
        self.generator = OptimizedNetwork(
            accelerator, generator, options.learning_rate, options.betas, settings.clip_norm
        )
        parameters = self.generator.net.parameters()
        self._average = [p.detach().clone() for p in parameters] if settings.ema else None
        self.micro_batch = settings.micro_batch or settings.batch
        self.step, self.rate_factor = 0, 1.0

    @property
    def networks(self) -> dict[str, OptimizedNetwork]:
        """The networks that the stage trains."""
        return {"generator": self.generator}

    @property
    def share(self) -> float:
        """Share of the peak learning rates in the next step."""
        scheduled = learning_rate_share(self.options.schedule, self.step, self.options.steps)
        return self.rate_factor * scheduled

    @property
    def learning_rate(self) -> float:
        """Learning rate of the generator in the next step."""
        return self.options.learning_rate * self.share

    def advance(self, low: Tensor, high: Tensor) -> Values:
        """Make one step on this process's part of a batch.

        Args:
            low: (n, 1, h, w) on the device.
            high: (n, 1, scale·h, scale·w) on the device.

        Returns:
            Losses and norms by name.
        """
        values = self.update(low, high)
        self.step += 1
        if self._average:
            # the memory of the average grows with the steps: early weights must not dominate
            decay = min(self.settings.ema, self.step / (9 + self.step))
            with torch.no_grad():
                get_ema_multi_avg_fn(decay)(  # type: ignore[no-untyped-call]
                    self._average, list(self.generator.net.parameters()), None
                )
        return values

    def update(self, low: Tensor, high: Tensor) -> Values:
        """Update the weights once; see `advance`."""
        raise NotImplementedError

    def weights(self) -> dict[str, Tensor]:
        """Return the generator's weights to validate and keep: their moving average, if any."""
        state = self.generator.net.state_dict()
        if self._average:
            names = (name for name, _ in self.generator.net.named_parameters())
            state |= dict(zip(names, self._average))
        return {name: value.detach().contiguous() for name, value in state.items()}

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        scaler = self.accelerator.scaler
        return {
            "stage": self.name,
            "step": self.step,
            "rate_factor": self.rate_factor,
            "average": self._average,
            "scaler": scaler.state_dict() if scaler else None,
            "networks": {name: network.state() for name, network in self.networks.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.step, self.rate_factor = state["step"], state["rate_factor"]
        for name, network in self.networks.items():
            network.restore(state["networks"][name])
        for average, value in zip(self._average or (), state["average"] or ()):
            average.copy_(value)
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])


class PsnrStage(Stage):
    """Stage 1: L_content, and the spectral loss if the settings weight it."""

    name = "psnr"
    options: StageSettings

    def update(self, low: Tensor, high: Tensor) -> Values:
        """Minimize L1 + fft_weight · |FFT|."""
        values: Values = {}
        for context, (part, reference) in micro_batches(
            (low, high), self.micro_batch, self.generator
        ):
            weight = len(part) / len(low)
            with context:
                output = self.generator(part).float()
                losses = {"content": l1(output, reference)}
                if self.options.fft_weight:
                    losses["fft"] = fft_l1(output, reference)
                self.generator.backward(
                    weight * (losses["content"] + self.options.fft_weight * losses.get("fft", 0))
                )
            for name, loss in losses.items():
                values[name] = values.get(name, 0) + weight * loss.detach()
        return values | {"gradient_norm": self.generator.step(self.share)}


class GanStage(Stage):
    """Stage 2: the generator's and the discriminator's loss of `GanSettings`.

    Wang et al. 2018, eq. 3 (arXiv:1809.00219). The discriminator processes reference and
    output once per step: both networks are updated after both losses, so that one pass serves both.
    The published code makes four passes with the same values.

    The statistics of a part of a batch differ from those of the whole. Therefore the discriminator
    always processes the whole batch of its process. With micro-batches, only the generator, whose
    memory dominates, works in parts: once without a graph, and again with the gradients of its
    output. The size of the micro-batch changes time and memory only.

    Args:
        accelerator: Device, processes and precision.
        settings: Settings of the run.
        options: Settings of the stage.
        generator: Generator of stage 1.
        discriminator: Untrained discriminator.
        vgg: VGG19; None if perceptual_weight is 0.
    """

    name = "gan"
    options: GanSettings

    def __init__(
        self,
        accelerator: Accelerator,
        settings: Settings,
        options: GanSettings,
        generator: nn.Module,
        discriminator: nn.Module,
        vgg: VGG | None,
    ) -> None:
        super().__init__(accelerator, settings, options, generator)
        self.discriminator = OptimizedNetwork(
            accelerator, discriminator, options.discriminator_learning_rate, options.betas
        )
        self.vgg = vgg.to(accelerator.device) if vgg else None

    @property
    def networks(self) -> dict[str, OptimizedNetwork]:
        """The networks that the stage trains."""
        return super().networks | {"discriminator": self.discriminator}

    def update(self, low: Tensor, high: Tensor) -> Values:
        """Minimize the losses of both networks."""
        in_parts = len(low) > self.micro_batch
        with torch.set_grad_enabled(not in_parts):
            parts = torch.split(low, self.micro_batch)
            outputs = [self.generator(part).float() for part in parts]
        fake = torch.cat(outputs).detach().requires_grad_()
        is_penalty_due = self.options.r1_weight and self.step % self.options.r1_every == 0
        real = high.detach().requires_grad_(bool(is_penalty_due))
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        values: Values = {}
        averaged = self._averaged(low) if self.options.artifact_weight else None
        gradient = self._image_gradient(fake, high, averaged, values) + self._adversarial_gradient(
            fake, real_logits, fake_logits, values
        )
        for context, (part, part_gradient) in micro_batches(
            (low, gradient), self.micro_batch, self.generator
        ):
            with context:
                output = self.generator(part).float() if in_parts else outputs[0]
                self.generator.backward(output, part_gradient)
        values["gradient_norm"] = self.generator.step(self.share)

        loss = discriminator_loss(real_logits, fake_logits)
        values["discriminator"] = loss.detach()
        if is_penalty_due:
            factor = float(self.discriminator.scaled(torch.ones((), device=real.device)))
            values["r1"] = r1_penalty(real, real_logits, factor)
            loss = loss + self.options.r1_every * self.options.r1_weight / 2 * values["r1"]
            values["r1"] = values["r1"].detach()
        self.discriminator.backward(loss)
        return values | {
            "real": real_logits.detach().mean(),
            "fake": fake_logits.detach().mean(),
            "discriminator_gradient_norm": self.discriminator.step(self.share),
        }

    def _averaged(self, low: Tensor) -> Tensor:
        """Images of the moving average of the generator."""
        weights, net = self.weights(), self.generator.net
        with torch.no_grad(), self.accelerator.autocast():
            parts = torch.split(low, self.micro_batch)
            return torch.cat([functional_call(net, weights, (part,)).float() for part in parts])

    def _image_gradient(
        self, fake: Tensor, high: Tensor, averaged: Tensor | None, values: Values
    ) -> Tensor:
        """Gradient of the losses except λ · L_adv with respect to the images."""
        losses = {"content": l1(fake, high)}
        total = self.options.content_weight * losses["content"]
        if self.vgg:
            losses["perceptual"] = perceptual(self.vgg, fake, high, self.options.perceptual_norm)
            total = total + self.options.perceptual_weight * losses["perceptual"]
        if averaged is not None:
            losses["artifacts"] = artifacts(fake, high, averaged)
            total = total + self.options.artifact_weight * losses["artifacts"]
        if self.options.mesh_weight:
            losses["mesh"] = mesh(fake, high, self.settings.scale)
            total = total + self.options.mesh_weight * losses["mesh"]
        values |= {name: loss.detach() for name, loss in losses.items()}
        return torch.autograd.grad(self.generator.scaled(total), fake)[0]

    def _adversarial_gradient(
        self, fake: Tensor, real_logits: Tensor, fake_logits: Tensor, values: Values
    ) -> Tensor:
        """Gradient of λ · L_adv, in the warm-up a part of it, with respect to the images.

        The discriminator's graph is kept for its own loss. C(x_r) does not depend on the
        generator, and counts as a constant.
        """
        loss = generator_loss(real_logits.detach(), fake_logits, self.options.adversarial_terms)
        values["adversarial"] = loss.detach()
        warm_up = self.options.adversarial_warm_up
        share = min(1.0, (self.step + 1) / warm_up) if warm_up else 1.0
        scaled = self.generator.scaled(share * self.options.adversarial_weight * loss)
        return torch.autograd.grad(scaled, fake, retain_graph=True)[0]


def make_stage(
    name: str, accelerator: Accelerator, settings: Settings, folder: RunFolder, vgg: VGG | None
) -> Stage:
    """Return a stage before its first step.

    Args:
        name: "psnr" or "gan".
        accelerator: Device, processes and precision.
        settings: Settings of the run.
        folder: Folder of the run, with the best model of stage 1 for stage 2.
        vgg: VGG19 of the perceptual loss.
    """
    torch.manual_seed(settings.seed)
    generator = make_generator(settings.generator, settings.scale)
    if name == "psnr" or not settings.psnr.steps:
        if settings.start_from:
            weights = find_start(settings, generator).weights
            generator.load_state_dict(generator.state_dict() | weights)
    else:
        generator.load_state_dict(folder.weights("psnr-best"))
    if name == "psnr" or settings.gan is None:
        return PsnrStage(accelerator, settings, settings.psnr, generator)
    if not settings.psnr.steps:
        # stage 1 was skipped, but a pair has two models
        folder.write_model("psnr-best", "psnr", generator.state_dict(), 0)
    # the discriminator must not depend on the number of draws for the generator
    torch.manual_seed(settings.seed)
    discriminator = make_discriminator(settings.gan.discriminator, settings.data.patch)
    return GanStage(accelerator, settings, settings.gan, generator, discriminator, vgg)
