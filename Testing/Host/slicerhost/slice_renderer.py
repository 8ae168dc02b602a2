"""Off-screen rendering of a slice node by Slicer's slice logic and displayable managers."""

import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

MANAGERS = [
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
]


class SliceRenderer:
    """Window, image actor, annotation and interaction of a slice view.

    They replace what ctkVTKSliceView and qMRMLSliceView build around a slice logic.
    """

    def __init__(self, sliceLogic, size):
        self.logic = sliceLogic
        self._makeWindow(size)
        self._makeImage()
        self._makeAnnotation()
        self._makeManagers()
        self.resize(*size)

    def _makeWindow(self, size):
        self.renderer, self.overlay = vtk.vtkRenderer(), vtk.vtkRenderer()
        self.overlay.SetLayer(1)
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetNumberOfLayers(2)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        for renderer in (self.renderer, self.overlay):
            renderer.GetActiveCamera().ParallelProjectionOn()
            self.window.AddRenderer(renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())

    def _makeImage(self):
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image = vtk.vtkActor2D()
        self._image.SetMapper(self._mapper)
        self._image.GetProperty().SetDisplayLocationToBackground()

    def _makeAnnotation(self):
        self.cornerAnnotation, self.overlayAnnotation = (
            vtk.vtkCornerAnnotation(),
            vtk.vtkCornerAnnotation(),
        )
        for annotation in (self.cornerAnnotation, self.overlayAnnotation):
            annotation.SetMaximumLineHeight(0.07)
            self.overlay.AddViewProp(annotation)

    def _makeManagers(self):
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        for name in MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.Initialize(factory, self.renderer)
        self.managers.SetMRMLDisplayableNode(self.logic.GetSliceNode())
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.managers)
        self.style.SetInteractor(self.interactor)

    def resize(self, width, height):
        self.window.SetSize(width, height)
        self.logic.ResizeSliceNode(width, height)

    def render(self):
        connection = self.logic.GetImageDataConnection()
        if connection is None:
            self.renderer.RemoveViewProp(self._image)
        else:
            self._mapper.SetInputConnection(connection)
            self.renderer.AddViewProp(self._image)  # does nothing if already added
        self.window.Render()

    def pixels(self):
        """Render the view: uint8 RGB, (height, width, 3), first row on top."""
        self.render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        width, height, _ = grabber.GetOutput().GetDimensions()
        scalars = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars())
        return scalars.reshape(height, width, -1)[::-1, :, :3].copy()
