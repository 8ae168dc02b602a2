"""NIfTI headers: the position of the voxel grid, and the fields that outputs keep.

nibabel and ITK refuse a file if one of sform, qform and voxel size is damaged, even one that is not
needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from .. import geometry
from ..messages import Message, warning
from .checks import unknown_orientation, unusable_grid

if TYPE_CHECKING:
    import nibabel

MILLIMETERS = {1: 1000.0, 3: 0.001}
"""Spatial units other than mm; unknown units count as mm."""
POSITION_TOLERANCE = 1e-3
"""Fraction of the volume's extent: the precision of a quaternion in float32 near half a turn."""
SIZE_TOLERANCE = 2e-3
"""Relative difference of voxel sizes that rounding in a header explains."""
QUATERNION_TOLERANCE = 1e-3
"""Excess over 1 of the squared quaternion that rounding in a header explains."""
SCANNER, ALIGNED = 1, 2
"""Codes of scanner coordinates, and of coordinates whose origin is unknown."""
TEXTS = {"descrip": 79, "intent_name": 15, "aux_file": 23}
"""Fields with text, and their usable bytes."""
NUMBERS = (
    *("cal_min", "cal_max", "intent_code", "intent_p1", "intent_p2", "intent_p3", "toffset"),
    *("dim_info", "slice_code", "slice_start", "slice_end", "slice_duration"),
)
SLICE_TIMING = frozenset(("slice_code", "slice_start", "slice_end", "slice_duration"))
TIME_STEP = "pixdim[4]"
TIME_UNITS = 0x38
"""Bits of xyzt_units that belong to the time axis."""


def read_fields(header: nibabel.Nifti1Header) -> dict[str, str]:
    """Return the fields that stay true after upsampling, except the codes of the position.

    Fields that are empty, zero or not finite are left out.
    """
    fields = {}
    for key in TEXTS:
        text = cast(bytes, header[key].item()).split(b"\0")[0].decode("utf-8", "replace").strip()
        if text:
            fields[key] = text
    numbers = {key: header[key].item() for key in NUMBERS}
    numbers |= {
        TIME_STEP: header["pixdim"][4].item(),
        "xyzt_units": int(header["xyzt_units"]) & TIME_UNITS,
    }
    return fields | {
        key: f"{number:.9g}" for key, number in numbers.items() if number and np.isfinite(number)
    }


def write_fields(header: nibabel.Nifti1Header, fields: Mapping[str, str], notice: str) -> None:
    """Set the fields of a header whose size, position and unit of length are set.

    Slice timing is written only if it is that of all slices along its axis.

    Args:
        header: Header of the output.
        fields: Fields from `read_fields`, or of another format; unusable values are ignored.
        notice: Text that precedes the description of the source.
    """
    texts = {key: fields.get(key, "") for key in TEXTS}
    texts["descrip"] = "; ".join(filter(None, (notice, texts["descrip"])))
    for key, text in texts.items():
        header[key] = text.encode()[: TEXTS[key]].decode(errors="ignore").encode()
    for key in NUMBERS:
        header[key] = read_number(fields, key, header[key].dtype)
    axis = int(header["dim_info"]) >> 4 & 3
    if not axis or int(header["slice_end"]) != int(header["dim"][axis]) - 1:
        for key in SLICE_TIMING:
            header[key] = 0
    units = int(read_number(fields, "xyzt_units", header["xyzt_units"].dtype)) & TIME_UNITS
    header["xyzt_units"] = int(header["xyzt_units"]) | units
    if TIME_STEP in fields:
        header["pixdim"][4] = read_number(fields, TIME_STEP, header["pixdim"].dtype)
    for key in ("qform_code", "sform_code"):
        if key in fields:
            header[key] = max(read_number(fields, key, header[key].dtype), 0)
    header["sform_code"] = int(header["sform_code"]) or int(header["qform_code"]) or SCANNER


def read_number(fields: Mapping[str, str], key: str, dtype: np.dtype) -> float:
    """Return a field as a number that the type can hold; 0 if it has none."""
    try:
        number = float(fields.get(key, 0))
    except ValueError:
        return 0
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return number if limits.min <= number <= limits.max else 0


