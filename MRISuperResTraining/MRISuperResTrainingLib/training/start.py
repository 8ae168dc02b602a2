"""Start of a run: an untrained generator, or the generator of another run or model.

A generator starts from the layers of equal name and shape: from another scale all but those that
depend on it, from a network with more blocks its first ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from MRISuperResLib.core.messages import Message, info, warning
from MRISuperResLib.core.models.card import is_model_name
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.networks import Generator, load_generator, make_generator
from MRISuperResLib.core.networks.rrdb import RRDBNet
from MRISuperResLib.core.validation import invalid

from ..options.settings import Settings
from ..runs.folder import RunFolder, training_data

TRUNK = "body."
"""First part of the names of the layers without which a start makes no sense."""


@dataclass(frozen=True)
class Start:
    """Initial weights of a generator.

    Attributes:
        weights: Weights by name, those that fit.
        ancestors: The models that the weights come from, oldest first: "name", "sha256",
            "license" and the training "data", as on a model card.
        messages: A message on layers that do not fit.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    ancestors: tuple[dict[str, Any], ...] = ()
    messages: tuple[Message, ...] = ()

    def split_messages(self, held_out: Iterable[tuple[str, str]]) -> list[Message]:
        """Warn about held-out volumes, (file name, SHA-256), on which an ancestor was trained."""
        trained = {
            volume["sha256"]: ancestor["name"]
            for ancestor in self.ancestors
            for volume in ancestor["data"]
            if "sha256" in volume
        }
        return [
            warning(
                "split",
                f"{name} is held out, but {trained[sha256]}, from which the run starts, was "
                "trained on it: its scores say little about unseen subjects.",
            )
            for name, sha256 in held_out
            if sha256 in trained
        ]


def check_start(settings: Settings) -> Start:
    """Check that a run can start, and return its start.

    Raises:
        SuperResolutionError: The generator is unknown, or there is none to start the GAN stage
            from (kind "settings"); the model to start from is not installed (kind "model").
    """
    try:
        with torch.device("meta"):  # needs neither memory nor time
            generator = make_generator(settings.generator, settings.scale)
    except (ValueError, TypeError) as e:
        raise invalid(
            f"Invalid generator ({e}): compare the setting “generator” with a preset."
        ) from e
    if settings.start_from:
        return find_start(settings, generator)
    if not settings.psnr.steps:
        raise invalid(
            "The GAN stage needs a trained generator: give “psnr” some steps, or name a run or a "
            "model in “start_from”."
        )
    return Start()


def find_start(settings: Settings, generator: Generator) -> Start:
    """Read the weights of the run or model in `settings.start_from` that fit a generator.

    Raises:
        SuperResolutionError: Neither a run nor an installed model has this name, or its network
            is another one.
    """
    name = settings.start_from or ""
    run = RunFolder(name)
    if is_model_name(name) and not run.exists():
        model = ModelStore().model(name)
        card = model.card
        net = load_generator(name, card.architecture, card.scale, model.read_weights())
        weights, has_skip = net.state_dict(), getattr(net, "skip", False)
        ancestors = card.training.get("started_from", [])
        own = {
            "name": name,
            "sha256": card.sha256,
            "license": card.license,
            "data": card.training.get("data", []),
        }
    else:
        description = run.description()
        weights = run.weights("psnr-best")
        has_skip = description["settings"]["generator"].get("skip", False)
        ancestors = description.get("started_from", [])
        own = {
            "name": run.path.name,
            "sha256": run.card("psnr-best").sha256,
            "license": description["card"].get("license", ""),
            "data": training_data(description),
        }
    fitting = _fitting(weights, generator)
    if not any(layer.startswith(TRUNK) for layer in fitting):
        raise invalid(
            f"The generator of {name} has another architecture: use its setting “generator”."
        )
    if isinstance(generator, RRDBNet) and generator.skip != has_skip:
        # the one ends with an image, the other with a difference
        fitting = {key: value for key, value in fitting.items() if "conv_last" not in key}
    missing = dict.fromkeys(
        key.rpartition(".")[0] for key in generator.state_dict() if key not in fitting
    )
    text = f"Layers that start untrained, since {name} has none that fit: {', '.join(missing)}."
    messages = (info("training", text),) if missing else ()
    return Start(fitting, (*ancestors, own), messages)


def _fitting(weights: dict[str, Tensor], net: torch.nn.Module) -> dict[str, Tensor]:
    present = net.state_dict()
    return {
        name: value
        for name, value in weights.items()
        if name in present and present[name].shape == value.shape
    }
