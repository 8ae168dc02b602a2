"""Arrays to volume files: NIfTI-1, NRRD, MetaImage, each with a JSON file beside it that tells how it was made.

Written by ourselves, and not by ITK, so that a full disk is an error that has a name, a run can be stopped between two
slices, and all of the provenance fits into the header.
"""

import contextlib
import errno
import gzip
import json
import os
import secrets
import shutil
from pathlib import Path

import numpy as np

from .errors import MRISuperResError
from .nifti_files import nifti_header
from .volume_checks import LPS_TO_RAS

EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".mha")
PREFIX = "MRISuperRes_"
"""Of the provenance keys in NRRD and MetaImage headers."""
SOFTWARE = "MRISuperRes"
"""What the entry “software” of a JSON file that we wrote begins with."""

_META_TYPES = {"int8": "MET_CHAR", "uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT", "int32": "MET_INT", "uint32": "MET_UINT",
               "int64": "MET_LONG_LONG", "uint64": "MET_ULONG_LONG", "float32": "MET_FLOAT", "float64": "MET_DOUBLE"}
_NRRD_TYPES = {name: name for name in _META_TYPES} | {"float32": "float", "float64": "double"}
_COMPRESSION = 4
"""gzip level: noisy voxels hardly get smaller beyond it, only slower."""


def check_output(path, source=None):
    """Raises MRISuperResError where write_volume could not, or must not, write path; meant to be asked before the work.

    source: the input file or folder, which is never overwritten.
    """
    target, extension = _target(path)
    if target.is_dir():
        raise MRISuperResError(f"{path} is a folder: add a file name to it, ending in {', '.join(EXTENSIONS)}.", "settings")
    if not target.parent.is_dir():
        raise MRISuperResError(f"There is no folder {target.parent}: make it first, or choose another place for the output.", "settings")
    if source is not None and _same_file(target, Path(source)):
        raise MRISuperResError(f"The output {path} is the input itself: give it another name.", "settings")
    _check_sidecar(target, extension)
    with _os_errors(target), _temporary(target):
        pass


def write_volume(path, array, ijk_to_ras, provenance):
    """Writes a volume and, beside it, NAME.json with the provenance. The old files stay until the new ones are complete.

    path: ends in one of EXTENSIONS. array: (k, j, i), one of the integer or floating-point types of 8 to 64 bits, kept as
    it is. ijk_to_ras: (4, 4), mm; NIfTI stores it in single precision. provenance: dict of JSON values with "software".
    Raises MRISuperResError.
    """
    target, extension = _target(path)
    if array.dtype.name not in _META_TYPES:
        raise MRISuperResError(f"Voxels of the type {array.dtype.name} can't be stored in {extension} files: convert them to float32 first.")
    sidecar = _check_sidecar(target, extension)
    record = {"file": target.name, **provenance}
    header = _header(extension, array, np.asarray(ijk_to_ras, dtype=float), record)
    with _os_errors(target, array.nbytes), _temporary(target) as image_file, _temporary(sidecar) as text_file:
        with open(image_file, "wb") as file:
            _write_image(file, extension, header, array)
            file.flush()
            os.fsync(file.fileno())
        text_file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(image_file, target)
        os.replace(text_file, sidecar)


def _target(path):
    """(the file that will be written: a link is followed, its extension)"""
    target = Path(os.path.realpath(path))
    for extension in sorted(EXTENSIONS, key=len, reverse=True):
        if Path(path).name.lower().endswith(extension) and len(Path(path).name) > len(extension):
            return target, extension
    raise MRISuperResError(f"{path} does not say which format to write: end the name in {', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}.", "settings")


def _same_file(target, source):
    return target.exists() and source.exists() and os.path.samefile(target, source)