def read_position(
    header: nibabel.Nifti1Header, size: Sequence[int], name: str
) -> tuple[np.ndarray, dict[str, str], list[Message]]:
    """Compute IJKToRAS: the sform, else the qform, else the grid as ITK and 3D Slicer do.

    Args:
        header: The unchecked header.
        size: Voxel counts (ni, nj, nk).
        name: Name of the file, for messages.

    Returns:
        (4, 4) matrix in mm; the codes that sform and qform of an output with this position get;
        and warnings about damaged, contradicting or missing information.

    Raises:
        SuperResolutionError: The header gives no usable position.
    """
    sform_code, qform_code = (max(int(header[key]), 0) for key in ("sform_code", "qform_code"))
    has_sform, has_qform = sform_code > 0, qform_code > 0
    sform, qform = header.get_sform(), qform_matrix(header)
    pixdim = header["pixdim"][1:4].astype(float)
    if has_sform and _is_usable(sform):
        matrix, messages = _check_sform(header, sform, pixdim, name)
        if has_qform and not messages:
            messages = _check_qform(matrix, qform, size, name)
        if messages:
            qform_code = 0  # it was that of another position
    elif has_qform and qform is not None:
        matrix, sform_code = qform, qform_code
        messages = []
        if has_sform:
            text = f"The sform of {name} is damaged. The qform is used."
            messages.append(warning("position", text))
    elif has_sform or has_qform or not (pixdim > 0).all():
        raise unusable_grid(name)
    else:
        matrix = geometry.LPS_TO_RAS @ np.diag([*pixdim, 1.0])
        sform_code = ALIGNED
        messages = [unknown_orientation(name, "neither qform nor sform")]
    matrix[:3] *= MILLIMETERS.get(int(header["xyzt_units"]) & 7, 1.0)
    codes = {"sform_code": str(sform_code), "qform_code": str(qform_code)}
    return matrix, codes, messages


def qform_matrix(header: nibabel.Nifti1Header) -> np.ndarray | None:
    """Compute the matrix of the qform; None if it is damaged.

    A rounded quaternion is normalized, and a qfac of 0 counts as 1, as the standard demands.
    """
    pixdim = header["pixdim"][:4].astype(float)
    vector = np.array([float(header[f"quatern_{letter}"]) for letter in "bcd"])
    offset = [float(header[f"qoffset_{letter}"]) for letter in "xyz"]
    squared = float(vector @ vector)
    if (
        not np.isfinite([*pixdim, *vector, *offset]).all()
        or not (pixdim[1:] > 0).all()
        or squared > 1 + QUATERNION_TOLERANCE
    ):
        return None
    b, c, d = vector / np.sqrt(max(squared, 1))
    a = np.sqrt(max(1 - squared, 0))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
    ]
    matrix[:3, :3] *= [pixdim[1], pixdim[2], pixdim[3] * (-1 if pixdim[0] < 0 else 1)]
    matrix[:3, 3] = offset
    return matrix


def _is_usable(matrix: np.ndarray) -> bool:
    return bool(np.isfinite(matrix).all() and (geometry.spacing(matrix) > 0).all())


def _check_sform(
    header: nibabel.Nifti1Header, sform: np.ndarray, pixdim: np.ndarray, name: str
) -> tuple[np.ndarray, list[Message]]:
    """Compare the sform with the voxel size; a sform of unit vectors takes its size from pixdim."""
    spacing = geometry.spacing(sform)
    used = slice(min(int(header["dim"][0]), 3))
    if np.allclose(np.abs(pixdim[used]), spacing[used], rtol=SIZE_TOLERANCE, atol=0):
        return sform, []
    has_pixdim = bool(np.isfinite(pixdim).all() and (pixdim > 0).all())
    if has_pixdim and np.allclose(spacing, 1, rtol=0, atol=1e-5):
        sform[:3, :3] *= pixdim
        choice = "The sform has unit vectors, so pixdim is used."
    else:
        choice = "The sform is used; 3D Slicer may show another size."
    one, other = ("×".join(f"{side:.4g}" for side in sides) for sides in (spacing, pixdim))
    text = f"{name} gives two voxel sizes: {one} (sform) and {other} (pixdim). {choice}"
    return sform, [warning("position", text)]


def _check_qform(
    matrix: np.ndarray, qform: np.ndarray | None, size: Sequence[int], name: str
) -> list[Message]:
    if qform is None:
        text = f"The qform of {name} is damaged. The sform is used."
    elif not _is_same_place(matrix, qform, size):
        text = (
            f"{name} gives two different positions. The sform is used; 3D Slicer may show the file "
            "at its qform."
        )
    else:
        return []
    return [warning("position", text)]


def _is_same_place(one: np.ndarray, other: np.ndarray, size: Sequence[int]) -> bool:
    corners = geometry.corners(one, size)
    distance = np.abs(corners - geometry.corners(other, size)).max()
    return bool(distance <= POSITION_TOLERANCE * np.linalg.norm(np.ptp(corners, axis=0)))
