"""Pairs of a low- and a high-resolution image: both acquired, or the low-resolution one degraded.

An own pair of volumes covers the same field of view. Both voxel grids lie on each other and have
the same slices, so that the high-resolution pixels within a low-resolution pixel are known without
resampling, which would change the images. `read_volume` refuses grids that are not rectangular.

A degraded patch is cut from the degraded whole slice: it has no edge artifacts of its own, and no
margin needs to be cut off. It is computed without the rest of the slice: all degradations are
linear and separable, so that a patch needs only a few rows of two matrices.

"bicubic": MATLAB's imresize. "kspace": truncation of the outer k-space. "blur": a Gaussian, then
bicubic. "bicubic+kspace" and "mixture": one of the first two or of all three, drawn with equal
probability. The kernels are those of `MRISuperResLib.core.resampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.ndimage import gaussian_filter1d

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import SliceAxis
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.masking import ImageVoxels
from MRISuperResLib.core.volume import Volume

from ..options.settings import BETWEEN_SLICES, DataSettings

MAX_SHIFT = 0.1
"""Largest distance between the grids, high-resolution voxels: a shift of half a pixel, as between
two headers that count from different corners, would be learned as a shift of the anatomy."""
MIN_CORRELATION = 0.7
"""Smallest correlation between the low-resolution voxels and the means of the high-resolution ones
within them. Ten brain volumes, ×2 and ×4, exceed 0.82 after k-space truncation with Rician noise of
10 %. The next slice or a mirrored one has 0.13 to 0.89: this finds a wrong file, not every one."""

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


def check_settings(settings: DataSettings) -> None:
    """Check that settings of the data suit pairs of files.

    Raises:
        SuperResolutionError: They do not.
    """
    if settings.patches == "resample":
        raise SuperResolutionError("A pair of files cannot be resampled: set data.patches to crop.")
    if settings.degradation == BETWEEN_SLICES:
        raise SuperResolutionError(
            "A pair of files cannot train the network between slices, which learns from slices of "
            "high resolution: list the high-resolution file alone."
        )


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


def draw_degradation(kind: str, noise: float, rng: np.random.Generator) -> Degradation:
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