def _check_sidecar(target, extension):
    """The JSON file beside target, after making sure that it is free, or ours and about this very output or one that is gone."""
    stem = target.name[:-len(extension)] if target.name.lower().endswith(extension) else target.stem
    sidecar = target.with_name(stem + ".json")
    if not sidecar.exists():
        return sidecar
    advice = "give the output another name, or move that file away"
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
        ours = str(record["software"]).startswith(SOFTWARE)
        file = str(record["file"])
    except (OSError, ValueError, TypeError, KeyError):
        ours = False
    if not ours:
        raise MRISuperResError(f"{sidecar} would be overwritten by the description of the output, but is not one of ours: {advice}.", "settings")
    if file != target.name and (target.parent / file).exists():
        raise MRISuperResError(f"{sidecar} describes {file}, which lies beside it, and would be overwritten: {advice}.", "settings")
    return sidecar


@contextlib.contextmanager
def _temporary(target):
    """An empty file in the folder of target, gone at the end unless it was moved."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _os_errors(target, size=0):
    """OSError to a sentence; size: bytes that were to be written."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(target.parent).free
            mend = f"the disk is full ({free / 2**20:.0f} MiB are free, up to {size / 2**20:.0f} MiB are needed); free some space or choose another place"
        elif isinstance(e, PermissionError) or e.errno == errno.EROFS:
            mend = "you may not write there, or another program has the file open; choose another folder or close that program"
        else:
            mend = f"{e.strerror or e}; choose another place"
        raise MRISuperResError(f"{target} can't be written: {mend}.", "environment") from e


def _write_image(file, extension, header, array):
    little = array.dtype.newbyteorder("<")
    packed_header = extension == ".nii.gz"
    with contextlib.ExitStack() as stack:
        if not packed_header:
            file.write(header)
        if extension in (".nii.gz", ".nrrd"):
            packed = stack.enter_context(gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=file, mtime=0))
        else:
            packed = file
        if packed_header:
            packed.write(header)
        for image in array:
            packed.write(np.ascontiguousarray(image, little).data)


def _header(extension, array, ijk_to_ras, record):
    if extension == ".nrrd":
        return _nrrd_header(array, LPS_TO_RAS @ ijk_to_ras, record)
    if extension == ".mha":
        return _meta_header(array, LPS_TO_RAS @ ijk_to_ras, record)
    description = f"{record.get('software', SOFTWARE)}: {record.get('notice', '')}".encode("ascii", "replace").decode()[:79]
    return nifti_header(array.shape, array.dtype, ijk_to_ras, description, record)


def _nrrd_header(array, lps, record):
    """NRRD0004, after teem.sourceforge.net/nrrd/format.html; readers take one level of backslashes away."""
    def vector(values):
        return "(" + ",".join(map(repr, map(float, values))) + ")"

    return "\n".join([
        "NRRD0004", f"type: {_NRRD_TYPES[array.dtype.name]}", "dimension: 3", "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, array.shape[::-1])), "space directions: " + " ".join(map(vector, lps[:3, :3].T)),
        "kinds: domain domain domain", "endian: little", "encoding: gzip", f"space origin: {vector(lps[:3, 3])}",
        *(f"{PREFIX}{key}:=" + _line(value).replace("\\", "\\\\") for key, value in record.items()), "", ""]).encode("ascii")


def _meta_header(array, lps, record):
    """MetaImage, after the MetaIO documentation: one direction after the other in TransformMatrix."""
    def numbers(values):
        return " ".join(map(repr, map(float, values)))

    size = np.linalg.norm(lps[:3, :3], axis=0)
    return "\n".join([
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False", "CompressedData = False",
        f"TransformMatrix = {numbers((lps[:3, :3] / size).T.ravel())}", f"Offset = {numbers(lps[:3, 3])}", f"ElementSpacing = {numbers(size)}",
        "DimSize = " + " ".join(map(str, array.shape[::-1])), f"ElementType = {_META_TYPES[array.dtype.name]}",
        *(f"{PREFIX}{key} = {_line(value)}" for key, value in record.items()), "ElementDataFile = LOCAL", ""]).encode("ascii")


def _line(value):
    """A JSON value as one line of ASCII, text without its quotes."""
    text = json.dumps(value)
    return text[1:-1] if isinstance(value, str) else text
