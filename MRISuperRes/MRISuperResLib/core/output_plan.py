"""Size, memory and time of an output, known before the work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .geometry import choose_slice_axis
from .messages import Message, info
from .options import UpsamplingOptions
from .progress import format_duration
from .system import WORKER_BYTES, format_bytes, thread_count
from .through_plane.grid import OutputGrid
from .volume import Volume

if TYPE_CHECKING:
    from .methods.interpolation import AnyMethod
    from .methods.registry import MethodRegistry

    Work = tuple[AnyMethod, float]
    """A method, and the millions of voxels that it computes."""

FLOAT_BYTES = 4
"""Bytes of a voxel in single precision."""
ENSEMBLE = 8
"""Runs of a network with its self-ensemble, for every slice or for both orientations."""
ORIENTATIONS = 2
"""Runs of a network between slices without it."""
STEP_MEGAVOXELS = 3 * 8 * 96**2 / 1e6
"""Work of an adaptation step: 8 patches of 96×96; the backward pass takes as long as two runs."""


@dataclass(frozen=True)
class OutputPlan:
    """Size, memory and time of upsampling a volume, or each of several frames.

    Attributes:
        size: Voxel counts (ni, nj, nk) of the output.
        spacing: Voxel size (si, sj, sk) of the output, mm.
        frames: Number of frames.
        output_bytes: Size of all frames.
        peak_bytes: Memory while a frame is computed.
        seconds: Time on the CPU; None if it is unknown.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    frames: int
    output_bytes: int
    peak_bytes: int
    seconds: float | None

    @classmethod
    def of(
        cls, volume: Volume, options: UpsamplingOptions, registry: MethodRegistry, frames: int = 1
    ) -> Self:
        """Plan the output.

        Args:
            volume: The input, or its first frame.
            options: Options of the task.
            registry: Finds the methods.
            frames: Number of frames.

        Raises:
            SuperResolutionError: The output or a method is not available, as in `upsample_volume`.
        """
        size, spacing, work = (_on_grid if options.has_output_grid else _in_plane)(
            volume, options, registry
        )
        voxels = math.prod(size)
        one = voxels * volume.array.itemsize
        peak = one + 2 * volume.array.nbytes  # one more copy for percentiles or missing voxels
        if options.has_output_grid:
            peak += 2 * voxels * FLOAT_BYTES
        if options.uncertainty:
            peak += voxels * FLOAT_BYTES
        if any(method.cards for method, _ in work):
            peak += WORKER_BYTES
        seconds = _seconds(work)
        return cls(
            size,
            spacing,
            frames,
            one * frames,
            peak,
            None if seconds is None else seconds * frames,
        )

    def message(self) -> Message:
        """Describe the plan in one line."""
        frames = f"{self.frames} frames of " if self.frames > 1 else ""
        time = (
            "" if self.seconds is None else f", time: about {format_duration(max(1, self.seconds))}"
        )
        return info(
            "output-grid",
            f"Output: {frames}{'×'.join(map(str, self.size))} voxels of "
            f"{'×'.join(f'{side:.4g}' for side in self.spacing)} mm, "
            f"{format_bytes(self.output_bytes)}; memory: about {format_bytes(self.peak_bytes)}"
            f"{time}.",
        )


_Planned = tuple[tuple[int, int, int], tuple[float, float, float], "list[Work]"]


def _in_plane(volume: Volume, options: UpsamplingOptions, registry: MethodRegistry) -> _Planned:
    """Plan an output with a scale: size, spacing and work."""
    method = registry.get(options)
    axis = choose_slice_axis(volume.ijk_to_ras, options.slice_axis, volume.size)
    factors = axis.factors(method.scale)
    i, j, k = (count * factor for count, factor in zip(volume.size, factors))
    si, sj, sk = (side / factor for side, factor in zip(volume.spacing, factors))
    runs = ENSEMBLE if options.ensemble else 1
    return (i, j, k), (si, sj, sk), [(method, runs * i * j * k / 1e6)]


def _on_grid(volume: Volume, options: UpsamplingOptions, registry: MethodRegistry) -> _Planned:
    """Plan an output with a requested spacing: size, spacing and work."""
    grid = OutputGrid.of(volume, options)
    work: list[Work] = []
    if grid.scale:
        method = registry.get(options.in_plane(grid.scale))
        runs = ENSEMBLE if options.ensemble else 1
        work.append((method, runs * volume.array.size * grid.scale**2 / 1e6))
    if grid.slices > volume.size[grid.axis.index]:
        runs = ENSEMBLE if options.ensemble else ORIENTATIONS
        megavoxels = runs * math.prod(grid.size) / 1e6 + options.adapt * STEP_MEGAVOXELS
        work.append((registry.between_slices(options), megavoxels))
    return grid.size, grid.spacing, work


def _seconds(work: list[Work]) -> float | None:
    """Estimate the time of networks on the CPU by their cards; None if it is unknown."""
    seconds = 0.0
    for method, megapixels in work:
        for card in method.cards[:1]:  # the networks of a blend become one
            if not card.cpu_speed or str(method.device) != "cpu":
                return None
            slowness = max(1.0, card.cpu_speed["threads"] / thread_count())
            seconds += megapixels * card.cpu_speed["seconds_per_megapixel"] * slowness
    return seconds or None
