"""Settings of the panel, saved with the scene, and the training settings that they make."""

import enum
from typing import Annotated, Any

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from MRISuperResLib.scene.parameters import Scale

from ..options.presets import PRESETS, RRDB_23, preset
from ..options.settings import Settings


class Preset(enum.Enum):
    """Presets; the values are the keys of `PRESETS`."""

    QUICK = "quick"
    THESIS = "thesis"
    MODERN = "modern"
    THROUGH_PLANE = "through-plane"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "quick": _("Quick (minutes)"),
            "thesis": _("Thesis (as published)"),
            "modern": _("Modern (since 2018)"),
            "through-plane": _("Through-plane"),
        }[self.value]

    @property
    def isBetweenSlices(self) -> bool:
        """True if the network upsamples between slices; its scale and degradation are fixed."""
        return self is Preset.THROUGH_PLANE


class Generator(enum.Enum):
    """Generators that the panel offers."""

    RRDB_23 = "rrdb-23"
    RRDB_8 = "rrdb-8"
    COMPACT = "compact"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "rrdb-23": _("RRDB-23 (GPU)"),
            "rrdb-8": _("RRDB-8 (GPU)"),
            "compact": _("Compact (CPU)"),
        }[self.value]

    def architecture(self, presetName: str) -> dict[str, Any]:
        """Return the setting `generator`: that of the preset if it is of this kind."""
        own = PRESETS[presetName]["generator"]
        if Generator.of(own) is self:
            return own
        if self is Generator.COMPACT:
            return {"network": "compact", "blocks": 8, "features": 64}
        return (
            RRDB_23
            | {"first_kernel": own.get("first_kernel", 3)}
            | ({"blocks": 8} if self is Generator.RRDB_8 else {})
        )

    @classmethod
    def of(cls, architecture: dict[str, Any]) -> "Generator":
        """Return the kind of generator of a setting `generator`."""
        if architecture.get("network") == "compact":
            return cls.COMPACT
        return cls.RRDB_23 if architecture.get("blocks", 23) > 8 else cls.RRDB_8


class Degradation(enum.Enum):
    """Degradations; the values are those of `DataSettings.degradation`."""

    BICUBIC = "bicubic"
    KSPACE = "kspace"
    BLUR = "blur"
    BICUBIC_KSPACE = "bicubic+kspace"
    MIXTURE = "mixture"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "bicubic": _("Bicubic (antialiased)"),
            "kspace": _("K-space truncation"),
            "blur": _("Blur and bicubic"),
            "bicubic+kspace": _("Bicubic or k-space"),
            "mixture": _("Mixture of all"),
        }[self.value]


class Precision(enum.Enum):
    """Precisions; the values are those of `Settings.precision`."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "float32": _("Float32"),
            "bfloat16": _("Bfloat16 (newer GPUs)"),
            "float16": _("Float16 (older GPUs)"),
        }[self.value]


class Device(enum.Enum):
    """Devices; the values are those of `widgets.run_tasks.startTraining`."""

    AUTO = "auto"
    CPU = "cpu"
    GPU_0 = "cuda:0"
    GPU_1 = "cuda:1"

    def label(self) -> str:
        """Return the text for the combo box."""
        return {
            "auto": _("Automatic"),
            "cpu": _("CPU"),
            "cuda:0": _("GPU 0"),
            "cuda:1": _("GPU 1"),
        }[self.value]


@parameterNodeWrapper
class MRISuperResTrainingParameterNode:
    """Parameter node of the module.

    The preset between slices ignores `scale`, `generator`, `ganSteps`, `degradation` and `vgg`.

    Attributes:
        files: Folder, list, BIDS tree or recipe of additional volumes, or empty.
        preCheck: Skip slices with little or no anatomy.
        preset: Settings to start from.
        scale: In-plane upsampling factor.
        generator: Network to train.
        psnrSteps: Steps of stage 1.
        ganSteps: Steps of stage 2; 0 skips it.
        patch: Side of a high-resolution patch, pixels.
        batch: Patches per step.
        degradation: How low-resolution slices are made.
        precision: Precision of the forward and backward pass.
        device: Device that trains the network.
        vgg: File of the weights of VGG19, or empty.
        runName: Name of the run; empty for a name of preset, scale and time.
    """

    files: str = ""
    preCheck: bool = True
    preset: Preset = Preset.QUICK
    scale: Scale = Scale.X2
    generator: Generator = Generator.COMPACT
    psnrSteps: Annotated[int, WithinRange(1, 10_000_000)] = PRESETS["quick"]["psnr"]["steps"]
    ganSteps: Annotated[int, WithinRange(0, 10_000_000)] = PRESETS["quick"]["gan"]["steps"]
    patch: Annotated[int, WithinRange(8, 1024)] = PRESETS["quick"]["data"]["patch"]
    batch: Annotated[int, WithinRange(1, 1024)] = PRESETS["quick"]["batch"]
    degradation: Degradation = Degradation.BICUBIC
    precision: Precision = Precision.FLOAT32
    device: Device = Device.AUTO
    vgg: str = ""
    runName: str = ""


def applyPreset(parameters: MRISuperResTrainingParameterNode) -> None:
    """Set the parameters that the chosen preset determines; the others stay."""
    isBetweenSlices = parameters.preset.isBetweenSlices
    scale = None if isBetweenSlices else parameters.scale.value
    settings = preset(parameters.preset.value, scale)
    parameters.psnrSteps = settings.psnr.steps
    parameters.ganSteps = settings.gan.steps if settings.gan else 0
    parameters.patch, parameters.batch = settings.data.patch, settings.batch
    parameters.precision = Precision(settings.precision)
    if not isBetweenSlices:
        parameters.generator = Generator.of(settings.generator)
        parameters.degradation = Degradation(settings.data.degradation)


def trainingSettings(parameters: MRISuperResTrainingParameterNode) -> Settings:
    """Return the settings of a training.

    Raises:
        SuperResolutionError: Two parameters do not fit together (kind "settings").
    """
    name = parameters.preset.value
    common = {
        "psnr": {"steps": parameters.psnrSteps},
        "batch": parameters.batch,
        "precision": parameters.precision.value,
    }
    data = {"patch": parameters.patch, "pre_check": parameters.preCheck}
    if parameters.preset.isBetweenSlices:
        return preset(name, data=data, **common)
    gan = (
        {"steps": parameters.ganSteps, **({"vgg": parameters.vgg} if parameters.vgg else {})}
        if parameters.ganSteps
        else None
    )
    return preset(
        name,
        parameters.scale.value,
        generator=parameters.generator.architecture(name),
        gan=gan,
        data=data | {"degradation": parameters.degradation.value},
        **common,
    )
