"""Volumes for tests of the comparison."""

import numpy as np
from scipy.ndimage import gaussian_filter


def body(shape=(5, 44, 52), dtype=np.int16, seed=0):
    """Air with a body of some structure in it, (k, j, i)."""
    _, j, i = np.mgrid[: shape[0], : shape[1], : shape[2]]
    inside = (
        np.hypot((j - shape[1] / 2) / (shape[1] * 0.4), (i - shape[2] / 2) / (shape[2] * 0.4)) < 1
    )
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), (0, 1.2, 1.2))
    return (inside * (300 + 2500 * (noise - noise.min()))).astype(dtype)
