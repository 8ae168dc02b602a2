"""Fixed mesh: an error that depends on the position within a low-resolution pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.masking import ImageVoxels

if TYPE_CHECKING:
    from MRISuperResLib.core.comparison.compare import Comparison
    from MRISuperResLib.core.methods.interpolation import Method

FLAT_LEVELS, FLAT_SIDE, FLAT_MARGIN = (0.0, 0.25, 0.5, 0.75, 1.0), 16, 64
"""Gray levels of uniform slices; sides of their evaluated part and of the margin, low-resolution
pixels."""


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


def mesh_on_flat(method: Method) -> float:
    """Compute the largest `mesh` of uniform slices, 0–255, far from their edges."""
    scale, margin = method.scale, method.scale * FLAT_MARGIN
    images = np.ones((1, *[2 * FLAT_MARGIN + FLAT_SIDE] * 2), np.float32)
    inner = slice(margin, -margin)
    return max(mesh(255 * method(level * images)[:, inner, inner], scale) for level in FLAT_LEVELS)


def mesh_by_method(comparison: Comparison) -> dict[str, float]:
    """Compute the `mesh` of every method of a comparison with a reference, 0–255."""
    assert comparison.reference is not None
    scale, axis = comparison.options.scale, comparison.axis.numpy_axis
    reference = ImageVoxels.of(comparison.reference)
    intensity = Intensity.of(reference.values)
    gain = 255 / (intensity.high - intensity.low)
    meshes = {}
    for output in comparison.outputs:
        error = output.volume.array - reference.array.astype(np.float64)
        if reference.missing is not None:
            error[reference.missing] = 0
        meshes[output.name] = gain * mesh(np.moveaxis(error, axis, 0), scale)
    return meshes
