"""The headers of a derived DICOM series: what its images take over from those that they were made of, and what is new.

PS3.3 C.7.6.1 (derivation and source images), C.7.5.1 with the first note of C.12.1.1.5 (the equipment is what made these images, what acquired their
sources contributes), PS3.16 CID 7005, 7202 and 7203 (codes). Nothing about patient, study or acquisition is made up: what the source
does not say stays unsaid.
"""

import datetime
import warnings

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.uid import generate_uid

PRODUCT = "MRISuperRes"
DERIVED_NUMBER = 1000
"""Added to the source's series number, so that the new series is listed behind those of the scanner."""
SHORT, TEXT = 64, 1024
"""Characters that the value representations LO and ST hold."""

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
"""Padding has become a part of the image's edge; a map of values may be given in the type that the pixels had."""
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
"""Who made, signed, converted or keeps the source's file."""
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
"""The new series was made in no procedure on the patient, and by nobody who examined them."""
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
"""What an item of the Contributing Equipment Sequence may hold."""
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
"""Attributes of type 2, by modality: they must be there, if only without a value."""

ALWAYS_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
"""Transfer syntaxes JPEG baseline and extended, JPEG-LS near-lossless."""


def read_header(path):
    """Dataset of an image file, without pixels and without elements that can't be decoded, which no reader could use."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # about values that break a rule of the standard, which are the source's own
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        for tag in list(dataset.keys()):
            try:
                _decode(dataset[tag])
            except (
                ValueError,
                TypeError,
                OverflowError,
                NotImplementedError,
                KeyError,
                BytesLengthException,
            ):
                del dataset[tag]
    return dataset


def _decode(element):
    """Raises an exception where an element or one inside of it is damaged."""
    if element.VR == "SQ":
        for item in element.value:
            for inner in item:
                _decode(inner)
    elif element.VR in ("DS", "IS") and any(
        isinstance(number, str) and number
        for number in ([element.value] if element.VM < 2 else element.value)
    ):
        raise ValueError("not a number")


def derived_headers(originals, provenance, factor):
    """Yields a Dataset, still without place and pixels, for each image of a new series.

    originals: the Datasets of the source images, in order. provenance: as of core.provenance.describe. factor: how many images there are for each of
    the source; 1: each was made of one, and takes over what that alone says; more: each was made of all, and takes over what these have in common.
    """
    new = _series(originals[0], provenance)
    if factor > 1:
        common, sources = _carried_over(originals), _references(originals)
    for number in range(1, len(originals) * factor + 1):
        if factor == 1:
            common, sources = (
                _carried_over([originals[number - 1]]),
                _references([originals[number - 1]]),
            )
        header = Dataset()
        for element in (*common, *new):
            header.add(element)
        header.SourceImageSequence = sources
        header.SOPInstanceUID = generate_uid(prefix=None)
        header.InstanceNumber = number
        for keyword in (*EMPTY_ALLOWED[""], *EMPTY_ALLOWED.get(header.get("Modality"), ())):
            if keyword not in header:
                setattr(header, keyword, None)
        yield header


def _carried_over(originals):
    """A Dataset with what all originals say, and which is true of an image that was made of them."""
    first, *others = originals
    kept = Dataset()
    for element in first:
        if _lasts(element.tag) and all(other.get(element.tag) == element for other in others):
            kept.add(element)
    return kept


def _lasts(tag):
    """Private elements are left out, as nobody but the maker knows what they are about; so are group lengths, curves and overlays, which are drawn on pixels."""
    return not (
        tag.is_private
        or tag.element == 0
        or tag.group in range(0x5000, 0x5100)
        or tag.group in range(0x6000, 0x6100)
        or tag in LEFT_OUT
    )


def _series(original, provenance):
    """What the images of the new series have in common."""
    scale, model, notice = provenance["scale"], provenance["model"], provenance["notice"]
    new = Dataset()
    made, now = _times(original, provenance)
    for words, moment in (
        (("SeriesDate", "SeriesTime", "ContentDate", "ContentTime"), made),
        (("InstanceCreationDate", "InstanceCreationTime"), now),
    ):
        for word in words:
            setattr(new, word, moment.strftime("%Y%m%d" if word.endswith("Date") else "%H%M%S"))
    new.SeriesInstanceUID = generate_uid(prefix=None)
    new.SeriesNumber = int(original.get("SeriesNumber") or 0) + DERIVED_NUMBER
    ending = f"SR x{scale} {model['name'][:36]} (synthetic)"
    new.SeriesDescription = f"{str(original.get('SeriesDescription') or '')[: SHORT - 1 - len(ending)]} {ending}".strip()
    new.ImageType = _image_type(original)
    if not original.get("FrameOfReferenceUID"):
        new.FrameOfReferenceUID = generate_uid(prefix=None)

    slices = provenance["slices"]
    how = (
        f"Super-resolution x{scale} of the slices along {slices['axis']} ({slices['plane']}) by {provenance['software']}, model {model['name']} "
        f"({model['stage']}), SHA-256 of its weights: {model['sha256'] or 'none'}; {notice}."
    )
    new.DerivationDescription = " Before: ".join(
        filter(None, (how, original.get("DerivationDescription")))
    )[:TEXT]
    new.ImageComments = "\n".join(
        filter(None, (f"{notice[0].upper()}{notice[1:]}.", original.get("ImageComments")))
    )
    new.DerivationCodeSequence = [
        *original.get("DerivationCodeSequence", ()),
        _code("113085", "Spatial resampling"),
    ]
    new.ContentQualification = "RESEARCH"
    if getattr(original.file_meta, "TransferSyntaxUID", None) in ALWAYS_LOSSY:
        new.LossyImageCompression = "01"

    new.Manufacturer = new.ManufacturerModelName = PRODUCT
    new.SoftwareVersions = provenance["software"]
    new.ContributingEquipmentSequence = [
        *original.get("ContributingEquipmentSequence", ()),
        _equipment(original),
    ]
    return new


def _times(original, provenance):
    """(when the result was made, now), as clocks show it where the source's times were taken."""
    zone = None  # that of this machine
    offset = str(original.get("TimezoneOffsetFromUTC") or "")
    if len(offset) == 5 and offset[0] in "+-" and offset[1:].isdecimal():
        zone = datetime.datetime.strptime(offset, "%z").tzinfo
    return (
        moment.astimezone(zone)
        for moment in (
            datetime.datetime.fromisoformat(provenance["date"]),
            datetime.datetime.now(datetime.UTC),
        )
    )


def _image_type(original):
    """DERIVED\\SECONDARY, the further values of the source, and the mark."""
    old = original.get("ImageType") or []
    rest = [
        value for value in ([old] if isinstance(old, str) else old)[2:] if value != "SYNTHETIC"
    ] or ["OTHER"]
    return ["DERIVED", "SECONDARY", *rest, "SYNTHETIC"]


def _references(originals):
    """Items of the Source Image Sequence."""
    items = []
    for original in originals:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
            original.SOPClassUID,
            original.SOPInstanceUID,
        )
        item.PurposeOfReferenceCodeSequence = [
            _code("121322", "Source image for image processing operation")
        ]
        items.append(item)
    return items


def _equipment(original):
    """What has made the source: the scanner, or the program where it was derived itself."""
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


def _code(value, meaning):
    """An item of a code sequence, of DICOM's own codes."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
