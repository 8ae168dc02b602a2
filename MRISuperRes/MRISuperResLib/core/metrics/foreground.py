"""Which pixels show the body, so that the air around it does not flatter a score."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import binary_fill_holes, gaussian_filter

THRESHOLD = 0.1
"""Part of the intensity range below which a pixel counts as air; FSL's FEAT takes the same tenth for its brain masks."""

SMOOTHING = 1.0  # pixels: single noisy pixels belong to what is around them


def foreground(image: ArrayLike) -> np.ndarray:
    """A boolean mask of a slice (h, w) whose normalized intensities run from 0 (air) to 1: its bright parts, holes filled."""
    return binary_fill_holes(gaussian_filter(np.asarray(image, dtype=float), SMOOTHING) > THRESHOLD)
