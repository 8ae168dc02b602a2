"""A volume that was made of a DICOM series as a derived DICOM series, by pydicom."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from .. import geometry
from ..errors import SuperResolutionError
from ..geometry import LPS_TO_RAS
from .atomic import check_new_folder, new_folder, write_json
from .checks import read_errors
from .derived_image import derived_headers, read_header
from .dicom_read import find_series, read_dicom
from .discovery import provenance_path

CLASSES = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2")
"""SOP classes of the sources, which the new images keep: MR and CT Image Storage."""


def find_source_series(path, frame=None, series=None):
    """The Series of a DICOM file or folder, see read_dicom. Raises SuperResolutionError for any other input."""
    path = Path(path)
    with read_errors(path):
        if not path.is_dir() and path.suffix.lower() not in (".dcm", ".ima"):
            with open(path, "rb") as file:
                if file.read(132)[128:] != b"DICM":
                    raise SuperResolutionError(
                        f"{path.name} is no DICOM file: a DICOM series can be made of a DICOM input only, whose patient and study it takes over."
                    )
        return find_series(path, frame, series)


class DicomSeriesWriter:
    """The folder that a derived series will be written to.

    path: a folder that does not exist, or is empty. original: the Series that the volume is made of.
    Raises SuperResolutionError where no such series can be made of the original, or the folder not be made; meant to be asked before the work.
    """

    def __init__(self, path, original):
        check_new_folder(path)
        self._path, self._original = path, original
        with read_errors(original.name):
            self._headers = [read_header(image.path) for image in original.slices]
        _check_headers(original, self._headers)

    def write(self, volume):
        """Writes the images, one a file, and a record of how they were made. The folder is there complete, or not at all: what was written is read again and compared.

        array: (k, j, i), the original enlarged in place; k may run the other way. ijk_to_ras: (4, 4), mm. provenance: as of core.provenance.describe.
        The pixels are in the source's scaling (rescale slope and intercept), of 16 bits, signed as they were where that holds all values. Values of a
        scaling that is not made of whole numbers are rounded to its steps, like those of the source. Raises SuperResolutionError.
        """
        provenance = volume.provenance
        array, ijk_to_ras, factor = _in_place(volume.array, volume.ijk_to_ras, self._original)
        scaling = _Scaling(self._headers[0], array)
        with new_folder(self._path) as folder:
            headers = derived_headers(self._headers, provenance, factor)
            for k, (header, image) in enumerate(zip(headers, array, strict=True)):
                _place(header, ijk_to_ras, k, len(array), factor)
                scaling.store(header, image)
                _save(header, folder / f"{k + 1:04d}.dcm")
            _check_written(folder, array, ijk_to_ras, scaling)
            write_json(provenance_path(folder), provenance)


def _check_headers(original, headers):
    """Raises SuperResolutionError where the headers of the source lack what a derived image has to take over."""
    first, name = headers[0], original.name
    sop_class = str(first.get("SOPClassUID") or "")
    if sop_class not in CLASSES:
        raise SuperResolutionError(
            f"{name} holds images of the kind “{UID(sop_class).name or 'unknown'}”: a DICOM series can be made of MR and CT images only; "
            "write a .nrrd or .nii.gz file instead."
        )
    for keyword, what in (("StudyInstanceUID", "study"), ("SOPInstanceUID", "image")):
        if not all(header.get(keyword) for header in headers):
            raise SuperResolutionError(
                f"{name} does not say which {what} it is ({keyword}), so that no series can be derived from it: export it again."
            )
    told = {
        what: {header.get(keyword) for header in headers}
        for keyword, what in (
            ("PatientID", "patients"),
            ("StudyInstanceUID", "studies"),
            ("FrameOfReferenceUID", "frames of reference"),
            ("SOPClassUID", "kinds"),
        )
    }
    told["scalings (rescale slope or intercept)"] = {_rescale(header) for header in headers}
    for what, values in told.items():
        if len(values) > 1:
            raise SuperResolutionError(
                f"The images of {name} are of different {what}, and no single series can be made of them: write a .nrrd or .nii.gz file instead."
            )


def _in_place(array, ijk_to_ras, original):
    """(array and IJKToRAS with k in the order of the original, how many slices there are for each of the original).

    Raises SuperResolutionError where the array is not the original, enlarged in place.
    """
    factors = np.divide(array.shape[::-1], original.size)
    if not (factors > 1).any():
        raise SuperResolutionError(
            f"The volume is not larger than {original.name}, and so no super-resolution of it: save it as a .nrrd or .nii.gz file instead."
        )
    expected = geometry.upsampled_ijk_to_ras(original.ijk_to_ras, factors)
    if ijk_to_ras[:3, 2] @ expected[:3, 2] < 0:
        flip = np.diag([1.0, 1, -1, 1])
        flip[2, 3] = len(array) - 1
        array, ijk_to_ras = array[::-1], ijk_to_ras @ flip
    ends = (geometry.corners(matrix, array.shape[::-1]) for matrix in (ijk_to_ras, expected))
    # applications round a header's numbers in their own way; a shift of a voxel is no rounding
    if (factors % 1).any() or np.abs(np.subtract(*ends)).max() > geometry.spacing(
        expected
    ).min() / 4:
        raise SuperResolutionError(
            f"The volume does not lie where {original.name} lies, of which it was made (was it moved, turned or cropped since?): "
            "save it as a .nrrd or .nii.gz file instead."
        )
    return array, expected, int(factors[2])


def _rescale(header):
    """(slope, intercept)"""
    return tuple(
        float(default if header.get(key) in (None, "") else header.get(key))
        for key, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )


class _Scaling:
    """From values to stored pixels. array: all values that are to be stored. Raises SuperResolutionError where 16 bits do not hold them."""

    def __init__(self, header, array):
        self.slope, self.intercept = _rescale(header)
        ends = self._stored(np.array([array.min(), array.max()]))
        types = (
            (np.int16, np.uint16)
            if header.get("PixelRepresentation") == 1
            else (np.uint16, np.int16)
        )
        fitting = [
            dtype
            for dtype in types
            if np.iinfo(dtype).min <= ends.min() and ends.max() <= np.iinfo(dtype).max
        ]
        if not fitting:
            raise SuperResolutionError(
                f"Values from {array.min():.6g} to {array.max():.6g} can't be stored in the 16 bits of a DICOM image with a rescale slope of "
                f"{self.slope:.6g}: write a .nrrd or .nii.gz file instead."
            )
        self._type = np.dtype(fitting[0])

    def _stored(self, values):
        with np.errstate(divide="ignore", invalid="ignore"):  # a slope of 0, which holds no values
            return np.rint((values.astype(np.float64) - self.intercept) / self.slope)

    def error(self, dtype):
        """How far a value may be from the one that was stored."""
        return (
            0
            if dtype.kind in "iu" and abs(self.slope) == 1 and self.intercept % 1 == 0
            else abs(self.slope) / 2
        )

    def store(self, header, image):
        """Puts the pixels of an image, and what describes them, into its header."""
        header.Rows, header.Columns = image.shape
        header.SamplesPerPixel = 1
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit = 15
        header.PixelRepresentation = int(self._type.kind == "i")
        header.add_new(
            "PixelData", "OW", self._stored(image).astype(self._type.newbyteorder("<")).tobytes()
        )


def _place(header, ijk_to_ras, k, count, factor):
    """The image plane of slice k of count. factor: slices for each of the source's."""
    lps, spacing = LPS_TO_RAS @ ijk_to_ras, geometry.spacing(ijk_to_ras)
    row, column = lps[:3, 0] / spacing[0], lps[:3, 1] / spacing[1]
    position = lps[:3] @ (0, 0, k, 1)
    header.PixelSpacing = _decimal(spacing[1::-1])
    header.ImageOrientationPatient = _decimal((*row, *column))
    header.ImagePositionPatient = _decimal(position)
    (header.SliceLocation,) = _decimal([position @ np.cross(row, column)])
    if count > 1:
        (header.SpacingBetweenSlices,) = _decimal([spacing[2]])
    if header.SliceThickness and factor > 1:
        (header.SliceThickness,) = _decimal([header.SliceThickness / factor])


