"""Which files are volumes, by their names."""

import os
import re
from pathlib import Path

VOLUME = re.compile(r"(?i)[^.].*\.(nii|nii\.gz|nrrd|nhdr|mha|mhd)")
DICOM = re.compile(r"(?i)[^.].*\.(dcm|ima)")
OUTPUT_EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".mha")
"""Extensions of the formats that are written."""
FOLDER_RECORD = "MRISuperRes.json"
EXTENSION = re.compile(r"(?i)\.(nii|nii\.gz|nrrd|nhdr|mha|mhd|dcm|ima)$")


def find_volumes(folder: str | Path) -> list[Path]:
    """[Path], absolute, sorted folder by folder: volume files, and folders with DICOM files. Hidden files and folders are passed over."""
    found = []
    for here, folders, names in os.walk(os.path.abspath(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here, name) for name in sorted(names) if VOLUME.fullmatch(name)]
        if any(DICOM.fullmatch(name) for name in names):
            found.append(Path(here))
    return found


def strip_extension(name: str) -> str:
    """ "a.b" of "a.b.nii.gz"."""
    return EXTENSION.sub("", name)


def provenance_path(path):
    """The file that tells how an output was made: beside a volume file, in the folder of a DICOM series."""
    path = Path(path)
    return path / FOLDER_RECORD if path.is_dir() else path.with_name(f"{path.name}.json")
