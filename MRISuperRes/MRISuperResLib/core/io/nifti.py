"""NIfTI-1 and NIfTI-2 files, by nibabel.

ITK does not read NIfTI-2, fills a file that was cut short with zeros, reads NAME.nii instead of
NAME.nii.gz if both exist, and straightens a sheared grid, all without an error.

Three properties of nibabel need a workaround. Its image classes repair headers (a voxel size of 0
becomes 1, one of -2 becomes 2), so the header is read unchecked and the voxels through an
`ArrayProxy`. It stops reading where the voxels end and never verifies the checksum of a gzip file.
It scales in double precision, which doubles the memory of 16-bit volumes.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import itertools
import json
import math
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, cast

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from ..errors import SuperResolutionError
from ..messages import Message, warning
from ..volume import Volume
from .checks import (
    ChoiceError,
    check_grid,
    choose_frame,
    find_partner,
    not_scalar,
    out_of_memory,
)
from .inflate import (
    InflatedFile,
    check_length,
    damage,
    open_file,
    open_voxels,
    verify_checksum,
)
from .nifti_header import read_fields, read_position, write_fields

IGZIP_THREADED: Any
try:
    IGZIP_THREADED = importlib.import_module("isal.igzip_threaded")
except ImportError:
    IGZIP_THREADED = None

HEADERS = (nibabel.Nifti1Header, nibabel.Nifti2Header)
HEADER_SIZE = 540
"""Bytes of the longer header, that of NIfTI-2."""
COLORS = {"RGB": 3, "RGBA": 4}
SCALAR_TYPES = frozenset(
    "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64".split()
)
LABEL_INTENT = 1002
VECTOR_INTENTS = frozenset((1004, 1005, 1006, 1007, 1008, 1009, 1010, 2003, 2004))
"""Intents of matrices, vectors, quaternions and colors: the frames of a 5D file are components."""
LONGEST_AXIS = 32767
DAMAGED_HEADER = (
    HeaderDataError,
    ImageFileError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
)
"""Exceptions that nibabel raises for damaged headers."""
SCALING_ERROR = 0.01
"""Largest rounding error of scaled voxels, as a fraction of one stored step."""


def read_nifti(path: Path, frame: int | None = None, data: Path | None = None) -> Volume:
    """Read a .nii or .nii.gz file, or a pair of files.

    Args:
        path: The file with the header; its name does not matter.
        frame: Index of the volume in a 4D file, counted from 0.
        data: The file with the voxels of a pair; None: the .img file beside the header.

    Raises:
        SuperResolutionError: The file does not hold one complete scalar volume on a rectangular
            grid; (kind "memory") it does not fit into memory.
    """
    name = path.name
    with damage(name, *DAMAGED_HEADER), open_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns about numbers in damaged headers
        header = _header(file, name)
        size, frames = _size(header, name)
        dtype = _dtype(header, name)
        ijk_to_ras, codes, messages = read_position(header, size, name)
        check_grid(name, ijk_to_ras)
        if frame is None and frames > 1 and int(header["dim"][4]) == 1:
            raise _ambiguous(name, frames)
        chosen = choose_frame(name, frames, frame)
        with contextlib.ExitStack() as stack:
            if not _is_single(header):
                data = data or find_partner(path, (".img", ".img.gz"))
                file = stack.enter_context(open_voxels(data))
            array = _voxels(file, header, (*size, frames), dtype, chosen, name)
            messages += _voxel_messages(file, header, name)
    fields, is_labels = read_fields(header) | codes, int(header["intent_code"]) == LABEL_INTENT
    return Volume(array, ijk_to_ras, tuple(messages), header=fields, is_labels=is_labels)


def _header(file: IO[bytes], name: str) -> nibabel.Nifti1Header:
    head = file.read(HEADER_SIZE)
    kind = next((kind for kind in HEADERS if kind.may_contain_header(head)), None)
    if kind is None:
        raise SuperResolutionError(
            f"{name} is an Analyze 7.5 image, which does not tell left from right. Convert it to "
            "NIfTI first."
        )
    if len(head) < kind.sizeof_hdr:
        raise EOFError("its header is incomplete")
    return cast(Any, kind)(head[: kind.sizeof_hdr], check=False)


def _is_single(header: nibabel.Nifti1Header) -> bool:
    """Return True if the voxels follow the header; otherwise they are in a separate file."""
    return cast(bytes, header["magic"].item()).startswith(b"n+")


def _size(header: nibabel.Nifti1Header, name: str) -> tuple[tuple[int, int, int], int]:
    """Return ((ni, nj, nk), frames)."""
    rank = int(header["dim"][0])
    dim = [int(n) for n in header["dim"][1 : rank + 1]] + [1] * (7 - rank)
    if not 1 <= rank <= 7 or min(dim) < 1:
        size = "×".join(map(str, dim))
        raise SuperResolutionError(
            f"The header of {name} is damaged (size {size}). Export it again."
        )
    frames, further = int(np.prod(dim[3:])), int(np.prod(dim[4:]))
    is_series = max(dim[3:]) == frames and int(header["intent_code"]) not in VECTOR_INTENTS
    if further > 1 and not is_series:
        raise not_scalar(name, further)
    return (dim[0], dim[1], dim[2]), frames


def _ambiguous(name: str, count: int) -> SuperResolutionError:
    """Return the error for a series, or vectors without an intent, beyond the fourth dimension."""
    state = (
        f"{name} holds {count} values per voxel beyond its fourth dimension (frames 0 to "
        f"{count - 1})."
    )
    return ChoiceError(state, "frame", count)


def _dtype(header: nibabel.Nifti1Header, name: str) -> np.dtype:
    code, codes = int(header["datatype"]), nibabel.nifti1.data_type_codes
    label = str(codes.label[code]) if code in codes else ""
    if label in COLORS:
        raise not_scalar(name, COLORS[label], is_color=True)
    if label.startswith("complex"):
        raise not_scalar(name, "complex")
    if label not in SCALAR_TYPES:
        raise SuperResolutionError(
            f"{name} stores its voxels as NIfTI type {code}, which is not supported. Save it as "
            "16-bit integers or 32-bit floats."
        )
    return header.get_data_dtype()


def _voxels(
    file: IO[bytes],
    header: nibabel.Nifti1Header,
    shape: tuple[int, ...],
    dtype: np.dtype,
    frame: int,
    name: str,
) -> np.ndarray:
    """Return the scaled voxels of one frame (k, j, i) in native byte order."""
    offset = int(header["vox_offset"])
    if _is_single(header):  # some writers leave 0
        offset = max(offset, header.sizeof_hdr + 4)
    slope, intercept = _scaling(header)
    precision = np.float32 if is_exact_in_single(dtype, slope, intercept) else np.float64
    proxy = ArrayProxy(
        file, (shape, dtype, offset, precision(slope), precision(intercept)), mmap=False
    )
    array = read_last(proxy, frame, name)
    verify_checksum(file)
    return np.ascontiguousarray(array.T, array.dtype.newbyteorder("="))


def read_last(proxy: ArrayProxy, index: int, name: str) -> np.ndarray:
    """Read the voxels at an index of the last axis.

    Raises:
        EOFError: The file ends too early.
        SuperResolutionError: (kind "memory") They do not fit into memory.
    """
    check_length(proxy.file_like, proxy.offset + math.prod(proxy.shape) * proxy.dtype.itemsize)
    try:
        return cast(np.ndarray, proxy[..., index])
    except (MemoryError, OverflowError) as e:
        raise out_of_memory(name, proxy.shape[:-1], proxy.dtype.itemsize) from e
    except ValueError as e:  # nibabel's error for less data than the header promises
        raise EOFError("voxels are missing") from e


def _scaling(header: nibabel.Nifti1Header) -> tuple[float, float]:
    """Return slope and intercept; (1, 0) keeps the stored values."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if np.isfinite(intercept) else 0.0


