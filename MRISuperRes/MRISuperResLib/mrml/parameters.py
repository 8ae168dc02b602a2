"""The settings of the panel, which are saved with the scene."""

import enum

from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper


class Scale(enum.Enum):
    X2 = 2
    X4 = 4
    X8 = 8

    def label(self):
        return f"×{self.value}"


class SliceDirection(enum.Enum):
    """The value is the axis of the job."""

    AUTO = "auto"
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    I = "i"  # noqa: E741
    J = "j"
    K = "k"

    def label(self):
        return {
            "auto": _("Automatic"),
            "axial": _("Axial"),
            "sagittal": _("Sagittal"),
            "coronal": _("Coronal"),
            "i": _("Voxel axis i"),
            "j": _("Voxel axis j"),
            "k": _("Voxel axis k"),
        }[self.value]


class Device(enum.Enum):
    """The value is the device of the job."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self):
        return {
            "auto": _("Automatic: the GPU where there is one"),
            "cpu": _("CPU"),
            "cuda": _("GPU (CUDA)"),
            "mps": _("GPU (Apple)"),
        }[self.value]


@parameterNodeWrapper
class MRISuperResParameterNode:
    """model: a name, or empty for the default model of the scale. outputVolume: None for a new volume."""

    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    scale: Scale = Scale.X2
    sliceDirection: SliceDirection = SliceDirection.AUTO
    device: Device = Device.AUTO
    model: str = ""