def _decimal(numbers):
    """With as many digits as the 16 characters of DICOM's decimal strings hold."""
    return [DSfloat(float(number) + 0.0, auto_format=True) for number in numbers]


def _save(header, path):
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see read_header
        try:
            if pydicom.__version__.startswith("2."):  # that of 3D Slicer 5.10
                header.is_little_endian, header.is_implicit_VR = True, False
                header.save_as(path, write_like_original=False)
            else:
                header.save_as(path, enforce_file_format=True)
        except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError) as e:
            raise SuperResolutionError(
                f"The header of the source can't be taken over ({e}): export it again, or write a .nrrd or .nii.gz file."
            ) from e


def _check_written(folder, array, ijk_to_ras, scaling):
    """Raises SuperResolutionError unless the files, read as any other series, hold the values in their place."""
    again = read_dicom(folder)
    written, matrix = again.array, again.ijk_to_ras
    tolerance = scaling.error(array.dtype) + (
        0 if written.dtype.kind in "iu" else 1e-6 * float(max(abs(array.min()), abs(array.max())))
    )
    is_same = written.shape == array.shape and all(
        np.abs(one.astype(np.float64) - other).max() <= tolerance
        for one, other in zip(written, array)
    )
    if not is_same or np.abs(matrix - ijk_to_ras).max() > 1e-4:
        raise SuperResolutionError(
            f"The DICOM files in {folder} do not hold what was written to them: try again, or write a .nrrd or .nii.gz file.",
            "environment",
        )
