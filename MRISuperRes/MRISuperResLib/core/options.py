"""What is asked for: the one description that panel, console, command line and worker hand to the core."""

import re
import sys
from dataclasses import asdict, dataclass, fields
from typing import Self

from . import slice_axis
from .errors import SuperResolutionError

SCALES = (2, 4, 8)
DEFAULT_SCALE = 2
PRECISIONS = ("auto", "float32")


@dataclass(frozen=True)
class UpsamplingOptions:
    """An upsampling job, without the volume.

    model: name of an installed model or of a baseline ("nearest", "bilinear", "bicubic"); None: the default model of
        the scale.
    scale: 2, 4 or 8; None: the model's own, or 2 where no model is named.
    axis: the slice direction, one of slice_axis.SLICE_AXES.
    device: "auto", "cpu", "cuda", "cuda:N" or "mps".
    precision: "float32", or "auto": half precision where the device is made for it and the result is near, see half_precision.
    batch_size: slices that go through the network together; None: chosen from their size.
    intensity_range: (low, high), the stored intensities that become 0 and 1 for the network, see intensity.Intensity, so that several
        volumes can share them; None: the percentiles of the volume.
    Raises SuperResolutionError (kind "settings") for anything else.
    """

    model: str | None = None
    scale: int | None = None
    axis: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    intensity_range: tuple | None = None

    def __post_init__(self):
        if self.model is not None and not (isinstance(self.model, str) and self.model):
            raise SuperResolutionError(
                f"The model is given by its name, not by {self.model!r}.", "settings"
            )
        if self.scale is not None and (isinstance(self.scale, bool) or self.scale not in SCALES):
            raise SuperResolutionError(
                f"The scale must be 2, 4 or 8, not {self.scale!r}.", "settings"
            )
        slice_axis.check_slice_axis(self.axis)
        if not _is_device(self.device):
            raise SuperResolutionError(
                f"There is no device “{self.device}”: choose auto, cpu, cuda, cuda:N or mps.",
                "settings",
            )
        if self.precision not in PRECISIONS:
            raise SuperResolutionError(
                f"There is no precision “{self.precision}”: choose {' or '.join(PRECISIONS)}.",
                "settings",
            )
        if self.batch_size is not None and not (
            type(self.batch_size) is int and self.batch_size > 0
        ):
            raise SuperResolutionError(
                f"The batch size must be a positive whole number, not {self.batch_size!r}.",
                "settings",
            )
        if isinstance(self.intensity_range, list):
            object.__setattr__(
                self, "intensity_range", tuple(self.intensity_range)
            )  # JSON has no tuples
        if self.intensity_range is not None and not _is_range(self.intensity_range):
            raise SuperResolutionError(
                f"The intensity range must be two numbers, the lower one first, not {self.intensity_range!r}.",
                "settings",
            )

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of to_dict; unknown keys are refused, so that a misspelt setting is not silently ignored."""
        if not isinstance(values, dict):
            raise SuperResolutionError(
                "The job must be a JSON object with model, scale, axis, device, precision, batch_size and intensity_range.",
                "settings",
            )
        check_fields(cls, values)
        return cls(**values)


def check_fields(cls, values: dict) -> None:
    """Raises SuperResolutionError (kind "settings") for keys of a dict that are no fields of a dataclass."""
    unknown = set(values) - {field.name for field in fields(cls)}
    if unknown:
        raise SuperResolutionError(
            f"Unknown settings: {', '.join(sorted(map(str, unknown)))}.", "settings"
        )


def _is_range(value):
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(
            isinstance(number, (int, float)) and abs(number) <= sys.float_info.max
            for number in value
        )
        and value[0] < value[1]
    )


def _is_device(name):
    return (
        isinstance(name, str) and re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,3})?", name) is not None
    )
