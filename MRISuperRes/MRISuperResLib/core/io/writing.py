"""Arrays to volume files: NIfTI-1 (nibabel), NRRD and MetaImage (ITK), each with a JSON file beside it that tells how it was made."""

import contextlib
import errno
import json
import os
import secrets
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .. import geometry
from ..errors import SuperResolutionError
from .checks import LPS_TO_RAS
from .discovery import OUTPUT_EXTENSIONS
from .gzip_writer import GzipWriter
from .quiet import quiet

PREFIX = "MRISuperRes_"
"""Of the provenance keys in NRRD and MetaImage headers."""
TYPES = (
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
)
COMPRESSION = 1
"""gzip level: noisy voxels hardly get smaller beyond it, only slower (level 4 takes 1.6 times as long and saves a hundredth, of smooth ones a seventh)."""


def check_output(path, source=None):
    """Raises SuperResolutionError where write_volume could not, or must not, write path; meant to be asked before the work.

    source: the input file or folder, which is never overwritten.
    """
    target, _ = _target(path)
    if target.is_dir():
        raise SuperResolutionError(
            f"{path} is a folder: add a file name to it, ending in {', '.join(OUTPUT_EXTENSIONS)}.",
            "settings",
        )
    if not target.parent.is_dir():
        raise SuperResolutionError(
            f"There is no folder {target.parent}: make it first, or choose another place for the output.",
            "settings",
        )
    if source is not None and _same_file(target, Path(source)):
        raise SuperResolutionError(
            f"The output {path} is the input itself: give it another name.", "settings"
        )
    with translate_os_errors(target), _temporary(target, ".part"):
        pass


def write_volume(path, array, ijk_to_ras, provenance):
    """Writes a volume and, beside it, NAME.json with the provenance. The old files stay until the new ones are complete.

    path: ends in one of OUTPUT_EXTENSIONS; NAME is all of its name. array: (k, j, i), one of the integer or floating-point types
    of 8 to 64 bits, kept as it is. ijk_to_ras: (4, 4), mm; NIfTI stores it in single precision. provenance: dict of JSON
    values. Raises SuperResolutionError.
    """
    target, extension = _target(path)
    if array.dtype.name not in TYPES:
        raise SuperResolutionError(
            f"Voxels of the type {array.dtype.name} can't be stored in {extension} files: convert them to float32 first."
        )
    array = np.asarray(array, array.dtype.newbyteorder("="))
    sidecar = target.with_name(target.name + ".json")
    write = _write_nifti if extension.startswith(".nii") else _write_itk
    with (
        translate_os_errors(target, array.nbytes),
        _temporary(target, extension) as image_file,
        _temporary(sidecar, ".json") as text_file,
    ):
        write(image_file, array, np.asarray(ijk_to_ras, dtype=float), provenance)
        text_file.write_text(
            json.dumps(provenance, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        os.replace(image_file, target)
        os.replace(text_file, sidecar)


def _target(path):
    """(the file that will be written: a link is followed, its extension)"""
    target = Path(os.path.realpath(path))
    for extension in sorted(OUTPUT_EXTENSIONS, key=len, reverse=True):
        if Path(path).name.lower().endswith(extension) and len(Path(path).name) > len(extension):
            return target, extension
    raise SuperResolutionError(
        f"{path} does not say which format to write: end the name in {', '.join(OUTPUT_EXTENSIONS[:-1])} or {OUTPUT_EXTENSIONS[-1]}.",
        "settings",
    )


def _same_file(target, source):
    return target.exists() and source.exists() and os.path.samefile(target, source)


@contextlib.contextmanager
def _temporary(target, extension):
    """An empty file in the folder of target, gone at the end unless it was moved. ITK chooses the format by its extension."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{extension}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def translate_os_errors(target, size=0):
    """OSError to a sentence; size: bytes that were to be written, where that is known."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(target.parent).free
            needed = f", up to {size / 2**20:.0f} MiB are needed" if size else ""
            mend = f"the disk is full ({free / 2**20:.0f} MiB are free{needed}); free some space or choose another place"
        elif isinstance(e, PermissionError) or e.errno == errno.EROFS:
            mend = "you may not write there, or another program has the file open; choose another folder or close that program"
        else:
            mend = f"{e.strerror or e}; choose another place"
        raise SuperResolutionError(f"{target} can't be written: {mend}.", "environment") from e


def _write_nifti(path, array, ijk_to_ras, provenance):
    from .nifti import write_nifti

    description = f"{provenance.get('software', '')}: {provenance.get('notice', '')}".encode(
        "ascii", "replace"
    ).decode()[:79]
    with open(path, "wb") as file:
        if path.suffix == ".gz":
            with GzipWriter(file, COMPRESSION) as packed:
                write_nifti(packed, array, ijk_to_ras, description, provenance)
        else:
            write_nifti(file, array, ijk_to_ras, description, provenance)
        file.flush()
        os.fsync(file.fileno())


def _write_itk(path, array, ijk_to_ras, provenance):
    """NRRD and MetaImage. ITK does not notice every failure to write, so the file is read again and compared."""
    lps, spacing = LPS_TO_RAS @ ijk_to_ras, geometry.spacing(ijk_to_ras)
    try:
        image = sitk.GetImageFromArray(array)
    except RuntimeError as e:  # ITK has no type of its own for it
        raise MemoryError(str(e)) from e
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    for key, value in provenance.items():
        image.SetMetaData(PREFIX + key, value if isinstance(value, str) else json.dumps(value))
    try:
        with quiet():
            sitk.WriteImage(
                image,
                str(path),
                useCompression=path.suffix == ".nrrd",
                compressionLevel=COMPRESSION,
            )
            del image  # there must never be more than two copies of the volume
            again = sitk.ReadImage(str(path))
    except RuntimeError as e:
        if "allocate memory" in str(e):
            raise MemoryError(str(e)) from e
        raise OSError(
            errno.EIO, "the file was not written completely, perhaps because the disk is full"
        ) from e
    written = sitk.GetArrayViewFromImage(again)
    if written.dtype != array.dtype or any(
        ours.tobytes() != theirs.tobytes() for ours, theirs in zip(array, written, strict=True)
    ):
        raise OSError(
            errno.EIO, "the file was not written completely, perhaps because the disk is full"
        )
