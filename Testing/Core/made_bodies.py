"""Volumes for tests of comparison and audit."""

import numpy as np
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core.audit.audit import audit_volume
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.volume import Volume


def body(shape=(5, 44, 52), dtype=np.int16, seed=0):
    """Air around a body with some structure, (k, j, i)."""
    _, j, i = np.mgrid[: shape[0], : shape[1], : shape[2]]
    inside = (
        np.hypot((j - shape[1] / 2) / (shape[1] * 0.4), (i - shape[2] / 2) / (shape[2] * 0.4)) < 1
    )
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), (0, 1.2, 1.2))
    return (inside * (300 + 2500 * (noise - noise.min()))).astype(dtype)


def phantom(shape=(4, 128, 136)):
    """A smooth blob of a few percent of the field of view's frequencies, float64 (k, j, i)."""
    _, j, i = np.mgrid[: shape[0], : shape[1], : shape[2]]
    radius = np.hypot((j - shape[1] / 2) / shape[1], (i - shape[2] / 2) / shape[2])
    return 1000 * np.exp(-0.5 * (radius / 0.22) ** 2)


def compare(array, ijk_to_ras, options, registry=None, **rest):
    """Compare methods on an array at its place in space."""
    return compare_methods(Volume(array, ijk_to_ras), options, registry=registry, **rest)


def audit(array, ijk_to_ras, options, registry=None, **rest):
    """Audit methods on an array at its place in space."""
    return audit_volume(Volume(array, ijk_to_ras), options, registry=registry, **rest)


def enlarged(array, scale=2):
    """Repeat the in-plane voxels of (k, j, i)."""
    return array.repeat(scale, 1).repeat(scale, 2)
