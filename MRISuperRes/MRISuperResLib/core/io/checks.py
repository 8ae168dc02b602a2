"""What every reader of volume files asks of a file, and says about it."""

import contextlib

import numpy as np

from .. import geometry
from ..errors import SuperResolutionError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""DICOM, ITK and their files count patient coordinates to the left and to the back; it is its own inverse."""

SHEAR_TOLERANCE = 1e-3
"""Cosine between two voxel axes: direction cosines with four decimals stay below, a gantry tilt of 0.1° lies above."""


@contextlib.contextmanager
def read_errors(path):
    """OSError to a sentence."""
    try:
        yield
    except FileNotFoundError as e:
        raise SuperResolutionError(f"There is no file {path}: check the name.") from e
    except OSError as e:
        raise SuperResolutionError(
            f"{path} can't be read ({e.strerror or e}): check that you may open it and that the disk is there."
        ) from e


def choose_frame(name: str, count: int, frame: int | None) -> int:
    """The index of the frame to take of the count that a file holds; frame: the user's choice or None.

    Raises SuperResolutionError where there is more than one and none was chosen, or the chosen one is not there.
    """
    if frame is None and count == 1:
        return 0
    held = "one frame (number 0)" if count == 1 else f"{count} frames (numbers 0 to {count - 1})"
    if frame is None:
        raise SuperResolutionError(f"{name} holds {held}: choose one with --frame.")
    if not 0 <= frame < count:
        raise SuperResolutionError(
            f"{name} has no frame {frame}, it holds {held}: choose another with --frame."
        )
    return frame


def check_grid(name: str, ijk_to_ras: np.ndarray) -> None:
    """Raises SuperResolutionError for a voxel grid that is not made of rectangular boxes of a known size."""
    spacing = geometry.spacing(ijk_to_ras)
    if not np.isfinite(ijk_to_ras).all() or not (spacing > 0).all():
        raise no_usable_grid(name)
    directions = ijk_to_ras[:3, :3] / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > SHEAR_TOLERANCE:
        raise SuperResolutionError(
            f"The voxel grid of {name} is sheared (as by a tilted CT gantry), and slices of it can't be enlarged in place: "
            "resample it to a rectangular grid first, for instance with 3D Slicer's Resample Scalar/Vector/DWI Volume."
        )


def not_scalar(name: str, components: int | str, is_color: bool = False) -> SuperResolutionError:
    """components: how many numbers a voxel has, or "complex"."""
    what = (
        "complex numbers"
        if components == "complex"
        else f"colors ({components} channels)"
        if is_color
        else f"{components} values per voxel"
    )
    return SuperResolutionError(
        f"{name} holds {what}, but one number per voxel is needed: save its magnitude, or one channel, as a volume of its own."
    )


def no_usable_grid(name: str) -> SuperResolutionError:
    return SuperResolutionError(
        f"{name} gives no usable voxel size or position (zero, negative or not a number): correct its header, or export it again."
    )


def segmentation(name: str) -> SuperResolutionError:
    return SuperResolutionError(
        f"{name} is a segmentation or label map, not an image: give the MRI volume that it was drawn on."
    )


def out_of_memory(name: str, shape: tuple[int, ...], itemsize: int) -> SuperResolutionError:
    gib = np.prod(shape, dtype=float) * itemsize / 2**30
    return SuperResolutionError(
        f"{name} needs {gib:.1f} GiB of memory, which is not there: close other programs or crop the volume.",
        "memory",
    )
