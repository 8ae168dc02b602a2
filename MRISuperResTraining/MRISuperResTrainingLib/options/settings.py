"""Settings of a training run: everything that decides the result, except the volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MRISuperResLib.core.geometry import SLICE_AXES
from MRISuperResLib.core.options import SCALES
from MRISuperResLib.core.validation import (
    Validated,
    below,
    boolean,
    integer,
    invalid,
    json_object,
    nested,
    number,
    one_of,
    optional,
    pair_below,
    positive,
    setting,
    text,
)

BETWEEN_SLICES = "slices"
"""Degradation of the network between slices: rows are averaged to thick slices."""
THROUGH_PLANE = "through-plane"
"""The network between slices, of `MRISuperResLib.core.networks`."""
THROUGH_PLANE_SCALE = 8
"""Its largest factor."""
MIN_LOW_PATCH = 4
"""Smallest side of a low-resolution patch, pixels: smaller patches consist of edges only."""
MAX_NOISE = 20.0
MIN_GAN_PATCH = {"thesis": 16, "official": 32, "unet": 16}
"""Smallest side of a patch, pixels: the discriminator halves it up to five times, VGG four."""
SCHEDULES = ("constant", "cosine", "halving")
BETAS = 0.9, 0.999


@dataclass(frozen=True)
class DataSettings(Validated):
    """Settings of the training data.

    Attributes:
        slice_axis: Slice direction, one of `MRISuperResLib.core.geometry.SLICE_AXES`.
        patch: Side of a high-resolution training patch, pixels.
        patches: "crop": squares cut from the acquired slices at random positions. "resample":
            every slice is first downsampled (bicubic, antialiased) until its shorter side has
            `patch` pixels. Slices are never upsampled; smaller ones are left out.
        degradation: How low-resolution patches are made: "bicubic", "kspace", "blur",
            "bicubic+kspace" or "mixture" (see `data.pairs`); "slices" for the network between
            slices (see `data.slice_sampler`).
        noise: Rician noise of half of the low-resolution patches: σ is drawn from 0 to this
            value, percent of the intensity range.
        flips, rotations: Mirror patches, or turn them by multiples of 90°, at random.
        validation_share: Share of the subjects without a fixed use that is held out, 0 to 1.
        pre_check: Leave out slices with little or no anatomy.
    """

    slice_axis: str = setting(one_of(*SLICE_AXES), "auto")
    patch: int = setting(integer(8, 1024), 128)
    patches: str = setting(one_of("crop", "resample"), "crop")
    degradation: str = setting(
        one_of("bicubic", "kspace", "blur", "bicubic+kspace", "mixture", BETWEEN_SLICES), "bicubic"
    )
    noise: float = setting(number(0, MAX_NOISE), 0.0)
    flips: bool = setting(boolean(), True)
    rotations: bool = setting(boolean(), True)
    validation_share: float = setting(below(0, 1), 0.2)
    pre_check: bool = setting(boolean(), True)


@dataclass(frozen=True)
class StageSettings(Validated):
    """Settings of stage 1: Adam minimizes L1 + fft_weight · |FFT| (see `training.losses`).

    Attributes:
        steps: Number of steps; 0 leaves the stage out.
        learning_rate: Peak learning rate.
        betas: β1 and β2 of Adam.
        schedule: Course of the learning rate, see `training.optimizer.learning_rate_share`.
        fft_weight: Weight of the spectral loss.
    """

    steps: int = setting(integer(0), 100_000)
    learning_rate: float = setting(positive(), 2e-4)
    betas: tuple[float, float] = setting(pair_below(0, 1), BETAS)
    schedule: str = setting(one_of(*SCHEDULES), "constant")
    fft_weight: float = setting(number(0), 0.0)


@dataclass(frozen=True)
class GanSettings(Validated):
    """Settings of stage 2: L_G = perceptual_weight · L_percep + λ · L_adv + η · L_content.

    The generator's loss is that of Wang et al. 2018, eq. 3 (arXiv:1809.00219). The discriminator
    minimizes its relativistic loss, every `r1_every` steps with r1_every · γ/2 · R1 (lazy
    regularization, Karras et al. 2020, arXiv:1912.04958).

    Attributes:
        steps: Number of steps.
        learning_rate, discriminator_learning_rate: Peak learning rates; a faster discriminator
            is the two-timescale rule (Heusel et al. 2017, arXiv:1706.08500).
        betas: β1 and β2 of both Adam optimizers.
        schedule: Course of the learning rates.
        adversarial_weight: λ.
        adversarial_warm_up: Steps in which λ rises from 0 in proportion to the step: at first the
            discriminator is no guide.
        content_weight: η.
        perceptual_weight: Weight of the perceptual loss; 0 trains without VGG19.
        perceptual_norm: "l1" or "l2" of the difference of the features.
        artifact_weight: Weight of `training.losses.artifacts`; needs `Settings.ema`.
        mesh_weight: Weight of `training.losses.mesh`.
        discriminator: "thesis", "official" or "unet", see `networks.discriminators`.
        adversarial_terms: "fake" or "both", see `training.losses.generator_loss`.
        r1_weight: γ; needs the discriminator "unet", since batch normalization couples images.
        r1_every: Steps between two of these penalties.
        vgg: Path of the weights of VGG19. None: searched in MRISUPERRES_WEIGHTS.
    """

    steps: int = setting(integer(1), 50_000)
    learning_rate: float = setting(positive(), 2e-4)
    discriminator_learning_rate: float = setting(positive(), 2e-4)
    betas: tuple[float, float] = setting(pair_below(0, 1), BETAS)
    schedule: str = setting(one_of(*SCHEDULES), "constant")
    adversarial_weight: float = setting(number(0), 5e-3)
    adversarial_warm_up: int = setting(integer(0), 0)
    content_weight: float = setting(number(0), 1e-2)
    perceptual_weight: float = setting(number(0), 1.0)
    perceptual_norm: str = setting(one_of("l1", "l2"), "l1")
    artifact_weight: float = setting(number(0), 0.0)
    mesh_weight: float = setting(number(0), 0.0)
    discriminator: str = setting(one_of(*MIN_GAN_PATCH), "thesis")
    adversarial_terms: str = setting(one_of("fake", "both"), "fake")
    r1_weight: float = setting(number(0), 0.0)
    r1_every: int = setting(integer(1), 16)
    vgg: str | None = setting(optional(text()), None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.r1_weight and self.discriminator != "unet":
            raise invalid(
                "“r1_weight” needs the discriminator “unet”, not "
                f"“{self.discriminator}”, whose batch normalization couples images."
            )


@dataclass(frozen=True)
class Settings(Validated):
    """Settings of a training run.

    Attributes:
        scale: 2, 4 or 8.
        generator: Architecture for `MRISuperResLib.core.networks.make_generator`:
            {"network": "rrdb", "compact" or "through-plane", …}.
        preset: Name of the preset that the settings started from, or "".
        seed: Seed of the weights, the split and the samples.
        data: Settings of the data.
        psnr: Settings of stage 1.
        gan: Settings of stage 2; None trains stage 1 only.
        precision: Number format of the forward and backward pass; the weights are float32.
        batch: Patches per step, over all processes.
        micro_batch: Patches per forward pass; None: all patches of a process. It changes time and
            memory, not the result.
        clip_norm: Largest norm of the generator's gradients; None: not clipped.
        ema: Decay of the moving average of the weights; 0 for none.
        checkpoint_every, validate_every: Steps between two checkpoints or validations.
        start_from: Folder of a run, or name of an installed model, whose generator initializes
            stage 1: the layers of equal name and shape are used.

    Raises:
        SuperResolutionError: A value is invalid, or two do not fit together (kind "settings").
    """

    scale: int = setting(one_of(*SCALES))
    generator: dict[str, Any] = setting(json_object())
    preset: str = setting(text(), "")
    seed: int = setting(integer(0), 1)
    data: DataSettings = setting(nested(DataSettings), DataSettings())
    psnr: StageSettings = setting(nested(StageSettings), StageSettings())
    gan: GanSettings | None = setting(optional(nested(GanSettings)), None)
    precision: str = setting(one_of("float32", "bfloat16", "float16"), "float32")
    batch: int = setting(integer(1), 16)
    micro_batch: int | None = setting(optional(integer(1)), None)
    clip_norm: float | None = setting(optional(positive()), None)
    ema: float = setting(below(0, 1), 0.0)
    checkpoint_every: int = setting(integer(1), 1000)
    validate_every: int = setting(integer(1), 1000)
    start_from: str | None = setting(optional(text()), None)

    def __post_init__(self) -> None:
        super().__post_init__()
        patch, smallest = self.data.patch, MIN_LOW_PATCH * self.scale
        if patch % self.scale or patch < smallest:
            raise invalid(
                f"“patch” must be a multiple of the scale {self.scale}, at least {smallest}, "
                f"not {patch}."
            )
        self._check_between_slices()
        if self.gan and patch < MIN_GAN_PATCH[self.gan.discriminator]:
            raise invalid(
                f"The GAN stage needs patches of at least "
                f"{MIN_GAN_PATCH[self.gan.discriminator]} pixels, not {patch}."
            )
        if self.gan and self.gan.artifact_weight and not self.ema:
            raise invalid(
                "“artifact_weight” needs the moving average of the weights: set “ema”, for example "
                "to 0.999."
            )
        if self.batch % (self.micro_batch or 1):
            raise invalid(
                f"“batch” must be a multiple of “micro_batch”: {self.batch} is not a multiple of "
                f"{self.micro_batch}."
            )
        if not self.psnr.steps and not self.gan:
            raise invalid("Nothing to train: set the steps of “psnr”, or settings for “gan”.")

    def _check_between_slices(self) -> None:
        if self.is_between_slices != (self.data.degradation == BETWEEN_SLICES):
            raise invalid(
                f"The network “{THROUGH_PLANE}” and the degradation “{BETWEEN_SLICES}” belong "
                "together: choose both, or neither of them."
            )
        if not self.is_between_slices:
            return
        if self.scale != THROUGH_PLANE_SCALE:
            raise invalid(
                "The network between slices serves all factors up to "
                f"{THROUGH_PLANE_SCALE}: set “scale” to {THROUGH_PLANE_SCALE}, not {self.scale}."
            )
        if self.gan:
            raise invalid("The network between slices has no GAN stage: set “gan” to null.")
        if self.data.patches != "crop":
            raise invalid(
                "The network between slices is trained on patches of the acquired slices: set "
                f"“patches” to crop, not {self.data.patches}."
            )

    @property
    def is_between_slices(self) -> bool:
        """True if the network upsamples between slices."""
        return self.generator.get("network") == THROUGH_PLANE

    @property
    def stages(self) -> list[str]:
        """Names of the stages, in their order: "psnr", "gan"."""
        requested = (("psnr", self.psnr.steps > 0), ("gan", self.gan is not None))
        return [name for name, is_requested in requested if is_requested]

    def stage(self, name: str) -> StageSettings | GanSettings:
        """Return the settings of a stage, "psnr" or "gan"."""
        if name == "gan" and self.gan:
            return self.gan
        return self.psnr

    @property
    def steps(self) -> int:
        """Number of steps of all stages."""
        return sum(self.stage(name).steps for name in self.stages)
