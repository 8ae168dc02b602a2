"""DICOM images, one file or a folder with a series. GDCM (through SimpleITK) decodes; completeness is checked here and in dicom_grid.

GDCM's own series reader takes the distance of the first two slices for all of them, the pixel type of the first slice for
all of them, and leaves out without a word what it can't read.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import SuperResolutionError
from ..geometry import LPS_TO_RAS
from ..messages import warning
from ..volume import Volume
from .checks import check_grid, not_scalar, out_of_memory, read_errors, segmentation
from .dicom_geometry import Slice, grid_of
from .itk import silence as quiet

MODALITY, SERIES, DESCRIPTION, INSTANCE = "0008|0060", "0020|000e", "0008|103e", "0008|0018"
IMAGE_TYPE, FRAMES, BITS = "0008|0008", "0028|0008", "0028|0100"

PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
"""The tag (7FE0,0010) in either byte order."""
COMPRESSED = (b"1.2.840.10008.1.2.4.", b"1.2.840.10008.1.2.5")
"""Transfer syntaxes (JPEG and its relatives, RLE) whose pixel data are fragments, closed by FRAGMENTS_END."""
FRAGMENTS_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
MODALITY_ELEMENT = re.compile(
    rb"(?:\x08\x00\x60\x00|\x00\x08\x00\x60)(?:CS..|....)([A-Z]{2,16})", re.DOTALL
)


@dataclass(frozen=True)
class Series:
    """Where the images of a volume are. name: for sentences; slices: in order along the normal of their plane; ijk_to_ras: (4, 4), mm."""

    name: str
    slices: list
    ijk_to_ras: np.ndarray
    messages: list

    @property
    def size(self):
        """(ni, nj, nk)"""
        return (*self.slices[0].size, len(self.slices))


def read_dicom(path, frame=None, series=None):
    """(array (k, j, i), ijk_to_ras (4, 4), messages) of a DICOM file or of a folder (not of its subfolders).

    frame: which of several images at each position. series: Series Instance UID, where a folder holds several.
    Raises SuperResolutionError (kind "input").
    """
    found = find_series(path, frame, series)
    messages = tuple(warning("series", m) if isinstance(m, str) else m for m in found.messages)
    return Volume(_voxels(found.name, found.slices), found.ijk_to_ras, messages)


def is_dicom(path, head):
    return head[128:132] == b"DICM" or path.suffix.lower() in (".dcm", ".ima")


def find_series(path, frame=None, series=None):
    """The Series that read_dicom would read; arguments and errors as there."""
    path = Path(path)
    if not path.is_dir():
        return series_of([path], frame)
    messages = []
    slices = _choose_series(path, _scan(path, messages), series, messages)
    return _arranged(path.name, slices, frame, messages)


def series_of(files, frame=None):
    """The Series that is made of all images of a list of files. Raises SuperResolutionError (kind "input")."""
    with read_errors(files[0]):
        return _arranged(
            Path(files[0]).parent.name, [_header(Path(file)) for file in files], frame, []
        )


def _arranged(folder, slices, frame, messages):
    name = (
        slices[0].path.name
        if len(slices) == 1
        else f"the series in {folder or slices[0].path.parent}"
    )
    for image in slices:
        _check_image(image)
    slices, lps = grid_of(name, slices, frame, messages)
    check_grid(name, lps)
    modality = slices[0].text(MODALITY)
    if modality != "MR":
        messages.insert(
            0,
            f"This is no MRI but an image of modality {modality or 'unknown'}: the models were made for MRI, don't trust the result.",
        )
    return Series(name, slices, LPS_TO_RAS @ lps, messages)


def _header(path):
    if _is_cut(path.read_bytes()):
        raise _unreadable(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("GDCMImageIO")
    with quiet():
        try:
            reader.ReadImageInformation()
        except RuntimeError as e:
            raise _unreadable(path) from e
    values = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    return Slice(path, reader.GetSize()[:2], reader.GetNumberOfComponents(), values)


def _is_cut(data):
    """Whether compressed pixel data have no end. GDCM finds out as well, but may need many seconds for an RLE image."""
    start = data.find(PIXEL_DATA[0])
    return (
        start > 0
        and any(syntax in data[:1024] for syntax in COMPRESSED)
        and FRAGMENTS_END not in data[start:]
    )


def _unreadable(path):
    """Says why GDCM can't read a file: other content, or broken."""
    data = path.read_bytes()
    if data[128:132] != b"DICM":
        return SuperResolutionError(
            f"{path.name} is not a DICOM file, or its beginning is damaged: copy or export it again."
        )
    if not any(tag in data for tag in PIXEL_DATA):
        kind = MODALITY_ELEMENT.search(data)
        what = f"a DICOM object of kind {kind[1].decode()}" if kind else "a DICOM object"
        return SuperResolutionError(
            f"{path.name} is {what} and holds no image: give the files of an MRI series."
        )
    return SuperResolutionError(
        f"The image in {path.name} can't be decoded: the file is damaged or cut short, or its compression is not supported; "
        "copy it again, or export it uncompressed."
    )


