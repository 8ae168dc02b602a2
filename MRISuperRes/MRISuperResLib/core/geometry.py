"""Voxel-to-world geometry.

A voxel is a box, and its index is the center of that box. Upsampling divides every box into smaller
ones: the outer faces of the volume stay in place, and the center of the first voxel moves by half
the difference of the voxel sizes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .errors import SuperResolutionError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Conversion between the world frames LPS (ITK, DICOM) and RAS (Slicer, NIfTI); its own inverse."""


def check_ijk_to_ras(ijk_to_ras: ArrayLike) -> np.ndarray:
    """Validate a voxel-to-world matrix.

    Args:
        ijk_to_ras: (4, 4) matrix from voxel indices to RAS in mm.

    Returns:
        The matrix as (4, 4) float64.

    Raises:
        SuperResolutionError: The matrix has another shape, is singular, or holds NaN or infinity.
    """
    try:
        matrix = np.asarray(ijk_to_ras, dtype=float)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if (
        matrix.shape != (4, 4)
        or not np.isfinite(matrix).all()
        or not (spacing(matrix) > 0).all()
        or np.linalg.matrix_rank(matrix[:3, :3]) < 3
    ):
        raise SuperResolutionError(
            "The volume's position in space (IJKToRAS) is not usable: a voxel axis has no length, "
            "or two voxel axes are parallel. Correct the volume's geometry."
        )
    return matrix


def upsampled_ijk_to_ras(ijk_to_ras: ArrayLike, factors: ArrayLike) -> np.ndarray:
    """Compute IJKToRAS of a volume that is upsampled in place.

    IJKToRAS_out = IJKToRAS_in · [diag(1/f) | (1/f − 1)/2]

    Args:
        ijk_to_ras: (4, 4) matrix in mm; any other world frame works as well.
        factors: Upsampling factors (fi, fj, fk), 1 for an axis that is not upsampled.

    Returns:
        (4, 4) float64 matrix. The physical corners of the voxel grid are those of the input.
    """
    f = np.asarray(factors, dtype=float)
    step = np.eye(4)
    step[:3, :3] = np.diag(1 / f)
    step[:3, 3] = (1 / f - 1) / 2
    return np.asarray(ijk_to_ras, dtype=float) @ step


def spacing(ijk_to_ras: ArrayLike) -> np.ndarray:
    """Compute the voxel size (si, sj, sk) in mm: the column lengths of IJKToRAS."""
    columns: np.ndarray = np.asarray(ijk_to_ras, dtype=float)[:3, :3]
    return np.linalg.norm(columns, axis=0)


def corners(ijk_to_ras: ArrayLike, size: Sequence[int]) -> np.ndarray:
    """Compute the eight outer corners of a volume.

    Args:
        ijk_to_ras: (4, 4) matrix in mm.
        size: Voxel counts (ni, nj, nk).

    Returns:
        (8, 3) RAS coordinates in mm, of voxel faces and not of voxel centers.
    """
    ends = [(-0.5, n - 0.5) for n in size]
    ijk = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]])
    matrix = np.asarray(ijk_to_ras, dtype=float)
    points: np.ndarray = (ijk @ matrix.T)[:, :3]
    return points
