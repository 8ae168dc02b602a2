"""NRRD and MetaImage files, and compressed DICOM pixels, by SimpleITK."""

from __future__ import annotations

import contextlib
import errno
import gzip
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from .. import geometry
from ..errors import SuperResolutionError
from ..messages import Message, warning
from ..volume import Volume
from .checks import (
    check_grid,
    choose_frame,
    is_segmentation,
    not_scalar,
    out_of_memory,
    overlapping_segments,
    unknown_orientation,
    unusable_grid,
)
from .nifti_header import TIME_STEP, read_number
from .packed_voxels import (
    Header,
    has_time_axis,
    read_header,
    read_packed_meta,
    read_time_frame,
    verify_meta,
    verify_nrrd,
    without_time_axis,
)

if TYPE_CHECKING:
    from typing import Any

PREFIX = "MRISuperRes_"
"""Prefix of the provenance keys in NRRD and MetaImage headers."""
NON_ANATOMICAL_SPACES = frozenset(
    space + ending
    for space in ("scanner-xyz", "3D-right-handed", "3D-left-handed")
    for ending in ("", "-time")
)
"""NRRD spaces without the patient's orientation."""
OUTDATED = re.compile(
    r"ITK_|NRRD_(?!content)|dim\[|pixdim\[(?!4)|(qto|qoffset|quatern|scl|srow)_"
    r"|(bitpix|datatype|nifti_type|qfac|vox_offset)$"
)
"""Fields about the voxels, the grid or the origin of a file; ITK copies some of them from NIfTI."""
FRAMES = re.compile(r"DWMRI_|MultiVolume\.|axis 0 |modality$")
"""Fields about all frames of a file."""
RESERVED = re.compile(
    r"(Binary|Compress|Element|Header|Object)\w*|AcquisitionDate|AnatomicalOrientation|Color|Comment"
    r"|CenterOfRotation|DimSize|DistanceUnits|ID|ImagePosition|Modality|NDims|Name|Offset"
    r"|Orientation|Origin|ParentID|Position|Rotation|SequenceID|TransformMatrix|.*=.*"
)
"""Names that have a meaning in MetaImage headers, or cannot be written to them."""
LONGEST_META_FIELD = 30000
"""MetaImage files with longer fields cannot be read."""


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard what C and C++ code writes to file descriptor 2.

    ITK, GDCM and their codecs print warnings there, beside the exceptions that they raise.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (AttributeError, OSError, ValueError):  # an application without standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def read_itk(path: Path, image_io: str, frame: int | None = None) -> Volume:
    """Read an NRRD or MetaImage file.

    Args:
        path: The file with the header.
        image_io: "NrrdImageIO" or "MetaImageIO".
        frame: Index of the volume in a file with several, counted from 0.

    Raises:
        SuperResolutionError: The file does not hold one complete scalar volume.
    """
    name = path.name
    text = read_header(path)
    if image_io == "MetaImageIO":
        verify_meta(text)
    elif has_time_axis(text):
        return _read_time_series(text, frame)
    else:
        verify_nrrd(text)
    reader = _reader(path, image_io, name)
    size = reader.GetSize()
    is_sequence = _check_voxels(name, reader)
    frames = reader.GetNumberOfComponents() if is_sequence else size[3] if len(size) > 3 else 1
    chosen = choose_frame(name, frames, frame)
    ijk_to_ras, messages = _position(name, reader)
    check_grid(name, ijk_to_ras)
    header = _user_fields(reader, frames)

    if image_io == "MetaImageIO":
        packed = read_packed_meta(text, size, chosen)
        if packed is not None:
            return _volume(packed, ijk_to_ras, messages, header)
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        reader.SetExtractIndex([0, 0, 0, chosen, *[0] * (len(size) - 4)])
    with silence():
        try:
            array = sitk.GetArrayFromImage(reader.Execute())
        except (RuntimeError, MemoryError) as e:
            if isinstance(e, MemoryError) or "alloc" in str(e):
                raise out_of_memory(name, size, 8) from e
            raise _unreadable(name, e) from e
    if is_sequence:
        array = np.ascontiguousarray(array[..., chosen])
    return _volume(array if array.ndim == 3 else array[None], ijk_to_ras, messages, header)


