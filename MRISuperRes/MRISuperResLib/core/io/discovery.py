"""Names of volume files: extensions, discovery in folders, provenance files."""

from __future__ import annotations

import os
import re
from pathlib import Path

VOLUME_NAME = re.compile(r"(?i)[^.].*\.(nii|nii\.gz|nrrd|nhdr|mha|mhd)")
DICOM_NAME = re.compile(r"(?i)[^.].*\.(dcm|ima)")
OUTPUT_EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".mha")
"""Extensions of the formats that can be written."""

_EXTENSION = re.compile(r"(?i)\.(nii|nii\.gz|nrrd|nhdr|mha|mhd|dcm|ima)$")
_FOLDER_PROVENANCE = "MRISuperRes.json"


def find_volumes(folder: str | Path) -> list[Path]:
    """Find the volume files, and the folders with DICOM files, below a folder.

    Hidden files and folders are skipped.

    Returns:
        Absolute paths, sorted folder by folder.
    """
    found = []
    for here, folders, names in os.walk(os.path.abspath(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here, name) for name in sorted(names) if VOLUME_NAME.fullmatch(name)]
        if any(DICOM_NAME.fullmatch(name) for name in names):
            found.append(Path(here))
    return found


def strip_extension(name: str) -> str:
    """Return the name of a volume file without its extension: "a.b" for "a.b.nii.gz"."""
    return _EXTENSION.sub("", name)


def provenance_path(path: str | Path) -> Path:
    """Return the provenance file of an output: beside a volume file, inside a DICOM folder."""
    path = Path(path)
    return path / _FOLDER_PROVENANCE if path.is_dir() else path.with_name(f"{path.name}.json")
