"""Slices of a volume: in batches through a method, cropped to a mask, and into the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .errors import Cancelled
from .intensity import Intensity
from .masking import extended
from .methods.interpolation import InterpolationMethod
from .progress import CancelCheck, ProgressCallback, ProgressMeter
from .resampling import repeat

if TYPE_CHECKING:
    from .methods.interpolation import Method

Finish = Callable[[], Sequence[np.ndarray]]
"""Waits for upsampled slices: their values, and their spread if it was requested."""
Start = Callable[[np.ndarray, Intensity], Finish]
"""Starts upsampling normalized slices; see `uncertainty.start_function`."""
StartedBatch = tuple[list[int], Finish]
"""Numbers of the slices, and the function that waits for them."""
ALIGNMENT = 8
"""Cropped slices begin at a multiple of this, for networks that take blocks of pixels."""


def batches(
    total: int,
    size: int,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Iterator[slice]:
    """Divide slices into batches, and report progress between them.

    Args:
        total: Number of slices.
        size: Slices per batch.
        on_progress: Called with the progress, first with nothing done.
        is_cancelled: Called before every batch and after the last.

    Yields:
        Index ranges of the batches.

    Raises:
        Cancelled: `is_cancelled` returned True.
    """
    meter = ProgressMeter()
    for start in range(0, total, size):
        if is_cancelled and is_cancelled():
            raise Cancelled
        if on_progress and start == 0:
            on_progress(meter.update(0, total))
        yield slice(start, start + size)
        if on_progress:
            on_progress(meter.update(min(start + size, total), total))
    if is_cancelled and is_cancelled():
        raise Cancelled


def upsample_slices(
    start: Start,
    source: np.ndarray,
    targets: Sequence[np.ndarray],
    intensity: Intensity,
    size: int,
    on_progress: ProgressCallback | None,
    is_cancelled: CancelCheck | None,
) -> None:
    """Fill targets (n, scale·h, scale·w) with the upsampled slices of source (n, h, w).

    The second target, if there is one, takes the spread; it is 0 for a constant volume.

    A batch is fetched after the next one has been started, so that a GPU never waits. Constant
    slices, as outside of the body, are upsampled once per gray level.
    """
    is_flat = [image.min() == image.max() for image in source]
    levels = {image[0, 0] for image, flat in zip(source, is_flat) if flat}
    is_constant = all(is_flat) and len(levels) == 1
    first_of_level: dict[np.generic, int] = {}

    def is_computed(number: int) -> bool:
        """Skip flat slices that equal an earlier one, and all slices of a constant volume."""
        if not is_flat[number]:
            return True
        level = source[number, 0, 0]
        return not is_constant and first_of_level.setdefault(level, number) == number

    started: StartedBatch | None = None
    for part in batches(len(source), size, on_progress, is_cancelled):
        numbers = [number for number in range(len(source))[part] if is_computed(number)]
        previous, started = started, None
        if numbers:
            started = numbers, start(intensity.normalize(source[numbers]), intensity)
        _store(previous, targets)
    _store(started, targets)
    if is_constant:
        for target, value in zip(targets, (source[0, 0, 0], 0)):
            target[...] = value
        return
    for number in np.flatnonzero(is_flat):
        for target in targets:
            target[number] = target[first_of_level[source[number, 0, 0]]]


def _store(batch: StartedBatch | None, targets: Sequence[np.ndarray]) -> None:
    """Wait for a batch, if there is one, and store its slices."""
    if batch is not None:
        numbers, finish = batch
        for target, values in zip(targets, finish(), strict=True):
            target[numbers] = values


def upsample_inside(
    method: Method,
    start: Start,
    source: np.ndarray,
    targets: Sequence[np.ndarray],
    inside: np.ndarray,
    intensity: Intensity,
    size: int,
    on_progress: ProgressCallback | None,
    is_cancelled: CancelCheck | None,
) -> None:
    """Fill targets as `upsample_slices` does inside a mask, else by bicubic interpolation.

    The spread is 0 where bicubic interpolation is used. The method sees nothing of what is outside.
    Slices are cropped to the mask and the reach of the method, which does not change the result;
    those without a voxel inside skip it.
    """
    scale, interpolation = method.scale, InterpolationMethod("bicubic", method.scale)
    for part in batches(len(source), size, on_progress, is_cancelled):
        interpolated = interpolation.start(intensity.normalize(source[part]), intensity)()
        for target, values in zip(targets, (interpolated, 0)):
            target[part] = values
        numbers = [number for number in range(len(source))[part] if inside[number].any()]
        if not numbers:
            continue
        window = _window(np.any(inside[numbers], axis=0), method.reach)
        images = [extended(source[number], inside[number])[window] for number in numbers]
        upsampled = start(intensity.normalize(np.stack(images)), intensity)()
        large = tuple(slice(side.start * scale, side.stop * scale) for side in window)
        for target, values in zip(targets, upsampled, strict=True):
            for number, image in zip(numbers, values):
                is_inside = repeat(inside[number][window], (scale, scale))
                target[number][large][is_inside] = image[is_inside]


def _window(inside: np.ndarray, reach: int | None) -> tuple[slice, ...]:
    """Return the rows and columns on which the result inside a mask (h, w) depends."""
    window = []
    for axis, side in enumerate(inside.shape):
        hit = np.flatnonzero(inside.any(1 - axis))
        first, last = (0, side - 1) if reach is None else (hit[0] - reach, hit[-1] + reach)
        start = max(0, first // ALIGNMENT * ALIGNMENT)
        window.append(slice(start, min(side, last + 1)))
    return tuple(window)


def restore_missing(
    mask: np.ndarray, volume: np.ndarray, output: np.ndarray, numpy_axis: int, scale: int
) -> None:
    """Copy the masked voxels of the volume to the output."""
    slices = (np.moveaxis(a, numpy_axis, 0) for a in (mask, volume, output))
    for masked, image, target in zip(*slices):
        if masked.any():
            upsampled = repeat(masked, (scale, scale))
            target[upsampled] = repeat(image, (scale, scale))[upsampled]