def _volume(
    array: np.ndarray, ijk_to_ras: np.ndarray, messages: list[Message], header: dict[str, str]
) -> Volume:
    labels = is_segmentation(header)
    return Volume(array, ijk_to_ras, tuple(messages), header=header, is_labels=labels)


def _reader(path: Path, image_io: str, name: str) -> sitk.ImageFileReader:
    """Return a reader that has read the header."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io)
    with silence():
        try:
            reader.ReadImageInformation()
        except RuntimeError as e:
            raise _unreadable(name, e) from e
    return reader


def _read_time_series(header: Header, frame: int | None) -> Volume:
    """Read one frame of an NRRD file whose last axis is time, which ITK refuses."""
    name = header.path.name
    with without_time_axis(header) as path:
        reader = _reader(path, "NrrdImageIO", name)
        _check_voxels(name, reader)
        ijk_to_ras, messages = _position(name, reader)
        check_grid(name, ijk_to_ras)
    frames = int(header.fields["sizes"].split()[3])
    chosen = choose_frame(name, frames, frame)
    try:
        array = read_time_frame(header, chosen)
    except MemoryError as e:
        raise out_of_memory(name, reader.GetSize(), 8) from e
    return _volume(array, ijk_to_ras, messages, _user_fields(reader, frames))


def _check_voxels(name: str, reader: sitk.ImageFileReader) -> bool:
    """Refuse files without scalar voxels; return True if the components are frames."""
    keys = reader.GetMetaDataKeys()
    pixel = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    components, dimension = reader.GetNumberOfComponents(), len(reader.GetSize())
    kind = "NRRD_kinds[pixel]"  # "list" in the sequences that 3D Slicer saves
    is_sequence = components > 1 and kind in keys and reader.GetMetaData(kind) == "list"
    if "complex" in pixel:
        raise not_scalar(name, "complex")
    if components > 1 and is_segmentation(keys):
        raise overlapping_segments(name)
    if components > 1 and not is_sequence:
        raise not_scalar(name, components, components in (3, 4) and "unsigned" in pixel)
    if dimension > 4 and max(reader.GetSize()[4:]) > 1:
        raise SuperResolutionError(
            f"{name} has {dimension} dimensions. Save one volume of it as a separate file."
        )
    return is_sequence


def _position(name: str, reader: sitk.ImageFileReader) -> tuple[np.ndarray, list[Message]]:
    """Return IJKToRAS in mm, with warnings about missing information."""
    dimension = len(reader.GetSize())
    used = min(dimension, 3)
    lps = np.eye(4)
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:used, :used]
    lps[:used, :used] = direction * reader.GetSpacing()[:used]
    lps[:used, 3] = reader.GetOrigin()[:used]
    messages = []
    if dimension == 2:
        messages.append(
            warning(
                "thickness",
                f"{name} is a single 2D image of unknown thickness and position; 1 mm is assumed.",
            )
        )
    elif reader.GetImageIO() == "NrrdImageIO":
        key = "NRRD_space"
        space = reader.GetMetaData(key) if key in reader.GetMetaDataKeys() else None
        if space is None or space in NON_ANATOMICAL_SPACES:
            messages.append(unknown_orientation(name, "no anatomical space"))
    return geometry.LPS_TO_RAS @ lps, messages


def _user_fields(reader: sitk.ImageFileReader, frames: int) -> dict[str, str]:
    """Return the fields that stay true for one upsampled frame."""
    return {
        key: reader.GetMetaData(key).encode(errors="surrogateescape").decode(errors="replace")
        for key in reader.GetMetaDataKeys()
        if key.isprintable() and not OUTDATED.match(key) and not (frames > 1 and FRAMES.match(key))
    }


def _unreadable(name: str, error: Exception) -> SuperResolutionError:
    # ITK has no exception types: only the text distinguishes a bad grid from a bad file
    text = str(error)
    if "spacing" in text or "direction" in text.lower():
        return unusable_grid(name)
    return SuperResolutionError(
        f"{name} cannot be read: it is damaged, cut short or of an unsupported kind, or the file "
        "with its voxels is missing beside it. Copy or export it again."
    )


def _writable_fields(header: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return the fields that the format of a file can hold."""
    if path.suffix != ".mha":
        return dict(header)
    return {
        key: " ".join(value.split())
        for key, value in header.items()
        if value and len(value) <= LONGEST_META_FIELD and not RESERVED.fullmatch(key)
    }


