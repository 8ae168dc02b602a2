"""Along which voxel axis a volume is cut into the slices that the network sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import geometry
from .errors import SuperResolutionError

VOXEL_AXES = ("i", "j", "k")
ANATOMICAL = {
    "sagittal": 0,
    "coronal": 1,
    "axial": 2,
}  # the R, A or S component of the slice normal
SLICE_AXES = ("auto", "axial", "sagittal", "coronal", "i", "j", "k")

THICK_SLICE_RATIO = 1.5
"""A voxel axis whose spacing exceeds both others by more than this is the direction in which the slices were acquired."""


@dataclass(frozen=True)
class SliceAxis:
    """axis: 0, 1 or 2 for i, j or k, the normal of the slices; plane: its nearest anatomical name; reason: for the user."""

    axis: int
    plane: str
    reason: str

    @property
    def name(self) -> str:
        return VOXEL_AXES[self.axis]

    @property
    def numpy_axis(self) -> int:
        """The axis of an array that is indexed (k, j, i)."""
        return 2 - self.axis

    def factors(self, scale: int) -> tuple[int, int, int]:
        """(fi, fj, fk): the slices are enlarged, their distance stays."""
        i, j, k = (1 if axis == self.axis else scale for axis in range(3))
        return i, j, k

    def __str__(self) -> str:
        return f"slices along {self.name} ({self.plane}): {self.reason}"


def check_slice_axis(wanted: str) -> None:
    """Raises SuperResolutionError (kind "settings") unless wanted is one of SLICE_AXES."""
    if wanted not in SLICE_AXES:
        raise SuperResolutionError(
            f"There is no slice direction “{wanted}”: choose one of {', '.join(SLICE_AXES)}.",
            "settings",
        )


def choose_slice_axis(ijk_to_ras: ArrayLike, wanted: str = "auto") -> SliceAxis:
    """The slice axis of a volume.

    ijk_to_ras: (4, 4), mm. wanted: one of SLICE_AXES. "auto" takes the acquisition plane of a volume with thick slices (the
    network was trained on square pixels) and the axial plane of any other.
    Raises SuperResolutionError for an unknown name.
    """
    check_slice_axis(wanted)
    if wanted in VOXEL_AXES:
        axis = VOXEL_AXES.index(wanted)
        return SliceAxis(axis, _plane(ijk_to_ras, axis), "as asked")
    if wanted in ANATOMICAL:
        return SliceAxis(
            _nearest(ijk_to_ras, wanted),
            wanted,
            "the voxel axis nearest to the plane that was asked for",
        )
    size = geometry.spacing(ijk_to_ras)
    thickest = int(np.argmax(size))
    ratio = size[thickest] / max(np.delete(size, thickest))
    # headers store single precision: 4.5 mm over 3 mm must not count as more than 1.5
    if ratio > THICK_SLICE_RATIO * (1 + 1e-4):
        return SliceAxis(
            thickest,
            _plane(ijk_to_ras, thickest),
            f"the acquired slices, {size[thickest]:.3g} mm apart against {max(np.delete(size, thickest)):.3g} mm in plane",
        )
    return SliceAxis(_nearest(ijk_to_ras, "axial"), "axial", "the voxels are nearly isotropic")


def _directions(ijk_to_ras):
    """|direction cosines|: row R, A, S; column i, j, k."""
    columns = np.asarray(ijk_to_ras, dtype=float)[:3, :3]
    return np.abs(columns / np.linalg.norm(columns, axis=0))


def _nearest(ijk_to_ras, plane):
    """The voxel axis nearest to the plane's normal."""
    return int(np.argmax(_directions(ijk_to_ras)[ANATOMICAL[plane]]))


def _plane(ijk_to_ras, axis):
    """The anatomical plane whose normal is nearest to a voxel axis."""
    component = int(np.argmax(_directions(ijk_to_ras)[:, axis]))
    return next(name for name, index in ANATOMICAL.items() if index == component)


ON_SCREEN = {
    "axial": ((0, -1, 0), (-1, 0, 0)),
    "coronal": ((0, 0, -1), (-1, 0, 0)),
    "sagittal": ((0, 0, -1), (0, -1, 0)),
}
"""Where a radiologist expects the rows (downwards) and the columns (to the right) to run, in RAS."""


def to_radiological(images: np.ndarray, ijk_to_ras: ArrayLike, axis: SliceAxis) -> np.ndarray:
    """Slices turned for a picture: anterior or superior above, the patient's left (sagittal: posterior) on the right.

    images: (..., rows, columns), slices along a SliceAxis in voxel order. Axes are exchanged and mirrored only.
    """
    directions = np.asarray(ijk_to_ras, dtype=float)[:3, :3]
    column, row = (
        directions[:, voxel_axis] / np.linalg.norm(directions[:, voxel_axis])
        for voxel_axis in range(3)
        if voxel_axis != axis.axis
    )
    down, right = ON_SCREEN[axis.plane]
    if abs(np.dot(row, down)) + abs(np.dot(column, right)) < abs(np.dot(row, right)) + abs(
        np.dot(column, down)
    ):
        images, row, column = np.swapaxes(images, -1, -2), column, row
    if np.dot(row, down) < 0:
        images = images[..., ::-1, :]
    return images if np.dot(column, right) >= 0 else images[..., ::-1]
