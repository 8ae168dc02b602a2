"""Interpolation, degradation and back-projection of slices, and difference maps of volumes.

Interpolation and bicubic degradation are those of MATLAB's imresize. Every axis is resampled by a
matrix whose rows hold the kernel's weights: center-aligned samples (the outer edges of the image
stay in place), symmetric edges and, for downsampling, a kernel that is stretched by the factor
(antialiasing). The kernels are the box (nearest), the triangle (bilinear) and the cubic of Keys
1981 with a = −0.5 (bicubic). MATLAB rounds uint8 images after each axis; here nothing is rounded.

The degradation "kspace" truncates k-space, as an acquisition with larger voxels and the same field
of view does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .geometry import SliceAxis

if TYPE_CHECKING:
    import scipy.sparse

    Operator: TypeAlias = np.ndarray | scipy.sparse.csr_array

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
DEGRADATIONS = ("bicubic", "kspace")

BACK_PROJECTION_ITERATIONS = 20
MAX_SPARSE_DENSITY = 0.2
"""Share of nonzero weights up to which a sparse matrix is faster than a dense one."""


def _box(x: np.ndarray) -> np.ndarray:
    return ((x >= -0.5) & (x < 0.5)).astype(float)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(x), 0, None)


def _cubic(x: np.ndarray) -> np.ndarray:
    # Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15 (a = −1/2)
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


Kernel = Callable[[np.ndarray], np.ndarray]
KERNELS: dict[str, tuple[Kernel, int]] = {
    "nearest": (_box, 1),
    "bilinear": (_triangle, 2),
    "bicubic": (_cubic, 4),
}
"""Kernel function and its width in input pixels."""


@lru_cache(maxsize=16)
def weights(size_in: int, size_out: int, kernel: str = "bicubic") -> np.ndarray:
    """Compute the resampling matrix of one axis.

    Args:
        size_in: Number of input samples.
        size_out: Number of output samples.
        kernel: One of INTERPOLATIONS, or "kspace" to downsample by truncating the spectrum.

    Returns:
        (size_out, size_in) float64, read-only; every row sums to 1.
    """
    matrix = (
        _truncation(size_in, size_out)
        if kernel == "kspace"
        else _convolution(size_in, size_out, kernel)
    )
    matrix.setflags(write=False)
    return matrix


def _convolution(size_in: int, size_out: int, kernel: str) -> np.ndarray:
    function, support = KERNELS[kernel]
    scale = size_out / size_in
    stretch = min(scale, 1.0) if kernel != "nearest" else 1.0
    width = support / stretch
    center = (np.arange(size_out) + 0.5) / scale - 0.5
    first = np.floor(center - width / 2).astype(int)
    taps = first[:, None] + np.arange(int(np.ceil(width)) + 2)
    values = function((center[:, None] - taps) * stretch)
    values /= values.sum(axis=1, keepdims=True)
    mirrored = np.mod(taps, 2 * size_in)
    mirrored = np.where(mirrored < size_in, mirrored, 2 * size_in - 1 - mirrored)
    matrix = np.zeros((size_out, size_in))
    np.add.at(matrix, (np.arange(size_out)[:, None], mirrored), values)
    return matrix


def _truncation(size_in: int, size_out: int) -> np.ndarray:
    """Matrix that keeps the size_out lowest frequencies, sampled at the larger pixels' centers.

    The centers match those of the other kernels: in terms of a Fourier transform, a phase ramp of
    (size_in/size_out − 1)/2 pixels. If the number of frequencies is even, the highest one counts
    half at either end, so that real images stay real.
    """
    center = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    frequencies = np.arange(-(size_out // 2), size_out // 2 + 1)
    share = np.where(2 * np.abs(frequencies) == size_out, 0.5, 1.0)
    turns = 2j * np.pi / size_in
    synthesis = share * np.exp(turns * np.outer(center, frequencies))
    analysis = np.exp(-turns * np.outer(frequencies, np.arange(size_in)))
    matrix: np.ndarray = (synthesis @ analysis).real / size_in
    return matrix


def resize(images: ArrayLike, size: Sequence[int], kernel: str = "bicubic") -> np.ndarray:
    """Resample images to a size.

    Args:
        images: (..., h, w), any real type.
        size: New (h, w).
        kernel: One of INTERPOLATIONS, or "kspace" to downsample.

    Returns:
        (..., *size), float32 or float64; nothing is rounded or clipped.
    """
    images = np.asarray(images)
    dtype = np.result_type(images.dtype, np.float32)
    rows, columns = (
        _operator(old, new, kernel, dtype) for old, new in zip(images.shape[-2:], size)
    )
    return apply(rows, columns, images.astype(dtype, copy=False))


def apply(rows: Operator, columns: Operator, images: np.ndarray) -> np.ndarray:
    """Compute rows · image · columnsᵀ for every image.

    Args:
        rows: Operator (h', h), see `operator`.
        columns: Operator (w', w).
        images: (..., h, w).

    Returns:
        (..., h', w').
    """
    if isinstance(rows, np.ndarray) and isinstance(columns, np.ndarray):
        dense: np.ndarray = rows @ images @ columns.T
        return dense
    *stack, height, width = images.shape
    # Sparse products are contiguous along the resampled axis: in this order the larger of the two
    # is not copied.
    resampled = [
        rows @ np.ascontiguousarray((columns @ image.T).T)
        for image in images.reshape(-1, height, width)
    ]
    if not stack:
        single: np.ndarray = resampled[0]
        return single
    return np.stack(resampled).reshape(*stack, *resampled[0].shape)


def operator(matrix: np.ndarray) -> Operator:
    """Convert a matrix to its faster form: sparse if few weights are nonzero, else dense."""
    # Imported here because the panel imports this module and must not wait for scipy.
    import scipy.sparse

    if np.count_nonzero(matrix) < MAX_SPARSE_DENSITY * matrix.size:
        return scipy.sparse.csr_array(matrix)
    return matrix


@lru_cache(maxsize=32)
def _operator(size_in: int, size_out: int, kernel: str, dtype: np.dtype) -> Operator:
    return operator(weights(size_in, size_out, kernel).astype(dtype))


def upsample(images: np.ndarray, scale: int, kernel: str = "bicubic") -> np.ndarray:
    """Upsample images (..., h, w) to (..., scale·h, scale·w) with one of INTERPOLATIONS."""
    h, w = images.shape[-2:]
    return resize(images, (h * scale, w * scale), kernel)


def repeat(array: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Repeat every element along each axis, such as masks and labels on an upsampled grid."""
    for axis, factor in enumerate(factors):
        array = array.repeat(factor, axis)
    return array


def degrade(images: np.ndarray, scale: int, kernel: str = "bicubic") -> np.ndarray:
    """Downsample images without noise.

    Args:
        images: (..., h, w), h and w multiples of `scale` (see `crop_to_multiple`).
        scale: Downsampling factor.
        kernel: "bicubic" (antialiased, as in Wang et al. 2018, arXiv:1809.00219) or "kspace"
            (truncated k-space, as a scanner acquires larger voxels).

    Returns:
        (..., h/scale, w/scale), float32 or float64.

    Raises:
        ValueError: A side is not a multiple of `scale`.
    """
    h, w = images.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"{h}×{w} is not a multiple of {scale}")
    return resize(images, (h // scale, w // scale), kernel)


def add_rician_noise(
    image: np.ndarray, sigma: float, seed: int | Sequence[int] | np.random.SeedSequence
) -> np.ndarray:
    """Add the noise of a magnitude image: |image + complex Gaussian noise|.

    Gudbjartsson and Patz 1995, "The Rician distribution of noisy MRI data".

    Args:
        image: Any shape.
        sigma: Standard deviation of the real and of the imaginary part, on the image's scale.
        seed: Seed for numpy's default_rng.

    Returns:
        float64, same shape.
    """
    real, imaginary = np.random.default_rng(seed).normal(0, sigma, (2, *image.shape))
    return np.hypot(image + real, imaginary)


def crop_to_multiple(images: np.ndarray, scale: int) -> np.ndarray:
    """Crop images (..., h, w) at their ends so that h and w are multiples of `scale`; a view."""
    h, w = images.shape[-2:]
    return images[..., : h - h % scale, : w - w % scale]


def back_project(
    images: np.ndarray, low: np.ndarray, scale: int, degradation: str = "bicubic"
) -> np.ndarray:
    """Make upsampled images consistent with the low-resolution images.

    x ← x + U(low − D x), BACK_PROJECTION_ITERATIONS times, where D degrades an image and U
    upsamples it bicubically. Irani and Peleg 1991, "Improving resolution by image registration";
    for super-resolution networks: Timofte et al. 2016 (arXiv:1511.02228).

    Args:
        images: (n, scale·h, scale·w).
        low: (n, h, w), in the same intensity range.
        scale: Upsampling factor.
        degradation: D, one of DEGRADATIONS.

    Returns:
        (n, scale·h, scale·w).
    """
    # The residual low − D x changes by the factor (1 − DU) in every iteration, so that all steps
    # but the last upsampling run on the small grid.
    residual = low - degrade(images, scale, degradation)
    rows, columns = (
        _degraded_upsampling(side, scale, degradation, residual.dtype)
        for side in residual.shape[-2:]
    )
    correction = residual
    for _ in range(BACK_PROJECTION_ITERATIONS - 1):
        residual = residual - apply(rows, columns, residual)
        correction = correction + residual
    return images + upsample(correction, scale)


def inconsistency_map(
    output: np.ndarray, low: np.ndarray, axis: SliceAxis, scale: int, degradation: str
) -> np.ndarray:
    """Compute |degraded output − input|, the data inconsistency of every input voxel.

    It is the residual of `back_project`, in the intensities of the volumes.

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
    difference = np.abs(degrade(upsampled, scale, degradation) - given)
    return np.ascontiguousarray(np.moveaxis(difference, 0, axis.numpy_axis))


def difference_map(volume: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute |volume − other| of two arrays of the same shape, float32."""
    difference: np.ndarray = np.abs(
        np.asarray(volume, dtype=np.float32) - np.asarray(other, dtype=np.float32)
    )
    return difference


@lru_cache(maxsize=16)
def _degraded_upsampling(side: int, scale: int, degradation: str, dtype: np.dtype) -> Operator:
    """DU along one axis: (side, side)."""
    return operator(
        (weights(side * scale, side, degradation) @ weights(side, side * scale)).astype(dtype)
    )
