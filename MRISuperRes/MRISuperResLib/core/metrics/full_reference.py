"""Full-reference metrics: RMSE, PSNR, SSIM and mesh on the 0–255 scale, and the foreground."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

PEAK = 255.0
"""Peak intensity: 0 and 255 are the 0.1 and 99.9 percentiles of a volume."""

RADIUS, SIGMA = 5, 1.5
"""Half the width and the standard deviation of the SSIM window, pixels (Wang et al. 2004)."""
K1, K2 = 0.01, 0.03
"""Stabilizing constants of SSIM (Wang et al. 2004)."""

FOREGROUND_THRESHOLD = 0.1
"""Fraction of the intensity range below which a pixel counts as air, as in the brain masks of FSL
FEAT."""
FOREGROUND_SMOOTHING = 1.0
"""Standard deviation in pixels, which suppresses single noisy pixels."""


def rmse(image: ArrayLike, reference: ArrayLike, mask: np.ndarray | None = None) -> float:
    """Compute the root mean square error, √mean((image − reference)²).

    Args:
        image: Any shape.
        reference: The same shape or one that broadcasts to it.
        mask: Boolean, the shape of `image`; True for the pixels that count.

    Returns:
        The error in the unit of the images.
    """
    difference = np.asarray(image, dtype=float) - np.asarray(reference, dtype=float)
    return float(np.sqrt(np.mean((difference if mask is None else difference[mask]) ** 2)))


def psnr(
    image: ArrayLike, reference: ArrayLike, peak: float = PEAK, mask: np.ndarray | None = None
) -> float:
    """Compute the peak signal-to-noise ratio, 20·log₁₀(peak / RMSE).

    Args:
        image: Any shape.
        reference: The same shape or one that broadcasts to it.
        peak: Largest intensity of the scale.
        mask: Boolean, the shape of `image`; True for the pixels that count.

    Returns:
        The ratio in dB; infinite for equal images.
    """
    return decibels(rmse(image, reference, mask), peak)


def decibels(error: float, peak: float = PEAK) -> float:
    """Return the PSNR in dB of a root mean square error; infinite for 0."""
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))


class StructuralSimilarity:
    """SSIM of several images against one reference, whose statistics are computed once.

    With means μ, variances σ² and the covariance σxy under a Gaussian window (11×11, σ = 1.5):

        SSIM = (2·μx·μy + C1)·(2·σxy + C2) / ((μx² + μy² + C1)·(σx² + σy² + C2)),

    C1 = (0.01·peak)², C2 = (0.03·peak)². Wang et al. 2004, "Image quality assessment: from error
    visibility to structural similarity", eq. 13 (doi:10.1109/TIP.2003.819861). Edges are
    replicated.
    """

    def __init__(self, reference: ArrayLike, peak: float = PEAK) -> None:
        """Compute the statistics of a reference.

        Args:
            reference: Image (h, w), both sides above 10 pixels.
            peak: Largest intensity of the scale.

        Raises:
            ValueError: The image is not larger than the window.
        """
        self._reference = np.asarray(reference, dtype=float)
        if min(self._reference.shape) <= 2 * RADIUS:
            raise ValueError(f"SSIM needs more than {2 * RADIUS} pixels per side")
        self._c1, self._c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
        self._mean = window_mean(self._reference)
        self._variance = window_mean(self._reference**2) - self._mean**2

    def map(self, image: ArrayLike) -> np.ndarray:
        """Return the similarity around every pixel of an image (h, w): (h, w), at most 1."""
        image = np.asarray(image, dtype=float)
        mean = window_mean(image)
        variance = window_mean(image**2) - mean**2
        covariance = window_mean(image * self._reference) - mean * self._mean
        numerator = (2 * mean * self._mean + self._c1) * (2 * covariance + self._c2)
        luminance = mean**2 + self._mean**2 + self._c1
        similarity: np.ndarray = numerator / (luminance * (variance + self._variance + self._c2))
        return similarity

    @staticmethod
    def inside(a: np.ndarray) -> np.ndarray:
        """Return the part of a map or mask (h, w) where the window lies inside the image."""
        return a[RADIUS:-RADIUS, RADIUS:-RADIUS]


def ssim(image: ArrayLike, reference: ArrayLike, peak: float = PEAK) -> float:
    """Compute SSIM as published ("wang"): the mean where the window lies inside the image.

    Equal to scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False)`.

    Args:
        image: Image (h, w).
        reference: Image (h, w), both sides above 10 pixels.
        peak: Largest intensity of the scale.

    Returns:
        The similarity, at most 1.

    Raises:
        ValueError: The images are not larger than the window.
    """
    similarity = StructuralSimilarity(reference, peak).map(image)
    return float(StructuralSimilarity.inside(similarity).mean())


def ssim_matlab(image: ArrayLike, reference: ArrayLike, peak: float = PEAK) -> float:
    """Compute SSIM as MATLAB's `ssim` does: the mean of the whole map, edges replicated.

    It reads higher than `ssim`.

    Args:
        image: Image (h, w).
        reference: Image (h, w), both sides above 10 pixels.
        peak: Largest intensity of the scale.

    Returns:
        The similarity, at most 1.

    Raises:
        ValueError: The images are not larger than the window.
    """
    return float(StructuralSimilarity(reference, peak).map(image).mean())


def mesh(error: np.ndarray, scale: int) -> float:
    """Compute the strength of a fixed mesh: the SD of the mean error over the pixel phases.

    An upsampling network writes every output pixel of a low-resolution pixel with other weights.
    If they differ on average, the output shows a mesh that no content explains.

    Args:
        error: Output minus reference, (n, h, w), both sides multiples of `scale`.
        scale: Upsampling factor; there are scale² phases.

    Returns:
        The standard deviation, in the unit of the error.
    """
    n, height, width = error.shape
    cells = error.reshape(n, height // scale, scale, width // scale, scale)
    return float(cells.mean((0, 1, 3), dtype=float).std())


def foreground(image: ArrayLike) -> np.ndarray:
    """Find the pixels that show anatomy, since the surrounding air would raise scores.

    The foreground exceeds a tenth of the intensity range after slight smoothing; its holes are
    filled.

    Args:
        image: Slice (h, w), normalized: 0 for air, 1 for white.

    Returns:
        A boolean mask (h, w).
    """
    # Imported here, as below, because the panel imports this module and must not wait for scipy.
    from scipy.ndimage import binary_fill_holes, gaussian_filter

    smoothed = gaussian_filter(np.asarray(image, dtype=float), FOREGROUND_SMOOTHING)
    mask: np.ndarray = binary_fill_holes(smoothed > FOREGROUND_THRESHOLD)
    return mask


def window_mean(a: np.ndarray) -> np.ndarray:
    """Return the mean under the SSIM window around every pixel of an image (h, w): (h, w)."""
    from scipy.ndimage import gaussian_filter

    mean: np.ndarray = gaussian_filter(a, SIGMA, radius=RADIUS, mode="nearest")
    return mean
