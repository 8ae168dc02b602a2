"""Everything that decides what a training run does, but for the volumes that it is given."""

from dataclasses import dataclass

from MRISuperResLib.core.options import SCALES
from MRISuperResLib.core.slice_axis import SLICE_AXES

from .checked import (
    Checked,
    below,
    json_object,
    number,
    one_of,
    optional,
    pair_below,
    positive,
    setting,
    settings,
    text,
    truth,
    whole,
    wrong,
)

MIN_LOW_PATCH = 4  # low-resolution pixels: in less a network sees nothing but edges
MAX_NOISE = 20.0
MIN_GAN_PATCH = {"thesis": 16, "official": 32}
"""The sides of the images that are left over after all halvings of the discriminator and of VGG must not be 0."""


@dataclass(frozen=True)
class DataSettings(Checked):
    """axis: the slice direction, one of MRISuperResLib's slices.AXES.
    patch: side of a high-resolution training patch, pixels.
    patches: "crop": squares of `patch` pixels, cut from the slices as they were acquired, at random places.
        "resample": each slice is first shrunk (bicubic, antialiased) until its shorter side has `patch` pixels, and the patch
        is all of its shorter side. Slices are never enlarged: smaller ones are left out in either case.
    degradation: what makes the low-resolution patches, see data.degradations: "bicubic", "kspace", "blur", "bicubic+kspace" or "mixture".
    noise: Rician, added to every second low-resolution patch, σ drawn from 0 to this, % of the intensity range.
    flips, rotations: patches are mirrored, turned by 90°, at random.
    validation_share: of the subjects whose use is not decided. pre_check: leave out slices without relevant information.
    """

    axis: str = setting(one_of(*SLICE_AXES), "auto")
    patch: int = setting(whole(8, 1024), 128)
    patches: str = setting(one_of("crop", "resample"), "crop")
    degradation: str = setting(
        one_of("bicubic", "kspace", "blur", "bicubic+kspace", "mixture"), "bicubic"
    )
    noise: float = setting(number(0, MAX_NOISE), 0.0)
    flips: bool = setting(truth(), True)
    rotations: bool = setting(truth(), True)
    validation_share: float = setting(below(0, 1), 0.2)
    pre_check: bool = setting(truth(), True)


SCHEDULES = ("constant", "cosine", "halving")
"""Of a learning rate: "cosine" falls to 0 over the steps of the stage; "halving" halves it after 1/8, 1/4, 1/2 and 3/4 of them
(50k, 100k, 200k and 300k of 400k: ESRGAN's second stage)."""

BETAS = 0.9, 0.999


@dataclass(frozen=True)
class StageSettings(Checked):
    """Stage 1, PSNR-oriented: L1 + fft_weight · (L1 of the spectra), minimized by Adam. steps 0: the stage is left out."""

    steps: int = setting(whole(0), 100_000)
    learning_rate: float = setting(positive(), 2e-4)
    betas: tuple = setting(pair_below(0, 1), BETAS)
    schedule: str = setting(one_of(*SCHEDULES), "constant")
    fft_weight: float = setting(number(0), 0.0)


@dataclass(frozen=True)
class GanSettings(Checked):
    """Stage 2: perceptual_weight · L_percep + adversarial_weight (λ) · L_adv + content_weight (η) · L1, minimized by Adam.

    perceptual_weight: 0 trains without VGG, which then need not be there. perceptual_norm: of the difference of VGG's features.
    discriminator: see networks.discriminators. adversarial_terms: of L_adv, "fake" as the thesis, "both" as ESRGAN's code.
    vgg: path of VGG19's weights; None: looked for.
    """

    steps: int = setting(whole(1), 50_000)
    learning_rate: float = setting(positive(), 2e-4)
    discriminator_learning_rate: float = setting(positive(), 2e-4)
    betas: tuple = setting(pair_below(0, 1), BETAS)
    schedule: str = setting(one_of(*SCHEDULES), "constant")
    adversarial_weight: float = setting(number(0), 5e-3)
    content_weight: float = setting(number(0), 1e-2)
    perceptual_weight: float = setting(number(0), 1.0)
    perceptual_norm: str = setting(one_of("l1", "l2"), "l1")
    discriminator: str = setting(one_of("thesis", "official"), "thesis")
    adversarial_terms: str = setting(one_of("fake", "both"), "fake")
    vgg: str | None = setting(optional(text()), None)


@dataclass(frozen=True)
class Settings(Checked):
    """scale: 2, 4 or 8. generator: architecture of MRISuperResLib.core.networks, {"network": "rrdb" or "compact", …}.
    gan: None trains stage 1 only. preset: the name of that which these settings began as, or "".
    seed: of weights, split and samples. precision: of the forward and backward pass; weights are float32.
    batch: samples of a step, over all processes = micro_batch × accumulation × processes. micro_batch: samples that go through the
        network together; None: all that a process has.
    clip_norm: of the generator's gradients. ema: 0 for none, else how much of the averaged weights a step keeps.
    checkpoint_every, validate_every: steps. start_from: run folder whose generator the first stage begins with (of another scale: its trunk).
    """

    scale: int = setting(one_of(*SCALES))
    generator: dict = setting(json_object())
    preset: str = setting(text(), "")
    seed: int = setting(whole(0), 1)
    data: DataSettings = setting(settings(DataSettings), DataSettings())
    psnr: StageSettings = setting(settings(StageSettings), StageSettings())
    gan: GanSettings | None = setting(optional(settings(GanSettings)), None)
    precision: str = setting(one_of("float32", "bfloat16", "float16"), "float32")
    batch: int = setting(whole(1), 16)
    micro_batch: int | None = setting(optional(whole(1)), None)
    clip_norm: float | None = setting(optional(positive()), None)
    ema: float = setting(below(0, 1), 0.0)
    checkpoint_every: int = setting(whole(1), 1000)
    validate_every: int = setting(whole(1), 1000)
    start_from: str | None = setting(optional(text()), None)

    def __post_init__(self):
        super().__post_init__()
        patch = self.data.patch
        if patch % self.scale or patch // self.scale < MIN_LOW_PATCH:
            raise wrong(
                f"“patch” must be a multiple of the scale {self.scale}, at least {MIN_LOW_PATCH * self.scale}, not {patch}."
            )
        if self.gan and patch < MIN_GAN_PATCH[self.gan.discriminator]:
            raise wrong(
                f"The GAN stage needs patches of at least {MIN_GAN_PATCH[self.gan.discriminator]} pixels, not {patch}."
            )
        if self.batch % (self.micro_batch or 1):
            raise wrong(
                f"“batch” must be a multiple of “micro_batch”: {self.batch} is none of {self.micro_batch}."
            )
        if not self.psnr.steps and not self.gan:
            raise wrong("There is nothing to train: give “psnr” some steps, or settings of “gan”.")