def write_itk(
    path: Path,
    volume: Volume,
    provenance: dict[str, Any],
    compression: int,
    further: Iterable[Volume] = (),
    count: int = 1,
) -> None:
    """Write an NRRD or MetaImage file with the provenance in its header.

    ITK does not notice every failed write, so the file is read again and compared.

    Args:
        path: Output file; its extension selects the format.
        volume: Voxels of an integer or floating-point type of 8 to 64 bits.
        provenance: JSON values.
        compression: gzip level for NRRD; MetaImage is written uncompressed.
        further: Further frames of the same size and type; NRRD takes one after the other.
        count: Number of all frames.

    Raises:
        OSError: The file was not written completely.
        MemoryError: A copy of the volume does not fit into memory.
    """
    is_packed = path.suffix == ".nrrd"
    volumes = [volume] if is_packed else [volume, *further]
    try:
        images = [frame.to_sitk() for frame in volumes]
        step = read_number(volume.header, TIME_STEP, np.dtype(float)) or 1.0
        image = images[0] if len(images) == 1 else sitk.JoinSeries(images, 0, step)
        del images
    except RuntimeError as e:  # ITK has no exception type for lack of memory
        raise MemoryError(str(e)) from e
    for key, value in _writable_fields(volume.header, path).items():
        image.SetMetaData(key, value)
    for key, value in provenance.items():
        image.SetMetaData(PREFIX + key, value if isinstance(value, str) else json.dumps(value))
    try:
        with silence():
            sitk.WriteImage(
                image, str(path), useCompression=is_packed, compressionLevel=compression
            )
            del image  # at most two copies of a volume in memory, three of frames
            again = sitk.ReadImage(str(path))
    except RuntimeError as e:
        if "allocate memory" in str(e):
            raise MemoryError(str(e)) from e
        raise _incomplete(path) from e
    written = sitk.GetArrayViewFromImage(again)
    planes = itertools.chain.from_iterable(frame.array for frame in volumes)
    if written.dtype != volume.array.dtype or any(
        ours.tobytes() != theirs.tobytes()
        for ours, theirs in zip(planes, written.reshape(-1, *written.shape[-2:]), strict=True)
    ):
        raise _incomplete(path)
    if is_packed and count > 1:
        del again, written
        _append_frames(path, itertools.chain([volume], further), count, compression)


def _incomplete(path: Path) -> OSError:
    """Return the cause of an incomplete file; ITK hides it, but further bytes fail as well."""
    try:
        with open(path, "ab") as file:
            file.write(bytes(2**20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return OSError(errno.EIO, "the file was not written completely")


def _append_frames(path: Path, frames: Iterable[Volume], count: int, compression: int) -> None:
    """Rewrite the 3D NRRD file of the first frame with all frames along a time axis.

    ITK would write a fourth spatial axis, and lose the patient's orientation.
    """
    with open(path, "rb") as file:
        head = b"".join(iter(file.readline, b"\n"))
    for field, changed in (
        (b"dimension: 3", b"dimension: 4"),
        (rb"sizes: (.*)", rb"sizes: \1 %d" % count),
        (rb"space directions: (.*)", rb"space directions: \1 none"),
        (rb"kinds: (.*)", rb"kinds: \1 time"),
        (b"encoding: .*", b"encoding: gzip"),
    ):
        head = re.sub(rb"(?m)^" + field + b"$", changed, head, count=1)
    with open(path, "wb") as file:
        file.write(head + b"\n")
        with gzip.GzipFile("", "wb", compression, file, mtime=0) as stream:
            for frame in frames:
                stream.write(frame.array.tobytes())
