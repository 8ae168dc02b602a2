"""MRML scene, application logic and the logics of Slicer's modules, without Qt."""

import tempfile
from pathlib import Path

import slicer
import vtk

LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Texts": "vtkSlicerTextsLogic",
}


def makeScene():
    """Make a scene with the nodes that Slicer adds at its start, and the application logic."""
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetTemporaryPath(tempfile.mkdtemp(prefix="slicerhost"))
    _addRemoteIO(scene, Path(logic.GetTemporaryPath()))
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # as the module Colors does
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance().SetMRMLApplicationLogic(logic)
    return scene, logic


def _addRemoteIO(scene, folder):
    """Add the remote input and output that reading .mrb files requires."""
    remote = scene._remoteIO = slicer.vtkMRMLRemoteIOLogic()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(folder / "RemoteIO"))
    remote.SetMRMLScene(scene)
    remote.AddDataIOToScene()


def makeModuleLogics(scene, applicationLogic):
    """Make the logics of Slicer's modules: {module name: logic}."""
    logics = {"Colors": applicationLogic.GetColorLogic()}
    for name, className in LOGICS.items():
        logic = logics[name] = getattr(slicer, className)()
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(applicationLogic.GetTemporaryPath())
        logic.SetMRMLApplicationLogic(applicationLogic)
        logic.SetMRMLScene(scene)
    for name, logic in logics.items():
        applicationLogic.SetModuleLogic(name, logic)
    return logics


def sendMessagesTo(path):
    """Write VTK's messages into a file; without a display most of them are noise."""
    window = vtk.vtkFileOutputWindow()
    window.SetFileName(str(path))
    window.FlushOn()
    vtk.vtkOutputWindow.SetInstance(window)
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
