"""Reading and writing of nodes for slicer.util, by real storage nodes and the Volumes logic."""

from pathlib import Path

import slicer
import vtk

EXTENSIONS = {
    "SegmentationFile": (".seg.nrrd", ".seg.nhdr", ".seg.vtm"),
    "VolumeFile": (
        ".nrrd",
        ".nhdr",
        ".nii",
        ".nii.gz",
        ".mha",
        ".mhd",
        ".hdr",
        ".img",
        ".mgz",
        ".dcm",
        ".png",
        ".tif",
        ".tiff",
        ".jpg",
        ".bmp",
    ),
    "TableFile": (".csv", ".tsv"),
    "TransformFile": (".h5", ".tfm"),
    "SceneFile": (".mrml", ".mrb"),
}
NODES = {
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "TableFile": "vtkMRMLTableNode",
    "TransformFile": "vtkMRMLLinearTransformNode",
}
VOLUME_OPTIONS = {
    "labelmap": 1,
    "center": 2,
    "singleFile": 8,
    "autoWindowLevel": 4,
    "discardOrientation": 16,
}


def fileType(fileName):
    name = str(fileName).lower()
    return next((kind for kind, endings in EXTENSIONS.items() if name.endswith(endings)), "NoFile")


def loadNode(scene, kind, properties):
    """Read a node from a file; return None on failure."""
    path = str(properties["fileName"])
    name = properties.get("name") or Path(path).name.split(".")[0]
    if kind == "VolumeFile":
        options = sum(bit for option, bit in VOLUME_OPTIONS.items() if properties.get(option))
        return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)
    node = scene.AddNewNodeByClass(NODES[kind], name)
    node.AddDefaultStorageNode(path)
    if node.GetStorageNode().ReadData(node):
        return node
    scene.RemoveNode(node)
    return None


def loadScene(scene, path, clear):
    if path.lower().endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def saveScene(scene, path):
    if path.lower().endswith(".mrb"):
        return bool(scene.WriteToMRB(path))
    scene.SetURL(path)
    return bool(scene.Commit())


def saveNode(node, path, properties):
    if node is None or not node.IsA("vtkMRMLStorableNode"):
        return False
    if node.GetStorageNode() is None:
        node.AddDefaultStorageNode(path)
    storage = node.GetStorageNode()
    if not storage.SupportedFileType(path):
        return False
    storage.SetFileName(path)
    storage.SetUseCompression(int(properties.get("useCompression", storage.GetUseCompression())))
    return bool(storage.WriteData(node))


def writeExtensions(node):
    types = node.CreateDefaultStorageNode().GetSupportedWriteFileTypes()
    return tuple(types.GetValue(i) for i in range(types.GetNumberOfValues()))


def missing(path, messages):
    if Path(path).exists():
        return False
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File not found: {path}")
    return True
