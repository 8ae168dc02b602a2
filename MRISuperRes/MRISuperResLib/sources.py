"""Sources of the public API: conversion to volumes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from .core.errors import SuperResolutionError
from .core.io.checks import ChoiceError
from .core.io.formats import read_first_frame
from .core.volume import Frames, Volume, is_sitk_image

if TYPE_CHECKING:
    import SimpleITK as sitk

    Source: TypeAlias = str | os.PathLike[str] | Volume | sitk.Image | tuple[ArrayLike, ArrayLike]
    """A file or DICOM folder, a Volume, a SimpleITK image, or (array (k, j, i), ijk_to_ras)."""
    Mask: TypeAlias = Source | np.ndarray
    """A source, or an array (k, j, i) on the voxel grid of the volume."""


def volume_of(
    source: Source,
    frame: int | None = None,
    series: str | None = None,
    first: bool = False,
    labels: bool = False,
) -> Volume:
    """Read or convert a source; issue the warnings about a file before the work."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        try:
            volume = read_first_frame(path) if first else Volume.read(path, frame, series, labels)
        except ChoiceError as error:
            advice = f"Choose one with sr.Volume.read(path, {error.choice}=…)."
            raise SuperResolutionError(f"{error.state} {advice}") from error
        _warn(volume)
        return volume
    if frame is not None or series is not None:
        raise SuperResolutionError(
            "“frame” and “series” select a volume in a file: give the path of a file or folder.",
            "settings",
        )
    return Volume.of(source)


def frames_of(source: Source, frame: int | None, series: str | None) -> Frames:
    """Open all frames of a source."""
    if not isinstance(source, (str, os.PathLike)) or frame is not None:
        raise SuperResolutionError(
            'frames="all" takes the path of a file or folder, and excludes “frame”.', "settings"
        )
    opened = Frames.read(Path(source), series)
    _warn(opened[0])
    return opened


def _warn(volume: Volume) -> None:
    for message in volume.messages:
        if message.is_warning:
            warnings.warn(message.text, stacklevel=4)


def sources_of(sources: Source | Iterable[Source]) -> Iterable[Source]:
    """Return the elements of a list of sources; a tuple is one source."""
    if isinstance(sources, (str, os.PathLike, Volume, tuple)):
        return [sources]
    if is_sitk_image(sources):
        return [sources]
    return cast("Iterable[Source]", sources)


def mask_of(mask: Mask | None, volume: Volume) -> Volume | None:
    """Read or convert the mask of a volume."""
    if not isinstance(mask, np.ndarray):
        return None if mask is None else volume_of(mask, labels=True)
    array = mask.astype(np.uint8) if mask.dtype == bool else mask
    return Volume(array, volume.ijk_to_ras)
