"""NIfTI-1 and NIfTI-2, by nibabel.

Not by ITK, which knows no NIfTI-2, fills a file that was cut short with zeros, reads NAME.nii where NAME.nii.gz was
asked for and both exist, and turns a sheared grid into a straight one, all without a word.
"""

import contextlib
import gzip
import json
import warnings
import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.fileholders import FileHolder
from nibabel.fileslice import fileslice
from nibabel.spatialimages import HeaderDataError

from .. import geometry
from ..errors import SuperResolutionError
from .checks import (
    LPS_TO_RAS,
    check_grid,
    choose_frame,
    no_usable_grid,
    not_scalar,
    out_of_memory,
    segmentation,
)

HEADER_KINDS = (nibabel.Nifti1Header, nibabel.Nifti2Header)
HEADER_SIZE = 540
"""Bytes of the longer header, that of NIfTI-2."""

NOT_SCALAR = {
    "RGB": 3,
    "RGBA": 4,
    "complex64": "complex",
    "complex128": "complex",
    "complex256": "complex",
}
SCALAR = (
    "uint8",
    "int16",
    "int32",
    "float32",
    "float64",
    "int8",
    "uint16",
    "uint32",
    "int64",
    "uint64",
)
LABEL_INTENT = 1002
SPATIAL_UNIT = {1: 1000.0, 3: 0.001}
"""mm; 2 is mm, 0 (unknown) is taken as mm."""
LONGEST_AXIS = 32767


def is_nifti(head):
    """head: the first bytes of a file, unpacked. True for Analyze 7.5, too, which is refused with a sentence."""
    return nibabel.AnalyzeHeader.may_contain_header(head) or _kind(head) is not None


def _kind(head):
    return next((kind for kind in HEADER_KINDS if kind.may_contain_header(head)), None)


def read_nifti(path, frame=None):
    """(array (k, j, i), ijk_to_ras (4, 4), messages) of a .nii, .nii.gz or .hdr file; frame: of a 4D file.

    Raises SuperResolutionError (kind "input").
    """
    path, name = Path(path), Path(path).name
    try:
        with _open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy, about the numbers of damaged headers
            header = _header(file, name)
            sizes, frames = _sizes(header, name)
            dtype = _dtype(header, name)
            ijk_to_ras, messages = _matrix(header, name)
            check_grid(name, ijk_to_ras)
            chosen = choose_frame(name, frames, frame)
            with (
                contextlib.nullcontext(file)
                if _is_single(header)
                else _open(_data_file(path)) as data
            ):
                array = _voxels(data, header, sizes, frames, chosen, dtype, name)
            return _scaled(array, header), ijk_to_ras, messages
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise SuperResolutionError(
            f"{name} is damaged or cut short ({e}): copy or export it again."
        ) from e
    except (HeaderDataError, ValueError, OverflowError) as e:
        raise SuperResolutionError(
            f"The header of {name} is damaged ({str(e).splitlines()[0]}): export it again."
        ) from e


def _open(path):
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _header(file, name):
    head = file.read(HEADER_SIZE)
    kind = _kind(head)
    if kind is None:
        raise SuperResolutionError(
            f"{name} is an Analyze 7.5 image, which does not say left from right: convert it to NIfTI first."
        )
    if len(head) < kind.sizeof_hdr:
        raise EOFError("its header is not complete")
    return kind(head[: kind.sizeof_hdr], check=False)


def _is_single(header):
    """Whether the voxels follow the header, or lie in a file of their own."""
    return header["magic"].item().startswith(b"n+")


def _data_file(path):
    for suffix in (".img", ".img.gz"):
        data = path.with_name(path.name.removesuffix(".gz").removesuffix(".hdr") + suffix)
        if data.exists():
            return data
    raise SuperResolutionError(
        f"{path.name} is the header of a pair, but its voxels ({path.stem}.img) are not beside it: put both into one folder."
    )


def _sizes(header, name):
    """((ni, nj, nk), frames)"""
    rank = int(header["dim"][0])
    dim = [int(n) for n in header["dim"][1 : rank + 1]] + [1] * (7 - rank)
    if not 1 <= rank <= 7 or min(dim) < 1:
        raise SuperResolutionError(
            f"The header of {name} is damaged (it gives the size as {'×'.join(map(str, dim))}): export it again."
        )
    if max(dim[4:]) > 1:
        raise not_scalar(name, int(np.prod(dim[4:])))
    return dim[:3], dim[3]


