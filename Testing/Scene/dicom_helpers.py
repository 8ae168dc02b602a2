"""A volume node as the module DICOM loads it, and a double of its database."""

import contextlib
import sys
from pathlib import Path
from unittest import mock

import slicer

sys.path.append(str(Path(__file__).resolve().parents[1] / "Cli"))
from made_dicom import stored, write_mr_series
from made_files import GRIDS
from MRISuperResLib.core.io.dicom_read import find_series, read_dicom


class DatabaseDouble:
    """Double of a ctkDICOMDatabase; files: paths by SOP Instance UID; all of one modality."""

    def __init__(self, files, modality="MR"):
        self._files, self._modality = files, modality

    def fileForInstance(self, uid):
        return self._files.get(uid, "")

    def instanceValue(self, uid, tag):
        return self._modality if uid in self._files and tag == "0008,0060" else ""


def load_series(folder):
    """Write a series into a folder and load it; return (its volume node, {UID: file})."""
    folder.mkdir()
    write_mr_series(folder, stored(), GRIDS["oblique"])
    volume = read_dicom(folder)
    node = slicer.util.addVolumeFromArray(volume.array, volume.ijk_to_ras, "T2: HASTE")
    files = {image.text("SOPInstanceUID"): str(image.path) for image in find_series(folder).slices}
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    return node, files


def opened(database):
    """Return a context in which the application has opened a database."""
    return mock.patch.object(slicer, "dicomDatabase", database, create=True)


@contextlib.contextmanager
def not_started():
    """Context in which the application has no database, as before the module DICOM has started."""
    before = {key: value for key, value in vars(slicer).items() if key == "dicomDatabase"}
    vars(slicer).pop("dicomDatabase", None)
    try:
        yield
    finally:
        vars(slicer).update(before)
