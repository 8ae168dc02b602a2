"""Super-resolution of the high-resolution slices themselves: 128 pixels become 256, 512 and 1024, as in the thesis."""

import numpy as np

from MRISuperResLib.core import geometry, resampling, slice_axis
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.io import read_volume
from MRISuperResLib.core.methods.registry import INTERPOLATIONS
from MRISuperResLib.core.options import FLOOR, ComparisonOptions

SIDE = 128
"""Pixels of the longer side to which a larger slice is first shrunk: the size of the thesis's high-resolution slices."""


def middle_slice(path):
    """(volume of one slice (k, j, i), its ijk_to_ras, its slice axis) of a volume file: the middle slice, shrunk to 128 pixels."""
    volume = read_volume(path)
    axis = slice_axis.choose_slice_axis(volume.ijk_to_ras)
    stack = np.moveaxis(volume.array, axis.numpy_axis, 0)
    number = len(stack) // 2
    image = np.asarray(stack[number], dtype=np.float32)
    factor = max(1, max(image.shape) / SIDE)
    size = [round(side / factor) for side in image.shape]
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += number * matrix[:3, axis.axis]
    steps = np.ones(3)
    steps[[a for a in range(3) if a != axis.axis]] = np.array(size[::-1]) / image.shape[::-1]
    shrunk = np.moveaxis(resampling.resize(image, size)[None], 0, axis.numpy_axis)
    return np.ascontiguousarray(shrunk), geometry.upsampled_ijk_to_ras(matrix, steps), axis


def enlarge(path, scale, models, cache):
    """(Comparison, ComparisonOptions) of the middle slice of a volume file, enlarged by every method; there is no truth to score against.

    models: names of models of this scale; cache: methods.MethodRegistry.
    """
    volume, matrix, axis = middle_slice(path)
    job = ComparisonOptions(
        (*INTERPOLATIONS, FLOOR, *models), scale, reference=False, slice_axis=axis.name
    )
    return compare(volume, matrix, job, cache), job
