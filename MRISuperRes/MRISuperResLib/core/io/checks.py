"""Checks and errors that all readers of volume files share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .. import geometry
from ..errors import SuperResolutionError
from ..messages import Message, warning

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two voxel axes: above the rounding of cosines with four decimals, below a
gantry tilt of 0.1°."""


class ChoiceError(SuperResolutionError):
    """Several volumes where one is needed.

    Attributes:
        state: Sentence about what the file or folder holds.
        choice: What must be chosen: "frame" or "series".
        count: Number of frames; 0 for series.
    """

    def __init__(self, state: str, choice: str, count: int = 0) -> None:
        super().__init__(f"{state} Choose one.")
        self.state, self.choice, self.count = state, choice, count


@contextlib.contextmanager
def read_errors(path: str | Path) -> Iterator[None]:
    """Translate an OSError raised while reading to SuperResolutionError (kind "input")."""
    try:
        yield
    except FileNotFoundError as e:
        raise SuperResolutionError(f"{path} does not exist. Check the name.") from e
    except OSError as e:
        raise SuperResolutionError(
            f"{path} cannot be read ({e.strerror or e}). Check its permissions and the disk."
        ) from e


def find_partner(path: Path, extensions: Sequence[str]) -> Path:
    """Find the other file of a pair: the same name in the same folder with another extension.

    Args:
        path: One file of the pair, whose last extension, other than .gz, is replaced.
        extensions: Extensions that the other file may have, in any case.

    Raises:
        SuperResolutionError: It is missing, or there are several.
    """
    stem = Path(path.name[:-3]).stem if path.name.lower().endswith(".gz") else path.stem
    found = sorted(
        other
        for other in path.parent.iterdir()
        if other.name.startswith(stem) and other.name[len(stem) :].lower() in extensions
    )
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(other.name for other in found)
        raise SuperResolutionError(
            f"{names} both belong to {path.name}. Remove the one that does not."
        )
    raise SuperResolutionError(
        f"{path.name} is one file of a pair, but the other ({stem}{extensions[0]}) is not beside "
        "it. Put both into one folder."
    )


def choose_frame(name: str, count: int, frame: int | None) -> int:
    """Return the index of the frame to read.

    Args:
        name: Name of the file, for errors.
        count: Number of frames in the file.
        frame: The requested frame, counted from 0; None if none was requested.

    Raises:
        ChoiceError: There are several frames and none was requested.
        SuperResolutionError: The requested frame does not exist.
    """
    if frame is None and count == 1:
        return 0
    available = "one frame (number 0)" if count == 1 else f"{count} frames (0 to {count - 1})"
    if frame is None:
        raise ChoiceError(f"{name} holds {available}.", "frame", count)
    if not 0 <= frame < count:
        raise SuperResolutionError(
            f"{name} has no frame {frame}; it holds {available}. Choose one of these."
        )
    return frame


def check_grid(name: str, ijk_to_ras: np.ndarray) -> None:
    """Check that voxels are rectangular boxes of a known size.

    Args:
        name: Name of the file, for errors.
        ijk_to_ras: Voxel indices to patient coordinates, (4, 4), mm.

    Raises:
        SuperResolutionError: The grid is sheared, or a voxel size is zero or not finite.
    """
    spacing = geometry.spacing(ijk_to_ras)
    if not np.isfinite(ijk_to_ras).all() or not (spacing > 0).all():
        raise unusable_grid(name)
    directions = ijk_to_ras[:3, :3] / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > SHEAR_TOLERANCE:
        raise SuperResolutionError(
            f"The voxel grid of {name} is sheared (as by a tilted CT gantry) and cannot be "
            "upsampled in place. Resample it to a rectangular grid first, for instance with 3D "
            "Slicer's module Resample Scalar/Vector/DWI Volume."
        )


def unknown_orientation(name: str, reason: str, grid: str = "voxel grid") -> Message:
    """Return a warning about a file without the patient's orientation."""
    return warning(
        "orientation",
        f"{name} does not say how the patient lies ({reason}). The {grid} is used as it is; names "
        "such as axial may be wrong.",
    )


def other_modality(name: str, modality: str) -> Message:
    """Return the warning about a DICOM image that is no MR image.

    Args:
        name: Name of the file or series.
        modality: Its modality, such as "CT"; "" if it is unknown.
    """
    return warning(
        "modality",
        f"The modality of {name} is {modality or 'unknown'}, not MR. No model was trained on "
        f"{modality or 'other modalities'}; do not trust the result.",
    )


def not_scalar(name: str, components: int | str, is_color: bool = False) -> SuperResolutionError:
    """Return the error for a file with more than one number per voxel.

    Args:
        name: Name of the file.
        components: Numbers per voxel, or "complex".
        is_color: True for color channels.
    """
    if components == "complex":
        content = "complex numbers"
    elif is_color:
        content = f"colors ({components} channels)"
    else:
        content = f"{components} values per voxel"
    return SuperResolutionError(
        f"{name} holds {content}, but one number per voxel is needed. Save its magnitude, or one "
        "channel, as a separate volume."
    )


def unusable_grid(name: str) -> SuperResolutionError:
    """Return the error for a file without a usable voxel size or position."""
    return SuperResolutionError(
        f"{name} gives no usable voxel size or position (zero, negative or not a number). Correct "
        "its header or export it again."
    )


def segmentation(name: str) -> SuperResolutionError:
    """Return the error for a label map."""
    return SuperResolutionError(
        f"{name} is a segmentation or label map, not an image. Use the MRI volume it was drawn on."
    )


def is_segmentation(fields: Iterable[str]) -> bool:
    """Return True for the header fields of a segmentation of 3D Slicer."""
    return any(field.startswith(("Segment0_", "Segmentation_")) for field in fields)


def overlapping_segments(name: str) -> SuperResolutionError:
    """Return the error for a segmentation with several labels per voxel."""
    return SuperResolutionError(
        f"{name} is a segmentation or label map whose segments overlap. Export them as a label map "
        "without overlaps."
    )


def out_of_memory(name: str, shape: Sequence[int], itemsize: int) -> SuperResolutionError:
    """Return the error for a volume that does not fit into memory."""
    gib = np.prod(shape, dtype=float) * itemsize / 2**30
    return SuperResolutionError(
        f"Out of memory: {name} needs {gib:.1f} GiB. Close other applications or crop the volume.",
        "memory",
    )
