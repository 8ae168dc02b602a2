"""Slices of DICOM files that hold several: enhanced multi-frame images and Siemens mosaics.

Each slice gets a header of its own, with the attributes of a classic image. Sources: DICOM PS3.3
C.7.6.16 (functional groups); the position of mosaics as in nibabel's `MosaicWrapper`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import DSfloat

from ..errors import SuperResolutionError
from .dicom_file import DAMAGED, PER_FRAME, PIXEL_DATA, Slice

SHARED = "SharedFunctionalGroupsSequence"
CLASSIC_NAMES = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "InversionTimes": "InversionTime",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
}
"""Attributes of classic images by those of frames."""
OF_OTHER_IMAGES = ("Referenced", "Derivation", "RealWorldValue")
"""Beginnings of the names of functional groups that do not describe the frame."""
MOSAIC = "MOSAIC"
NORMAL_TOLERANCE = 1e-3
"""Rounding of directions in headers."""


def split_file(image: Slice) -> list[Slice]:
    """Return the slices of an image file; most files hold one.

    Raises:
        SuperResolutionError: The description of the frames is incomplete, or a mosaic lacks what
            its slices need.
    """
    if MOSAIC in image.text("ImageType").split("\\"):
        return list(_tiles(image))
    if PER_FRAME in image.dataset:
        return list(_frames(image))
    return [image]


def _frames(image: Slice) -> Iterator[Slice]:
    """Yield the frames of an enhanced multi-frame image."""
    name, common = image.path.name, _elements(image.dataset)
    try:
        groups = list(image.dataset[PER_FRAME].value)
        shared = list(image.dataset.get(SHARED) or ())
        count = int(image.text("NumberOfFrames") or 1)
        if len(groups) != count:
            raise SuperResolutionError(
                f"{name} describes {len(groups)} of its {count} frames. Export it again."
            )
        for item in shared:
            _describe(common, item)
        for index, group in enumerate(groups):
            header = Dataset(dict(common.items()))
            header.file_meta = common.file_meta
            _set(header, "InstanceNumber", index + 1)
            _describe(header, group)
            yield Slice(image.path, header, image, index)
    except DAMAGED as e:
        raise SuperResolutionError(
            f"The description of the frames in {name} is damaged. Copy or export it again."
        ) from e


def _elements(dataset: Dataset) -> Dataset:
    """Return the elements of a file that can be decoded, without frames and pixels."""
    elements = Dataset()
    for tag in list(dataset.keys()):
        try:
            if tag != PIXEL_DATA and dataset[tag].keyword not in (PER_FRAME, "NumberOfFrames"):
                elements.add(dataset[tag])
        except DAMAGED:  # as if it were missing
            continue
    elements.file_meta = dataset.file_meta
    return elements


def _describe(header: Dataset, groups: Dataset) -> None:
    """Add the attributes in functional groups to a header."""
    for group in groups:
        if group.VR == "SQ" and not group.tag.is_private:
            if not group.keyword.startswith(OF_OTHER_IMAGES):
                for item in group.value[:1]:
                    _describe(header, item)
            continue
        if not group.tag.is_private:
            header.add(group)
            if group.keyword in CLASSIC_NAMES:
                _set(header, CLASSIC_NAMES[group.keyword], group.value)


def _set(header: Dataset, keyword: str, value: Any) -> None:
    """Set an element; assignment would change the elements shared with other headers."""
    tag = Tag(keyword)
    header.add_new(tag, dictionary_VR(tag), value)


def _tiles(image: Slice) -> Iterator[Slice]:
    """Yield the slices of a Siemens mosaic, with the position of each."""
    name = image.path.name
    count, normal = _mosaic_header(image)
    across = math.ceil(math.sqrt(count))
    size = np.array(image.size)
    orientation = image.numbers("ImageOrientationPatient", 6)
    corner = image.numbers("ImagePositionPatient", 3)
    spacing = image.numbers("PixelSpacing", 2)
    gap = image.numbers("SpacingBetweenSlices", 1)
    if gap is None:
        gap = image.numbers("SliceThickness", 1)
    if orientation is None or corner is None or spacing is None or gap is None or (gap <= 0).any():
        raise SuperResolutionError(
            f"{name} is a mosaic without the position or the spacing of its slices. Export it "
            "again."
        )
    if count < 1 or (size % across).any():
        raise SuperResolutionError(
            f"{name} is a mosaic of {count} slices, into which its {size[0]}×{size[1]} pixels "
            "cannot be divided. Export it again."
        )
    row, column = orientation[:3], orientation[3:]
    direction = np.cross(row, column)
    if abs(abs(float(normal @ direction)) - 1) > NORMAL_TOLERANCE:
        raise SuperResolutionError(
            f"{name} is a mosaic whose two headers give different directions. Export it again."
        )
    direction *= np.sign(normal @ direction)
    tile = size // across
    # the position of the file is that of one large slice with the same center
    shift = (size - tile) / 2
    first = corner + row * spacing[1] * shift[0] + column * spacing[0] * shift[1]
    common = _elements(image.dataset)
    _set(common, "Columns", int(tile[0]))
    _set(common, "Rows", int(tile[1]))
    words = image.text("ImageType").split("\\")
    _set(common, "ImageType", [word for word in words if word != MOSAIC])
    for index in range(count):
        header = Dataset(dict(common.items()))
        header.file_meta = common.file_meta
        position = first + index * float(gap[0]) * direction
        digits = [DSfloat(float(x), auto_format=True) for x in position]
        _set(header, "ImagePositionPatient", digits)
        yield Slice(image.path, header, image, index)


def _mosaic_header(image: Slice) -> tuple[int, np.ndarray]:
    """Return the number of slices and their normal, from the private header of Siemens."""
    try:
        from nibabel.nicom import csareader
    except ImportError as e:
        raise SuperResolutionError(
            f"{image.path.name} is a mosaic, with all slices side by side in one picture. Reading "
            "it needs the Python package nibabel: install it.",
            "packages",
        ) from e
    try:
        header = csareader.get_csa_header(image.dataset, "image")
        count = None if header is None else csareader.get_n_mosaic(header)
        normal = None if header is None else csareader.get_slice_normal(header)
    except (*DAMAGED, csareader.CSAError):
        count = normal = None
    if not count or normal is None or not np.isfinite(normal).all():
        raise SuperResolutionError(
            f"{image.path.name} is a mosaic, with all slices side by side in one picture, and its "
            "Siemens header (CSA) is missing or damaged. Export it again, or convert it with "
            "dcm2niix."
        )
    return int(count), np.asarray(normal, float)
