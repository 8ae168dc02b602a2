"""The networks, by the name that a model card's `architecture` gives them."""

from .compact import CompactNet
from .rrdb import RRDBNet

NETWORKS = {"rrdb": RRDBNet, "compact": CompactNet}


MOST = 512
"""Blocks, features …: twenty times the largest published ones; beyond, a card asks for a network that no computer holds."""


def make_generator(architecture, scale):
    """An untrained network: low-resolution images (n, channels, h, w) to (n, channels, scale·h, scale·w).

    architecture: {"network": a key of NETWORKS, default "rrdb", and parameters of its class}; scale: 2, 4 or 8.
    Raises ValueError, TypeError for what no network takes.
    """
    parameters = dict(architecture)
    name = parameters.pop("network", "rrdb")
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}: {', '.join(NETWORKS)}")
    for key, value in parameters.items():
        if type(value) is not int or not 1 <= value <= MOST:
            raise ValueError(f"{key} must be a whole number from 1 to {MOST}, not {value!r}")
    return NETWORKS[name](scale, **parameters)
