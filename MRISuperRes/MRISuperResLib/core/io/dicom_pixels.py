"""Pixels of a DICOM image.

pydicom decodes uncompressed, deflated and RLE pixels; GDCM, a part of SimpleITK, decodes the JPEG
family.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from ..errors import SuperResolutionError
from .dicom_file import DAMAGED, Slice
from .itk import read_by_gdcm

PIXEL_DATA = 0x7FE00010
DECODED_BY_PYDICOM = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
    }
)


def read_pixels(image: Slice) -> np.ndarray:
    """Return the rescaled pixels (j, i) of an image.

    Raises:
        SuperResolutionError: They cannot be decoded.
    """
    dataset = image.dataset
    try:
        if dataset.file_meta.get("TransferSyntaxUID") in DECODED_BY_PYDICOM:
            part = dataset.group_dataset(0x0028)  # pydicom caches decoded pixels in the dataset
            part.file_meta = dataset.file_meta
            part.add(dataset[PIXEL_DATA])
            del dataset[PIXEL_DATA]
            pixels = _rescaled(part.pixel_array, image)
        else:
            pixels = read_by_gdcm(image.path)
    except OSError as e:
        if e.errno is not None:
            raise
        raise undecodable(image.path) from e
    except DAMAGED as e:
        raise undecodable(image.path) from e
    if pixels.dtype == np.float64 and int(dataset.BitsAllocated) <= 16:
        pixels = pixels.astype(np.float32)  # exact to 7 digits for 16-bit pixels
    return pixels.reshape(image.size[::-1])


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
