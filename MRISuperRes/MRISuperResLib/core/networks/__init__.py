"""Generator networks by name, as in the architecture of a model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch

from ..errors import SuperResolutionError, is_out_of_memory
from .compact import CompactNet, SrvggNet
from .rrdb import RRDBNet
from .spandrel_net import SPANDREL, SpandrelNet, load_spandrel_network
from .through_plane import ThroughPlaneNet

Generator = RRDBNet | CompactNet | SrvggNet | ThroughPlaneNet
NETWORKS: dict[str, type[Generator]] = {
    "rrdb": RRDBNet,
    "compact": CompactNet,
    "srvgg": SrvggNet,
    "through-plane": ThroughPlaneNet,
}
SWITCHES = ("skip",)
"""Arguments of the networks that are true or false; all others are whole numbers."""
MAX_PARAMETER = 512
"""Maximum of blocks, features and the like: twenty times the largest published values."""


def make_generator(architecture: Mapping[str, Any], scale: int) -> Generator:
    """Make an untrained network.

    Args:
        architecture: {"network": a key of NETWORKS, default "rrdb"; arguments of its class}.
        scale: 2, 4 or 8.

    Returns:
        A network from (n, channels, h, w) to (n, channels, scale·h, scale·w); the network between
        slices has another output, see `ThroughPlaneNet`.

    Raises:
        ValueError: The network is unknown, or a value is out of range.
        TypeError: The network has no such argument.
    """
    parameters = dict(architecture)
    name = parameters.pop("network", "rrdb")
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}: choose {', '.join(NETWORKS)}")
    for key, value in parameters.items():
        if key in SWITCHES:
            if type(value) is not bool:
                raise ValueError(f"{key} must be true or false, not {value!r}")
        elif type(value) is not int or not 1 <= value <= MAX_PARAMETER:
            raise ValueError(
                f"{key} must be a whole number from 1 to {MAX_PARAMETER}, not {value!r}"
            )
    return NETWORKS[name](scale, **parameters)


def load_generator(
    name: str, architecture: Mapping[str, Any], scale: int, weights: bytes
) -> Generator | SpandrelNet:
    """Make a network with its weights.

    No more memory is allocated than the weights take, whatever the architecture says. The networks
    of NETWORKS compute in the memory format channels_last.

    Args:
        name: Name of the model, for errors.
        architecture: See `make_generator`, or {"network": "spandrel", "type": identifier}.
        scale: 2, 4 or 8.
        weights: Content of a safetensors file, which is data: nothing in it is executed.

    Returns:
        The network in float32 on the CPU.

    Raises:
        SuperResolutionError: The weights do not fit the architecture, or some are not finite
            (kind "model"), or the architecture needs spandrel, which is missing ("environment").
    """
    try:
        state = {
            key: value.float() if value.is_floating_point() else value
            for key, value in safetensors.torch.load(weights).items()
        }
        net: Generator | SpandrelNet
        if architecture.get("network") == SPANDREL:
            net = load_spandrel_network(state, scale, architecture.get("type"))
        else:
            with torch.device("meta"):
                net = make_generator(architecture, scale)
            net.load_state_dict(state, assign=True)
    except Exception as e:  # the readers raise many types on damaged files
        if is_out_of_memory(e) or isinstance(e, SuperResolutionError):
            raise
        raise SuperResolutionError(
            f"The weights of the model {name} do not fit its card. Install the model again.",
            "model",
        ) from e
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise SuperResolutionError(
            f"The weights of the model {name} are damaged: some are not finite numbers. "
            "Install the model again.",
            "model",
        )
    if not isinstance(net, SpandrelNet):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net
