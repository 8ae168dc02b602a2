"""Volume files: names, input by content, and atomic output with a provenance file.

The module of a format is imported on use: SimpleITK loads slowly, and 3D Slicer lacks nibabel.
"""

from __future__ import annotations

import functools
import json
import os
import re
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import SuperResolutionError
from ..messages import info
from ..provenance import output_record, provenance_path
from ..volume import Frames, Volume
from .atomic import check_parent, temporary_file, translate_os_errors, write_bytes
from .checks import ChoiceError, find_partner, read_errors, segmentation
from .inflate import decompressed, read_head
from .sidecar import stated_thickness

_NAMES = (
    r"nii|nii\.gz|hdr|hdr\.gz|nrrd|nhdr|mha|mhd|mgz|mgh|mgh\.gz|mnc|mnc\.gz|par|head"
    # of a pair, the header stands for both files
)
VOLUME_NAME = re.compile(rf"(?i)[^.].*\.({_NAMES})")
DICOM_NAME = re.compile(r"(?i)[^.].*\.(dcm|ima)(\.gz)?")
OUTPUT_EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".mha")
"""Extensions of the formats that can be written."""
TYPES = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)
) - {"float8", "float16"}
"""Voxel types that every output format can hold."""
COMPRESSION = 1
"""gzip level: higher ones take at least 1.6 times as long and save 1 % on noisy voxels."""

INPUTS = (
    "NIfTI (.nii, .nii.gz, .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), FreeSurfer (.mgz, "
    ".mgh), MINC (.mnc), PAR/REC or AFNI (.HEAD) file, a DICOM file or a DICOM folder"
)
"""The readable formats, for error messages."""
HEADER_OF = {".img": ".hdr", ".rec": ".par", ".brik": ".head"}
"""Extension of the header of a pair, by the extension of its voxels."""
DATA_NAME = re.compile(r"(?i)(?P<stem>.*)(?P<extension>\.img|\.rec|\.brik)(\.gz)?")
"""Voxels of a pair, which is found by its header."""
MGH_TYPES = frozenset((0, 1, 3, 4, 10))

_EXTENSION = re.compile(rf"(?i)\.({_NAMES}|img|img\.gz|rec|brik|brik\.gz|dcm|ima|dcm\.gz|ima\.gz)$")
_HEAD = 4096  # bytes that suffice to recognize every format


def strip_extension(name: str) -> str:
    """Return the name of a volume file without its extension: "a.b" for "a.b.nii.gz"."""
    return _EXTENSION.sub("", name)


def read_volume(
    path: str | Path,
    frame: int | None = None,
    series: str | None = None,
    labels: bool = False,
) -> Volume:
    """Read a volume file, a DICOM file, or a folder with a DICOM series.

    The content of a file determines its format, not its name. Either file of a pair may be given.
    A 2D image becomes a volume of one slice.

    Args:
        path: The file or folder.
        frame: Index of the volume in a file with several (4D), counted from 0.
        series: Series Instance UID, for a DICOM folder with several series.
        labels: True to read a label map as well, which is refused otherwise.

    Raises:
        SuperResolutionError: (kind "input") The file does not hold one complete scalar volume on a
            rectangular grid, or cannot be read; (kind "memory") it does not fit into memory.
    """
    path = Path(path)
    with read_errors(path):
        if path.is_dir():
            from .dicom_read import read_dicom

            return read_dicom(path, frame, series)
        if series is not None:
            raise SuperResolutionError(
                f"{path.name} is a single file, but a series is chosen. Use the folder of the "
                "series, or choose none.",
            )
        volume = _read_file(path, frame)
        if volume.is_labels and not labels:
            raise segmentation(path.name)
        return volume


def read_frames(path: str | Path, frame: int | None = None, series: str | None = None) -> Frames:
    """Open a file, or a folder with a DICOM series, that holds one or more volumes.

    Args:
        path: The file or folder.
        frame: Index of the only frame to read, counted from 0; None for all.
        series: Series Instance UID, for a DICOM folder with several series.

    Raises:
        SuperResolutionError: As `read_volume`.
    """
    path = Path(path)
    try:
        volume = read_volume(path, frame, series)
    except ChoiceError as error:
        if error.choice != "frame":
            raise
        count = error.count
    else:
        return Frames(1, lambda number: volume)
    if path.is_dir() or _is_dicom(path):
        from .dicom_read import frame_reader

        return Frames(count, frame_reader(path, series))
    if not path.name.lower().endswith((".nii.gz", ".mgz", ".mgh.gz", ".mnc.gz")):
        return Frames(count, functools.partial(read_volume, path))
    folder = tempfile.TemporaryDirectory(prefix="MRISuperRes-", ignore_cleanup_errors=True)
    copy = decompressed(path, Path(folder.name))

    def read(number: int, _folder: tempfile.TemporaryDirectory[str] = folder) -> Volume:
        """Read a frame of the copy, which is deleted together with this function."""
        return replace(read_volume(copy, number), slice_thickness=_thickness(path))

    return Frames(count, read)


