"""Intensity normalization: stored values to the range of the networks, and back without loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from .errors import SuperResolutionError
from .masking import missing_voxels

if TYPE_CHECKING:
    from .volume import Volume

LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9
"""Percentiles that become 0 and 1. A few bright vessels or a spike must not decide the contrast of
the whole volume; values beyond the percentiles are not clipped."""
MAX_VOXELS = 2**24
"""Voxels that determine the range of a sequence. More voxels are sampled evenly: the sample's 0.1
percentile lies between the 0.097 and the 0.103 percentile of all."""
MAX_EXACT = 2**53
"""Largest magnitude up to which float64 holds every integer."""


@dataclass(frozen=True)
class Intensity:
    """Affine map of intensities: `low` becomes 0 and `high` becomes 1, without clipping.

    Attributes:
        low: Stored intensity that becomes 0.
        high: Stored intensity that becomes 1.
        dtype: Stored type, to which `restore` converts.
    """

    low: float
    high: float
    dtype: np.dtype

    @classmethod
    def of(cls, volume: np.ndarray) -> Self:
        """Compute the map of a volume from its 0.1 and 99.9 percentiles.

        If these are equal, minimum and maximum replace them; a constant volume becomes 0.

        Args:
            volume: Any shape, integer or real, finite (see `ImageVoxels`).
        """
        return cls(*_range(volume), volume.dtype)

    def normalize(self, values: ArrayLike) -> np.ndarray:
        """Map stored intensities to float64 of the same shape.

        Double precision, so that `restore` returns every integer unchanged.
        """
        normalized: np.ndarray = (np.asarray(values, dtype=np.float64) - self.low) / (
            self.high - self.low
        )
        return normalized

    def restore(self, values: ArrayLike) -> np.ndarray:
        """Invert `normalize` in the stored type; integers are rounded and saturate."""
        stored = np.asarray(values, dtype=np.float64) * (self.high - self.low) + self.low
        if np.issubdtype(self.dtype, np.integer):
            return saturated(np.rint(stored), self.dtype)
        limits = np.finfo(self.dtype)
        return np.clip(stored, limits.min, limits.max).astype(self.dtype)


def common_intensity_range(volumes: Iterable[Volume], total: int) -> tuple[float, float]:
    """Compute one intensity range for all volumes of a sequence, so that it does not flicker.

    Args:
        volumes: Volumes; voxels without image (see `ImageVoxels`) are ignored.
        total: Voxels of all of them.

    Returns:
        (low, high) of an `Intensity`.

    Raises:
        SuperResolutionError: No voxel is image.
    """
    samples = []
    for volume in volumes:
        every = slice(None, None, _stride(volume.array.shape, total))
        sample = volume.array.ravel()[every]
        missing = missing_voxels(
            sample, None if volume.padding is None else volume.padding.ravel()[every]
        )
        # a copy, which does not keep the array
        samples.append(sample.copy() if missing is None else sample[~missing])
    values = np.concatenate(samples)
    if not values.size:
        raise SuperResolutionError(
            "Every voxel of the sequence is NaN, infinite or padding: there is no image to "
            "upsample."
        )
    return _range(values)


def saturated(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert whole numbers in float64 to an integer type, clipped to its limits."""
    limits = np.iinfo(dtype)
    # The doubles nearest to the largest 64-bit integers are 2^63 and 2^64, which is too large by 1.
    with np.errstate(invalid="ignore"):
        out = np.clip(values, limits.min, limits.max).astype(dtype)
    out[values >= limits.max] = limits.max
    return out


def check_range(array: np.ndarray) -> None:
    """Refuse intensities that double precision cannot hold exactly.

    Args:
        array: Any shape, integer or real; NaN and infinite voxels are ignored.

    Raises:
        SuperResolutionError: A finite value is beyond ±2^53, or no value is finite.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize < 8:
        return
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = array[np.isfinite(array)]
        if not finite.size:
            raise SuperResolutionError(
                "Every voxel of the volume is NaN or infinite: there is no image to upsample."
            )
        low, high = finite.min(), finite.max()
    # Python numbers, since the magnitude of the smallest int64 does not fit int64.
    largest = max(-low.item(), high.item())
    if largest > MAX_EXACT:
        raise SuperResolutionError(
            f"The volume holds intensities of magnitude {float(largest):.3g}. Values beyond 2^53 "
            "(9.01e+15) are not exact in double precision: rescale the intensities."
        )


def _stride(shape: tuple[int, ...], total: int) -> int:
    """Voxels per sample; no divisor of the size, so that all columns are sampled."""
    step = max(1, -(-total // MAX_VOXELS))
    while math.gcd(step, math.prod(shape)) > 1:
        step += 1
    return step


def _range(values: np.ndarray) -> tuple[float, float]:
    """Percentiles, else minimum and maximum; `high` exceeds `low` also for a constant array."""
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if not high > low:
        low, high = values.min(), values.max()
    low, high = float(low), float(high)
    return low, high if high > low else max(low + 1.0, math.nextafter(low, math.inf))