def is_exact_in_single(dtype: np.dtype, slope: float, intercept: float) -> bool:
    """Return True if float32 holds all scaled voxels to a small part of one stored step."""
    if dtype.kind == "f":
        if dtype.itemsize != 4:
            return False
        peak = 0.0
    elif dtype.itemsize > 2:
        return False
    else:
        peak = abs(slope) * 2.0 ** (8 * dtype.itemsize)
    largest, single = peak + abs(intercept), np.finfo(np.float32)
    error = largest * float(single.eps) / 2
    return largest < float(single.max) and error <= SCALING_ERROR * abs(slope)


def _voxel_messages(file: IO[bytes], header: nibabel.Nifti1Header, name: str) -> list[Message]:
    """Return warnings about a damaged scaling, and about bytes after the compressed data."""
    messages = []
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope != 0 and np.isfinite(slope) and not np.isfinite(intercept):
        text = f"The intercept in the header of {name} is not a number. Zero is used instead."
        messages.append(warning("intensity", text))
    stream = getattr(file, "raw", None)
    if isinstance(stream, InflatedFile) and stream.has_trailing_bytes:
        text = f"Unknown bytes follow the compressed data of {name}. They were ignored."
        messages.append(warning("file", text))
    return messages


def write_nifti(
    path: Path,
    volume: Volume,
    provenance: dict[str, Any],
    compression: int,
    further: Iterable[Volume] = (),
    count: int = 1,
) -> None:
    """Write a NIfTI-1 file with sform and qform, and the provenance as a header extension.

    Args:
        path: Ends in .nii or .nii.gz; the latter is compressed.
        volume: Voxels of an integer or floating-point type of 8 to 64 bits.
        provenance: JSON values; its "software" and "notice" begin the description.
        compression: gzip level, 1 to 3.
        further: Further frames of the same size and type, taken one after the other.
        count: Number of all frames.

    Raises:
        SuperResolutionError: An axis is too long for NIfTI-1.
        OSError: The file cannot be written.
    """
    longest = max(*volume.size, count)
    if longest > LONGEST_AXIS:
        raise SuperResolutionError(
            f"NIfTI cannot hold more than {LONGEST_AXIS} voxels along an axis; the volume has "
            f"{longest}. Write a .nrrd or .mha file."
        )
    image = nibabel.Nifti1Image(volume.array.T, volume.ijk_to_ras, dtype=volume.array.dtype)
    image.set_sform(volume.ijk_to_ras, code=1)
    image.set_qform(volume.ijk_to_ras, code=1)
    header = image.header
    if count > 1:
        header.set_data_shape((*volume.size, count))
    header.set_xyzt_units("mm")
    header.set_slope_inter(1, 0)
    notice = f"{provenance.get('software', '')}: {provenance.get('notice', '')}"
    write_fields(header, volume.header, notice if provenance else "")
    if volume.is_labels:
        header["intent_code"] = LABEL_INTENT
    if provenance:
        comment = json.dumps(provenance).encode("ascii")
        header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", comment))
    head = io.BytesIO()
    header.write_to(head)
    with open(path, "wb") as file:
        with _compressed(file, compression) if path.suffix == ".gz" else _plain(file) as output:
            # not image.to_file_map, which seeks: the threaded gzip stream cannot
            output.write(head.getvalue())
            for frame in itertools.chain([volume], further):
                for plane in frame.array:
                    output.write(plane.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _plain(file: IO[bytes]) -> contextlib.nullcontext[IO[bytes]]:
    return contextlib.nullcontext(file)


def _compressed(file: IO[bytes], level: int) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Return a reproducible gzip stream into an open file."""
    if IGZIP_THREADED is None:
        return cast(IO[bytes], gzip.GzipFile("", "wb", level, file, mtime=0))
    return cast(IO[bytes], IGZIP_THREADED.open(file, "wb", level, threads=-1))
