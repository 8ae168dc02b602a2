"""How near an image comes to the truth. Whole images or volumes, on the 0–255 scale of the thesis."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

PEAK = 255.0

RADIUS, SIGMA = 5, 1.5  # pixels, of SSIM's window


def rmse(image: ArrayLike, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Root mean square error, in the unit of the images; mask: a boolean array, True where it counts."""
    difference = np.asarray(image, dtype=float) - reference
    return float(np.sqrt(np.mean((difference if mask is None else difference[mask]) ** 2)))


def psnr(
    image: ArrayLike, reference: np.ndarray, peak: float = PEAK, mask: np.ndarray | None = None
) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images."""
    return decibels(rmse(image, reference, mask), peak)


def decibels(error: float, peak: float = PEAK) -> float:
    """The PSNR of a root mean square error; infinite for none."""
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))


class StructuralSimilarity:
    """SSIM of many images against one reference (h, w), whose share of the work is done once.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity": Gaussian window, σ = 1.5,
    11×11, K = 0.01 and 0.03, edges replicated. Raises ValueError for images that are smaller than the window.
    """

    def __init__(self, reference: ArrayLike, peak: float = PEAK):
        self._reference = np.asarray(reference, dtype=float)
        if min(self._reference.shape) <= 2 * RADIUS:
            raise ValueError(f"SSIM needs more than {2 * RADIUS} pixels a side")
        self._c1, self._c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
        self._mean = _smooth(self._reference)
        self._variance = _smooth(self._reference**2) - self._mean**2

    def map(self, image: ArrayLike) -> np.ndarray:
        """The similarity around every pixel, (h, w), at most 1."""
        image = np.asarray(image, dtype=float)
        mean = _smooth(image)
        variance = _smooth(image**2) - mean**2
        covariance = _smooth(image * self._reference) - mean * self._mean
        likeness = (2 * mean * self._mean + self._c1) * (2 * covariance + self._c2)
        return likeness / (
            (mean**2 + self._mean**2 + self._c1) * (variance + self._variance + self._c2)
        )

    @staticmethod
    def inside(a: np.ndarray) -> np.ndarray:
        """The part of a map (or of a mask) where the whole window lies inside the image."""
        return a[RADIUS:-RADIUS, RADIUS:-RADIUS]


def ssim(image: ArrayLike, reference: ArrayLike, peak: float = PEAK) -> float:
    """Structural similarity as published ("wang"): the map's mean where the whole window lies inside the image.

    Equal to scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False).
    """
    return float(
        StructuralSimilarity.inside(StructuralSimilarity(reference, peak).map(image)).mean()
    )


def ssim_matlab(image: ArrayLike, reference: ArrayLike, peak: float = PEAK) -> float:
    """Structural similarity as MATLAB's `ssim` has it: the mean of the whole map, edges replicated. It reads higher."""
    return float(StructuralSimilarity(reference, peak).map(image).mean())


def _smooth(a):
    return gaussian_filter(a, SIGMA, radius=RADIUS, mode="nearest")
