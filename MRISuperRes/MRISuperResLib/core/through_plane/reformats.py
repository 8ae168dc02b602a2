"""Upsampling of reformats, which contain the slice direction, and the spread of their results.

A reformat has two orientations: it contains the one or the other in-plane axis. With the
self-ensemble, each is also flipped along both of its axes; turns would exchange them.
"""

from __future__ import annotations

import itertools

import numpy as np

from ..methods.between_slices import ThroughPlaneMethod
from ..options import UpsamplingOptions
from ..progress import CancelCheck, PartsProgress, Progress, ProgressCallback
from ..slices import batches
from .grid import OutputGrid

FLIPS = tuple(itertools.product((1, -1), repeat=2))
"""Steps along slices and pixels: the four flips of a reformat."""


def upsample_reformats(
    image: np.ndarray,
    grid: OutputGrid,
    method: ThroughPlaneMethod,
    coverage: float,
    options: UpsamplingOptions,
    on_progress: ProgressCallback,
    is_cancelled: CancelCheck | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Upsample all reformats along the slice direction, in both orientations: their mean.

    A constant image keeps its value exactly.

    Peak memory: the image, the output, a batch, and for the uncertainty a second output.

    Args:
        image: (k, j, i), normalized, float32, with the grid's voxels in-plane.
        grid: The output grid.
        method: Upsamples between slices.
        coverage: Slice thickness, as a part of the slice spacing.
        options: With `ensemble`, also average the four flips of every reformat; interpolations
            give the same result without. With `uncertainty`, compute the spread of the eight.
        on_progress: Called with the progress in reformats.
        is_cancelled: Called before every batch.

    Returns:
        The mean and, if requested, the standard deviation: both (k, j, i) of the grid, float32.

    Raises:
        SuperResolutionError: Memory is exhausted.
        Cancelled: `is_cancelled` returned True.
    """
    output = np.zeros(grid.shape, np.float32)
    spread = np.zeros(grid.shape, np.float32) if options.uncertainty else None
    flips = FLIPS if options.ensemble and method.stage != "interpolation" else FLIPS[:1]
    first, second = (a for a in range(3) if a != grid.axis.numpy_axis)
    counts = [image.shape[first], image.shape[second]]
    if image.min() == image.max():
        for _ in batches(sum(counts), sum(counts), on_progress, is_cancelled):
            output[...] = image.flat[0]
        return output, spread
    parts = PartsProgress(counts)

    def report(progress: Progress) -> None:
        on_progress(parts.whole(progress))

    for parts.number, (across, along) in enumerate(((first, second), (second, first))):
        order = across, grid.axis.numpy_axis, along  # reformat, slice, pixel
        source, target = image.transpose(order), output.transpose(order)
        variance = None if spread is None else spread.transpose(order)
        size = method.batch_size(*source.shape[1:])
        for part in batches(len(source), size, report, is_cancelled):
            results = [
                method(source[part][:, ::down, ::right], grid.slices, grid.aspect, coverage)[
                    :, ::down, ::right
                ]
                for down, right in flips
            ]
            mean = np.mean(results, axis=0)
            if variance is not None:
                # the variance of all is the mean of both orientations', and that of their means
                variance[part] += np.var(results, axis=0) / 2
                if parts.number == 1:
                    variance[part] += (mean / 2 - target[part]) ** 2
            target[part] += mean / 2
    return output, None if spread is None else np.sqrt(spread, out=spread)
