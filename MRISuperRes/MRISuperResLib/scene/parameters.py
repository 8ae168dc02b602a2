"""The settings of the panel, which are saved with the scene."""

import enum
from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


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


class Precision(enum.Enum):
    """The value is the precision of the job."""

    AUTO = "auto"
    FLOAT32 = "float32"

    def label(self):
        return {
            "auto": _("Automatic: half where it is quicker and near"),
            "float32": _("Single (float32)"),
        }[self.value]


class ComparisonMode(enum.Enum):
    REFERENCE = True
    NO_REFERENCE = False

    def label(self):
        return (
            _("With reference: shrink it, and restore it")
            if self.value
            else _("Without reference: enlarge it")
        )


class Degradation(enum.Enum):
    """The value is the degradation of the job."""

    BICUBIC = "bicubic"
    KSPACE = "kspace"

    def label(self):
        return {
            "bicubic": _("Bicubic, antialiased"),
            "kspace": _("Truncation of k-space, as in a scanner"),
        }[self.value]


class PerceptualScore(enum.Enum):
    """The value is the perceptual metric of the job."""

    NONE = "none"
    NIQE = "niqe"
    PI = "pi"

    def label(self):
        return {
            "none": _("None"),
            "niqe": _("NIQE, on five slices"),
            "pi": _("PI, on five slices (slow)"),
        }[self.value]


@parameterNodeWrapper
class MRISuperResParameterNode:
    """model: a name, or empty for the default model of the scale. outputVolume: None for a new volume. allFrames: of the sequence of which
    inputVolume shows the present frame; where there is none it counts for nothing.

    changedMethods: names of those methods of a comparison, separated by spaces, that are chosen though they are not by default, or
    the other way round; so the default may differ between scales and installations.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    allFrames: bool = False
    scale: Scale = Scale.X2
    sliceDirection: SliceDirection = SliceDirection.AUTO
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    model: str = ""
    comparisonMode: ComparisonMode = ComparisonMode.REFERENCE
    changedMethods: str = ""
    degradation: Degradation = Degradation.BICUBIC
    noise: Annotated[float, WithinRange(0, 20)] = 0.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0
    perceptualScore: PerceptualScore = PerceptualScore.NONE
