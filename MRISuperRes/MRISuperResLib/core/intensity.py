"""From stored intensities to the range that the networks know, and back without loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from .errors import SuperResolutionError

LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9
"""A few bright vessels or a spike must not decide the contrast of the whole volume; nothing is clipped to them."""
MAX_VOXELS = 2**24
"""Of which the range of a sequence is found; of more, evenly distributed ones: their 0.1 percentile lies between the 0.097 and the 0.103 of all."""


@dataclass(frozen=True)
class Intensity:
    """An affine map of a volume's intensities: `low` becomes 0 and `high` becomes 1; values beyond go beyond.

    dtype: the stored type, to which `restore` returns.
    """

    low: float
    high: float
    dtype: np.dtype

    @classmethod
    def of(cls, volume: np.ndarray) -> Self:
        """The map of a volume (any shape, integer or real): its 0.1 and 99.9 percentiles.

        Where these are equal, minimum and maximum are taken instead; a constant volume becomes 0.
        NaN and infinite values must have been masked before (see `mask_non_finite`).
        """
        return cls(*_range(volume), volume.dtype)

    def normalize(self, values: ArrayLike) -> np.ndarray:
        """float64, same shape. Double precision, so that `restore` returns every integer as it was."""
        return (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)

    def restore(self, values: ArrayLike) -> np.ndarray:
        """The inverse of `normalize`, in the stored type: integers are rounded, and saturate at the type's limits."""
        values = np.asarray(values, dtype=np.float64) * (self.high - self.low) + self.low
        if np.issubdtype(self.dtype, np.integer):
            return saturated(np.rint(values), self.dtype)
        limits = np.finfo(self.dtype)
        return np.clip(values, limits.min, limits.max).astype(self.dtype)


def common_intensity_range(volumes: Sequence[np.ndarray]) -> tuple[float, float]:
    """(low, high) of an `Intensity` that suits all volumes of a sequence, which would flicker if each had its own.

    volumes: arrays of any shapes and types; NaN and infinite values are passed over. Raises SuperResolutionError where no voxel is finite.
    """
    total = sum(volume.size for volume in volumes)
    samples = [volume.ravel()[:: _step(volume.shape, total)] for volume in volumes]
    values = np.concatenate([sample[np.isfinite(sample)] for sample in samples])
    if not values.size:
        raise SuperResolutionError(
            "Every voxel of the sequence is NaN or infinite: there is no image to enlarge."
        )
    return _range(values)


def _step(shape, total):
    """How many voxels to go on, so that few enough are taken, and not always the same column of the slices."""
    step = max(1, -(-total // MAX_VOXELS))
    while math.gcd(step, math.prod(shape)) > 1:
        step += 1
    return step


def _range(values):
    """(low, high): the percentiles; where they are equal, minimum and maximum, and at least 1 apart where these are equal, too."""
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if not high > low:
        low, high = values.min(), values.max()
    return float(low), float(high) if high > low else float(low) + 1.0


def saturated(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Whole numbers in float64 as integers of `dtype`, clipped to what the type can hold."""
    limits = np.iinfo(dtype)
    with np.errstate(
        invalid="ignore"
    ):  # the doubles nearest to the largest 64-bit integers are 2^63 and 2^64: too large by one
        out = np.clip(values, limits.min, limits.max).astype(dtype)
    out[values >= limits.max] = limits.max
    return out


def check_type(volume: np.ndarray) -> None:
    """Raises SuperResolutionError unless the array holds integer or real numbers in three dimensions."""
    if volume.ndim != 3:
        raise SuperResolutionError(
            f"A volume with three dimensions is needed, this one has {volume.ndim}: choose one frame or channel of it."
        )
    if volume.size == 0:
        raise SuperResolutionError(
            "The volume has no voxels: load it again, or choose another one."
        )
    if volume.dtype.kind not in "iuf":
        raise SuperResolutionError(
            f"The volume holds {volume.dtype} values, not gray levels: convert it to a scalar volume first."
        )


def mask_non_finite(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Replaces NaN and infinite voxels by the smallest finite value.

    Returns (volume, mask): the volume itself and None where all voxels are finite, else a filled copy and a boolean
    mask of the same shape, True where a voxel was replaced. Raises SuperResolutionError where no voxel is finite.
    """
    if volume.dtype.kind != "f":
        return volume, None
    mask = ~np.isfinite(volume)
    if not mask.any():
        return volume, None
    if mask.all():
        raise SuperResolutionError(
            "Every voxel of the volume is NaN or infinite: there is no image to enlarge."
        )
    filled = volume.copy()
    filled[mask] = volume[~mask].min()
    return filled, mask
