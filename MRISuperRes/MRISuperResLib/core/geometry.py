"""Voxel-to-world geometry, and the slice direction.

A voxel is a box, and its index is the center of that box. Upsampling divides every box into smaller
ones: the outer faces of the volume stay in place, and the center of the first voxel moves by half
the difference of the voxel sizes.

The slice direction is the voxel axis along which a volume is cut into slices for the network.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .errors import SuperResolutionError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Conversion between the world frames LPS (ITK, DICOM) and RAS (Slicer, NIfTI); its own inverse."""

VOXEL_AXES = ("i", "j", "k")
ANATOMICAL = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Plane and the index of its normal in RAS."""
SLICE_AXES = ("auto", "axial", "sagittal", "coronal", "i", "j", "k")
"""Slice directions that can be requested."""

SAME = 1e-4
"""Relative difference up to which two spacings are the same: headers store single precision."""
THICK_SLICE_RATIO = 1.5
"""A voxel axis is the acquisition direction if its spacing exceeds both others by this ratio."""

RADIOLOGICAL = {
    "axial": ((0, -1, 0), (-1, 0, 0)),
    "coronal": ((0, 0, -1), (-1, 0, 0)),
    "sagittal": ((0, 0, -1), (0, -1, 0)),
}
"""RAS directions of the rows (downwards) and the columns (to the right) in radiological display."""


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


def format_sides(sides: Iterable[float]) -> str:
    """Format the sides of a voxel in mm: "1.13×1.13×3.3"."""
    # Headers store single precision: 1.125 and 1.12499 must not differ.
    return "×".join(f"{float(f'{side:.5g}'):.3g}" for side in sides)


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


@dataclass(frozen=True)
class SliceAxis:
    """Slice direction of a volume.

    Attributes:
        index: Voxel axis normal to the slices: 0, 1 or 2 for i, j or k.
        plane: Nearest anatomical plane: "axial", "coronal" or "sagittal".
        reason: Reason for the choice: "requested", "single slice", "thick slices" or "nearly
            isotropic".
    """

    index: int
    plane: str
    reason: str

    @property
    def name(self) -> str:
        """Voxel axis as a letter: "i", "j" or "k"."""
        return VOXEL_AXES[self.index]

    @property
    def numpy_axis(self) -> int:
        """Axis of an array that is indexed (k, j, i)."""
        return 2 - self.index

    def factors(self, scale: int) -> tuple[int, int, int]:
        """Compute (fi, fj, fk): `scale` in the plane, 1 along the slice direction."""
        i, j, k = (1 if axis == self.index else scale for axis in range(3))
        return i, j, k

    def description(self, ijk_to_ras: ArrayLike) -> str:
        """Describe the slices: "Axial slices (k): 3 mm slice spacing, 1 mm in-plane".

        Args:
            ijk_to_ras: (4, 4) matrix of the volume, mm.
        """
        sides = spacing(ijk_to_ras).tolist()
        along = sides.pop(self.index)
        in_plane = format_sides(sides[:1] if math.isclose(*sides, rel_tol=SAME) else sides)
        return (
            f"{self.plane.capitalize()} slices ({self.name}): "
            f"{along:.3g} mm slice spacing, {in_plane} mm in-plane"
        )


def check_slice_axis(name: str) -> None:
    """Validate the name of a slice direction.

    Raises:
        SuperResolutionError: The name is not one of SLICE_AXES (kind "settings").
    """
    if name not in SLICE_AXES:
        raise SuperResolutionError(
            f"There is no slice direction “{name}”: choose one of {', '.join(SLICE_AXES)}.",
            "settings",
        )


def choose_slice_axis(
    ijk_to_ras: ArrayLike, requested: str = "auto", size: Sequence[int] | None = None
) -> SliceAxis:
    """Choose the slice direction of a volume.

    Args:
        ijk_to_ras: (4, 4) matrix of the volume, mm.
        requested: One of SLICE_AXES. "auto" selects the acquisition plane of a volume with thick
            slices, because the networks are trained on square pixels, and the axial plane of any
            other volume. A plane selects the voxel axis nearest to its normal.
        size: Voxel counts (ni, nj, nk). If only one of them is 1, "auto" selects the plane of this
            single slice. None: not known.

    Raises:
        SuperResolutionError: The requested name is unknown (kind "settings").
    """
    check_slice_axis(requested)
    if requested in VOXEL_AXES:
        index = VOXEL_AXES.index(requested)
        return SliceAxis(index, _plane(ijk_to_ras, index), "requested")
    if requested in ANATOMICAL:
        return SliceAxis(_nearest(ijk_to_ras, requested), requested, "requested")
    if size is not None and list(size).count(1) == 1:
        index = list(size).index(1)
        return SliceAxis(index, _plane(ijk_to_ras, index), "single slice")
    sides = spacing(ijk_to_ras)
    thickest = int(np.argmax(sides))
    ratio = sides[thickest] / max(np.delete(sides, thickest))
    if ratio > THICK_SLICE_RATIO * (1 + SAME):  # 4.5 mm over 3 mm is not more than 1.5
        return SliceAxis(thickest, _plane(ijk_to_ras, thickest), "thick slices")
    return SliceAxis(_nearest(ijk_to_ras, "axial"), "axial", "nearly isotropic")


def choose_reformat_axis(ijk_to_ras: ArrayLike, axis: SliceAxis) -> SliceAxis:
    """Choose the normal of the reformats to show: coronal, or else sagittal ones.

    Args:
        ijk_to_ras: (4, 4) matrix of the volume, mm.
        axis: Slice direction, which the reformats contain.
    """
    planes = [plane for plane in ("coronal", "sagittal", "axial") if plane != axis.plane]
    axes = [choose_slice_axis(ijk_to_ras, plane) for plane in planes]
    return next(reformat for reformat in axes if reformat.index != axis.index)


def to_radiological(images: np.ndarray, ijk_to_ras: ArrayLike, axis: SliceAxis) -> np.ndarray:
    """Orient slices for display: anterior or superior up, the patient's left on the right.

    Sagittal slices show posterior on the right. Axes are swapped and mirrored, not resampled.

    Args:
        images: (..., rows, columns) slices along `axis` in voxel order.
        ijk_to_ras: (4, 4) matrix of the volume, mm.
        axis: Slice direction.

    Returns:
        A view of the images, rows and columns possibly swapped.
    """
    directions = np.asarray(ijk_to_ras, dtype=float)[:3, :3]
    column, row = (
        directions[:, voxel_axis] / np.linalg.norm(directions[:, voxel_axis])
        for voxel_axis in range(3)
        if voxel_axis != axis.index
    )
    down, right = RADIOLOGICAL[axis.plane]
    upright = abs(np.dot(row, down)) + abs(np.dot(column, right))
    turned = abs(np.dot(row, right)) + abs(np.dot(column, down))
    if upright < turned:
        images, row, column = np.swapaxes(images, -1, -2), column, row
    if np.dot(row, down) < 0:
        images = images[..., ::-1, :]
    return images if np.dot(column, right) >= 0 else images[..., ::-1]


def _directions(ijk_to_ras: ArrayLike) -> np.ndarray:
    """Absolute direction cosines: rows R, A, S; columns i, j, k."""
    columns: np.ndarray = np.asarray(ijk_to_ras, dtype=float)[:3, :3]
    cosines: np.ndarray = np.abs(columns / np.linalg.norm(columns, axis=0))
    return cosines


def _nearest(ijk_to_ras: ArrayLike, plane: str) -> int:
    """Voxel axis nearest to the normal of a plane."""
    return int(np.argmax(_directions(ijk_to_ras)[ANATOMICAL[plane]]))


def _plane(ijk_to_ras: ArrayLike, index: int) -> str:
    """Anatomical plane whose normal is nearest to a voxel axis."""
    component = int(np.argmax(_directions(ijk_to_ras)[:, index]))
    return next(name for name, normal in ANATOMICAL.items() if normal == component)
