"""What is to be compared: the one description that panel, console, command line and worker hand to the core."""

from dataclasses import asdict, dataclass
from typing import Self

from ..errors import SuperResolutionError
from ..methods.names import MethodName
from ..options import UpsamplingOptions, check_fields
from ..resampling import DEGRADATIONS, INTERPOLATIONS

LEAST, MOST = 2, 8  # methods in one comparison
PERCEPTUAL = ("none", "niqe", "pi")
MAX_NOISE = 20.0
FLOOR = "bicubic+bp"
"""What is possible without learning: bicubic interpolation, back-projected."""


@dataclass(frozen=True)
class ComparisonOptions:
    """A comparison, without the volume.

    methods: 2–8 method names (see method_names), in the order of their appearance. scale: 2, 4 or 8.
    reference: True where the volume is the truth, which is degraded and rebuilt by every method; False where it is
        enlarged itself.
    axis, device, precision: see job.UpsamplingOptions. degradation: how the truth is degraded, one of resample.DEGRADATIONS; without a
        reference, how the result is shrunk to see whether it agrees with the volume.
    noise: Rician, added to the degraded truth, standard deviation in % of the intensity range, 0–20. seed: of the noise.
    perceptual: "niqe" or "pi" for a no-reference metric on some slices, or "none".
    Raises SuperResolutionError (kind "settings") for anything else.
    """

    methods: tuple[str, ...]
    scale: int = 2
    reference: bool = True
    axis: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    degradation: str = "bicubic"
    noise: float = 0.0
    seed: int = 0
    perceptual: str = "none"

    most = MOST

    def __post_init__(self):
        if not isinstance(self.methods, (tuple, list)):
            raise SuperResolutionError(
                "The methods of a comparison are a list of names.", "settings"
            )
        object.__setattr__(
            self, "methods", tuple(str(MethodName.parse(name)) for name in self.methods)
        )
        doubles = sorted({name for name in self.methods if self.methods.count(name) > 1})
        wrong = [
            (
                not LEAST <= len(self.methods) <= self.most,
                f"A comparison takes {LEAST} to {self.most} methods, not {len(self.methods)}.",
            ),
            (bool(doubles), f"Named twice: {', '.join(doubles)}."),
            (self.scale is None, "The scale must be 2, 4 or 8."),
            (
                not isinstance(self.reference, bool),
                f"“reference” must be true or false, not {self.reference!r}.",
            ),
            (
                self.degradation not in DEGRADATIONS,
                f"There is no degradation “{self.degradation}”: choose {' or '.join(DEGRADATIONS)}.",
            ),
            (
                not _is_number(self.noise) or not 0 <= self.noise <= MAX_NOISE,
                f"The noise must lie between 0 and {MAX_NOISE:g} %, not {self.noise!r}.",
            ),
            (
                self.noise != 0 and not self.reference,
                "Noise can be added to a degraded volume only: compare with a reference, or set the noise to 0.",
            ),
            (
                type(self.seed) is not int or self.seed < 0,
                f"The seed must be a whole number that is not negative, not {self.seed!r}.",
            ),
            (
                self.perceptual not in PERCEPTUAL,
                f"There is no perceptual metric “{self.perceptual}”: choose one of {', '.join(PERCEPTUAL)}.",
            ),
        ]
        for is_wrong, reason in wrong:
            if is_wrong:
                raise SuperResolutionError(reason, "settings")
        self.upsampling_options(self.methods[0])

    def upsampling_options(self, method: str) -> UpsamplingOptions:
        """The upsampling job of one method; checks scale, axis, device and precision."""
        return UpsamplingOptions(method, self.scale, self.axis, self.device, self.precision)

    def to_dict(self) -> dict:
        return asdict(self) | {"methods": list(self.methods)}

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of to_dict; unknown keys are refused, so that a misspelt setting is not silently ignored."""
        if not isinstance(values, dict) or "methods" not in values:
            raise SuperResolutionError(
                "The comparison must be a JSON object with methods and scale.", "settings"
            )
        check_fields(cls, values)
        return cls(**values)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def default_methods(scale, store):
    """The interpolations, the floor without learning, and the installed models of a scale: at most 8 names.

    store: models.ModelStore.
    """
    return (*INTERPOLATIONS, FLOOR, *(card.name for card in store.cards(scale)))[:MOST]
