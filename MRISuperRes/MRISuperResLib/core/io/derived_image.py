"""Headers of a derived DICOM series: attributes taken over from the source, and new ones.

Sources: DICOM PS3.3 C.7.6.1 (derivation and source images), C.7.5.1 with the first note of
C.12.1.1.5 (equipment: this program made the images, the scanner contributed); PS3.16 CID 7005,
7202 and 7203 (codes). No attribute of patient, study or acquisition is made up: it stays empty
or missing if the source lacks it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, generate_uid

from ..provenance import PRODUCT, has_output_grid
from .dicom_file import DAMAGED

DERIVED_NUMBER = 1000
"""Added to the series number of the source, so that viewers list the new series after it."""
LO_LENGTH, ST_LENGTH = 64, 1024
"""Characters that the value representations LO and ST hold."""
NAME_LENGTH = 36
"""Largest number of characters of a model's name in the series description."""
PIXEL_GROUP = 0x7FE0

OF_OTHER_PIXELS = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelAspectRatio",
    "IconImageSequence",
    "NumberOfFrames",
    "PlanarConfiguration",
    "RealWorldValueMappingSequence",
)
"""Attributes of the pixels of the source. Padding is part of the new image; a real-world value
mapping may depend on the old pixel type."""
OF_THE_INSTANCE = (
    "InstanceCreatorUID",
    "SOPInstanceStatus",
    "SOPAuthorizationDateTime",
    "SOPAuthorizationComment",
    "AuthorizationEquipmentCertificationNumber",
    "EncryptedAttributesSequence",
    "MACParametersSequence",
    "DigitalSignaturesSequence",
    "ConversionSourceAttributesSequence",
    "StorageMediaFileSetID",
    "StorageMediaFileSetUID",
    "RetrieveAETitle",
    "RetrieveURL",
    "InstanceAvailability",
    "QueryRetrieveLevel",
)
"""Origin, signature, conversion and storage of the source's file."""
OF_THE_SERIES = (
    "PerformedProcedureStepID",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "PerformedProcedureStepDescription",
    "PerformedProtocolCodeSequence",
    "ReferencedPerformedProcedureStepSequence",
    "PerformingPhysicianName",
    "PerformingPhysicianIdentificationSequence",
)
"""Procedure and persons of the source series, which did not produce the new one."""
OF_THE_EQUIPMENT = (
    "Manufacturer",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "InstitutionalDepartmentName",
    "InstitutionalDepartmentTypeCodeSequence",
    "OperatorsName",
    "OperatorIdentificationSequence",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "DeviceUID",
    "UDISequence",
    "SpatialResolution",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
)
"""Attributes of an item of the Contributing Equipment Sequence."""
OTHER_EQUIPMENT = (
    "GantryID",
    "DateOfManufacture",
    "DateOfInstallation",
    "ManufacturerDeviceClassUID",
)
LEFT_OUT = {
    tag_for_keyword(word)
    for word in (
        *OF_OTHER_PIXELS,
        *OF_THE_INSTANCE,
        *OF_THE_SERIES,
        *OF_THE_EQUIPMENT,
        *OTHER_EQUIPMENT,
    )
}

EMPTY_ALLOWED = {
    "MR": ("ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength"),
    "CT": ("KVP", "AcquisitionNumber"),
    "": (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "ReferringPhysicianName",
        "StudyID",
        "AccessionNumber",
        "PositionReferenceIndicator",
        "SliceThickness",
    ),
}
"""Attributes of type 2, by modality: required, but possibly empty."""

ALWAYS_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)


def readable_header(dataset: Dataset) -> Dataset:
    """Return the elements of an image file that can be decoded, without private ones and pixels.

    Private elements are left out, since only their manufacturer knows whether they remain valid.
    """
    header = Dataset()
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group == PIXEL_GROUP:
            continue
        try:
            element = dataset[tag]
            _decode(element)
        except DAMAGED:  # unusable for any reader
            continue
        header.add(element)
    header.file_meta = dataset.file_meta
    return header


