"""The settings of the panel, which are saved with the scene, and the training settings that they make."""

import enum
from typing import Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from MRISuperResLib.scene.parameters import Scale

from ..options.presets import PRESETS, RRDB_23, preset


class Preset(enum.Enum):
    QUICK = "quick"
    THESIS = "thesis"
    MODERN = "modern"

    def label(self):
        return {
            "quick": _("Quick: minutes, to see everything work"),
            "thesis": _("Thesis: as it was published"),
            "modern": _("Modern: the same network, trained as people do since"),
        }[self.value]


class Generator(enum.Enum):
    RRDB_23 = "rrdb-23"
    RRDB_8 = "rrdb-8"
    COMPACT = "compact"

    def label(self):
        return {
            "rrdb-23": _("RRDB, 23 blocks: the largest, for a GPU"),
            "rrdb-8": _("RRDB, 8 blocks: about a third of it"),
            "compact": _("Compact: for computers without a GPU"),
        }[self.value]

    def architecture(self, presetName):
        """For the settings; a network that the preset has is that of the preset."""
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
    def of(cls, architecture):
        if architecture.get("network") == "compact":
            return cls.COMPACT
        return cls.RRDB_23 if architecture.get("blocks", 23) > 8 else cls.RRDB_8


class Degradation(enum.Enum):
    BICUBIC = "bicubic"
    KSPACE = "kspace"
    BLUR = "blur"
    BICUBIC_KSPACE = "bicubic+kspace"
    MIXTURE = "mixture"

    def label(self):
        return {
            "bicubic": _("Bicubic, antialiased"),
            "kspace": _("Truncation of k-space, as in a scanner"),
            "blur": _("Blur, then bicubic"),
            "bicubic+kspace": _("Bicubic or k-space, at random"),
            "mixture": _("Mixture of all three"),
        }[self.value]


class Precision(enum.Enum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    def label(self):
        return {
            "float32": _("float32"),
            "bfloat16": _("bfloat16 (faster on newer GPUs)"),
            "float16": _("float16 (faster on older GPUs)"),
        }[self.value]


class Device(enum.Enum):
    """The value is an argument of gui.training_process.start."""

    AUTO = "auto"
    CPU = "cpu"
    GPU_0 = "cuda:0"
    GPU_1 = "cuda:1"

    def label(self):
        return {
            "auto": _("Automatic: the GPU where there is one"),
            "cpu": _("CPU"),
            "cuda:0": _("First GPU"),
            "cuda:1": _("Second GPU"),
        }[self.value]


@parameterNodeWrapper
class MRISuperResTrainingParameterNode:
    """files: a folder, list, BIDS tree or recipe of further volumes, or empty. runName: empty for a name of its own. vgg: path, or empty."""

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


def takePreset(parameters):
    """Sets what the preset has an opinion about; the rest stays. parameters: MRISuperResTrainingParameterNode."""
    settings = preset(parameters.preset.value, parameters.scale.value)
    parameters.generator = Generator.of(settings.generator)
    parameters.psnrSteps, parameters.ganSteps = (
        settings.psnr.steps,
        settings.gan.steps if settings.gan else 0,
    )
    parameters.patch, parameters.batch = settings.data.patch, settings.batch
    parameters.degradation, parameters.precision = (
        Degradation(settings.data.degradation),
        Precision(settings.precision),
    )


def trainingSettings(parameters):
    """core.settings.settings.Settings. Raises SuperResolutionError (kind "settings") with a sentence on what does not go together."""
    name = parameters.preset.value
    gan = (
        {"steps": parameters.ganSteps, **({"vgg": parameters.vgg} if parameters.vgg else {})}
        if parameters.ganSteps
        else None
    )
    return preset(
        name,
        parameters.scale.value,
        generator=parameters.generator.architecture(name),
        psnr={"steps": parameters.psnrSteps},
        gan=gan,
        data={
            "patch": parameters.patch,
            "degradation": parameters.degradation.value,
            "pre_check": parameters.preCheck,
        },
        batch=parameters.batch,
        precision=parameters.precision.value,
    )
