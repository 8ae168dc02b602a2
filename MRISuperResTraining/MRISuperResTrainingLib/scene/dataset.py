"""The volumes of the scene that can be learnt from: whose they are, what they show, and where their files are.

What the user says about a volume is kept in attributes of its node, and so is saved with the scene.
"""

import os
import re

import slicer
from slicer.i18n import tr as _

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.discovery import VOLUME_NAME
from MRISuperResLib.scene.nodes import ATTRIBUTE_PREFIX as OUTPUT_PREFIX
from MRISuperResLib.scene.nodes import subjectHierarchy
from MRISuperResLib.scene.nodes import whyNotUpsamplable

from ..data.sources import UNSPECIFIED, Source, subject_of

ATTRIBUTE_PREFIX = "MRISuperResTraining."
USE, ANATOMY, SUBJECT = (ATTRIBUTE_PREFIX + name for name in ("Use", "Anatomy", "Subject"))
VIEW = ATTRIBUTE_PREFIX + "View"
"""Attribute of the volumes that show what a network has learnt."""


def trainableNodes():
    """The volume nodes of the scene that can be learnt from; made images are not among them."""
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not (
            node.GetAttribute(VIEW)
            or node.GetAttribute(OUTPUT_PREFIX + "Notice")
            or whyNotUpsamplable(node)
        )
    ]


def chosenNodes():
    return [node for node in trainableNodes() if isChosen(node)]


def isChosen(node):
    return node.GetAttribute(USE) == "yes"


def choose(node, chosen):
    node.SetAttribute(USE, "yes" if chosen else None)


def anatomyOf(node):
    return node.GetAttribute(ANATOMY) or UNSPECIFIED


def setAnatomy(node, anatomy):
    node.SetAttribute(ANATOMY, anatomy.strip() or None)


def subjectOf(node):
    """What the user has said, else the patient of the subject hierarchy, else the study, else what the name says."""
    return (
        node.GetAttribute(SUBJECT)
        or _hierarchySubject(node)
        or subject_of(node.GetName())
        or node.GetID()
    )


def setSubject(node, subject):
    node.SetAttribute(SUBJECT, subject.strip() or None)


def _hierarchySubject(node):
    hierarchy = subjectHierarchy()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    for level in ("Patient", "Study") if item else ():
        ancestor = hierarchy.GetItemAncestorAtLevel(item, level)
        if ancestor:
            return hierarchy.GetItemName(ancestor)
    return ""


def source(node, folder):
    """core.data.source.Source of a volume node. folder: where its voxels are written to where no file has them.

    Raises SuperResolutionError for a node that can't be learnt from, and where the folder can't be written.
    """
    if reason := whyNotUpsamplable(node):
        raise SuperResolutionError(reason)
    return Source(_file(node) or _write(node, folder), subjectOf(node), anatomyOf(node))


def _file(node):
    """Of a volume as it was loaded; None for one that was made or changed, or whose file the training can't read."""
    storage = node.GetStorageNode()
    path = storage.GetFileName() if storage is not None else None
    isOne = (
        path
        and storage.GetNumberOfFileNames() <= 1
        and VOLUME_NAME.fullmatch(os.path.basename(path))
        and os.path.isfile(path)
    )
    return os.path.abspath(path) if isOne and not node.GetModifiedSinceRead() else None


def _write(node, folder):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise SuperResolutionError(
            _(
                "The folder {folder} cannot be made ({reason}): choose another folder for the runs."
            ).format(folder=folder, reason=error.strerror),
            "environment",
        ) from error
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", node.GetName()).strip("._") or "volume"
    path, number = os.path.join(folder, stem + ".nrrd"), 1
    while os.path.exists(path):
        number += 1
        path = os.path.join(folder, f"{stem}-{number}.nrrd")
    storage = (
        slicer.vtkMRMLVolumeArchetypeStorageNode()
    )  # of its own, so that the node keeps its file
    storage.SetFileName(path)
    storage.SetUseCompression(0)
    if not storage.WriteData(node) or not os.path.isfile(path):
        raise SuperResolutionError(
            _(
                "“{name}” cannot be written to {path}: free some space, or choose another folder for the runs."
            ).format(name=node.GetName(), path=path),
            "environment",
        )
    return path
