"""The voxel grid of an output that is isotropic or has a requested spacing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .. import geometry
from ..errors import SuperResolutionError
from ..geometry import SliceAxis, choose_slice_axis
from ..options import SCALES, UpsamplingOptions
from ..volume import Volume

MAX_FACTOR = max(SCALES)
"""Largest factor along every axis: beyond it, nearly all voxels would be guessed."""


@dataclass(frozen=True)
class OutputGrid:
    """Voxel grid whose outer faces are those of the input.

    Whole voxels fill the field of view, so that the spacing differs from the requested one by less
    than half an output voxel in the whole field of view.

    Attributes:
        axis: Slice direction of the input.
        size: Voxel counts (ni, nj, nk).
        ijk_to_ras: (4, 4) matrix, mm.
        scale: In-plane factor of the method, 2, 4 or 8, whose result is reduced to the grid; None
            if the grid is no finer than the input in the plane.
        aspect: Slice spacing of the input, in in-plane voxels of the output.
    """

    axis: SliceAxis
    size: tuple[int, int, int]
    ijk_to_ras: np.ndarray
    scale: int | None
    aspect: float

    @classmethod
    def of(cls, volume: Volume, options: UpsamplingOptions) -> Self:
        """Plan the grid that the options request.

        Args:
            volume: The input.
            options: Options with `isotropic` or `spacing`.

        Raises:
            SuperResolutionError: The grid is more than MAX_FACTOR times as fine as the input, has
                no voxels, or the input has a single slice.
        """
        return cls.plan(volume.ijk_to_ras, volume.size, options)

    @classmethod
    def plan(
        cls, ijk_to_ras: np.ndarray, volume_size: Sequence[int], options: UpsamplingOptions
    ) -> Self:
        """Plan the grid for a volume of which only the place is known; see `of`.

        Args:
            ijk_to_ras: (4, 4) matrix of the input, mm.
            volume_size: Voxel counts (ni, nj, nk) of the input.
            options: Options with `isotropic` or `spacing`.
        """
        axis = choose_slice_axis(ijk_to_ras, options.slice_axis, volume_size)
        given, size = geometry.spacing(ijk_to_ras), np.array(volume_size)
        in_plane = np.delete(given, axis.index)
        requested = np.array(options.spacing or 3 * (in_plane.min(),))
        count = np.maximum(1, np.rint(size * given / requested)).astype(int)
        factors = count / size
        _check(factors, axis, given, size)
        finest = float(np.delete(factors, axis.index).max())
        scale = next((s for s in SCALES if s >= finest), None) if finest > 1 else None
        ni, nj, nk = (int(side) for side in count)
        pixel = np.sqrt(np.delete(given / factors, axis.index).prod())
        return cls(
            axis,
            (ni, nj, nk),
            geometry.upsampled_ijk_to_ras(ijk_to_ras, factors),
            scale,
            float(given[axis.index] / pixel),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array (k, j, i)."""
        i, j, k = self.size
        return k, j, i

    @property
    def slices(self) -> int:
        """Number of output slices along the slice direction."""
        return self.size[self.axis.index]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (si, sj, sk) in mm."""
        i, j, k = (float(side) for side in geometry.spacing(self.ijk_to_ras))
        return i, j, k


def _check(factors: np.ndarray, axis: SliceAxis, spacing: np.ndarray, size: np.ndarray) -> None:
    """Refuse what cannot be upsampled."""
    if factors.max() > MAX_FACTOR:
        smallest = spacing / MAX_FACTOR
        raise SuperResolutionError(
            f"The requested voxels are more than {MAX_FACTOR} times smaller than those of the "
            f"volume, which measure {geometry.format_sides(spacing)} mm. Choose a spacing of at "
            f"least {geometry.format_sides(smallest)} mm.",
            "settings",
        )
    if factors[axis.index] > 1 and size[axis.index] == 1:
        raise SuperResolutionError(
            "The volume has a single slice, so that nothing is known between slices. Choose the "
            "scale 2, 4 or 8, which upsamples in-plane.",
            "settings",
        )
