"""Derived DICOM series from an upsampled DICOM series, by pydicom."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from .. import geometry
from ..errors import SuperResolutionError
from ..provenance import has_output_grid, output_record, provenance_path, read_provenance
from ..slice_profile import containing_voxels
from ..volume import Volume
from .atomic import check_new_folder, new_folder, write_json
from .checks import read_errors
from .derived_image import derived_headers, readable_header
from .dicom_file import DAMAGED, save_file
from .dicom_read import Series, find_series, read_dicom
from .formats import DICOM_NAME

SOP_CLASSES = (MRImageStorage, CTImageStorage)
"""Supported classes of source images; the new images have the same class."""
POSITION_TOLERANCE = 0.25
"""Fraction of a voxel: applications round the numbers of a header differently."""
WRITTEN_TOLERANCE = 1e-4
"""Rounding of a DICOM number with 16 characters, mm."""

_OTHER_FORMAT = "Write a .nrrd or .nii.gz file instead."


def find_source_series(
    path: str | Path, frame: int | None = None, series: str | None = None
) -> Series:
    """Find the series of a DICOM file or folder; arguments and errors as in `read_dicom`."""
    path = Path(path)
    with read_errors(path):
        if not path.is_dir() and not DICOM_NAME.fullmatch(path.name):
            with open(path, "rb") as file:
                if file.read(132)[128:] != b"DICM":
                    raise SuperResolutionError(
                        f"{path.name} is not a DICOM file. A DICOM series takes patient and study "
                        "from a DICOM input."
                    )
        return find_series(path, frame, series)


class DicomSeriesWriter:
    """Writer of one derived series.

    Its construction checks, before a long task, that the series can be written.

    Args:
        path: Output folder, which does not exist or is empty.
        original: The source series.

    Raises:
        SuperResolutionError: The folder cannot be created, its provenance would replace another
            file, or the headers of the original lack attributes that a derived series needs.
    """

    def __init__(self, path: str | Path, original: Series) -> None:
        check_new_folder(path)
        record = provenance_path(os.path.realpath(path))
        if record.exists() and read_provenance(os.path.realpath(path)) is None:
            raise SuperResolutionError(
                f"The provenance would replace {record}, which is another file. Choose another "
                "name for the folder.",
                "settings",
            )
        self._path, self._original = path, original
        with read_errors(original.name), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns about values that break the standard
            self._headers = [readable_header(image.dataset) for image in original.slices]
            _check_headers(original, self._headers)

    def write(self, volume: Volume) -> None:
        """Write one file per image, and the provenance to NAME.json beside the folder NAME.

        Both appear complete or not at all; the files are read again and compared. Pixels
        have 16 bits and the rescale slope and intercept of the source, so values are rounded to
        steps of the slope. They are signed as in the source if that type holds all values.

        Args:
            volume: The original, upsampled in place, with its provenance; k may be reversed.

        Raises:
            SuperResolutionError: The volume is not in the place of the original, its values exceed
                16 bits, or the files cannot be written.
        """
        provenance = volume.provenance or {}
        array, ijk_to_ras = _in_place(volume, self._original)
        nearest = containing_voxels(len(self._headers), len(array)).tolist()
        scaling = _Scaling(self._headers[0], array)
        with new_folder(self._path) as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            headers = derived_headers(self._headers, provenance, nearest)
            for k, (header, image) in enumerate(zip(headers, array, strict=True)):
                _place(header, ijk_to_ras, k, len(array))
                if len(array) != len(self._headers):
                    _set_thickness(header, ijk_to_ras, len(array) / len(self._headers), provenance)
                if header.get("PhotometricInterpretation") == "MONOCHROME1":
                    _turn_white(header, self._headers[nearest[k]])
                scaling.store(header, image)
                _save(header, folder / f"{k + 1:04d}.dcm")
            _check_written(folder, array, ijk_to_ras, scaling)
            record = provenance | {"output": output_record(folder)}
            write_json(provenance_path(folder), record)


def _check_headers(original: Series, headers: Sequence[Dataset]) -> None:
    """Refuse headers that lack attributes of a derived image, or differ in them."""
    name, sop_class = original.name, str(headers[0].get("SOPClassUID") or "")
    if sop_class not in SOP_CLASSES:
        raise SuperResolutionError(
            f"{name} holds images of the kind “{UID(sop_class).name or 'unknown'}”, but a DICOM "
            f"series can be derived from MR and CT images only. {_OTHER_FORMAT}"
        )
    for keyword, label in (("StudyInstanceUID", "study"), ("SOPInstanceUID", "image")):
        if not all(header.get(keyword) for header in headers):
            raise SuperResolutionError(
                f"{name} does not say which {label} it is ({keyword}), so no series can be derived "
                "from it. Export it again."
            )
    values: dict[str, set[Any]] = {
        label: {header.get(keyword) for header in headers}
        for keyword, label in (
            ("PatientID", "patients"),
            ("StudyInstanceUID", "studies"),
            ("FrameOfReferenceUID", "frames of reference"),
            ("SOPClassUID", "kinds"),
        )
    }
    values["scalings (rescale slope or intercept)"] = {_rescale(header) for header in headers}
    for label, different in values.items():
        if len(different) > 1:
            raise SuperResolutionError(
                f"The images of {name} are of different {label}, which one series cannot hold. "
                f"{_OTHER_FORMAT}"
            )


def _in_place(volume: Volume, original: Series) -> tuple[np.ndarray, np.ndarray]:
    """Check that a volume is the original, upsampled in place.

    Returns:
        Array and IJKToRAS with k in the order of the original.
    """
    array, ijk_to_ras = volume.array, volume.ijk_to_ras
    factors = np.divide(volume.size, original.size)
    if not (factors > 1).any():
        raise SuperResolutionError(
            f"The volume is not larger than {original.name}, so it is no super-resolution of it. "
            f"{_OTHER_FORMAT}"
        )
    expected = geometry.upsampled_ijk_to_ras(original.ijk_to_ras, factors)
    if ijk_to_ras[:3, 2] @ expected[:3, 2] < 0:
        flip = np.diag([1.0, 1, -1, 1])
        flip[2, 3] = len(array) - 1
        array, ijk_to_ras = array[::-1], ijk_to_ras @ flip
    ends = [geometry.corners(matrix, volume.size) for matrix in (ijk_to_ras, expected)]
    tolerance = POSITION_TOLERANCE * geometry.spacing(expected).min()
    is_cropped = (factors % 1).any() and not has_output_grid(volume.provenance or {})
    if is_cropped or np.abs(ends[0] - ends[1]).max() > tolerance:
        raise SuperResolutionError(
            f"The volume does not lie where {original.name}, its source, lies; it was moved, "
            f"turned or cropped. {_OTHER_FORMAT}"
        )
    return array, expected


def _rescale(header: Dataset) -> tuple[float, float]:
    """Return (slope, intercept)."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (
        float(1 if slope in (None, "") else slope),
        float(0 if intercept in (None, "") else intercept),
    )


