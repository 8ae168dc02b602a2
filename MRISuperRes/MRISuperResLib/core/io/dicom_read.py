"""DICOM images, one file or a folder with a series, by pydicom.

The series reader of GDCM is not used: it applies the spacing of the first two slices and
the pixel type of the first slice to all, and skips unreadable files without an error.
"""

from __future__ import annotations

import filecmp
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from .. import geometry
from ..errors import SuperResolutionError
from ..messages import Message, info
from ..volume import Volume
from .checks import (
    ChoiceError,
    check_grid,
    not_scalar,
    other_modality,
    out_of_memory,
    read_errors,
    segmentation,
)
from .derived_image import readable_header
from .dicom_file import DAMAGED, PER_FRAME, PIXEL_DATA, BoundedFile, Slice, may_be_dicom
from .dicom_geometry import grid_of
from .dicom_multiframe import split_file
from .dicom_pixels import padding_of, read_pixels, read_slices, undecodable
from .inflate import damage, is_packed, open_file

UNDEFINED_LENGTH = 0xFFFFFFFF
DEFERRED = 4096
"""Bytes above which an element, such as the pixels, stays in the file until it is used."""


@dataclass(frozen=True, eq=False)
class Series:
    """Images of a volume, before their pixels are read.

    Attributes:
        name: Name for messages.
        slices: Images in order along the normal of their plane.
        ijk_to_ras: Voxel indices to patient coordinates, (4, 4), mm.
        messages: Messages about the series.
    """

    name: str
    slices: list[Slice]
    ijk_to_ras: np.ndarray
    messages: tuple[Message, ...]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxel counts (ni, nj, nk)."""
        return (*self.slices[0].size, len(self.slices))


def read_dicom(path: str | Path, frame: int | None = None, series: str | None = None) -> Volume:
    """Read a DICOM file, or the series in a folder (not in its subfolders).

    Args:
        path: The file or folder.
        frame: Index of the image where each position holds several, counted from 0.
        series: Series Instance UID, where a folder holds several series.

    Raises:
        SuperResolutionError: (kind "input") The images do not form one complete scalar volume;
            (kind "memory") they do not fit into memory.
    """
    return _volume(find_series(path, frame, series))


def find_series(path: str | Path, frame: int | None = None, series: str | None = None) -> Series:
    """Find the series that `read_dicom` would read; arguments and errors as there."""
    path = Path(path)
    messages: list[Message] = []
    with read_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about values that break the standard
        return _arrange(path.name, _slices(path, series, messages), frame, messages)


def _slices(path: Path, series: str | None, messages: list[Message]) -> list[Slice]:
    """Return the headers of all frames of a file, or of a series in a folder."""
    images = (
        _choose_series(path, _scan(path, messages), series, messages)
        if path.is_dir()
        else [_header(path, force=True)]
    )
    return _split(images)


def _split(images: Sequence[Slice]) -> list[Slice]:
    """Return the slices of image files, of which each may hold several."""
    for image in images:
        _check_image(image)
    return [part for image in images for part in split_file(image)]


def frame_reader(path: Path, series: str | None = None) -> Callable[[int], Volume]:
    """Return a function that reads a frame of a file or series; the headers are read once.

    Raises:
        SuperResolutionError: As `read_dicom`, also by the function.
    """
    noted: list[Message] = []
    with read_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slices = _slices(path, series, noted)

    def read(frame: int) -> Volume:
        with read_errors(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _arrange(path.name, slices, frame, list(noted))
        return _volume(found)

    return read


def series_in(folder: Path) -> dict[str, list[Slice]]:
    """Return the images of a folder by Series Instance UID; errors as in `read_dicom`."""
    with read_errors(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _scan(folder, [])


def series_of(files: Sequence[str | Path], frame: int | None = None) -> Series:
    """Return the series formed by all images of a list of files; errors as in `read_dicom`."""
    with read_errors(files[0]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slices = _split([_header(Path(file), force=True) for file in files])
        return _arrange(Path(files[0]).parent.name, slices, frame, [])


class _NoImageError(SuperResolutionError):
    """DICOM object without an image, as a folder may hold beside a series."""


def _header(path: Path, force: bool = False) -> Slice:
    """Read the elements of an image file; `force` accepts files without the DICOM preamble."""
    with damage(path.name):
        source = io.BytesIO(open_file(path).read()) if is_packed(path) else None
    try:
        if source is None:
            with BoundedFile(path) as file:
                dataset = pydicom.dcmread(file, defer_size=DEFERRED, force=force)
        else:
            dataset = pydicom.dcmread(source, force=force)
        sop_class = str(dataset.file_meta.get("MediaStorageSOPClassUID") or "")
        is_cut = _is_cut(dataset, len(source.getvalue()) if source else path.stat().st_size)
    except InvalidDicomError as e:
        raise _not_dicom(path) from e
    except OSError as e:
        if e.errno is not None:
            raise
        raise undecodable(path) from e  # raised by pydicom itself for damaged sequences
    except DAMAGED as e:
        raise undecodable(path) from e
    image = Slice(path, dataset)
    if is_cut:
        is_image = dataset.preamble is not None or min(image.size) > 0
        raise undecodable(path) if is_image else _not_dicom(path)
    if min(image.size) > 0 and PIXEL_DATA in dataset:
        return image
    if dataset.preamble is None:
        raise _not_dicom(path)
    sop_class = sop_class or image.text("SOPClassUID")
    if not len(dataset) or not sop_class or "Image Storage" in UID(sop_class).name:
        raise undecodable(path)
    modality = image.text("Modality")
    raise _NoImageError(
        f"{path.name} is a DICOM object{f' of kind {modality}' if modality else ''} and holds no "
        "image. Use the files of an MRI series."
    )


def _is_cut(dataset: FileDataset, file_size: int) -> bool:
    """Return True if an element is incomplete, which pydicom does not report."""
    if dataset.file_meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        for element in dict(dataset.items()).values():  # as read, without their deferred values
            if (
                isinstance(element, RawDataElement)
                and element.value is None
                and element.length != UNDEFINED_LENGTH
                and element.value_tell + element.length > file_size
            ):
                return True  # pydicom would allocate its length
    tag = next(reversed(list(dataset.keys())), None)
    if tag is None or tag == PIXEL_DATA:  # the number of pixels is checked when they are decoded
        return False
    last = dataset.get_item(tag)
    if not isinstance(last, RawDataElement) or last.length == UNDEFINED_LENGTH:
        return False
    return len(last.value or b"") < last.length


def _not_dicom(path: Path) -> SuperResolutionError:
    return SuperResolutionError(
        f"{path.name} is not a DICOM file, or its beginning is damaged. Copy or export it again."
    )


def _scan(folder: Path, messages: list[Message]) -> dict[str, list[Slice]]:
    """Return the images of a folder by series, without copies of the same image."""
    found: dict[str, list[Slice]] = {}
    same: dict[str, list[Slice]] = {}
    others = []
    shared = 0
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if path.name == "DICOMDIR" or path.name.startswith("."):
            continue
        try:
            if not may_be_dicom(path):
                continue
            image = _header(path, force=True)
        except _NoImageError:
            others.append(path.name)
            continue
        uid = image.text("SOPInstanceUID")
        earlier = same.setdefault(uid, [])
        if not uid or not any(_is_copy(image, other) for other in earlier):
            shared += bool(uid and earlier)
            earlier.append(image)
            found.setdefault(image.text("SeriesInstanceUID"), []).append(image)
    if others:
        messages.append(info("series", f"Skipped files without an image: {', '.join(others)}."))
    if shared:
        text = f"{shared} different images repeat the identifier of another (SOPInstanceUID)."
        messages.append(info("series", f"{text} All of them are used."))
    return found


def _is_copy(image: Slice, other: Slice) -> bool:
    """Return True if two files with the same SOPInstanceUID hold the same image."""
    if filecmp.cmp(image.path, other.path, shallow=False):
        return True
    headers = [readable_header(one.dataset) for one in (image, other)]
    if headers[0] != headers[1] or image.size != other.size:
        return False
    first, second = (read_pixels(_header(one.path, force=True)) for one in (image, other))
    return np.array_equal(first, second)


def _choose_series(
    folder: Path, found: dict[str, list[Slice]], series: str | None, messages: list[Message]
) -> list[Slice]:
    if not found:
        has_folders = any(path.is_dir() for path in folder.iterdir())
        action = "one of its subfolders" if has_folders else "the folder of an MRI series"
        raise SuperResolutionError(f"The folder {folder} holds no DICOM images. Use {action}.")
    listed = "; ".join(
        f"{uid} ({images[0].text('SeriesDescription') or 'no description'}, {len(images)} images)"
        for uid, images in found.items()
    )
    if series is not None and series not in found:
        raise SuperResolutionError(
            f"{folder} holds no series {series}, but {listed}. Choose one of these."
        )
    if series is None and len(found) > 1:
        raise ChoiceError(f"{folder} holds {len(found)} series: {listed}.", "series")
    images = found[series] if series is not None else next(iter(found.values()))
    name = images[0].text("SeriesDescription") or images[0].text("SeriesInstanceUID")
    messages.append(info("series", f"Series “{name}”, {len(images)} images."))
    return images


def _arrange(
    folder: str, slices: list[Slice], frame: int | None, messages: list[Message]
) -> Series:
    first = slices[0]
    is_file = all(image.path == first.path for image in slices)
    name = first.path.name if is_file else f"the series in {folder or first.path.parent}"
    slices, lps = grid_of(name, slices, frame, messages)
    check_grid(name, lps)
    modality = slices[0].text("Modality")
    if modality != "MR":
        messages.insert(0, other_modality(name, modality))
    return Series(name, slices, geometry.LPS_TO_RAS @ lps, tuple(messages))


def _check_image(image: Slice) -> None:
    """Refuse images other than scalar slices of an acquired volume."""
    name, modality = image.path.name, image.text("Modality")
    frames, samples = image.text("NumberOfFrames"), image.text("SamplesPerPixel")
    if modality == "SEG":
        raise segmentation(name)
    if modality == "RTDOSE":
        raise SuperResolutionError(
            f"{name} is a radiotherapy dose (RTDOSE), not an image of the anatomy. Use the MRI "
            "series instead."
        )
    if samples not in ("", "1"):
        raise not_scalar(name, samples, is_color=True)
    if image.text("PhotometricInterpretation") == "PALETTE COLOR":
        raise not_scalar(name, 3, is_color=True)
    if frames not in ("", "1") and PER_FRAME not in image.dataset:
        raise SuperResolutionError(
            f"{name} holds {frames} frames in one file without the position of each. Load it in "
            "3D Slicer or convert it with dcm2niix, and use NRRD or NIfTI."
        )


def _volume(series: Series) -> Volume:
    """Read the pixels; the voxel type holds the differently scaled values of all slices."""
    try:
        with read_errors(series.name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = read_slices(series.slices)
            masks = [padding_of(*pair) for pair in zip(series.slices, images)]
        padding = None
        if any(mask is not None and mask.any() for mask in masks):
            padding = np.stack(
                [np.zeros(i.shape, bool) if m is None else m for i, m in zip(images, masks)]
            )
        array = np.stack(images).astype(np.result_type(*images), copy=False)
    except MemoryError as e:
        raise out_of_memory(series.name, series.size, 8) from e
    return Volume(
        array,
        series.ijk_to_ras,
        series.messages,
        padding=padding,
        slice_thickness=_thickness(series.slices),
    )


def _thickness(slices: Sequence[Slice]) -> float | None:
    """Return the slice thickness that all slices state, mm; None if there is none."""
    stated = [image.numbers("SliceThickness", 1) for image in slices]
    numbers = {round(float(number[0]), 3) for number in stated if number is not None}
    return numbers.pop() if len(numbers) == 1 and all(n is not None for n in stated) else None