def _decode(element: DataElement) -> None:
    """Raise an exception if an element, or one inside it, is damaged."""
    if element.VR == "SQ":
        for item in element.value:
            for inner in item:
                _decode(inner)
    elif element.VR in ("DS", "IS"):
        values = [element.value] if element.VM < 2 else element.value
        if any(isinstance(number, str) and number for number in values):
            raise ValueError("not a number")


def derived_headers(
    originals: Sequence[Dataset], provenance: dict[str, Any], nearest: Sequence[int]
) -> Iterator[Dataset]:
    """Yield a header, still without position and pixels, for each image of a new series.

    An image in the place of a source image is derived from this one and keeps its attributes. Any
    other is derived from all: reformats keep their common attributes, and slices between those of
    the source keep the attributes of the nearest one, such as its window.

    Args:
        originals: Headers of the source images, in order.
        provenance: JSON values from `core.provenance.describe_upsampling`.
        nearest: Index of the nearest source image of each new image.
    """
    new = _series_attributes(originals[0], provenance)
    is_between = has_output_grid(provenance)
    is_from_all = is_between or len(nearest) != len(originals)
    common = _shared_attributes(originals)
    sources = _references(originals)
    for number, source in enumerate(nearest, 1):
        own = [originals[source]]
        kept = common if is_from_all and not is_between else _shared_attributes(own)
        header = Dataset()
        for element in (*kept, *new):
            # a copy, since setting an attribute of this header must not change the others
            header.add(DataElement(element.tag, element.VR, element.value))
        header.SourceImageSequence = sources if is_from_all else _references(own)
        header.SOPInstanceUID = generate_uid(prefix=None)
        header.InstanceNumber = number
        for keyword in (*EMPTY_ALLOWED[""], *EMPTY_ALLOWED.get(header.get("Modality"), ())):
            if keyword not in header:
                setattr(header, keyword, None)
        yield header


def _shared_attributes(originals: Sequence[Dataset]) -> Dataset:
    """Return the elements that all originals share and that remain valid for a derived image."""
    first, *others = originals
    shared = Dataset()
    for element in first:
        if _holds(element.tag) and all(other.get(element.tag) == element for other in others):
            shared.add(element)
    return shared


def _holds(tag: BaseTag) -> bool:
    """Return True if an element remains valid; group lengths, curves and overlays do not."""
    is_drawn = tag.group in range(0x5000, 0x5100) or tag.group in range(0x6000, 0x6100)
    return not (tag.element == 0 or is_drawn or tag in LEFT_OUT)


