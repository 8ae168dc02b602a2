"""Label maps and segmentations on the grid of an upsampled volume; labels are never blended."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from . import geometry
from .errors import SuperResolutionError
from .resampling import apply, operator, repeat
from .volume import GRID_TOLERANCE, Volume

if TYPE_CHECKING:
    from .resampling import Operator

EXTENT = re.compile(r"Segment\d+_Extent")
"""Fields of 3D Slicer's segmentations with the voxels that a segment may take."""
LABEL_INTERPOLATIONS = ("nearest", "smooth")
SIGMA = 0.6
"""Standard deviation of the smoothing, low-resolution pixels: enough to round the corners of the
pixels, too little to move a straight border."""
REACH = 3
"""Pixels beyond which the smoothing has no effect."""


def upsample_labels(
    labels: Volume, like: Volume, interpolation: Literal["nearest", "smooth"] = "nearest"
) -> Volume:
    """Upsample a label map to the grid of an upsampled volume.

    With "smooth", every pixel gets the label whose indicator, smoothed by a Gaussian, is largest
    there (Schaerer et al. 2014, "A generic interpolator for multi-label images"). A voxel of the
    input whose label would vanish within it keeps it, so that small structures are not lost.

    Args:
        labels: Label map (k, j, i) of an integer or floating-point type, with whole numbers.
        like: A volume at the same place, with an integer number of voxels per voxel of the label
            map along every axis, and the same number of slices along one.
        interpolation: "nearest" or "smooth".

    Returns:
        The label map on the grid of `like`, with the type and the header of the input. It holds
        exactly the labels of the input.

    Raises:
        SuperResolutionError: A value is not a whole number (kind "input"); the grids do not fit
            (kind "settings").
    """
    check_labels(labels)
    factors = _factors(labels, like)
    repeated = repeat(labels.array, factors)
    if interpolation == "smooth" and max(factors) > 1:
        axis = factors.index(1)
        low, result = (np.moveaxis(array, axis, 0) for array in (labels.array, repeated))
        for image, target in zip(low, result):
            _smooth(image, target)
    whole = " ".join(f"0 {n - 1}" for n in like.size)
    header = {
        key: whole if EXTENT.fullmatch(key) else value for key, value in labels.header.items()
    }
    return Volume(repeated, like.ijk_to_ras, labels.messages, header=header, is_labels=True)


def check_labels(labels: Volume) -> None:
    """Check that a volume is a label map.

    Raises:
        SuperResolutionError: A value is not a whole number.
    """
    array = labels.array
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise SuperResolutionError(
            "The label map holds values that are not whole numbers, as an image or a probability "
            "map does. Choose a label map."
        )


def check_grid_of_labels(labels: Volume, volume: Volume) -> None:
    """Check that a label map lies on the voxel grid of a volume.

    Raises:
        SuperResolutionError: It does not (kind "settings").
    """
    if not labels.is_aligned_with(volume):
        raise _other_grid(labels, volume)


def _other_grid(labels: Volume, volume: Volume) -> SuperResolutionError:
    return SuperResolutionError(
        "The label map and the volume do not lie on one voxel grid "
        f"({labels.describe_grids(volume)}, or another place). "
        "Use the label map that was drawn on the volume.",
        "settings",
    )


def _factors(labels: Volume, like: Volume) -> tuple[int, ...]:
    """Return the voxels of `like` per voxel of the label map along (k, j, i)."""
    pairs = list(zip(like.array.shape, labels.array.shape))
    ends = [geometry.corners(each.ijk_to_ras, each.size) for each in (labels, like)]
    is_same_place = np.allclose(ends[0], ends[1], rtol=0, atol=GRID_TOLERANCE)
    are_whole = not any(large % small for large, small in pairs)
    factors = tuple(large // small for large, small in pairs)
    if not (are_whole and is_same_place and 1 in factors):
        raise _other_grid(labels, like)
    return factors


def _smooth(image: np.ndarray, target: np.ndarray) -> None:
    """Smooth the borders of one slice in place.

    Args:
        image: Labels (h, w).
        target: The same labels, repeated (H, W); replaced.
    """
    present = np.unique(image)
    if len(present) == 1:
        return
    nearest = target.copy()
    rows, columns = (_gaussian(*sides) for sides in zip(image.shape, target.shape))
    best = np.zeros(target.shape, np.float32)
    for label in present:
        share = apply(rows, columns, (image == label).astype(np.float32))
        is_largest = share > best
        best[is_largest], target[is_largest] = share[is_largest], label
    (height, width), factors = image.shape, [t // n for t, n in zip(target.shape, image.shape)]
    cells = (target == nearest).reshape(height, factors[0], width, factors[1])
    lost = repeat(~cells.any(axis=(1, 3)), factors)
    target[lost] = nearest[lost]


@lru_cache(maxsize=8)
def _gaussian(size_in: int, size_out: int) -> Operator:
    """Matrix (size_out, size_in) that smooths and upsamples one axis; its rows sum to 1."""
    center = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    distance = center[:, None] - np.arange(size_in)
    matrix = np.where(np.abs(distance) <= REACH, np.exp(-((distance / SIGMA) ** 2) / 2), 0)
    return operator((matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32))
