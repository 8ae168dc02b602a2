"""Models for tests: tiny generators with random weights, as files that the model store reads."""

import hashlib
import json
from pathlib import Path

ARCHITECTURE = {"blocks": 1, "features": 8, "growth": 4, "first_kernel": 3}
THROUGH_PLANE = {"network": "through-plane", "blocks": 1, "features": 4}
"""Architecture of a network between slices; its scale is 8."""


def write_model(folder, name="tiny-x2-psnr", scale=2, seed=0, **card):
    """Write a tiny model of random weights, see `write_network`, and return its network."""
    import torch
    from MRISuperResLib.core.networks import make_generator

    torch.manual_seed(seed)
    architecture = card.get("architecture", ARCHITECTURE)
    net = make_generator(architecture, scale).eval()
    write_network(folder, name, net, **{"scale": scale, "architecture": architecture, **card})
    return net


def write_network(folder, name, net, **card):
    """Write NAME.safetensors and NAME.json.

    Args:
        folder: An existing folder.
        name: The name of the model.
        net: The network.
        **card: Fields of the card, scale and architecture among them.
    """
    import safetensors.torch

    weights = safetensors.torch.save(
        {key: value.contiguous() for key, value in net.state_dict().items()}
    )
    values = {
        "name": name,
        "title": "A tiny model",
        "stage": "psnr",
        "sha256": hashlib.sha256(weights).hexdigest(),
        **card,
    }
    Path(folder, f"{name}.safetensors").write_bytes(weights)
    Path(folder, f"{name}.json").write_text(json.dumps(values))
