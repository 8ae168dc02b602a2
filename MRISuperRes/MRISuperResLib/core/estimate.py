"""Estimate of a run before it starts: memory, and time on a CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .models.card import ModelCard
from .slice_axis import SliceAxis

WORKER_BYTES = 2**29
"""Memory of a process with PyTorch and a network, beside its volume."""


@dataclass(frozen=True)
class RunEstimate:
    """Memory and time of a run.

    Attributes:
        output_bytes: Size of all outputs, which stay in memory together.
        peak_bytes: Memory while the last output is computed.
        seconds: Time on the CPU that the model card names; None if the card gives no speed.
    """

    output_bytes: int
    peak_bytes: int
    seconds: float | None

    def fits(self, available: int | None) -> bool:
        """Return True if the run fits into `available` bytes; None (unknown) counts as enough."""
        return available is None or self.peak_bytes <= available


def estimate_run(
    volumes: Sequence[tuple[Sequence[int], int, SliceAxis]],
    scale: int,
    card: ModelCard | None = None,
) -> RunEstimate:
    """Estimate memory and time of upsampling.

    Slices without structure are not computed, so the time is an upper estimate.

    Args:
        volumes: ((ni, nj, nk), bytes per voxel, slice direction) for every volume or frame.
        scale: Upsampling factor.
        card: Card of the network, for its speed; None for an interpolation.
    """
    voxels = [math.prod(size) * math.prod(axis.factors(scale)) for size, _bytes, axis in volumes]
    output = sum(count * voxel for count, (_size, voxel, _axis) in zip(voxels, volumes))
    # the worker's copy of a volume, and a second one for its percentiles
    copies = max((2 * math.prod(size) * voxel for size, voxel, _axis in volumes), default=0)
    seconds = None
    if card is not None and card.cpu_speed:
        seconds = sum(voxels) / 1e6 * card.cpu_speed["seconds_per_megapixel"]
    return RunEstimate(output, output + copies + WORKER_BYTES, seconds)


def format_bytes(count: float) -> str:
    """Format a number of bytes as "37 MiB" or "1.2 GiB"."""
    if count < 2**30:
        return f"{max(1, round(count / 2**20))} MiB"
    return f"{count / 2**30:.1f} GiB"
