"""What a run will need, told before it: memory, and time on a CPU."""

import math
from dataclasses import dataclass

WORKER = 2**29
"""Bytes that a process with PyTorch and a network takes, beside its volume."""


@dataclass(frozen=True)
class Need:
    """output: bytes of the results, which all stay in memory. running: bytes while the last of them is made. seconds: on the CPU of the card; None where it has no figure."""

    output: int
    running: int
    seconds: float | None

    def fits(self, free):
        """Whether `free` bytes of memory are enough; None, where it is not known, counts as enough."""
        return free is None or self.running <= free


def need(volumes, scale, card=None):
    """The Need of a run.

    volumes: [((i, j, k) size, bytes of a voxel, SliceAxis)], one for every volume or frame. card: the ModelCard of the network, which knows how long a megapixel of
    the output takes; None: an interpolation. Slices without structure are not computed, so that the time is rather too long than too short.
    """
    pixels = [math.prod(size) * math.prod(axis.factors(scale)) for size, _voxel, axis in volumes]
    output = sum(count * voxel for count, (_size, voxel, _axis) in zip(pixels, volumes))
    # the worker's own copy of a volume, and another one to find its percentiles
    copies = max((2 * math.prod(size) * voxel for size, voxel, _axis in volumes), default=0)
    seconds = (
        sum(pixels) / 1e6 * card.cpu_speed["seconds_per_megapixel"]
        if card is not None and card.cpu_speed
        else None
    )
    return Need(output, output + copies + WORKER, seconds)


def format_bytes(count):
    """ "37 MiB", "1.2 GiB"."""
    if count < 2**30:
        return f"{max(1, round(count / 2**20))} MiB"
    return f"{count / 2**30:.1f} GiB"
