"""What is to be audited: settings of a comparison with a reference, of as many methods as there are, on some of the slices."""

from dataclasses import dataclass

from ..comparison.options import FLOOR, ComparisonOptions
from ..errors import SuperResolutionError

CALIBRATION = ("bicubic", FLOOR)
"""What learns nothing, and cannot invent: its figures stand beside those of every model."""
SLICES = 20


@dataclass(frozen=True)
class AuditOptions(ComparisonOptions):
    """An audit, without the volumes.

    methods, scale, axis, device, degradation, noise: see ComparisonOptions; CALIBRATION comes first, whether it is named or not. seed: of the noise, of the slices
    that are looked at, and of the places of the lesions. slices: how many of a volume are looked at; None for all.
    Raises SuperResolutionError (kind "settings") for anything else.
    """

    precision: str = "float32"  # figures must not depend on the machine
    slices: int | None = SLICES

    most = 64

    def __post_init__(self):
        if isinstance(self.methods, (tuple, list)):
            object.__setattr__(
                self,
                "methods",
                (*CALIBRATION, *(name for name in self.methods if name not in CALIBRATION)),
            )
        super().__post_init__()
        if self.slices is not None and (type(self.slices) is not int or self.slices < 1):
            raise SuperResolutionError(
                f"The number of slices must be 1 or more, or all, not {self.slices!r}.", "settings"
            )
