"""Own pairs: a low- and a high-resolution volume of the same field of view.

Both voxel grids lie on each other and have the same slices, so that the high-resolution pixels
within a low-resolution pixel are known without resampling, which would change the images.
`read_volume` refuses grids that are not rectangular.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import SliceAxis
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.masking import ImageVoxels
from MRISuperResLib.core.volume import Volume

MAX_SHIFT = 0.1
"""Largest distance between the grids, high-resolution voxels: a shift of half a pixel, as between
two headers that count from different corners, would be learned as a shift of the anatomy."""
MIN_CORRELATION = 0.7
"""Smallest correlation between the low-resolution voxels and the means of the high-resolution ones
within them. Ten brain volumes, ×2 and ×4, exceed 0.82 after k-space truncation with Rician noise of
10 %. The next slice or a mirrored one has 0.13 to 0.89: this finds a wrong file, not every one."""


class VolumeFiles(Protocol):
    """Files of a volume, such as `data.sources.Source`."""

    @property
    def path(self) -> str:
        """The file, or folder of a DICOM series."""

    @property
    def series(self) -> str:
        """Series Instance UID if the folder holds several series, else empty."""

    @property
    def low(self) -> str:
        """Low-resolution file of the same field of view, or empty."""


def read_low(source: VolumeFiles, high: Volume, scale: int, slice_axis: str) -> Volume | None:
    """Read the low-resolution acquisition of a volume, if the source has one.

    Args:
        source: The files.
        high: The high-resolution volume.
        scale: Ratio of the in-plane spacings.
        slice_axis: Slice direction of the high-resolution volume, which holds for both.

    Raises:
        SuperResolutionError: The file cannot be read, or both are no pair of this scale.
    """
    if not source.low:
        return None
    low = read_volume(source.low)
    axis = geometry.choose_slice_axis(high.ijk_to_ras, slice_axis, high.size)
    _check_grids(low, high, axis, scale)
    _check_content(low, high, axis, scale)
    return low


def _check_grids(low: Volume, high: Volume, axis: SliceAxis, scale: int) -> None:
    expected = np.divide(high.size, axis.factors(scale))
    if (expected != low.size).any():
        raise SuperResolutionError(
            f"Its low-resolution file has {_product(low.size)} voxels instead of "
            f"{_product(expected)}, which is 1/{scale} of {_product(high.size)} in the plane of "
            f"the slices along {axis.name}, and as many slices. Choose the scale of the pair, or "
            "crop the files."
        )
    corners = (geometry.corners(volume.ijk_to_ras, volume.size) for volume in (low, high))
    difference = np.subtract(*corners)
    shift = np.linalg.solve(high.ijk_to_ras[:3, :3], difference.T)  # high-resolution voxels
    if np.abs(shift).max() > MAX_SHIFT:
        raise SuperResolutionError(
            "Its files cover different fields of view: corners are up to "
            f"{np.linalg.norm(difference, axis=1).max():.3g} mm apart, more than {MAX_SHIFT:g} "
            "high-resolution voxels. Correct the headers, or resample one file to the axes and "
            "the field of view of the other."
        )


def _check_content(low: Volume, high: Volume, axis: SliceAxis, scale: int) -> None:
    slices, reference = (
        np.moveaxis(ImageVoxels.of(volume).array, axis.numpy_axis, 0) for volume in (low, high)
    )
    n, height, width = slices.shape
    means = reference.reshape(n, height, scale, width, scale).mean((2, 4), dtype=np.float64)
    if slices.min() == slices.max():
        raise SuperResolutionError(
            f"All voxels of its low-resolution file are {slices.min()}: it contains no image."
        )
    correlation = np.corrcoef(slices.ravel(), means.ravel())[0, 1]
    if not correlation >= MIN_CORRELATION:
        raise SuperResolutionError(
            f"Its files show different images: their voxels correlate by {correlation:.2f}, less "
            f"than {MIN_CORRELATION:g}. Check that both are of one scan session and contrast."
        )


def _product(sizes: np.ndarray | tuple[int, ...]) -> str:
    return "×".join(f"{side:g}" for side in sizes)
