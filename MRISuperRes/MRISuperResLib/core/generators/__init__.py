"""The networks, by the name that a model card's `architecture` gives them."""

from .compact import CompactNet
from .rrdb import RRDBNet

NETWORKS = {"rrdb": RRDBNet, "compact": CompactNet}


def make_generator(architecture, scale):
    """An untrained network: low-resolution images (n, channels, h, w) to (n, channels, scale·h, scale·w).

    architecture: {"network": a key of NETWORKS, default "rrdb", and parameters of its class}; scale: 2, 4 or 8.
    Raises ValueError, TypeError for what no network takes.
    """
    parameters = dict(architecture)
    name = parameters.pop("network", "rrdb")
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}: {', '.join(NETWORKS)}")
    return NETWORKS[name](scale, **parameters)
