"""MATLAB's imresize, exactly: the thesis's degradation and its three baselines.

Every axis is resampled by a matrix whose rows hold the kernel's weights: center-aligned samples (the image's outer edges
stay in place), symmetric edges, and for shrinking a kernel that is stretched by the factor (antialiasing), as in MATLAB's
imresize. The kernels are the box (nearest), the triangle (bilinear) and Keys's cubic with a = −0.5 (bicubic).

Beside them the degradation of a scanner: k-space is cut off, an acquisition with larger voxels of the same field of view.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
DEGRADATIONS = ("bicubic", "kspace")

MOST_TAPS = 0.2
"""Part of a matrix that may differ from zero for its sparse form to be quicker."""


def _box(x):
    return ((x >= -0.5) & (x < 0.5)).astype(float)


def _triangle(x):
    return np.clip(1 - np.abs(x), 0, None)


def _cubic(x):
    # Keys, 1981, "Cubic convolution interpolation for digital image processing", eq. 15 (a = -1/2)
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


KERNELS = {"nearest": (_box, 1), "bilinear": (_triangle, 2), "bicubic": (_cubic, 4)}


@lru_cache(maxsize=16)
def weights(size_in: int, size_out: int, kernel: str = "bicubic") -> np.ndarray:
    """The matrix (size_out, size_in), float64, that resamples one axis; its rows sum to 1.

    kernel: one of INTERPOLATIONS, or "kspace" to shrink by truncation of the spectrum.
    """
    matrix = (
        _truncation(size_in, size_out)
        if kernel == "kspace"
        else _convolution(size_in, size_out, kernel)
    )
    matrix.setflags(write=False)
    return matrix


def _convolution(size_in, size_out, kernel):
    function, width = KERNELS[kernel]
    scale = size_out / size_in
    stretch = min(scale, 1.0) if kernel != "nearest" else 1.0
    width = width / stretch
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


def _truncation(size_in, size_out):
    """Keeps the size_out lowest spatial frequencies, and samples where the larger pixels have their centers.

    The centers are those of all other kernels here: in terms of a Fourier transform, a phase ramp of
    (size_in/size_out − 1)/2 pixels. Of an even number of frequencies the highest counts half at either end, so that real
    images stay real.
    """
    center = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    frequencies = np.arange(-(size_out // 2), size_out // 2 + 1)
    share = np.where(2 * np.abs(frequencies) == size_out, 0.5, 1.0)
    turns = 2j * np.pi / size_in
    synthesis = share * np.exp(turns * np.outer(center, frequencies))
    analysis = np.exp(-turns * np.outer(frequencies, np.arange(size_in)))
    return (synthesis @ analysis).real / size_in


def resize(images: ArrayLike, size: Sequence[int], kernel: str = "bicubic") -> np.ndarray:
    """Images (..., h, w) resampled to (..., *size); floating point, nothing is rounded or clipped.

    MATLAB rounds uint8 images after each axis; here nothing is rounded.
    """
    images = np.asarray(images)
    dtype = np.result_type(images.dtype, np.float32)
    rows, columns = (
        _operator(old, new, kernel, dtype) for old, new in zip(images.shape[-2:], size)
    )
    return apply(rows, columns, images.astype(dtype, copy=False))


def apply(rows, columns, images):
    """rows · image · columnsᵀ of images (..., h, w); rows, columns: operators, see `operator`."""
    if isinstance(rows, np.ndarray) and isinstance(columns, np.ndarray):
        return rows @ images @ columns.T
    *stack, height, width = images.shape
    # the products come out along the axis that was resampled: in this order the larger of the two is not copied
    made = [
        rows @ np.ascontiguousarray((columns @ image.T).T)
        for image in images.reshape(-1, height, width)
    ]
    return np.stack(made).reshape(*stack, *made[0].shape) if stack else made[0]


@lru_cache(maxsize=32)
def _operator(size_in, size_out, kernel, dtype):
    return operator(weights(size_in, size_out, kernel).astype(dtype))


def operator(matrix):
    """The matrix itself, or sparse, where most of it is zero: a kernel has a few taps, whatever the size of the image."""
    import scipy.sparse  # here, because the panel imports this file, and should not wait for it

    return (
        scipy.sparse.csr_array(matrix)
        if np.count_nonzero(matrix) < MOST_TAPS * matrix.size
        else matrix
    )


def upsample(images: np.ndarray, scale: int, kernel: str = "bicubic") -> np.ndarray:
    """Images (..., h, w) enlarged to (..., scale·h, scale·w)."""
    h, w = images.shape[-2:]
    return resize(images, (h * scale, w * scale), kernel)


def degrade(images: np.ndarray, scale: int, kernel: str = "bicubic") -> np.ndarray:
    """Images (..., h, w) shrunk to (..., h/scale, w/scale) without noise.

    kernel: "bicubic", antialiased, is the thesis's way from HR to LR; "kspace" is that of a scanner.
    Raises ValueError where a side is no multiple of scale: crop with `crop_to_multiple` first, and say so.
    """
    h, w = images.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"{h}×{w} is no multiple of {scale}")
    return resize(images, (h // scale, w // scale), kernel)


def add_rician_noise(image: np.ndarray, sigma: float, seed) -> np.ndarray:
    """The image with the noise of a magnitude image: |image + complex Gaussian noise|, any shape.

    sigma: standard deviation of each of the two parts, on the image's scale. seed: for numpy's default_rng.
    Gudbjartsson and Patz 1995, "The Rician distribution of noisy MRI data".
    """
    real, imaginary = np.random.default_rng(seed).normal(0, sigma, (2, *image.shape))
    return np.hypot(image + real, imaginary)


def crop_to_multiple(images: np.ndarray, scale: int) -> np.ndarray:
    """Images (..., h, w) without the last rows and columns that keep their sides from being multiples of scale."""
    h, w = images.shape[-2:]
    return images[..., : h - h % scale, : w - w % scale]
