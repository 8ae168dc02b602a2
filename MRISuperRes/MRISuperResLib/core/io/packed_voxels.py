"""Voxels of NRRD and MetaImage files that ITK cannot be trusted with.

ITK verifies no checksum, fills missing voxels with random memory, allocates whatever a header says,
crashes if a MetaImage has too many axes, and refuses a time axis without a direction.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SuperResolutionError
from .inflate import CHUNK, InflatedFile, check_length, damage

LONGEST_HEADER = 2**20
MOST_AXES = 10
META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
PER_AXIS = ("sizes", "kinds", "spacings", "thicknesses", "axis mins", "axis maxs", "centers")
"""NRRD fields with one word per axis."""


@dataclass
class Header:
    """Text header of a file.

    Attributes:
        path: The file with the header.
        fields: Values by lower-case (NRRD) or original (MetaImage) names.
        lines: The lines, without their ends.
        end: Position of the first byte after the header.
    """

    path: Path
    fields: dict[str, str]
    lines: list[str]
    end: int


def read_header(path: Path) -> Header:
    """Read the fields of an NRRD or MetaImage header, without judging them."""
    fields: dict[str, str] = {}
    lines: list[str] = []
    with open(path, "rb") as file:
        is_nrrd = file.read(4) == b"NRRD"
        file.seek(0)
        while file.tell() < LONGEST_HEADER and (raw := file.readline(LONGEST_HEADER)):
            line = raw.decode("latin-1").rstrip("\r\n")
            if is_nrrd and not line:
                break
            lines.append(line)
            key, separator, value = line.partition(":" if is_nrrd else "=")
            if separator and not line.startswith("#") and not value.startswith("="):
                key = key.strip()
                fields.setdefault(key.lower() if is_nrrd else key, value.strip())
                if key == "ElementDataFile":
                    break
        return Header(path, fields, lines, file.tell())


def verify_meta(header: Header) -> None:
    """Verify the axes of a MetaImage, and the length of voxels that are not compressed.

    Raises:
        SuperResolutionError: The header is damaged, or voxels are missing.
    """
    fields, name = header.fields, header.path.name
    sizes = fields.get("DimSize", "")
    axes = [_integer(word) for word in sizes.split()]
    declared = [line.partition("=")[2] for line in header.lines if line.startswith("NDims")]
    if [_integer(text.strip()) for text in declared] != [len(axes)] or not _are_sizes(axes):
        raise SuperResolutionError(
            f"The header of {name} is damaged (NDims {', '.join(declared)}, DimSize {sizes}). "
            "Export it again."
        )
    data = fields.get("ElementDataFile", "")
    is_local = data.lower() == "local"
    source = header.path if is_local else header.path.parent / data
    if not is_local and "%" not in data and not source.is_file() and data.split()[:1] != ["LIST"]:
        raise SuperResolutionError(
            f"The file with the voxels of {name} is missing beside it. Put both into one folder."
        )
    if not _is_packed_meta(fields) and source.is_file():
        dtype = np.dtype(META_TYPES.get(fields.get("ElementType", ""), "u1"))
        with damage(name), open(source, "rb") as file:
            check_length(file, header.end * is_local + math.prod(axes) * dtype.itemsize)


def _is_packed_meta(fields: dict[str, str]) -> bool:
    return fields.get("CompressedData", "")[:1].lower() in ("t", "1")


def _are_sizes(axes: Sequence[int]) -> bool:
    return 1 <= len(axes) <= MOST_AXES and min(axes) >= 1


def read_packed_meta(header: Header, size: Sequence[int], frame: int) -> np.ndarray | None:
    """Read one frame of a compressed MetaImage.

    The stream ends by itself, so that CompressedDataSize is not needed.

    Args:
        header: The header.
        size: Voxel counts (ni, nj, nk, ...) by ITK.
        frame: Index of the volume.

    Returns:
        The voxels (k, j, i); None for a file that is not compressed.

    Raises:
        SuperResolutionError: The stream is damaged, incomplete, or of another length.
    """
    fields, path, name = header.fields, header.path, header.path.name
    if not _is_packed_meta(fields):
        return None
    dtype, data = META_TYPES.get(fields.get("ElementType", "")), fields.get("ElementDataFile", "")
    if dtype is None or not data or data.split()[0] == "LIST" or "%" in data:
        raise SuperResolutionError(
            f"{name} is compressed in a way whose completeness cannot be verified. Save it "
            "uncompressed."
        )
    order = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", ""))
    voxel = np.dtype(dtype).newbyteorder(">" if order[:1].lower() in ("t", "1") else "<")
    is_local = data.lower() == "local"
    source = path if is_local else path.parent / data
    shape = (*size[2::-1],) if len(size) > 2 else (1, *size[::-1])
    with damage(name), open(source, "rb") as file:
        stream = InflatedFile(file, header.end if is_local else 0)
        return _read_frame(stream, voxel, shape, math.prod(size), frame)


def verify_nrrd(header: Header) -> None:
    """Verify the length of the voxels of an NRRD file, and the checksum of its gzip streams.

    Raises:
        SuperResolutionError: A stream is damaged or incomplete, or voxels are missing.
    """
    needed = math.prod(_sizes(header))
    dtype = _dtype(header)
    needed *= dtype.itemsize if dtype else 1
    if not _is_gzip(header):
        sources = [source for source, _ in _sources(header)]
        if header.fields.get("encoding", "").lower() == "raw" and all(map(Path.is_file, sources)):
            with damage(header.path.name):
                if needed > sum(source.stat().st_size for source in sources):
                    raise EOFError("voxels are missing")
        return
    total = 0
    with damage(header.path.name, ValueError):
        for source, start in _sources(header):
            with open(source, "rb") as file:
                file.seek(start)
                for _ in range(_integer(header.fields.get("line skip", "0"))):
                    file.readline()
                stream = InflatedFile(file, file.tell())
                while data := stream.read(CHUNK):
                    total += len(data)
        if total < needed:
            raise EOFError("voxels are missing")


def has_time_axis(header: Header) -> bool:
    """Return True for a 4D NRRD file whose last axis is time without a direction."""
    kinds = header.fields.get("kinds", "").lower().split()
    return (
        len(kinds) == 4
        and kinds[3] == "time"
        and header.fields.get("space directions", "").endswith("none")
        and len(_sizes(header)) == 4
    )


@contextlib.contextmanager
def without_time_axis(header: Header) -> Iterator[Path]:
    """Write a temporary NRRD header of one frame, for ITK to read everything but the voxels."""
    lines = []
    for line in header.lines:
        key, _, value = line.partition(":")
        name, words = key.strip().lower(), value.split()
        if name in ("data file", "datafile", "encoding") or name in ("line skip", "byte skip"):
            continue
        if name == "dimension":
            line = "dimension: 3"
        elif name in PER_AXIS and not value.startswith("="):
            line = f"{key}: {' '.join(words[:3])}"
        elif name == "space directions":
            line = f"{key}: {value.strip().removesuffix('none').strip()}"
        elif name in ("labels", "units"):
            continue
        lines.append(line)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "frame.nhdr")
        path.write_text(
            "\n".join([*lines, "encoding: raw", "data file: frame.raw", "", ""]), "latin-1"
        )
        path.with_name("frame.raw").touch()  # ITK opens it, though only the header is read
        yield path


def read_time_frame(header: Header, frame: int) -> np.ndarray:
    """Read one frame (k, j, i) of a file with `has_time_axis`.

    Raises:
        SuperResolutionError: Voxels are damaged, missing or stored in an unsupported way.
    """
    name, fields, sizes = header.path.name, header.fields, _sizes(header)
    dtype, sources = _dtype(header), list(_sources(header))
    encoding = fields.get("encoding", "").lower()
    skips = [_integer(fields.get(key, "0")) for key in ("line skip", "byte skip")]
    if dtype is None or len(sources) != 1 or any(skips) or encoding not in ("raw", *GZIP_NAMES):
        raise SuperResolutionError(
            f"{name} stores a series over time in a way that is not supported. Save it as raw or "
            "gzip NRRD in one file, or as NIfTI."
        )
    source, start = sources[0]
    with damage(name, ValueError), open(source, "rb") as file:
        file.seek(start)
        stream: BinaryIO | InflatedFile = InflatedFile(file, start) if _is_gzip(header) else file
        return _read_frame(stream, dtype, sizes[2::-1], math.prod(sizes), frame)


GZIP_NAMES = ("gzip", "gz")


def _read_frame(
    stream: BinaryIO | InflatedFile, dtype: np.dtype, shape: Sequence[int], count: int, frame: int
) -> np.ndarray:
    """Return one frame in native byte order; read everything else to verify the checksum."""
    length = math.prod(shape) * dtype.itemsize
    check_length(stream, count * dtype.itemsize)
    _skip(stream, frame * length)
    array = np.empty(shape, dtype)
    view = array.reshape(-1).view(np.uint8)
    done = 0
    while done < length:
        data = stream.read(min(CHUNK, length - done))
        if not data:
            raise EOFError("voxels are missing")
        view[done : done + len(data)] = np.frombuffer(data, np.uint8)
        done += len(data)
    _skip(stream, count * dtype.itemsize - (frame + 1) * length)
    if isinstance(stream, InflatedFile) and stream.read(1):
        raise EOFError("it holds more voxels than its header says")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _skip(stream: BinaryIO | InflatedFile, length: int) -> None:
    while length > 0:
        data = stream.read(min(CHUNK, length))
        if not data:
            raise EOFError("voxels are missing")
        length -= len(data)


def _is_gzip(header: Header) -> bool:
    return header.fields.get("encoding", "").lower() in GZIP_NAMES


def _integer(text: str) -> int:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else 0


def _sizes(header: Header) -> list[int]:
    return [_integer(word) for word in header.fields.get("sizes", "0").split()]


def _dtype(header: Header) -> np.dtype | None:
    order = ">" if header.fields.get("endian", "little").lower() == "big" else "<"
    name = header.fields.get("type", "").lower()
    return next(
        (np.dtype(order + code) for code, names in NRRD_TYPES.items() if name in names), None
    )


def _sources(header: Header) -> Iterator[tuple[Path, int]]:
    """Yield the files with voxels, and the position where they begin."""
    data = header.fields.get("data file", header.fields.get("datafile"))
    if data is None:
        yield header.path, header.end
        return
    words = data.split()
    if words and words[0] == "LIST":
        start = next(n for n, line in enumerate(header.lines) if line.lower().startswith("data"))
        names = [line for line in header.lines[start + 1 :] if line]
    elif len(words) >= 4 and re.fullmatch(r"[^%]*%0?\d*d[^%]*", words[0]):
        first, last, step = (_integer(word) for word in words[1:4])
        steps = range(first, last + (1 if step > 0 else -1), step or 1)
        names = [words[0] % n for n in steps[:100000]]
    else:
        names = [data]
    for name in names:
        yield Path(os.path.join(header.path.parent, name)), 0
