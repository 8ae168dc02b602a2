"""How near an image comes to the truth. Whole images or volumes, on the 0–255 scale of the thesis."""

import numpy as np
from scipy.ndimage import gaussian_filter

PEAK = 255.0


def rmse(image, reference):
    """Root mean square error, in the unit of the images."""
    return float(np.sqrt(np.mean((np.asarray(image, dtype=float) - reference) ** 2)))


def psnr(image, reference, peak=PEAK):
    """Peak signal-to-noise ratio in dB; infinite for equal images."""
    error = rmse(image, reference)
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))


def ssim(image, reference, peak=PEAK):
    """Structural similarity of two images (h, w), as published: Gaussian window, σ = 1.5, 11×11, K = 0.01 and 0.03.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity". The mean is taken where
    the whole window lies inside the image; equal to scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False). Raises ValueError for images that are smaller than the window.
    """
    radius = 5
    image, reference = np.asarray(image, dtype=float), np.asarray(reference, dtype=float)
    if min(image.shape) <= 2 * radius:
        raise ValueError(f"SSIM needs more than {2 * radius} pixels a side")

    def smooth(a):
        return gaussian_filter(a, 1.5, radius=radius)

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = smooth(image), smooth(reference)
    var_x, var_y = smooth(image**2) - mean_x**2, smooth(reference**2) - mean_y**2
    cov = smooth(image * reference) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(similarity[radius:-radius, radius:-radius].mean())
