"""Training volumes in the scene: subject, anatomy and file of each.

What the user states about a volume is kept in attributes of its node, and so saved with the scene.
"""

from __future__ import annotations

import os
import re

import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import VOLUME_NAME
from MRISuperResLib.scene.nodes import (
    dicomValues,
    isOutput,
    subjectHierarchy,
    whyNotUpsamplable,
)

from ..data.sources import Source, guess_anatomy, subject_of

ATTRIBUTE_PREFIX = "MRISuperResTraining."
USE, ANATOMY, SUBJECT = (ATTRIBUTE_PREFIX + name for name in ("Use", "Anatomy", "Subject"))
VIEW = ATTRIBUTE_PREFIX + "View"
"""Attribute of the volumes that show sample slices of a run."""
DESCRIPTION_TAGS = "0018,0015", "0008,1030", "0008,103e", "0018,1030"
"""Body part, and descriptions of study, series and protocol."""


def trainableNodes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the volume nodes that can be trained on; synthetic images are left out."""
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not (node.GetAttribute(VIEW) or isOutput(node) or whyNotUpsamplable(node))
    ]


def chosenNodes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the volume nodes that the user has checked."""
    return [node for node in trainableNodes() if isChosen(node)]


def isChosen(node: slicer.vtkMRMLNode) -> bool:
    """Return True if the user has checked a volume."""
    return node.GetAttribute(USE) == "yes"


def choose(node: slicer.vtkMRMLNode, chosen: bool) -> None:
    """Check or uncheck a volume."""
    node.SetAttribute(USE, "yes" if chosen else None)


def anatomyOf(node: slicer.vtkMRMLNode) -> str:
    """Return the anatomy of a volume: as the user stated, else guessed from its names."""
    return node.GetAttribute(ANATOMY) or guess_anatomy(
        _filePath(node), node.GetName(), *dicomValues(node, *DESCRIPTION_TAGS), *_folderNames(node)
    )


def setAnatomy(node: slicer.vtkMRMLNode, anatomy: str) -> None:
    """State the anatomy of a volume; an empty text removes the statement."""
    node.SetAttribute(ANATOMY, anatomy.strip() or None)


def subjectOf(node: slicer.vtkMRMLNode) -> str:
    """Return the subject of a volume.

    The first of: the user's statement, the patient or study in the subject hierarchy, the subject
    in the name, the node ID.
    """
    return (
        node.GetAttribute(SUBJECT)
        or _hierarchySubject(node)
        or subject_of(node.GetName())
        or node.GetID()
    )


def setSubject(node: slicer.vtkMRMLNode, subject: str) -> None:
    """State the subject of a volume; an empty text removes the statement."""
    node.SetAttribute(SUBJECT, subject.strip() or None)


def _folderNames(node):
    """Names of the folders and the study above a volume; a patient's name is no anatomy."""
    hierarchy, item = _hierarchyItem(node)
    names = []
    while item and (item := hierarchy.GetItemParent(item)) and item != hierarchy.GetSceneItemID():
        if hierarchy.GetItemLevel(item) != "Patient":
            names.append(hierarchy.GetItemName(item))
    return names


def _hierarchyItem(node):
    hierarchy = subjectHierarchy()
    return hierarchy, hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0


def _hierarchySubject(node):
    hierarchy, item = _hierarchyItem(node)
    for level in ("Patient", "Study") if item else ():
        ancestor = hierarchy.GetItemAncestorAtLevel(item, level)
        if ancestor:
            return hierarchy.GetItemName(ancestor)
    return ""


def source(node: slicer.vtkMRMLScalarVolumeNode, folder: str) -> Source:
    """Return a volume node as a source of the training.

    Args:
        node: The volume.
        folder: Where its voxels are written to if no file holds them; created if needed.

    Raises:
        SuperResolutionError: The volume cannot be trained on, or the folder is not writable.
    """
    if reason := whyNotUpsamplable(node):
        raise SuperResolutionError(reason)
    return Source(_file(node) or _write(node, folder), subjectOf(node), anatomyOf(node))


def _filePath(node):
    storage = node.GetStorageNode()
    return (storage.GetFileName() if storage is not None else None) or ""


def _file(node):
    """The file of an unmodified volume; None if there is none that the training can read."""
    storage, path = node.GetStorageNode(), _filePath(node)
    isSingleFile = (
        path
        and storage.GetNumberOfFileNames() <= 1
        and VOLUME_NAME.fullmatch(os.path.basename(path))
        and os.path.isfile(path)
    )
    return os.path.abspath(path) if isSingleFile and not node.GetModifiedSinceRead() else None


def _write(node, folder):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise SuperResolutionError(
            _("Cannot create {folder} ({reason}). Choose another folder for the runs.").format(
                folder=folder, reason=error.strerror
            ),
            "environment",
        ) from error
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", node.GetName()).strip("._") or "volume"
    path, number = os.path.join(folder, stem + ".nrrd"), 1
    while os.path.exists(path):
        number += 1
        path = os.path.join(folder, f"{stem}-{number}.nrrd")
    # a storage node outside the scene, so that the volume keeps its own file
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(path)
    storage.SetUseCompression(0)
    if not storage.WriteData(node) or not os.path.isfile(path):
        raise SuperResolutionError(
            _(
                "Cannot write “{name}” to {path}. Free disk space, or choose another folder for "
                "the runs."
            ).format(name=node.GetName(), path=path),
            "environment",
        )
    return path
