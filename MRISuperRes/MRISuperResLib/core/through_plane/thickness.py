"""The slice thickness of a task: that of the options, of the file, or the slice spacing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..errors import SuperResolutionError
from ..geometry import VOXEL_AXES, SliceAxis
from ..messages import Message, warning
from ..options import MAX_THICKNESS, UpsamplingOptions
from ..volume import Volume

FILE_AXIS = VOXEL_AXES.index("k")
"""Voxel axis whose slices a file describes."""


@dataclass(frozen=True)
class SliceThickness:
    """Slice thickness of an input.

    Attributes:
        mm: The thickness.
        coverage: The thickness, as a part of the slice spacing.
        is_known: False if it is assumed equal to the slice spacing.
        messages: A warning if the thickness of the file is not plausible.
    """

    mm: float
    coverage: float
    is_known: bool
    messages: tuple[Message, ...] = ()

    @classmethod
    def of(cls, volume: Volume, options: UpsamplingOptions, axis: SliceAxis) -> Self:
        """Choose the slice thickness.

        Slices along another axis than that of the file are reformats, as thick as their spacing.

        Args:
            volume: The input.
            options: Options of the task.
            axis: Slice direction.

        Raises:
            SuperResolutionError: The thickness in the options exceeds MAX_THICKNESS slice spacings
                (kind "settings").
        """
        spacing = volume.spacing[axis.index]
        limit = MAX_THICKNESS * spacing
        requested = options.slice_thickness
        if requested is not None:
            if requested > limit:
                raise SuperResolutionError(
                    f"A slice thickness of {requested:g} mm is more than {MAX_THICKNESS} times the "
                    f"slice spacing of {spacing:.3g} mm. Correct it, or leave it out.",
                    "settings",
                )
            return cls(requested, requested / spacing, True)
        stated = volume.slice_thickness if axis.index == FILE_AXIS else None
        if stated is None:
            return cls(spacing, 1.0, False)
        if 0 < stated <= limit:
            return cls(stated, stated / spacing, True)
        text = (
            f"The file states a slice thickness of {stated:g} mm, which does not fit the slice "
            f"spacing of {spacing:.3g} mm. Set the slice thickness if it is known."
        )
        return cls(spacing, 1.0, False, (warning("thickness", text),))

    def __str__(self) -> str:
        return f"{self.mm:.3g} mm" + (
            "" if self.is_known else ", assumed equal to the slice spacing"
        )