def read_first_frame(path: str | Path, series: str | None = None) -> Volume:
    """Read a volume, or the first of several frames, with a message; errors as `read_volume`."""
    frames = read_frames(path, series=series)
    first = frames[0]
    if len(frames) == 1:
        return first
    text = f"{Path(path).name} holds {len(frames)} frames. The first one is used."
    return replace(first, messages=(*first.messages, info("series", text)))


def _read_file(path: Path, frame: int | None) -> Volume:
    head, data = read_head(path, _HEAD), None
    is_dicom = _is_dicom(path)
    pair = DATA_NAME.fullmatch(path.name)
    if pair and not is_dicom and not _may_be_nifti(head):
        extensions = [HEADER_OF[pair["extension"].lower()]]
        path, data = find_partner(path, [*extensions, f"{extensions[0]}.gz"]), path
        head = read_head(path, _HEAD)
    if not head:
        raise SuperResolutionError(f"{path.name} is empty or damaged. Copy or export it again.")
    if not is_dicom and _may_be_nifti(head):
        from .nifti import read_nifti

        volume = read_nifti(path, frame, data)
        return replace(volume, slice_thickness=_thickness(path))
    if not is_dicom and (format_name := _nibabel_format(head)):
        from .nibabel_formats import read_by_nibabel

        return read_by_nibabel(path, format_name, frame, data)
    is_nrrd = head.startswith(b"NRRD")
    if is_nrrd or b"ElementDataFile" in head or b"NDims" in head:
        from .itk import read_itk

        return read_itk(path, "NrrdImageIO" if is_nrrd else "MetaImageIO", frame)
    if is_dicom or DICOM_NAME.fullmatch(path.name):
        from .dicom_read import read_dicom

        return read_dicom(path, frame)
    raise SuperResolutionError(f"{path.name} is not a volume that can be read. Use a {INPUTS}.")


def _thickness(path: Path) -> float | None:
    return stated_thickness(path, strip_extension(path.name))


def _is_dicom(path: Path) -> bool:
    """Return True for a file with the mark of DICOM, which any 128 bytes may precede."""
    return read_head(path, 132)[128:] == b"DICM"


def _may_be_nifti(head: bytes) -> bool:
    """Recognize NIfTI-1 and -2 in both byte orders, and Analyze 7.5, which nifti.py refuses."""
    if head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"):
        return True
    return len(head) >= 348 and 348 in (
        int.from_bytes(head[:4], "little"),
        int.from_bytes(head[:4], "big"),
    )


def _nibabel_format(head: bytes) -> str | None:
    """Recognize the further formats that nibabel reads."""
    if head.startswith((b"CDF\x01", b"CDF\x02")):
        return "MINC 1"
    if head.startswith(b"\x89HDF\r\n"):
        return "MINC 2"
    if head.startswith(b"#") and b"DATA DESCRIPTION FILE" in head[:200]:
        return "PAR/REC"
    if re.match(rb"\s*type\s*=\s*(string|integer|float)-attribute\s", head):
        return "AFNI"
    if len(head) >= 24:
        version, *size, voxel_type = struct.unpack_from(">6i", head)
        if version == 1 and min(size) > 0 and voxel_type in MGH_TYPES:
            return "MGH"
    return None


def check_output(path: str | Path, source: str | Path | None = None) -> None:
    """Check, before a long task, that `write_volume` can write a file; leave nothing behind.

    Args:
        path: The output file.
        source: The input file or folder, which is never overwritten.

    Raises:
        SuperResolutionError: (kind "settings" or "environment") The file cannot be written.
    """
    target, _ = _target(path)
    if target.is_dir():
        raise SuperResolutionError(
            f"{path} is a folder. Add a file name with an extension: {_EXTENSIONS}.", "settings"
        )
    check_parent(target)
    if source is not None and _is_same_file(target, Path(source)):
        raise SuperResolutionError(
            f"The output {path} is the input itself. Choose another name.", "settings"
        )
    with translate_os_errors(target), temporary_file(target, ".part"):
        pass


