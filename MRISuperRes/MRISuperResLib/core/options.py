"""Options of upsampling, comparison and audit.

Panel, Python console, command line and API share them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from .geometry import SLICE_AXES
from .intensity import MAX_EXACT
from .method_name import MethodName
from .resampling import DEGRADATIONS
from .slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from .validation import (
    Rule,
    Validated,
    boolean,
    integer,
    invalid,
    number,
    one_of,
    optional,
    positive,
    setting,
)

SCALES = (2, 4, 8)
DEFAULT_SCALE = 2
PRECISIONS = ("auto", "float32", "half")
CLIPS = ("none", "input")
PERCEPTUAL_METRICS = ("none", "niqe", "pi")
MIN_METHODS, MAX_METHODS = 2, 8
MAX_AUDIT_METHODS = 64
MAX_NOISE = 20
"""Standard deviation of Rician noise, percent of the intensity range."""
FLOOR = "bicubic+bp"
"""Best baseline without learning: bicubic interpolation, back-projected."""
BASELINES = ("bicubic", FLOOR)
"""Methods without learning, which cannot hallucinate; every audit includes them."""
MAX_THICKNESS = 3
"""Largest slice thickness, as a multiple of the slice spacing."""
AUDITED_SLICES = 20
ADAPTATION_STEPS = 300
"""Default steps of the adaptation of the network between slices."""


def _model_name() -> Rule:
    return Rule(lambda v: isinstance(v, str) and v != "", "the name of a model or method")


def _device() -> Rule:
    return Rule(
        lambda v: (
            isinstance(v, str) and re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,3})?", v) is not None
        ),
        "auto, cpu, cuda, cuda:N or mps",
    )


def _intensity_range() -> Rule:
    ends = number(-MAX_EXACT, MAX_EXACT).accepts
    return Rule(
        lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(ends, v)) and v[0] < v[1],
        "two numbers within ±2^53, the lower one first",
    )


def _voxel_size() -> Rule:
    side = positive().accepts
    return Rule(
        lambda v: isinstance(v, tuple) and len(v) == 3 and all(map(side, v)),
        "three numbers above 0, mm",
    )


def _comparison_scale() -> Rule:
    accepts = one_of(1, *SCALES).accepts
    return Rule(accepts, one_of(*SCALES).description)


def _method_names() -> Rule:
    return Rule(lambda v: isinstance(v, tuple), "a list of method names")


@dataclass(frozen=True)
class UpsamplingOptions(Validated):
    """Options of upsampling a volume.

    Attributes:
        model: Name of a model ("fast-x2-psnr"), an interpolation ("nearest", "bilinear",
            "bicubic"), a blend ("fast-x2@0.5") or any of them back-projected ("bicubic+bp").
            None: the default model of the scale.
        scale: 2, 4 or 8. None: the model's own, or 2 if no model is named.
        slice_axis: Slice direction: "auto", "axial", "sagittal", "coronal", "i", "j" or "k".
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "float32", "half", or "auto": half precision on GPUs made for it, else float32.
        batch_size: Slices per batch. None: chosen from the slice size.
        ensemble: Average the results of the network for the eight flips and turns of a slice: more
            accurate, eight times the work. Interpolations give the same result without.
        intensity_range: (low, high), the stored intensities that become 0 and 1 for the network,
            so that several volumes can share them. None: percentiles of the volume.
        clip: "input" limits the output to the range of the input's intensities; "none" keeps what
            the method computes.
        isotropic: Upsample between slices too, to isotropic voxels as large as the smaller side of
            a pixel. Excludes `scale` and `spacing`.
        spacing: Voxel size (si, sj, sk) of the output, mm. Excludes `scale` and `isotropic`.
        between_slices: Method between slices: a model, "linear", "bspline" or "fourier". None: the
            installed model. Only for isotropic outputs and spacings.
        slice_thickness: Slice thickness, mm. None: that of the file, else the slice spacing. Only
            for isotropic outputs and spacings.
        adapt: Steps in which the network between slices is fine-tuned on the volume's own slices
            before it upsamples them; 0: no adaptation.
        seed: Seed of the adaptation.
        uncertainty: Also compute the spread of the results that `ensemble` averages, which this
            option includes. Interpolations have none.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    model: str | None = setting(optional(_model_name()), None)
    scale: int | None = setting(optional(one_of(*SCALES)), None)
    slice_axis: str = setting(one_of(*SLICE_AXES), "auto")
    device: str = setting(_device(), "auto")
    precision: str = setting(one_of(*PRECISIONS), "auto")
    batch_size: int | None = setting(optional(integer(1)), None)
    ensemble: bool = setting(boolean(), False)
    intensity_range: tuple[float, float] | None = setting(optional(_intensity_range()), None)
    clip: str = setting(one_of(*CLIPS), "none")
    isotropic: bool = setting(boolean(), False)
    spacing: tuple[float, float, float] | None = setting(optional(_voxel_size()), None)
    between_slices: str | None = setting(optional(_model_name()), None)
    slice_thickness: float | None = setting(optional(positive()), None)
    adapt: int = setting(integer(0), 0)
    seed: int = setting(integer(0), 0)
    uncertainty: bool = setting(boolean(), False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.uncertainty:
            object.__setattr__(self, "ensemble", True)
        if sum((self.scale is not None, self.isotropic, self.spacing is not None)) > 1:
            raise invalid("Choose one output: a scale, isotropic, or a spacing.")
        if not self.has_output_grid:
            for name in ("between_slices", "slice_thickness"):
                if getattr(self, name) is not None:
                    raise invalid(
                        f"“{name}” applies to upsampling between slices. Choose an isotropic "
                        "output or a spacing as well, or leave it out."
                    )
        if self.adapt and not self.has_output_grid:
            raise invalid(
                "Adaptation improves the network between slices: choose an isotropic output or a "
                "spacing, or leave out the adaptation."
            )
        if self.adapt and self.between_slices in THROUGH_PLANE_INTERPOLATIONS:
            raise invalid(
                f"The interpolation {self.between_slices} cannot be adapted to a volume: choose a "
                "model between slices, or leave out the adaptation."
            )

    @property
    def has_output_grid(self) -> bool:
        """True if the output has a requested spacing instead of a scale."""
        return self.isotropic or self.spacing is not None

    def in_plane(self, scale: int | None) -> Self:
        """Return the options of the in-plane step towards a requested spacing.

        Args:
            scale: 2, 4 or 8; None: the scale of the model.
        """
        return replace(
            self,
            isotropic=False,
            spacing=None,
            between_slices=None,
            slice_thickness=None,
            adapt=0,
            uncertainty=False,
            scale=scale,
        )


@dataclass(frozen=True)
class ComparisonOptions(Validated):
    """Options of a comparison of methods.

    Attributes:
        methods: 2 to 8 method names, in the order of their appearance (see `MethodName`). Between
            slices: "linear", "bspline", "fourier" and names of through-plane models.
        scale: 2, 4 or 8. Between slices it becomes 1.
        reference: True: the volume is the reference; it is degraded and restored by every method.
            False: the volume itself is upsampled.
        slice_axis, device, precision: See `UpsamplingOptions`.
        degradation: How the reference is degraded: "bicubic" or "kspace". Without a reference:
            how the result is degraded to measure its data consistency.
        noise: Rician noise of the degraded reference, percent of the intensity range, 0 to 20.
        seed: Seed of the noise.
        perceptual: No-reference metric on some slices: "niqe", "pi" or "none".
        slice_spacing: Slice spacing in mm to which a nearly isotropic reference is degraded, to
            compare methods between slices. None: a comparison in-plane.
        slice_thickness: Thickness of these slices, mm. None: the slice spacing, without a gap.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    methods: tuple[str, ...] = setting(_method_names())
    scale: int = setting(_comparison_scale(), DEFAULT_SCALE)
    reference: bool = setting(boolean(), True)
    slice_axis: str = setting(one_of(*SLICE_AXES), "auto")
    device: str = setting(_device(), "auto")
    precision: str = setting(one_of(*PRECISIONS), "auto")
    degradation: str = setting(one_of(*DEGRADATIONS), "bicubic")
    noise: float = setting(number(0, MAX_NOISE), 0.0)
    seed: int = setting(integer(0), 0)
    perceptual: str = setting(one_of(*PERCEPTUAL_METRICS), "none")
    slice_spacing: float | None = setting(optional(positive()), None)
    slice_thickness: float | None = setting(optional(positive()), None)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = tuple(str(MethodName.parse(name)) for name in self.methods)
        object.__setattr__(self, "methods", names)
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise invalid(f"Listed twice: {', '.join(repeated)}.")
        maximum = self._max_methods()
        if not MIN_METHODS <= len(names) <= maximum:
            raise invalid(
                f"A comparison takes {MIN_METHODS} to {maximum} methods, not {len(names)}."
            )
        if self.noise and not self.reference:
            raise invalid(
                "Noise can be added to a degraded reference only: compare with a reference, "
                "or set the noise to 0."
            )
        if self.is_between_slices:
            self._check_between_slices()
        elif self.scale == 1:
            raise invalid("“scale” must be one of 2, 4, 8 in-plane, not 1.")
        elif self.slice_thickness is not None:
            raise invalid("A slice thickness needs a slice spacing: add it, or leave out both.")

    @property
    def is_between_slices(self) -> bool:
        """True if methods between slices are compared."""
        return self.slice_spacing is not None

    def degradation_text(self) -> str:
        """Describe the degradation, such as "bicubic" or "4 mm slice spacing, no gap"."""
        if self.slice_spacing is None:
            return self.degradation
        thickness = self.slice_thickness
        profile = "no gap" if thickness is None else f"{thickness:g} mm slice thickness"
        return f"{self.slice_spacing:g} mm slice spacing, {profile}"

    def _check_between_slices(self) -> None:
        """Refuse what a comparison between slices does not have, and set its scale."""
        assert self.slice_spacing is not None
        if self.scale not in (1, DEFAULT_SCALE):
            raise invalid(
                f"Choose the scale {self.scale} for a comparison in-plane, or a slice spacing for "
                "a comparison between slices, not both."
            )
        object.__setattr__(self, "scale", 1)
        if not self.reference:
            raise invalid(
                "A comparison between slices needs a reference: leave out the slice spacing to "
                "compare without one."
            )
        if self.degradation != DEGRADATIONS[0]:
            raise invalid(
                "Thick slices are averages with a Gaussian slice profile: leave out the "
                f"degradation “{self.degradation}”, which is for comparisons in-plane."
            )
        if (self.slice_thickness or 0) > MAX_THICKNESS * self.slice_spacing:
            raise invalid(
                f"The slice thickness {self.slice_thickness:g} mm is more than {MAX_THICKNESS} "
                f"times the slice spacing {self.slice_spacing:g} mm. Choose thinner slices."
            )
        for name in self.methods:
            if MethodName.parse(name).base != name:
                raise invalid(
                    f"“{name}” does not exist between slices, where there are no blends and no "
                    f"back-projection. Choose {', '.join(THROUGH_PLANE_INTERPOLATIONS)} or a "
                    "through-plane model."
                )

    def _max_methods(self) -> int:
        return MAX_METHODS

    def upsampling_options(self, method: str) -> UpsamplingOptions:
        """Return the upsampling options of one method; between slices, without a spacing."""
        if self.is_between_slices:
            return UpsamplingOptions(
                isotropic=True,
                slice_axis=self.slice_axis,
                device=self.device,
                precision=self.precision,
                between_slices=method,
                slice_thickness=self.slice_thickness,
            )
        return UpsamplingOptions(method, self.scale, self.slice_axis, self.device, self.precision)


@dataclass(frozen=True)
class AuditOptions(ComparisonOptions):
    """Options of an audit: a comparison with a reference, on some of the slices.

    Attributes:
        methods: Method names; `BASELINES`, or the interpolations between slices, come first
            whether they are listed or not.
        precision: float32, since figures must not depend on the computer.
        slices: Slices per volume; None: all.
        seed: Seed of the noise, the choice of slices and the positions of synthetic lesions.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    precision: str = setting(one_of(*PRECISIONS), "float32")
    slices: int | None = setting(optional(integer(1)), AUDITED_SLICES)

    def __post_init__(self) -> None:
        methods: Any = self.methods
        if isinstance(methods, (tuple, list)):
            others = (name for name in methods if name not in self.baselines)
            object.__setattr__(self, "methods", (*self.baselines, *others))
        super().__post_init__()

    @property
    def baselines(self) -> tuple[str, ...]:
        """Methods without learning, which every audit includes."""
        return THROUGH_PLANE_INTERPOLATIONS if self.is_between_slices else BASELINES

    def _max_methods(self) -> int:
        return MAX_AUDIT_METHODS