class _Scaling:
    """Map from values to stored pixels, in the scaling of a header.

    Raises:
        SuperResolutionError: 16 bits do not hold all values of the array.
    """

    def __init__(self, header: Dataset, array: np.ndarray) -> None:
        self.slope, self.intercept = _rescale(header)
        ends = self._stored(np.array([array.min(), array.max()]))
        is_signed = header.get("PixelRepresentation") == 1
        for dtype in (np.int16, np.uint16) if is_signed else (np.uint16, np.int16):
            limits = np.iinfo(dtype)
            if limits.min <= ends.min() and ends.max() <= limits.max:
                self._type: np.dtype = np.dtype(dtype)
                return
        raise SuperResolutionError(
            f"Values from {array.min():.6g} to {array.max():.6g} cannot be stored in the 16 bits "
            f"of a DICOM image with a rescale slope of {self.slope:.6g}. {_OTHER_FORMAT}"
        )

    def _stored(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # a slope of 0 holds no values
            stored: np.ndarray = np.rint((values.astype(np.float64) - self.intercept) / self.slope)
        return stored

    def tolerance(self, dtype: np.dtype) -> float:
        """Return the largest rounding error of a stored value."""
        is_exact = dtype.kind in "iu" and abs(self.slope) == 1 and self.intercept % 1 == 0
        return 0.0 if is_exact else abs(self.slope) / 2

    def store(self, header: Dataset, image: np.ndarray) -> None:
        """Set the pixels of an image, and their description, in its header."""
        header.Rows, header.Columns = image.shape
        header.SamplesPerPixel = 1
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit = 15
        header.PixelRepresentation = int(self._type.kind == "i")
        pixels = self._stored(image).astype(self._type.newbyteorder("<"))
        header.add_new("PixelData", "OW", pixels.tobytes())


def _turn_white(header: Dataset, original: Dataset) -> None:
    """Describe inverted pixels: the reader inverts MONOCHROME1, in which 0 is white."""
    bits, (slope, intercept) = int(original.BitsStored), _rescale(original)
    ends = -1 if original.get("PixelRepresentation") == 1 else (1 << bits) - 1
    header.PhotometricInterpretation = "MONOCHROME2"
    if "PresentationLUTShape" in header:
        header.PresentationLUTShape = "IDENTITY"
    if "VOILUTSequence" in header:
        del header.VOILUTSequence  # its table begins at the other end
    if header.get("WindowCenter") not in (None, ""):
        centers = header.WindowCenter
        centers = [centers] if isinstance(centers, str | float | int) else list(centers)
        # the window of PS3.3 C.11.2.1.2 lies around the center minus 0.5
        mirrored = [ends * slope + 2 * intercept + 1 - float(center) for center in centers]
        header.WindowCenter = _decimal(mirrored)


def _place(header: Dataset, ijk_to_ras: np.ndarray, k: int, count: int) -> None:
    """Describe the image plane of slice k of count."""
    lps, spacing = geometry.LPS_TO_RAS @ ijk_to_ras, geometry.spacing(ijk_to_ras)
    row, column = lps[:3, 0] / spacing[0], lps[:3, 1] / spacing[1]
    position = lps[:3] @ (0, 0, k, 1)
    header.PixelSpacing = _decimal(spacing[1::-1])
    header.ImageOrientationPatient = _decimal((*row, *column))
    header.ImagePositionPatient = _decimal(position)
    (header.SliceLocation,) = _decimal([position @ np.cross(row, column)])
    if count > 1:
        (header.SpacingBetweenSlices,) = _decimal([spacing[2]])


def _set_thickness(
    header: Dataset, ijk_to_ras: np.ndarray, factor: float, provenance: dict[str, Any]
) -> None:
    """Describe the thickness of new slices: their spacing, or a part of that of the source.

    Args:
        header: Header of an image, with the slice thickness of the source.
        ijk_to_ras: Place of the new series.
        factor: Slices per source slice.
        provenance: Provenance of the volume.
    """
    if has_output_grid(provenance):
        (header.SliceThickness,) = _decimal([geometry.spacing(ijk_to_ras)[2]])
    elif header.SliceThickness:
        (header.SliceThickness,) = _decimal([header.SliceThickness / factor])


def _decimal(numbers: Iterable[float]) -> list[DSfloat]:
    """Return DICOM decimal strings with as many digits as 16 characters hold."""
    return [DSfloat(float(number) + 0.0, auto_format=True) for number in numbers]


def _save(header: Dataset, path: Path) -> None:
    try:
        save_file(header, path, ExplicitVRLittleEndian)
    except DAMAGED as e:
        raise SuperResolutionError(
            f"The header of the source cannot be reused ({e}). Export it again, or write a .nrrd "
            "or .nii.gz file."
        ) from e


def _check_written(
    folder: Path, array: np.ndarray, ijk_to_ras: np.ndarray, scaling: _Scaling
) -> None:
    """Read the series again and compare its values and position."""
    written = read_dicom(folder)
    tolerance = scaling.tolerance(array.dtype)
    if written.array.dtype.kind == "f":
        tolerance += 1e-6 * float(max(abs(array.min()), abs(array.max())))
    is_same = written.array.shape == array.shape and all(
        np.abs(one.astype(np.float64) - other).max() <= tolerance
        for one, other in zip(written.array, array, strict=True)
    )
    if not is_same or np.abs(written.ijk_to_ras - ijk_to_ras).max() > WRITTEN_TOLERANCE:
        raise SuperResolutionError(
            f"The DICOM files in {folder} do not hold what was written to them. Try again, or "
            "write a .nrrd or .nii.gz file.",
            "environment",
        )
