"""Messages for the user, each with a level, a code and a text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Level = Literal["info", "warning"]

CODES = frozenset(
    {
        "slice-axis",  # the slice direction that was chosen, and why
        "output-grid",  # the voxel size of an output with a requested spacing
        "through-plane",  # the method between slices, and the slice thickness it assumes
        "spacing",  # slices outside the spacing that a model was trained on
        "precision",  # half precision used, or rejected
        "out-of-memory",  # smaller batches, tiles or the CPU were used; the result is the same
        "non-finite",  # NaN or infinite voxels
        "padding",  # voxels without image, which take no part in the computation
        "crop",  # a reference cropped to a multiple of the scale
        "modality",  # images of another modality than MRI
        "position",  # contradicting or missing position of the voxel grid
        "orientation",  # unknown anatomical orientation
        "thickness",  # unknown or implausible slice thickness
        "intensity",  # how intensities were mapped
        "file",  # a damaged part of a file that the result does not depend on
        "series",  # files of a series that were left out or chosen
        "data",  # volumes or slices that were left out of a training or an evaluation
        "split",  # how subjects were divided into training and validation
        "metric",  # a metric that could not be computed
        "training",  # divergence, recovery and other events of a training run
    }
)


@dataclass(frozen=True)
class Message:
    """Message to the user about an input or a result.

    Attributes:
        level: "info" for what is normal, "warning" for what calls for a second look.
        code: One of `CODES`; programs use it, never the text.
        text: One or two sentences: state, cause, action.
    """

    level: Level
    code: str
    text: str

    def __post_init__(self) -> None:
        if self.level not in ("info", "warning"):
            raise ValueError(f"unknown level of a message: {self.level!r}")
        if self.code not in CODES:
            raise ValueError(f"unknown code of a message: {self.code!r}")

    @property
    def is_warning(self) -> bool:
        """True if the message calls for a second look."""
        return self.level == "warning"

    def to_dict(self) -> dict[str, str]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the message that `to_dict` described."""
        return cls(**values)

    def __str__(self) -> str:
        return self.text


def info(code: str, text: str) -> Message:
    """Return a message about something normal."""
    return Message("info", code, text)


def warning(code: str, text: str) -> Message:
    """Return a message about something that calls for a second look."""
    return Message("warning", code, text)
