"""Making an enlarged image agree with what was acquired: shrunk again, it must be the low-resolution image.

Irani and Peleg 1991, "Improving resolution by image registration"; in super-resolution networks: Timofte et al. 2016,
"Seven ways to improve example-based single image super resolution".
"""

from functools import lru_cache

import numpy as np

from .resampling import apply, degrade, operator, upsample, weights

ITERATIONS = 20


def back_project(
    images: np.ndarray, low: np.ndarray, scale: int, degradation: str = "bicubic"
) -> np.ndarray:
    """x ← x + U(low − D x), 20 times, where D shrinks an image and U enlarges it bicubically.

    images: (n, scale·h, scale·w); low: (n, h, w), normalized alike. degradation: D, one of resample.DEGRADATIONS.
    Returns (n, scale·h, scale·w).

    What is missing, low − D x, changes by the factor (1 − DU) in every iteration, so that all but the last enlargement
    can be done on the small grid.
    """
    missing = low - degrade(images, scale, degradation)
    rows, columns = (
        _there_and_back(side, scale, degradation, missing.dtype) for side in missing.shape[-2:]
    )
    correction = missing
    for _ in range(ITERATIONS - 1):
        missing = missing - apply(rows, columns, missing)
        correction = correction + missing
    return images + upsample(correction, scale)


@lru_cache(maxsize=16)
def _there_and_back(side, scale, degradation, dtype):
    """DU along one axis: (side, side)."""
    return operator(
        (weights(side * scale, side, degradation) @ weights(side, side * scale)).astype(dtype)
    )
