"""Export of an output as a derived DICOM series, for inputs from the DICOM database."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from .nodes import ATTRIBUTE_PREFIX, SOURCE_IMAGES, isOutput, volumeFromNode, whyNotUpsamplable


def whyNotExportable(node: slicer.vtkMRMLNode | None) -> str:
    """Return one sentence about why a node cannot be exported, or an empty text if it can."""
    if not isOutput(node):
        return _("There is no output yet. Click Apply first.")
    if not node.GetAttribute(ATTRIBUTE_PREFIX + SOURCE_IMAGES):
        return _(
            "“{name}” has no patient and study, as its input was not loaded from DICOM. "
            "Save it as a file."
        ).format(name=node.GetName())
    if node.GetParentTransformNode() is not None:
        return _(
            "“{name}” is under a transform, which DICOM images cannot store. "
            "Remove it from the transform first."
        ).format(name=node.GetName())
    return whyNotUpsamplable(node)


def exportDicom(node: slicer.vtkMRMLScalarVolumeNode, folder: str) -> None:
    """Write an output as a DICOM series that is derived from that of its input.

    Args:
        node: The output.
        folder: A folder that is empty, or does not exist.

    Raises:
        SuperResolutionError: The node cannot be exported, or the folder cannot be written.
    """
    reason = whyNotExportable(node)
    if reason:
        raise SuperResolutionError(reason)
    volume = replace(
        volumeFromNode(node),
        provenance=json.loads(node.GetAttribute(ATTRIBUTE_PREFIX + "Provenance")),
    )
    files = _sourceFiles(node)
    from ..core.io.dicom_read import series_of
    from ..core.io.dicom_write import DicomSeriesWriter

    DicomSeriesWriter(folder, series_of(files)).write(volume)


def _sourceFiles(node: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    # missing until the user chooses a database folder in the module DICOM
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        raise SuperResolutionError(
            _("The DICOM database is not open. Open the module DICOM once and try again."),
            "environment",
        )
    uids = node.GetAttribute(ATTRIBUTE_PREFIX + SOURCE_IMAGES).split()
    files = [database.fileForInstance(uid) for uid in uids]
    missing = sum(not file or not os.path.isfile(file) for file in files)
    if missing:
        raise SuperResolutionError(
            _(
                "{missing} of the {total} source images of “{name}” are missing from the DICOM "
                "database. Import them again."
            ).format(missing=missing, total=len(files), name=node.GetName())
        )
    return files
