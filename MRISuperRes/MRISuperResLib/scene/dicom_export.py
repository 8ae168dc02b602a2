"""An output volume as a derived DICOM series, where its input was loaded from the application's DICOM database."""

import json
import os

import slicer
from slicer.i18n import tr as _

from ..core.errors import SuperResolutionError
from .output_nodes import ATTRIBUTE_PREFIX, SOURCE_IMAGES
from .volume_nodes import upsamplableVolume, whyNotUpsamplable


def whyNotExportable(node):
    """One sentence that says why an output can't become a DICOM series; an empty text where nothing is known that speaks against it."""
    if node is None or not node.GetAttribute(ATTRIBUTE_PREFIX + "Provenance"):
        return _("There is no result yet, which could become a DICOM series: press Apply first.")
    if not node.GetAttribute(ATTRIBUTE_PREFIX + SOURCE_IMAGES):
        return _(
            "“{name}” was made of a volume that was not loaded by the module DICOM, so that no patient or study is known: save it as a file instead."
        ).format(name=node.GetName())
    if node.GetParentTransformNode() is not None:
        return _(
            "“{name}” is under a transform, for which DICOM images have no place: take it out of the transform first."
        ).format(name=node.GetName())
    return whyNotUpsamplable(node)


def exportDicom(node, folder):
    """Writes an output node into a folder that does not exist, or is empty. Raises SuperResolutionError.

    The files of its source are found by the application's DICOM database.
    """
    reason = whyNotExportable(node)
    if reason:
        raise SuperResolutionError(reason)
    array, ijkToRAS = upsamplableVolume(node)
    files = _sourceFiles(node)
    from ..core.io.dicom_read import series_of
    from ..core.io.dicom_write import DicomSeriesWriter

    DicomSeriesWriter(folder, series_of(files)).write(
        array, ijkToRAS, json.loads(node.GetAttribute(ATTRIBUTE_PREFIX + "Provenance"))
    )


def _sourceFiles(node):
    # there is none before the module DICOM has been given a place for it
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        raise SuperResolutionError(
            _(
                "The DICOM database, which knows the files of the source, is not open: open the module DICOM once, and try again."
            ),
            "environment",
        )
    files = [
        database.fileForInstance(uid)
        for uid in node.GetAttribute(ATTRIBUTE_PREFIX + SOURCE_IMAGES).split()
    ]
    missing = sum(not file or not os.path.isfile(file) for file in files)
    if missing:
        raise SuperResolutionError(
            _(
                "{missing} of the {total} images that “{name}” was made of are not in the DICOM database any more: import them again."
            ).format(missing=missing, total=len(files), name=node.GetName())
        )
    return files