def _dtype(header, name):
    code = int(header["datatype"])
    label = (
        str(nibabel.nifti1.data_type_codes.label[code])
        if code in nibabel.nifti1.data_type_codes
        else ""
    )
    if label in NOT_SCALAR:
        raise not_scalar(name, NOT_SCALAR[label], is_color=True)
    if int(header["intent_code"]) == LABEL_INTENT:
        raise segmentation(name)
    if label not in SCALAR:
        raise SuperResolutionError(
            f"{name} stores its voxels as NIfTI type {code}, which can't be read: save it as 16-bit integers or 32-bit floats."
        )
    return header.get_data_dtype()


def _voxels(file, header, sizes, frames, frame, dtype, name):
    """The stored numbers of one frame, native byte order, (k, j, i)."""
    # some writers leave the offset 0 where the voxels follow the header
    offset = (
        max(int(header["vox_offset"]), header.sizeof_hdr + 4)
        if _is_single(header)
        else int(header["vox_offset"])
    )
    try:
        array = fileslice(file, (..., frame), (*sizes, frames), dtype, offset, order="F")
    except (MemoryError, OverflowError) as e:
        raise out_of_memory(name, sizes, dtype.itemsize) from e
    except ValueError as e:  # nibabel's word for less data than the header promises
        raise EOFError("voxels are missing") from e
    if isinstance(file, gzip.GzipFile):
        while file.read(2**20):  # the check sum comes at the end
            pass
    return np.ascontiguousarray(array.T, dtype.newbyteorder("="))


def _scaled(array, header):
    """slope · stored + intercept; a slope of zero or NaN means that the stored numbers count."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite([slope, intercept]).all() or (slope, intercept) == (1, 0):
        return array
    exact_in_single = array.dtype.itemsize <= 2 or array.dtype == np.float32
    array = array.astype(np.float32 if exact_in_single else np.float64)
    array *= slope
    array += intercept
    return array


def _matrix(header, name):
    """IJKToRAS in mm: the sform where it is set, else the qform, else the bare grid as ITK and 3D Slicer take it."""
    messages = []
    if not header["sform_code"] > 0 and not (header["pixdim"][1:4] > 0).all():
        raise no_usable_grid(name)
    if header["sform_code"] > 0:
        matrix = header.get_sform()
        if header["qform_code"] > 0 and not _same_place(
            matrix, header.get_qform(), header["dim"][1:4]
        ):
            messages.append(
                f"{name} gives two different positions: the sform was taken, but 3D Slicer may show the file where its qform says."
            )
    elif header["qform_code"] > 0:
        matrix = header.get_qform()
    else:
        matrix = LPS_TO_RAS @ np.diag([*header["pixdim"][1:4].astype(float), 1.0])
        messages.append(
            f"{name} does not say how the patient lies (neither qform nor sform): the voxel grid was taken as it is, "
            "names such as axial may be wrong."
        )
    matrix[:3] *= SPATIAL_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    return matrix, messages


def _same_place(a, b, size):
    """Within a thousandth of the volume's extent: near half a turn a quaternion in single precision says no more."""
    corners = geometry.corners(a, size)
    return np.abs(corners - geometry.corners(b, size)).max() <= 1e-3 * np.linalg.norm(
        np.ptp(corners, axis=0)
    )


def write_nifti(file, array, ijk_to_ras, description, comment):
    """Writes a NIfTI-1 file (.nii) to an open binary file: sform and qform, and a header extension with the comment.

    array: (k, j, i); description: at most 79 characters of ASCII; comment: a dict of JSON values.
    Raises SuperResolutionError where an axis is too long for NIfTI-1.
    """
    if max(array.shape) > LONGEST_AXIS:
        raise SuperResolutionError(
            f"NIfTI can't hold more than {LONGEST_AXIS} voxels along an axis, the volume has {max(array.shape)}: write .nrrd or .mha."
        )
    image = nibabel.Nifti1Image(array.T, ijk_to_ras, dtype=array.dtype)
    image.set_sform(ijk_to_ras, code=1)
    image.set_qform(ijk_to_ras, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii")
    image.header.extensions.append(
        nibabel.nifti1.Nifti1Extension("comment", json.dumps(comment).encode("ascii"))
    )
    image.to_file_map({"header": FileHolder(fileobj=file), "image": FileHolder(fileobj=file)})
