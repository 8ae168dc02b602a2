"""The stages of a run, and the networks that they begin with."""

import torch

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.networks import make_generator

from ..networks.discriminators import make_discriminator
from ..runs.folder import RunFolder
from .gan_stage import GanStage
from .psnr_stage import PsnrStage


def names(settings):
    """Of the stages that the settings ask for, in their order."""
    return [
        name for name, wanted in (("psnr", settings.psnr.steps), ("gan", settings.gan)) if wanted
    ]


def check(settings):
    """Raises SuperResolutionError (kind "settings") where there is no such generator, or none to begin with."""
    try:
        with torch.device("meta"):  # no memory, no time
            make_generator(settings.generator, settings.scale)
    except (ValueError, TypeError) as e:
        raise SuperResolutionError(
            f"There is no such generator ({e}): compare the setting “generator” with a preset.",
            "settings",
        ) from e
    if settings.start_from:
        _weights_to_start_from(settings)
    elif not settings.psnr.steps:
        raise SuperResolutionError(
            "The GAN stage needs a generator to begin with: give “psnr” some steps, or name a run in “start_from”.",
            "settings",
        )


def make(name, accelerator, settings, folder, vgg):
    """A new Stage. folder: RunFolder; vgg: features.VGG or None."""
    torch.manual_seed(settings.seed)
    generator = make_generator(settings.generator, settings.scale)
    if name == "psnr" or not settings.psnr.steps:
        if settings.start_from:
            generator.load_state_dict(
                generator.state_dict() | _fitting(_weights_to_start_from(settings), generator)
            )
    else:
        generator.load_state_dict(folder.weights("psnr-best"))
    if name == "psnr":
        return PsnrStage(accelerator, settings, settings.psnr, generator)
    if not settings.psnr.steps:
        folder.write_model("psnr-best", "psnr", generator.state_dict(), 0)  # the pair's other half
    torch.manual_seed(
        settings.seed
    )  # so that it does not depend on what was drawn for the generator
    discriminator = make_discriminator(settings.gan.discriminator, settings.data.patch)
    return GanStage(accelerator, settings, settings.gan, generator, discriminator, vgg)


def _weights_to_start_from(settings):
    run = RunFolder(settings.start_from)
    if run.description()["settings"]["generator"] != settings.generator:
        raise SuperResolutionError(
            f"The generator of {settings.start_from} has another architecture: take over its setting “generator”.",
            "settings",
        )
    return run.weights("psnr-best")


def _fitting(weights, net):
    """Those that a network of another scale has, too: its trunk."""
    own = net.state_dict()
    return {
        name: value
        for name, value in weights.items()
        if name in own and own[name].shape == value.shape
    }
