"""From high to low resolution: what a scanner, or a thesis, makes of a slice. Every pixel is that of the degraded whole slice.

All ways are linear and separable, so that a patch needs some rows of two matrices only: no margin has to be cut off, and the edge of a
patch is no edge.

"bicubic": MATLAB's imresize, the thesis's way. "kspace": the outer spatial frequencies of the slice are not acquired.
"blur": a Gaussian, then bicubic. "bicubic+kspace": one of the two, "mixture": one of the three, each as often. All from
MRISuperResLib.core.resampling.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from MRISuperResLib.core import resampling

KINDS = ("bicubic", "kspace", "blur")
MIXTURES = {"bicubic+kspace": KINDS[:2], "mixture": KINDS}

BLUR = 0.2, 0.8
"""Range of σ in low-resolution pixels. The point spread of a single-shot T2 scan is taken for a Gaussian with a full width at half maximum of
1.2 pixels, σ = 0.51 (Kuklisova-Murgasova et al. 2012, "Reconstruction of fetal brain MRI with intensity matching and complete outlier
removal"; Keys's cubic adds no width of its own: its second moment is 0). Half as wide and half as wide again lie within; Zhang et al. 2018
(SRMD, arXiv:1712.06116) go to 1.0 for photographs."""

NOISY = 0.5
"""Part of the patches that get noise at all: a network that never sees a clean image smooths it."""


@dataclass(frozen=True)
class Degradation:
    """kind: "bicubic", "kspace" or "blur"; sigma: of the blur, noise: of the Rician noise (intensity range 1); seed: of the noise."""

    kind: str
    sigma: float = 0.0
    noise: float = 0.0
    seed: int = 0


def draw(kind, noise, rng):
    """A Degradation. kind, noise: as in DataSettings (noise in %); rng: numpy Generator, asked the same number of times whatever comes out."""
    mixed, sigma, noisy, strength = (
        rng.random(),
        rng.uniform(*BLUR),
        rng.random() < NOISY,
        rng.random(),
    )
    seed = int(rng.integers(2**63))
    kinds = MIXTURES.get(kind, (kind,))
    kind = kinds[int(mixed * len(kinds))]
    return Degradation(
        kind, sigma if kind == "blur" else 0.0, strength * noise / 100 if noisy else 0.0, seed
    )


def degrade(image, scale, degradation, place=(0, 0), size=None):
    """A part of the degraded slice, float32.

    image: (h, w); its sides are multiples of scale. place: (row, column) of the part's first pixel, size: (rows, columns), both in
    low-resolution pixels; default: all of it.
    """
    size = size or tuple(side // scale for side in image.shape)
    (rows, tall), (columns, wide) = (
        _weights(side, scale, degradation, first, count)
        for side, first, count in zip(image.shape, place, size)
    )
    low = rows @ image[tall, wide] @ columns.T
    if degradation.noise:
        low = resampling.add_rician_noise(low, degradation.noise, degradation.seed).astype(
            np.float32
        )
    return low


def _weights(side, scale, degradation, first, count):
    """(weights (count, used pixels), slice of the used pixels) of one axis."""
    matrix = _matrix(side, scale, "kspace" if degradation.kind == "kspace" else "bicubic")[
        first : first + count
    ]
    if degradation.sigma:
        # to blur the weights, mirrored at the edges, is to blur the image
        matrix = gaussian_filter1d(matrix, degradation.sigma * scale, axis=1, mode="reflect")
    used = np.flatnonzero(matrix.any(axis=0))
    used = slice(used[0], used[-1] + 1)
    return matrix[:, used], used


@lru_cache(maxsize=256)
def _matrix(side, scale, kernel):
    return resampling.weights(side, side // scale, kernel).astype(np.float32)
