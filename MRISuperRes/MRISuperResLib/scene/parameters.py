"""Settings of the panel, saved with the scene."""

import enum
from typing import Annotated

from slicer import vtkMRMLDisplayableNode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


class Scale(enum.Enum):
    """In-plane upsampling factors."""

    X2 = 2
    X4 = 4
    X8 = 8

    def label(self) -> str:
        """Return the text for the combo box."""
        return f"×{self.value}"


class Output(enum.Enum):
    """Kinds of outputs."""

    SCALE = "scale"
    ISOTROPIC = "isotropic"
    SPACING = "spacing"


class SliceDirection(enum.Enum):
    """Slice directions; the values are those of `UpsamplingOptions.slice_axis`."""

    AUTO = "auto"
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    I = "i"  # noqa: E741
    J = "j"
    K = "k"

    def label(self) -> str:
        """Return the text for the combo box."""
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
    """Devices; the values are those of `UpsamplingOptions.device`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "auto": _("Automatic"),
            "cpu": _("CPU"),
            "cuda": _("GPU (CUDA)"),
            "mps": _("GPU (Apple)"),
        }[self.value]


class Precision(enum.Enum):
    """Precisions; the values are those of `UpsamplingOptions.precision`."""

    AUTO = "auto"
    FLOAT32 = "float32"
    HALF = "half"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {"auto": _("Automatic"), "float32": _("Float32"), "half": _("Half")}[self.value]


class LabelInterpolation(enum.Enum):
    """Interpolations of labels; the values are those of `core.labels.LABEL_INTERPOLATIONS`."""

    NEAREST = "nearest"
    SMOOTH = "smooth"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {"nearest": _("Nearest"), "smooth": _("Smooth")}[self.value]


class ComparisonMode(enum.Enum):
    """Modes of a comparison; the values are those of `ComparisonOptions.reference`."""

    REFERENCE = True
    NO_REFERENCE = False

    def label(self) -> str:
        """Return the text for the combo box."""
        return _("With reference") if self.value else _("Without reference")


class Degradation(enum.Enum):
    """Degradations; the values are those of `ComparisonOptions.degradation`."""

    BICUBIC = "bicubic"
    KSPACE = "kspace"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {"bicubic": _("Bicubic (antialiased)"), "kspace": _("K-space truncation")}[
            self.value
        ]


class PerceptualScore(enum.Enum):
    """No-reference metrics; the values are those of `ComparisonOptions.perceptual`."""

    NONE = "none"
    NIQE = "niqe"
    PI = "pi"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {"none": _("None"), "niqe": _("NIQE"), "pi": _("PI (slow)")}[self.value]


@parameterNodeWrapper
class MRISuperResParameterNode:
    """Parameter node of the module.

    Attributes:
        inputVolume: Volume to upsample.
        outputVolume: Earlier output or empty volume to replace; None for a new volume.
        allFrames: Upsample all frames of the sequence whose current frame is `inputVolume`.
            It has no effect on other volumes.
        output: A scale, isotropic voxels, or voxels of the requested spacing.
        scale: In-plane upsampling factor; also that of comparisons.
        spacingI, spacingJ, spacingK: Requested spacing, mm.
        betweenSlices: Method between slices; empty for the default.
        sliceThickness: Slice thickness, mm; 0: that of the DICOM images, else the slice spacing.
        adapt: Fine-tune the network between slices on the volume before.
        uncertainty: Also make a map of the spread of the network's results.
        labels: Label map or segmentation of the input that comes along; None for none.
        labelInterpolation: How labels come along.
        sliceAxis: Slice direction.
        device: Device that runs the network.
        precision: Precision of the network.
        model: Method name; empty for the default model of the scale.
        comparisonMode: With or without a reference.
        changedMethods: Names of compared methods that differ from the default, separated by
            spaces: checked but not a default, or the other way round. The default depends on
            scale and installed models.
        degradation: How the reference is degraded.
        noise: Rician noise, percent of the intensity range.
        seed: Seed of the noise.
        perceptualScore: No-reference metric.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    allFrames: bool = False
    output: Output = Output.SCALE
    scale: Scale = Scale.X2
    spacingI: Annotated[float, WithinRange(0.01, 100)] = 1.0
    spacingJ: Annotated[float, WithinRange(0.01, 100)] = 1.0
    spacingK: Annotated[float, WithinRange(0.01, 100)] = 1.0
    betweenSlices: str = ""
    sliceThickness: Annotated[float, WithinRange(0, 100)] = 0.0
    adapt: bool = False
    uncertainty: bool = False
    labels: vtkMRMLDisplayableNode
    labelInterpolation: LabelInterpolation = LabelInterpolation.NEAREST
    sliceAxis: SliceDirection = SliceDirection.AUTO
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    model: str = ""
    comparisonMode: ComparisonMode = ComparisonMode.REFERENCE
    changedMethods: str = ""
    degradation: Degradation = Degradation.BICUBIC
    noise: Annotated[float, WithinRange(0, 20)] = 0.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0
    perceptualScore: PerceptualScore = PerceptualScore.NONE
