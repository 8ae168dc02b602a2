"""Results of a comparison, in-plane or between slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..geometry import SliceAxis
from ..messages import Message
from ..options import ComparisonOptions
from ..resampling import inconsistency_map
from ..through_plane.thick_slices import ThickSlices
from ..upsampling import allocate_in_memory
from ..volume import Volume
from .lesions import LesionScore
from .scores import ScoreTable

AllocateOutput = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]
"""Allocates the output of a method (name, shape, dtype), in memory or in a file."""


def allocate_output(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Allocate the output of a method in memory."""
    return allocate_in_memory(shape, dtype)


@dataclass(frozen=True)
class MethodOutput:
    """The result of a method.

    Attributes:
        name: Name of the method.
        stage: "interpolation", "psnr", "gan" or "blend".
        volume: The upsampled volume, in the type of the input, with its provenance.
    """

    name: str
    stage: str
    volume: Volume


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    Attributes:
        options: Options of the comparison.
        outputs: The result of every method, in the order of the options.
        reference: The reference, cropped to multiples of the scale; None without one.
        low: Input of the methods: the degraded reference (float32), or the volume itself.
        axis: Direction of the slices that are scored and shown: the slice direction; between
            slices, the normal of reformats that contain it.
        table: Scores of every method and slice.
        lesions: Score of every method and synthetic lesion; none between slices.
        messages: Messages of the volume and of the comparison.
        thick: The thick slices of a comparison between slices; None in-plane.
    """

    options: ComparisonOptions
    outputs: list[MethodOutput]
    reference: Volume | None
    low: Volume
    axis: SliceAxis
    table: ScoreTable
    lesions: list[LesionScore]
    messages: tuple[Message, ...]
    thick: ThickSlices | None = None

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """Voxel indices of outputs and reference to RAS, (4, 4), mm."""
        return self.outputs[0].volume.ijk_to_ras

    def to_csv(self, path: str | Path) -> None:
        """Write the mean scores, a line per method, as a CSV file."""
        Path(path).write_text(self.table.csv(), encoding="utf-8", newline="")

    def inconsistency_map(self, output: np.ndarray) -> np.ndarray:
        """Compute |degraded output − input| of an output (k, j, i): float32, the shape of `low`."""
        if self.thick is not None:
            difference: np.ndarray = np.abs(self.thick.degrade(output) - self.low.array)
            return difference
        options = self.options
        return inconsistency_map(
            output, self.low.array, self.axis, options.scale, options.degradation
        )

    def conditions(self) -> str:
        """Return how the input was made, such as "Degraded ÷2 (bicubic)"."""
        options = self.options
        noise = f", noise {options.noise:g} %, seed {options.seed}" if options.noise else ""
        if self.thick is not None:
            return f"Degraded to {self.thick.text()}{noise}"
        if not options.reference:
            return f"Upsampled ×{options.scale}"
        return f"Degraded ÷{options.scale} ({options.degradation}{noise})"