def write_volume(path: str | Path, volume: Volume | Frames) -> None:
    """Write a volume or the frames of a 4D file, and the provenance to NAME.json beside it.

    The old files stay until the new ones are complete. A volume without provenance gets no
    NAME.json. NIfTI stores the position in single precision. MetaImage needs memory for three
    copies of all frames, the other formats for one frame.

    Args:
        path: Ends in one of `OUTPUT_EXTENSIONS`; its full name is NAME.
        volume: Voxels of an integer or floating-point type of 8 to 64 bits, stored unchanged. The
            first frame gives header and provenance.

    Raises:
        SuperResolutionError: The type cannot be stored, or the file cannot be written.
    """
    target, extension = _target(path)
    frames = volume if isinstance(volume, Frames) else Frames(1, lambda number: volume)
    first = frames[0]
    array, provenance = first.array, first.provenance or {}
    if array.dtype.name not in TYPES:
        raise SuperResolutionError(
            f"Voxels of type {array.dtype.name} cannot be stored in {extension} files. Convert "
            "them to float32 first."
        )
    if not array.dtype.isnative:
        first = replace(first, array=array.astype(array.dtype.newbyteorder("=")))
    further = (_alike(frames[number], first, number) for number in range(1, len(frames)))
    sidecar = provenance_path(target)
    with (
        translate_os_errors(target, array.nbytes * len(frames)),
        temporary_file(target, extension) as image_file,
        temporary_file(sidecar, ".json") as text_file,
    ):
        if extension.startswith(".nii"):
            from .nifti import write_nifti

            write_nifti(image_file, first, provenance, COMPRESSION, further, len(frames))
        else:
            from .itk import write_itk

            write_itk(image_file, first, provenance, COMPRESSION, further, len(frames))
        record = provenance | {"output": output_record(image_file)}
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        text_file.write_text(text, encoding="utf-8")
        os.replace(image_file, target)
        if first.provenance is None:
            sidecar.unlink(missing_ok=True)  # it describes the replaced volume
        else:
            os.replace(text_file, sidecar)


def copy_gradient_tables(source: str | Path, target: str | Path) -> None:
    """Copy the b-values and b-vectors (NAME.bval, NAME.bvec) of a 4D file to its output.

    The vectors refer to the voxel axes, which the output shares.

    Raises:
        SuperResolutionError: A table cannot be read or written.
    """
    source, target = Path(source), Path(target)
    for extension in (".bval", ".bvec"):
        table = source.with_name(strip_extension(source.name) + extension)
        copy = target.with_name(strip_extension(target.name) + extension)
        if table.is_file() and not _is_same_file(copy, table):
            with read_errors(table):
                content = table.read_bytes()
            write_bytes(copy, content)


def _alike(frame: Volume, first: Volume, number: int) -> Volume:
    """Return a frame in the byte order of the first; refuse another size, type or place."""
    dtype = frame.array.dtype.newbyteorder("=")
    if dtype != first.array.dtype or not frame.is_aligned_with(first):
        raise SuperResolutionError(f"Frame {number} differs from frame 0 in size, type or place.")
    return replace(frame, array=frame.array.astype(dtype, copy=False))


_EXTENSIONS = f"{', '.join(OUTPUT_EXTENSIONS[:-1])} or {OUTPUT_EXTENSIONS[-1]}"


def _target(path: str | Path) -> tuple[Path, str]:
    """Return the file to write with links resolved, and its extension."""
    target, name = Path(os.path.realpath(path)), Path(path).name
    for extension in sorted(OUTPUT_EXTENSIONS, key=len, reverse=True):
        if name.lower().endswith(extension) and len(name) > len(extension):
            return target, extension
    if VOLUME_NAME.fullmatch(name) or DATA_NAME.fullmatch(name):
        raise SuperResolutionError(
            f"Files like {name} can be read, but not written. End the name in {_EXTENSIONS}.",
            "settings",
        )
    raise SuperResolutionError(
        f"{path} does not say which format to write. End the name in {_EXTENSIONS}.", "settings"
    )


def _is_same_file(target: Path, source: Path) -> bool:
    return target.exists() and source.exists() and os.path.samefile(target, source)
