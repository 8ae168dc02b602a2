"""Where a result departs from what is known: maps of absolute differences, float32, in the intensities of the volumes."""

import numpy as np

from .. import resampling
from ..slice_axis import SliceAxis


def consistency_map(
    output: np.ndarray, low: np.ndarray, axis: SliceAxis, scale: int, degradation: str
) -> np.ndarray:
    """|degraded output − low|: what the result says against the acquired image.

    output: (k, j, i); low: the volume that was enlarged, (k, j, i), which gives the map its shape. axis: slices.SliceAxis.
    degradation: one of resampling.DEGRADATIONS.
    """
    enlarged, given = (
        np.moveaxis(np.asarray(volume, dtype=np.float32), axis.numpy_axis, 0)
        for volume in (output, low)
    )
    return np.ascontiguousarray(
        np.moveaxis(
            np.abs(resampling.degrade(enlarged, scale, degradation) - given), 0, axis.numpy_axis
        )
    )


def difference_map(volume: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|volume − other| of two volumes (k, j, i)."""
    return np.abs(np.asarray(volume, dtype=np.float32) - np.asarray(other, dtype=np.float32))
