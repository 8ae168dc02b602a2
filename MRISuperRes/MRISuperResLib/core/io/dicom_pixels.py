"""Pixels of a DICOM image.

pydicom decodes uncompressed, deflated and RLE pixels; GDCM, a part of SimpleITK, decodes the JPEG
family.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom import encaps
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from ..errors import SuperResolutionError
from .dicom_file import DAMAGED, PER_FRAME, PIXEL_DATA, Slice, save_file
from .inflate import unpacked
from .itk import silence

DECODED_BY_PYDICOM = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
    }
)


def read_slices(images: Sequence[Slice]) -> list[np.ndarray]:
    """Return the rescaled pixels (j, i) of slices; each file is read once.

    Raises:
        SuperResolutionError: They cannot be decoded.
    """
    files: dict[Path, list[int]] = {}
    for number, image in enumerate(images):
        files.setdefault(image.path, []).append(number)
    pixels: dict[int, np.ndarray] = {}
    for numbers in files.values():
        parts = [images[number] for number in numbers]
        pixels.update(zip(numbers, _read_file(parts), strict=True))
    return [pixels[number] for number in range(len(images))]


def _read_file(images: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Yield the pixels of slices of one file."""
    whole = images[0].whole
    if whole is None:
        yield from map(read_pixels, images)
    elif PER_FRAME in whole.dataset:
        yield from _read_frames(whole, images)
    else:  # a mosaic
        picture = read_pixels(whole)
        for image in images:
            columns, rows = image.size
            across = whole.size[0] // columns
            row, column = rows * (image.index // across), columns * (image.index % across)
            yield picture[row : row + rows, column : column + columns]


def _read_frames(whole: Slice, images: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Yield the pixels of frames of an enhanced image."""
    dataset = whole.dataset
    syntax, count = UID(dataset.file_meta.TransferSyntaxUID), len(dataset[PER_FRAME].value)
    with _decoding(whole.path):
        element = _load_pixels(dataset)
        if syntax.is_encapsulated:
            frames = _split_frames(element.value, count)
        else:
            length = len(element.value) // count
            size = int(dataset.BitsAllocated) * whole.size[0] * whole.size[1] // 8
            frames = [element.value[n * size : (n + 1) * size] for n in range(count)]
            if length < size:
                raise EOFError("frames are missing")
        if len(frames) != count:
            raise EOFError("frames are missing")
        for image in images:
            part = dataset.group_dataset(0x0028)
            part.file_meta = dataset.file_meta
            part.NumberOfFrames = 1
            frame = frames[image.index]
            part.add_new(PIXEL_DATA, element.VR, frame)
            if syntax.is_encapsulated:
                part.PixelData = encaps.encapsulate([frame])
                part[PIXEL_DATA].is_undefined_length = True
            is_simple = syntax in DECODED_BY_PYDICOM
            stored = part.pixel_array if is_simple else _decode_by_gdcm(part)
            yield _smallest(_rescaled(stored.reshape(image.size[::-1]), image), image)


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Translate errors of damaged pixels; errors of the disk pass."""
    try:
        yield
    except OSError as e:
        if e.errno is not None:
            raise
        raise undecodable(path) from e
    except DAMAGED as e:
        raise undecodable(path) from e


def _load_pixels(dataset: Dataset) -> DataElement:
    """Return the pixels of a file, which the dataset does not keep in memory."""
    deferred = dict(dataset.items())[BaseTag(PIXEL_DATA)]
    element = dataset[PIXEL_DATA]
    dataset[PIXEL_DATA] = deferred
    return element


def _split_frames(data: bytes, count: int) -> list[bytes]:
    """Return the compressed frames of encapsulated pixels."""
    library: Any = encaps
    if hasattr(library, "generate_frames"):  # pydicom 3
        return list(library.generate_frames(data, number_of_frames=count))
    return list(library.generate_pixel_data_frame(data, count))


def _decode_by_gdcm(part: Dataset) -> np.ndarray:
    """Return the stored pixels of a single frame, which GDCM reads from a file."""
    part.SOPClassUID, part.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    part.PhotometricInterpretation = "MONOCHROME2"  # inverted later
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        if keyword in part:
            delattr(part, keyword)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "frame.dcm")
        save_file(part, path, part.file_meta.TransferSyntaxUID)
        return _read_by_gdcm(path)


def read_pixels(image: Slice) -> np.ndarray:
    """Return the rescaled pixels (j, i) of an image.

    Raises:
        SuperResolutionError: They cannot be decoded.
    """
    dataset = image.dataset
    with _decoding(image.path):
        if dataset.file_meta.get("TransferSyntaxUID") in DECODED_BY_PYDICOM:
            part = dataset.group_dataset(0x0028)  # pydicom caches decoded pixels in the dataset
            part.file_meta = dataset.file_meta
            part.add(_load_pixels(dataset))
            pixels = _rescaled(part.pixel_array, image)
        else:
            with unpacked(image.path) as path:
                pixels = _read_by_gdcm(path)
    return _smallest(pixels.reshape(image.size[::-1]), image)


def _smallest(pixels: np.ndarray, image: Slice) -> np.ndarray:
    """Return floating-point pixels in single precision if they have at most 16 bits."""
    if pixels.dtype == np.float64 and int(image.dataset.BitsAllocated) <= 16:
        return pixels.astype(np.float32)  # exact to 7 digits
    return pixels


def padding_of(image: Slice, pixels: np.ndarray) -> np.ndarray | None:
    """Return which rescaled pixels (j, i) of an image are padding; None if it declares none.

    The values of padding are those from PixelPaddingValue to PixelPaddingRangeLimit (DICOM PS3.3,
    C.7.5.1.1.2). A value of 0 is left to the image: it is also the air of ordinary MR images.
    """
    dataset = image.dataset
    declared = [
        image.numbers(keyword, 1) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    stored = [int(number[0]) for number in declared if number is not None]
    if declared[0] is None:
        return None
    try:
        kind = "i" if int(dataset.PixelRepresentation) else "u"
        # the conversion wraps numbers that are written with the other sign
        cells = np.array(stored).astype(f"{kind}{int(dataset.BitsAllocated) // 8}")
        ends = _rescaled(cells, image).astype(pixels.dtype)
    except DAMAGED as e:
        raise undecodable(image.path) from e
    if not ends.any():
        return None
    return (pixels >= ends.min()) & (pixels <= ends.max())


def _rescaled(stored: np.ndarray, image: Slice) -> np.ndarray:
    """Apply bits stored, photometric interpretation and rescale slope as GDCM does.

    The result has the smallest integer type that can hold all values which the stored bits allow;
    float64 for a scaling that is not made of whole numbers (DICOM PS3.3, C.7.6.3.1 and C.11.1).
    """
    allocated, bits = 8 * stored.itemsize, int(image.dataset.BitsStored)
    unused = allocated - 1 - int(image.dataset.HighBit)
    if not 0 <= unused <= allocated - bits:
        raise ValueError("bits stored outside the pixel")
    if allocated != bits:
        stored = (stored << unused) >> (allocated - bits)  # clears the unused bits
    is_signed = stored.dtype.kind == "i"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if image.text("PhotometricInterpretation") == "MONOCHROME1":
        stored = (low + high) - stored
    slope_element = image.numbers("RescaleSlope", 1)
    intercept_element = image.numbers("RescaleIntercept", 1)
    slope = 1.0 if slope_element is None else float(slope_element[0]) or 1.0
    intercept = 0.0 if intercept_element is None else float(intercept_element[0])
    if (slope, intercept) == (1, 0):
        return stored
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if slope % 1 == 0 and intercept % 1 == 0:
        for size in (1, 2, 4):
            dtype = np.dtype(f"{'u' if ends[0] >= 0 else 'i'}{size}")
            ends_of_type = np.iinfo(dtype)
            if ends_of_type.min <= ends[0] and ends[1] <= ends_of_type.max:
                scaled = stored.astype(np.int64) * int(slope) + int(intercept)
                return scaled.astype(dtype)
    return stored * slope + intercept


def undecodable(path: Path) -> SuperResolutionError:
    """Return the error for a file whose image cannot be decoded."""
    return SuperResolutionError(
        f"The image in {path.name} cannot be decoded: the file is damaged or cut short, or its "
        "compression is not supported. Copy it again or export it uncompressed."
    )


def _read_by_gdcm(path: Path) -> np.ndarray:
    """Return the rescaled pixels of a DICOM file.

    Raises:
        RuntimeError: GDCM cannot decode the file.
    """
    with silence():
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