def _series_attributes(original: Dataset, provenance: dict[str, Any]) -> Dataset:
    """Return the attributes that all images of the new series share."""
    model, notice = provenance["model"], provenance["notice"]
    new = Dataset()
    made, now = _times(original, provenance)
    for keywords, moment in (
        (("SeriesDate", "SeriesTime", "ContentDate", "ContentTime"), made),
        (("InstanceCreationDate", "InstanceCreationTime"), now),
    ):
        for keyword in keywords:
            pattern = "%Y%m%d" if keyword.endswith("Date") else "%H%M%S"
            setattr(new, keyword, moment.strftime(pattern))
    new.SeriesInstanceUID = generate_uid(prefix=None)
    new.SeriesNumber = int(original.get("SeriesNumber") or 0) + DERIVED_NUMBER
    resolution = _resolution(provenance)
    start, mark = f"SR {resolution}", "(synthetic)"
    room = min(NAME_LENGTH, LO_LENGTH - len(f"{start}  {mark}"))
    ending = f"{start} {model['name'][:room]} {mark}"
    left = max(0, LO_LENGTH - 1 - len(ending))
    description = str(original.get("SeriesDescription") or "")[:left]
    new.SeriesDescription = f"{description} {ending}".strip()
    new.ImageType = _image_type(original)
    if not original.get("FrameOfReferenceUID"):
        new.FrameOfReferenceUID = generate_uid(prefix=None)

    slices = provenance["slices"]
    models = "; ".join(
        f"model {each['name']} ({each['stage']}), SHA-256 of its weights: "
        f"{each['sha256'] or 'none'}"
        for each in (model, provenance.get("in_plane_model"))
        if each
    )
    derivation = (
        f"Super-resolution {resolution} of the slices along {slices['axis']} ({slices['plane']}) "
        f"by {provenance['software']}, {models}; {notice}."
    )
    new.DerivationDescription = " Before: ".join(
        filter(None, (derivation, original.get("DerivationDescription")))
    )[:ST_LENGTH]
    new.ImageComments = "\n".join(
        filter(None, (f"{notice[0].upper()}{notice[1:]}.", original.get("ImageComments")))
    )
    new.DerivationCodeSequence = [
        *original.get("DerivationCodeSequence", ()),
        _code("113085", "Spatial resampling"),
    ]
    new.ContentQualification = "RESEARCH"
    if original.file_meta.get("TransferSyntaxUID") in ALWAYS_LOSSY:
        new.LossyImageCompression = "01"

    new.Manufacturer = new.ManufacturerModelName = PRODUCT
    new.SoftwareVersions = provenance["software"]
    new.ContributingEquipmentSequence = [
        *original.get("ContributingEquipmentSequence", ()),
        _equipment(original),
    ]
    return new


def _resolution(provenance: dict[str, Any]) -> str:
    """Return the resolution of an output: "x2", or its voxel size as "1x1x1 mm"."""
    if not has_output_grid(provenance):
        return f"x{provenance['scale']}"
    sides = zip(provenance["input"]["spacing"], provenance["factors"], strict=True)
    return "x".join(f"{side / factor:.3g}" for side, factor in sides) + " mm"


def _times(
    original: Dataset, provenance: dict[str, Any]
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return (time of the result, now) in the time zone of the source."""
    zone = None  # local time
    offset = str(original.get("TimezoneOffsetFromUTC") or "")
    if len(offset) == 5 and offset[0] in "+-" and offset[1:].isdecimal():
        zone = datetime.datetime.strptime(offset, "%z").tzinfo
    made = datetime.datetime.fromisoformat(provenance["date"])
    return made.astimezone(zone), datetime.datetime.now(datetime.UTC).astimezone(zone)


def _image_type(original: Dataset) -> list[str]:
    r"""Return DERIVED\SECONDARY, the further values of the source, and the mark."""
    old = original.get("ImageType") or []
    values = [old] if isinstance(old, str) else list(old)
    further = [value for value in values[2:] if value != "SYNTHETIC"] or ["OTHER"]
    return ["DERIVED", "SECONDARY", *further, "SYNTHETIC"]


def _references(originals: Sequence[Dataset]) -> list[Dataset]:
    """Return the items of the Source Image Sequence."""
    items = []
    for original in originals:
        item = Dataset()
        item.ReferencedSOPClassUID = original.SOPClassUID
        item.ReferencedSOPInstanceUID = original.SOPInstanceUID
        item.PurposeOfReferenceCodeSequence = [
            _code("121322", "Source image for image processing operation")
        ]
        items.append(item)
    return items


def _equipment(original: Dataset) -> Dataset:
    """Return the scanner, or the program that derived the source, as contributing equipment."""
    item = Dataset()
    for keyword in OF_THE_EQUIPMENT:
        if keyword in original:
            item.add(original[keyword])
    if not item.get("Manufacturer"):
        item.Manufacturer = "unknown"
    is_derived = "DERIVED" in (original.get("ImageType") or ())
    item.PurposeOfReferenceCodeSequence = [
        _code("109102", "Processing Equipment")
        if is_derived
        else _code("109101", "Acquisition Equipment")
    ]
    return item


def _code(value: str, meaning: str) -> Dataset:
    """Return an item of a code sequence, from DICOM's own codes."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
