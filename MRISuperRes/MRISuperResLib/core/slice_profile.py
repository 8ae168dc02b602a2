"""The profile of thick slices, and interpolation between slices.

Both are linear along the slice direction, as matrices whose rows hold the weights of an output
slice. Slices are center-aligned: the outer faces of the volume stay in place. Beyond the first and
the last slice, the volume is mirrored.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from . import resampling

INTERPOLATIONS = ("linear", "bspline", "fourier")
"""Interpolation between slices: linear, by cubic B-splines, or in k-space (zero-filling)."""
BASELINE = "bspline"
"""The interpolation that networks correct, and over which their gain is measured."""
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian with σ = 1."""
MIN_WIDTH = 0.7
"""Smallest width of the kernel between two slices, in slices: nearly linear interpolation."""


@lru_cache(maxsize=256)
def interpolation_weights(slices: int, count: int, kernel: str = BASELINE) -> np.ndarray:
    """Compute the weights that interpolate between slices.

    Args:
        slices: Number of slices.
        count: Number of output slices, at least `slices`.
        kernel: One of INTERPOLATIONS. "bspline": Unser 1999, "Splines: a perfect fit for signal and
            image processing". "fourier": all frequencies of the mirrored slices, so that the last
            slice does not leak into the first one.

    Returns:
        (count, slices) float64, read-only; every row sums to 1.
    """
    if kernel == "linear":
        return resampling.weights(slices, count, "bilinear")
    weights = _bspline(slices, count) if kernel == "bspline" else _fourier(slices, count)
    weights.setflags(write=False)
    return weights


def slice_centers(size: int, count: int) -> np.ndarray:
    """Return the centers of `count` slices that divide `size` voxels evenly, in voxel indices."""
    centers: np.ndarray = (np.arange(count) + 0.5) * size / count - 0.5
    return centers


def containing_voxels(size: int, count: int) -> np.ndarray:
    """Return which of `size` voxels contains the center of each of `count`, (count,) integers."""
    voxels: np.ndarray = np.floor(slice_centers(size, count) + 0.5).astype(int)
    return voxels


def profile_weights(size: int, centers: ArrayLike, thickness: float) -> np.ndarray:
    """Compute the weights with which thick slices average thin ones.

    The slice profile is a Gaussian whose full width at half maximum is the slice thickness. Thin
    slices have such a profile themselves, one voxel wide. The squares of the widths of Gaussians
    add, so that the kernel between both is a little narrower than the thick slice.

    Args:
        size: Number of thin slices.
        centers: Centers of the thick slices, in indices of the thin ones, (n,).
        thickness: Slice thickness, in thin slices.

    Returns:
        (n, size) float64; every row sums to 1.
    """
    width = max(math.sqrt(max(thickness**2 - 1, 0.0)), MIN_WIDTH)
    reach = math.ceil(2 * width) + 1
    taps = np.arange(-reach, size + reach)
    distances = np.asarray(centers, dtype=float)[:, None] - taps
    values = np.exp(-0.5 * (distances * FWHM_PER_SIGMA / width) ** 2)
    values /= values.sum(axis=1, keepdims=True)
    mirrored = np.mod(taps, 2 * size)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    weights = np.zeros((len(values), size))
    np.add.at(weights.T, mirrored, values.T)
    return weights


def thick_patch(
    image: np.ndarray, position: tuple[int, int], side: int, slices: int, coverage: float
) -> np.ndarray:
    """Average the rows of a square patch to thick slices, as training data for networks.

    The rows around the patch take part, so that it has no edges of its own.

    Args:
        image: (h, w), a slice of high resolution.
        position: (row, column) of the first pixel of the patch.
        side: Side of the patch, pixels.
        slices: Number of slices that divide the patch evenly.
        coverage: Slice thickness, as a part of the slice spacing.

    Returns:
        (slices, side), float32.
    """
    row, column = position
    centers = row + slice_centers(side, slices)
    weights = profile_weights(len(image), centers, coverage * side / slices).astype(np.float32)
    low: np.ndarray = weights @ image[:, column : column + side]
    return low


def _bspline(slices: int, count: int) -> np.ndarray:
    from scipy.ndimage import map_coordinates  # loads slowly

    rows = np.broadcast_to(slice_centers(slices, count)[:, None], (count, slices))
    columns = np.broadcast_to(np.arange(slices), (count, slices))
    weights: np.ndarray = map_coordinates(np.eye(slices), (rows, columns), order=3, mode="reflect")
    return weights


def _fourier(slices: int, count: int) -> np.ndarray:
    # The Fourier series of mirrored slices holds cosines only: their discrete cosine transform.
    frequencies = np.pi * np.arange(1, slices) / slices
    waves = np.cos((slice_centers(slices, count)[:, None] + 0.5) * frequencies)
    weights: np.ndarray = (
        1 + 2 * waves @ np.cos((np.arange(slices)[:, None] + 0.5) * frequencies).T
    ) / slices
    return weights
