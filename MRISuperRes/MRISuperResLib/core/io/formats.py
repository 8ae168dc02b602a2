"""Volume files to arrays: what kind of file it is, and NRRD and MetaImage by ITK."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import SuperResolutionError
from .checks import (
    LPS_TO_RAS,
    check_grid,
    choose_frame,
    no_usable_grid,
    not_scalar,
    out_of_memory,
    read_errors,
    segmentation,
)
from .dicom_read import read_dicom
from .quiet import quiet

UNKNOWN_SPACES = (
    "scanner-xyz",
    "scanner-xyz-time",
    "3D-right-handed",
    "3D-left-handed",
    "3D-right-handed-time",
    "3D-left-handed-time",
)
"""Spaces of an NRRD file that do not say how the patient lies."""


@dataclass(frozen=True)
class Volume:
    """array: (k, j, i), an integer or floating-point type; ijk_to_ras: (4, 4) float64, mm; messages: sentences for the user."""

    array: np.ndarray
    ijk_to_ras: np.ndarray
    messages: list[str] = field(default_factory=list)


def read_volume(path: str | Path, frame: int | None = None, series: str | None = None) -> Volume:
    """Reads a NIfTI, NRRD or MetaImage file, a DICOM file, or a folder of DICOM files.

    frame: which one of a file that holds several (4D), counted from 0. series: the Series Instance UID, for a DICOM folder
    that holds several. A 2D image becomes a volume of one slice.
    Raises SuperResolutionError (kind "input") for whatever is not one scalar volume on a rectangular grid, all of it there.
    """
    path = Path(path)
    with read_errors(path):
        return Volume(*_reader(path, series)(path, frame))


def _reader(path, series):
    """The function that reads such a file, found by what is in it and not by its name.

    nibabel, which 3D Slicer does not bring, is needed for files that may be NIfTI only.
    """
    if path.is_dir():
        return lambda path, frame: read_dicom(path, frame, series)
    if series is not None:
        raise SuperResolutionError(
            f"{path.name} is a single file: leave --series out, or give the folder of the DICOM series."
        )
    from .nifti import is_nifti, read_nifti

    head = _head(path)
    if is_nifti(head):
        return read_nifti
    if head.startswith(b"NRRD"):
        return lambda path, frame: _read_itk(path, "NrrdImageIO", frame)
    if b"ElementDataFile" in head or b"NDims" in head:
        return lambda path, frame: _read_itk(path, "MetaImageIO", frame)
    if head[128:132] == b"DICM" or path.suffix.lower() in (".dcm", ".ima"):
        return read_dicom
    if not head:
        raise SuperResolutionError(f"{path.name} is empty or damaged: copy or export it again.")
    raise SuperResolutionError(
        f"{path.name} is not a volume that can be read: give a NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr) "
        "or MetaImage (.mha, .mhd) file, a DICOM file or a DICOM folder."
    )


def _head(path):
    """The first bytes, unpacked; none of a damaged archive."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 4096)
    except zlib.error:
        return b""


def _read_itk(path, image_io, frame):
    name = path.name
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io)
    with quiet():
        try:
            reader.ReadImageInformation()
        except RuntimeError as e:
            raise _unreadable(name, e) from e
    keys = reader.GetMetaDataKeys()
    if any(key.startswith(("Segment0_", "Segmentation_")) for key in keys):
        raise segmentation(name)
    pixel = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    is_sequence = (
        components > 1
        and "NRRD_kinds[pixel]" in keys
        and reader.GetMetaData("NRRD_kinds[pixel]") == "list"
    )
    if "complex" in pixel or (components > 1 and not is_sequence):
        raise not_scalar(
            name,
            "complex" if "complex" in pixel else components,
            is_color=components in (3, 4) and "unsigned" in pixel,
        )
    if len(size) > 4 and max(size[4:]) > 1:
        raise SuperResolutionError(
            f"{name} has {len(size)} dimensions: save one volume of it as a file of its own."
        )
    frames = components if is_sequence else size[3] if len(size) > 3 else 1
    chosen = choose_frame(name, frames, frame)
    ijk_to_ras, messages = _itk_matrix(reader, name)
    check_grid(name, ijk_to_ras)

    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        reader.SetExtractIndex([0, 0, 0, chosen, *[0] * (len(size) - 4)])
    with quiet():
        try:
            array = sitk.GetArrayFromImage(reader.Execute())
        except (RuntimeError, MemoryError) as e:
            if isinstance(e, MemoryError) or "alloc" in str(e):
                raise out_of_memory(name, size, 8) from e
            raise _unreadable(name, e) from e
    if is_sequence:
        array = np.ascontiguousarray(array[..., chosen])
    return (
        array.reshape(array.shape if array.ndim == 3 else (1, *array.shape)),
        ijk_to_ras,
        messages,
    )


def _itk_matrix(reader, name):
    dimension = len(reader.GetSize())
    used = min(dimension, 3)
    lps = np.eye(4)
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:used, :used]
    lps[:used, :used] = direction * reader.GetSpacing()[:used]
    lps[:used, 3] = reader.GetOrigin()[:used]
    messages = []
    if dimension == 2:
        messages.append(
            f"{name} is a single 2D image: its thickness and position are unknown, 1 mm was taken."
        )
    elif reader.GetImageIO() == "NrrdImageIO":
        space = (
            reader.GetMetaData("NRRD_space") if "NRRD_space" in reader.GetMetaDataKeys() else None
        )
        if space is None or space in UNKNOWN_SPACES:
            messages.append(
                f"{name} does not say how the patient lies (no anatomical space): the voxel grid was taken as it is, "
                "names such as axial may be wrong."
            )
    return LPS_TO_RAS @ lps, messages


def _unreadable(name, error):
    text = str(error)
    if "spacing" in text or "direction" in text.lower():
        return no_usable_grid(name)
    return SuperResolutionError(
        f"{name} can't be read: it is damaged, cut short, of a kind that is not supported, or the file with its voxels is "
        "missing beside it; copy or export it again."
    )
