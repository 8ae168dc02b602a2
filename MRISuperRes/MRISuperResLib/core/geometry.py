"""Where the voxels of an upsampled volume lie.

A voxel is a box, its index is the box's center. Upsampling divides every box into f smaller ones, so that the outer
faces of the volume stay where they are and the center of the first voxel moves by half the difference of the voxel
sizes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .errors import SuperResolutionError


def check_ijk_to_ras(ijk_to_ras: ArrayLike) -> np.ndarray:
    """(4, 4) float64. Raises SuperResolutionError where a voxel grid cannot lie so in space."""
    matrix = np.asarray(ijk_to_ras, dtype=float)
    if (
        matrix.shape != (4, 4)
        or not np.isfinite(matrix).all()
        or not (spacing(matrix) > 0).all()
        or np.linalg.matrix_rank(matrix[:3, :3]) < 3
    ):
        raise SuperResolutionError(
            "The volume's position in space (IJKToRAS) is not usable: a voxel axis has no length, or two coincide."
        )
    return matrix


def upsampled_ijk_to_ras(ijk_to_ras: ArrayLike, factors: ArrayLike) -> np.ndarray:
    """IJKToRAS of a volume that is upsampled in place.

    IJKToRAS_out = IJKToRAS_in · [diag(1/f) | (1/f − 1)/2]

    ijk_to_ras: (4, 4), mm; any world frame will do. factors: (fi, fj, fk), 1 for an axis that is left alone.
    Returns (4, 4) float64. The physical corners of the voxel grid are those of the input.
    """
    f = np.asarray(factors, dtype=float)
    step = np.eye(4)
    step[:3, :3] = np.diag(1 / f)
    step[:3, 3] = (1 / f - 1) / 2
    return np.asarray(ijk_to_ras, dtype=float) @ step


def spacing(ijk_to_ras: ArrayLike) -> np.ndarray:
    """Voxel size (si, sj, sk) in mm: the lengths of the columns of IJKToRAS."""
    return np.linalg.norm(np.asarray(ijk_to_ras, dtype=float)[:3, :3], axis=0)


def corners(ijk_to_ras: ArrayLike, size: Sequence[int]) -> np.ndarray:
    """The eight outer corners (voxel faces, not centers) of a volume of size (ni, nj, nk): (8, 3), mm."""
    ends = [(-0.5, n - 0.5) for n in size]
    ijk = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]])
    return (ijk @ np.asarray(ijk_to_ras, dtype=float).T)[:, :3]
