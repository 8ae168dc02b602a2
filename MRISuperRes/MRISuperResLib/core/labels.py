"""Label maps and segmentations on the grid of an upsampled volume; labels are never blended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from . import geometry
from .errors import SuperResolutionError
from .resampling import apply, operator
from .slice_profile import containing_voxels, slice_centers
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
        like: A volume that fills the same space, with any number of voxels along every axis.
        interpolation: "nearest" (the label at the center of the voxel) or "smooth".

    Returns:
        The label map on the grid of `like`, with the type and the header of the input. It holds
        the labels of all voxels of the input that contain the center of a new voxel, thus of all
        voxels unless the grid is coarser.

    Raises:
        SuperResolutionError: A value is not a whole number (kind "input"); the interpolation is
            unknown, or the grids do not fit (kind "settings").
    """
    if interpolation not in LABEL_INTERPOLATIONS:
        raise SuperResolutionError(
            f"“{interpolation}” is no interpolation of labels. Choose "
            f"{' or '.join(LABEL_INTERPOLATIONS)}.",
            "settings",
        )
    check_labels(labels)
    if not _fill_same_space(labels, like):
        raise _other_grid(labels, like)
    sizes = list(zip(labels.array.shape, like.array.shape))
    result = labels.array[np.ix_(*(containing_voxels(*pair) for pair in sizes))]
    unchanged = [axis for axis, (old, new) in enumerate(sizes) if old == new]
    if interpolation == "smooth" and len(unchanged) < len(sizes):
        if unchanged:  # slice by slice, which takes less memory
            low, high = (np.moveaxis(a, unchanged[0], 0) for a in (labels.array, result))
            for image, target in zip(low, high):
                _smooth(image, target)
        else:
            _smooth(labels.array, result)
    whole = " ".join(f"0 {n - 1}" for n in like.size)
    header = {
        key: whole if EXTENT.fullmatch(key) else value for key, value in labels.header.items()
    }
    return Volume(result, like.ijk_to_ras, labels.messages, header=header, is_labels=True)


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


def _fill_same_space(labels: Volume, like: Volume) -> bool:
    ends = [geometry.corners(each.ijk_to_ras, each.size) for each in (labels, like)]
    return np.allclose(ends[0], ends[1], rtol=0, atol=GRID_TOLERANCE)


def _smooth(image: np.ndarray, target: np.ndarray) -> None:
    """Smooth the borders of one slice, or of a volume, in place.

    Args:
        image: Labels (h, w) or (k, h, w).
        target: The labels at the centers of the new pixels, (H, W) or (K, H, W); replaced.
    """
    present = np.unique(image)
    if len(present) == 1:
        return
    nearest = target.copy()
    operators = [_gaussian(*sides) for sides in zip(image.shape, target.shape)]
    best = np.zeros(target.shape, np.float32)
    for label in present:
        share = _resampled(operators, (image == label).astype(np.float32))
        is_largest = share > best
        best[is_largest], target[is_largest] = share[is_largest], label
    lost = ~_any_in_voxel(target == nearest, image.shape)
    target[lost] = nearest[lost]


def _resampled(operators: Sequence[Operator], values: np.ndarray) -> np.ndarray:
    """Apply an operator along each of two or three axes."""
    *along_slices, rows, columns = operators
    result = apply(rows, columns, values)
    for matrix in along_slices:
        slices = result.reshape(len(result), -1)
        result = (matrix @ slices).reshape(-1, *result.shape[1:])
    return result


def _any_in_voxel(kept: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return whether any new pixel of the same old voxel is kept.

    Args:
        kept: Boolean, new pixels.
        shape: Number of old voxels along each axis.
    """
    found, places = kept, []
    for axis, (old, new) in enumerate(zip(shape, kept.shape)):
        is_first = np.diff(containing_voxels(old, new), prepend=-1) > 0
        found = np.logical_or.reduceat(found, np.flatnonzero(is_first), axis)
        places.append(np.cumsum(is_first) - 1)
    spread: np.ndarray = found[np.ix_(*places)]
    return spread


@lru_cache(maxsize=8)
def _gaussian(size_in: int, size_out: int) -> Operator:
    """Matrix (size_out, size_in) that smooths and resamples one axis; its rows sum to 1."""
    width = max(1.0, size_in / size_out)  # wider for larger pixels
    distance = (slice_centers(size_in, size_out)[:, None] - np.arange(size_in)) / width
    matrix = np.where(np.abs(distance) <= REACH, np.exp(-((distance / SIGMA) ** 2) / 2), 0)
    return operator((matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32))
