"""Initialization: the networks that a run, or one of its stages, starts from."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from MRISuperResLib.core.networks import make_generator
from MRISuperResLib.core.validation import invalid

from ..networks.discriminators import make_discriminator
from ..networks.vgg import VGG
from ..options.settings import Settings
from ..runs.folder import RunFolder
from .stages import GanStage, PsnrStage, Stage


def check(settings: Settings) -> None:
    """Check that a run can start.

    Raises:
        SuperResolutionError: The generator is unknown, or there is none to start the GAN stage
            from (kind "settings").
    """
    try:
        with torch.device("meta"):  # takes neither memory nor time
            make_generator(settings.generator, settings.scale)
    except (ValueError, TypeError) as e:
        raise invalid(
            f"Invalid generator ({e}): compare the setting “generator” with a preset."
        ) from e
    if settings.start_from:
        _initial_weights(settings)
    elif not settings.psnr.steps:
        raise invalid(
            "The GAN stage needs a trained generator: give “psnr” some steps, or name a run in "
            "“start_from”."
        )


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
            weights = _fitting(_initial_weights(settings), generator)
            generator.load_state_dict(generator.state_dict() | weights)
    else:
        generator.load_state_dict(folder.weights("psnr-best"))
    if name == "psnr" or settings.gan is None:
        return PsnrStage(accelerator, settings, settings.psnr, generator)
    if not settings.psnr.steps:
        # the other model of the pair
        folder.write_model("psnr-best", "psnr", generator.state_dict(), 0)
    # the discriminator must not depend on the number of draws for the generator
    torch.manual_seed(settings.seed)
    discriminator = make_discriminator(settings.gan.discriminator, settings.data.patch)
    return GanStage(accelerator, settings, settings.gan, generator, discriminator, vgg)


def _initial_weights(settings: Settings) -> dict[str, Tensor]:
    run = RunFolder(settings.start_from or "")
    if run.description()["settings"]["generator"] != settings.generator:
        raise invalid(
            f"The generator of {settings.start_from} has another architecture: use its setting "
            "“generator”."
        )
    return run.weights("psnr-best")


def _fitting(weights: dict[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """The weights of equal shape: of a network of another scale, its trunk."""
    own = net.state_dict()
    return {
        name: value
        for name, value in weights.items()
        if name in own and own[name].shape == value.shape
    }
