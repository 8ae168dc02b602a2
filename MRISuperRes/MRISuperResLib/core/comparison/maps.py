"""Difference maps: float32, in the intensities of the volumes."""

from __future__ import annotations

import numpy as np

from .. import resampling
from ..slice_axis import SliceAxis


def inconsistency_map(
    output: np.ndarray, low: np.ndarray, axis: SliceAxis, scale: int, degradation: str
) -> np.ndarray:
    """Compute |degraded output − input|: where a result is inconsistent with the acquired data.

    Args:
        output: Upsampled volume (k, j, i).
        low: The volume that was upsampled (k, j, i).
        axis: Slice direction.
        scale: Upsampling factor.
        degradation: "bicubic" or "kspace".

    Returns:
        float32, the shape of `low`.
    """
    upsampled, given = (
        np.moveaxis(np.asarray(volume, dtype=np.float32), axis.numpy_axis, 0)
        for volume in (output, low)
    )
    difference = np.abs(resampling.degrade(upsampled, scale, degradation) - given)
    return np.ascontiguousarray(np.moveaxis(difference, 0, axis.numpy_axis))


def difference_map(volume: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute |volume − other| of two arrays of the same shape, float32."""
    difference: np.ndarray = np.abs(
        np.asarray(volume, dtype=np.float32) - np.asarray(other, dtype=np.float32)
    )
    return difference