def _scan(folder, messages):
    """The image headers of a folder by series, copies of the same image left out."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.stat().st_size > 132)
    found, others = {}, []
    for path in files:
        with open(path, "rb") as file:
            if file.read(132)[128:] != b"DICM" or path.name == "DICOMDIR":
                continue
        try:
            image = _header(path)
        except SuperResolutionError as e:
            if "holds no image" not in str(e):
                raise
            others.append(path.name)
            continue
        found.setdefault(image.text(SERIES), {}).setdefault(image.text(INSTANCE) or path, image)
    if not found:
        hint = (
            "give one of its subfolders"
            if any(p.is_dir() for p in folder.iterdir())
            else "give the folder of an MRI series"
        )
        raise SuperResolutionError(f"The folder {folder} holds no DICOM images: {hint}.")
    if others:
        messages.append(f"Left out, as they hold no image: {', '.join(others)}.")
    return {uid: list(images.values()) for uid, images in found.items()}


def _choose_series(folder, found, series, messages):
    listed = "; ".join(
        f"{uid} ({images[0].text(DESCRIPTION) or 'no description'}, {len(images)} images)"
        for uid, images in found.items()
    )
    if series is not None and series not in found:
        raise SuperResolutionError(
            f"There is no series {series} in {folder}, choose another with --series: {listed}."
        )
    if series is None and len(found) > 1:
        raise SuperResolutionError(
            f"{folder} holds {len(found)} series, choose one with --series: {listed}."
        )
    images = found[series] if series is not None else next(iter(found.values()))
    messages.append(
        f"Taken: the series “{images[0].text(DESCRIPTION) or images[0].text(SERIES)}”, {len(images)} images."
    )
    return images


def _check_image(image):
    name, modality = image.path.name, image.text(MODALITY)
    if modality == "SEG":
        raise segmentation(name)
    if modality == "RTDOSE":
        raise SuperResolutionError(
            f"{name} is a radiotherapy dose (RTDOSE), not an image of the anatomy: give the MRI series instead."
        )
    if image.components > 1:
        raise not_scalar(name, image.components, is_color=True)
    if "MOSAIC" in image.text(IMAGE_TYPE):
        raise SuperResolutionError(
            f"{name} is a mosaic, all slices side by side in one picture: convert it with dcm2niix and give the NIfTI file."
        )
    if image.text(FRAMES) not in ("", "1"):
        raise SuperResolutionError(
            f"{name} holds {image.text(FRAMES)} frames in one file (multi-frame DICOM), which is not supported: "
            "load it in 3D Slicer, or convert it with dcm2niix, and give it as NRRD or NIfTI."
        )


def _voxels(name, slices):
    """(k, j, i). Slices with different scaling get a type that holds them all."""
    try:
        with quiet():
            images = [_pixels(image) for image in slices]
        return np.stack(images).astype(np.result_type(*images), copy=False)
    except MemoryError as e:
        raise out_of_memory(name, (*slices[0].size, len(slices)), 8) from e


def _pixels(image):
    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(image.path), imageIO="GDCMImageIO"))
    except RuntimeError as e:
        raise _unreadable(image.path) from e
    stored_bits = image.numbers(BITS, 1)
    if pixels.dtype == np.float64 and stored_bits is not None and stored_bits[0] <= 16:
        pixels = pixels.astype(
            np.float32
        )  # holds every 16-bit number times the rescale slope to 7 digits
    return pixels.reshape(pixels.shape[-2:])
