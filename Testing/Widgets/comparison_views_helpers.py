"""Comparisons of a small phantom whose slices differ."""

import module_helpers  # noqa: F401  knows where the helpers of other layers are
import numpy as np
import slicer
from comparison_helpers import make_comparison

METHODS = ("nearest", "bilinear", "bicubic")


def phantom(size=(48, 40, 9)):
    """Return a noisy skull (k, j, i); size: (i, j, k)."""
    k, j, i = np.mgrid[: size[2], : size[1], : size[0]].astype(float)
    radius = np.hypot((i - size[0] / 2) / (0.4 * size[0]), (j - size[1] / 2) / (0.44 * size[1]))
    stripes = np.sin(9 * np.arctan2(j - size[1] / 2, i - size[0] / 2) + 6 * radius + k)
    noise = np.random.default_rng(1).normal(0, 15, radius.shape)
    return (
        900 * np.exp(-(((radius - 0.95) / 0.06) ** 2))
        + (radius < 0.86) * (450 + 150 * stripes)
        + noise
    )


def comparison(
    array=None, matrix=np.diag([1.0, 1, 3, 1]), methods=METHODS, transform=None, **settings
):
    """Return the ComparisonNodes of a phantom (k, j, i); settings: ComparisonOptions."""
    array = phantom() if array is None else array
    node = slicer.util.addVolumeFromArray(array.astype(np.int16), np.array(matrix), "Phantom")
    node.GetDisplayNode().SetInterpolate(True)
    return make_comparison(node, methods, transform, **{"slice_axis": "k", **settings})
