"""Degradations: from high-resolution slices to low-resolution patches.

A patch is cut from the degraded whole slice: it has no edge artifacts of its own, and no margin
needs to be cut off. It is computed without the rest of the slice: all degradations are linear and
separable, so that a patch needs only a few rows of two matrices.

"bicubic": MATLAB's imresize. "kspace": truncation of the outer k-space. "blur": a Gaussian, then
bicubic. "bicubic+kspace" and "mixture": one of the first two or of all three, drawn with equal
probability. The kernels are those of `MRISuperResLib.core.resampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from MRISuperResLib.core import resampling

KINDS = ("bicubic", "kspace", "blur")
MIXTURES = {"bicubic+kspace": KINDS[:2], "mixture": KINDS}

BLUR_RANGE = 0.2, 0.8
"""Range of σ in low-resolution pixels.

Kuklisova-Murgasova et al. 2012 ("Reconstruction of fetal brain MRI with intensity matching and
complete outlier removal") model the point spread of a single-shot T2 scan as a Gaussian with a full
width at half maximum of 1.2 pixels, σ = 0.51. The range extends from about half to one and a half
times this width. Keys's cubic adds no width, since its second moment is 0. Zhang et al. 2018 (SRMD,
arXiv:1712.06116) use up to 1.0 for photographs."""

NOISY_SHARE = 0.5
"""Share of the patches with noise: a network trained on noisy images alone smooths clean ones."""


@dataclass(frozen=True)
class Degradation:
    """A degradation.

    Attributes:
        kind: "bicubic", "kspace" or "blur".
        sigma: σ of the blur, low-resolution pixels.
        noise: σ of the Rician noise; the intensity range is 1.
        seed: Seed of the noise.
    """

    kind: str
    sigma: float = 0.0
    noise: float = 0.0
    seed: int = 0


def draw(kind: str, noise: float, rng: np.random.Generator) -> Degradation:
    """Draw a degradation.

    Args:
        kind: As in `DataSettings.degradation`.
        noise: As in `DataSettings.noise`, percent.
        rng: Generator; the number of draws does not depend on the result.
    """
    mixed, sigma = rng.random(), rng.uniform(*BLUR_RANGE)
    is_noisy, strength = rng.random() < NOISY_SHARE, rng.random()
    seed = int(rng.integers(2**63))
    kinds = MIXTURES.get(kind, (kind,))
    kind = kinds[int(mixed * len(kinds))]
    return Degradation(
        kind, sigma if kind == "blur" else 0.0, strength * noise / 100 if is_noisy else 0.0, seed
    )


def degrade(
    image: np.ndarray,
    scale: int,
    degradation: Degradation,
    position: tuple[int, int] = (0, 0),
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Compute a part of the degraded slice.

    Args:
        image: (h, w); both are multiples of `scale`.
        scale: Downsampling factor.
        degradation: The degradation.
        position: (row, column) of the first pixel of the part, low-resolution pixels.
        size: (rows, columns) of the part, low-resolution pixels; None: the whole slice.

    Returns:
        The part, float32.
    """
    height, width = size or (image.shape[0] // scale, image.shape[1] // scale)
    rows, used_rows = _weights(image.shape[0], scale, degradation, position[0], height)
    columns, used_columns = _weights(image.shape[1], scale, degradation, position[1], width)
    low: np.ndarray = rows @ image[used_rows, used_columns] @ columns.T
    if degradation.noise:
        noisy = resampling.add_rician_noise(low, degradation.noise, degradation.seed)
        low = noisy.astype(np.float32)
    return low


def _weights(
    side: int, scale: int, degradation: Degradation, first: int, count: int
) -> tuple[np.ndarray, slice]:
    """(count, used pixels) weights of one axis, and the used pixels."""
    kernel = "kspace" if degradation.kind == "kspace" else "bicubic"
    matrix = _matrix(side, scale, kernel)[first : first + count]
    if degradation.sigma:
        # blurring the weights, mirrored at the edges, equals blurring the image
        matrix = gaussian_filter1d(matrix, degradation.sigma * scale, axis=1, mode="reflect")
    pixels = np.flatnonzero(matrix.any(axis=0))
    used = slice(int(pixels[0]), int(pixels[-1]) + 1)
    return matrix[:, used], used


@lru_cache(maxsize=256)
def _matrix(side: int, scale: int, kernel: str) -> np.ndarray:
    matrix: np.ndarray = resampling.weights(side, side // scale, kernel).astype(np.float32)
    return matrix
