"""The main job: a volume in, a super-resolved volume out. All ways in (panel, console, command line, worker) end here."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from . import geometry, provenance, slice_axis
from .errors import Cancelled, SuperResolutionError
from .inference.errors import translate_device_errors
from .intensity import Intensity, check_type, mask_non_finite
from .methods.registry import MethodRegistry
from .models.card import ModelCard
from .options import UpsamplingOptions


@dataclass(frozen=True)
class UpsamplingResult:
    """volume: (k, j, i), the input's type; ijk_to_ras: (4, 4), mm; provenance: JSON values; messages: sentences for the user."""

    volume: np.ndarray
    ijk_to_ras: np.ndarray
    provenance: dict
    messages: list[str] = field(default_factory=list)


def allocate_in_memory(shape, dtype):
    """An array for an output. Raises SuperResolutionError (kind "memory") where there is no room for it."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as e:
        gib = np.prod(shape, dtype=float) * np.dtype(dtype).itemsize / 2**30
        raise SuperResolutionError(
            f"The output would need {gib:.1f} GiB of memory, which is not there: crop the volume or choose a smaller scale.",
            "memory",
        ) from e


@translate_device_errors
def upsample(
    volume: np.ndarray,
    ijk_to_ras: ArrayLike,
    job: UpsamplingOptions,
    methods: MethodRegistry | None = None,
    progress=None,
    cancelled=None,
    allocate=allocate_in_memory,
) -> UpsamplingResult:
    """Enlarges every slice of a volume; the volume stays where it is, its voxels become smaller.

    volume: (k, j, i), integer or real. ijk_to_ras: (4, 4), mm. job: UpsamplingOptions. methods: a MethodRegistry to keep networks
    loaded between jobs. progress(done, total): called with the number of finished slices, first with 0. cancelled():
    asked before every batch; the job ends where it answers True. allocate(shape, dtype): makes the array of the output, in memory or in a file.
    Slices are enlarged in the plane only: along their normal size and spacing stay as they are. NaN and infinite voxels
    come back as they were.

    Memory: the volume, the output, and one batch (two on a GPU); for a moment a copy of the volume, to find its percentiles, and where there are
    NaN or infinite voxels a filled copy of it and a mask. With an output in a file no more is needed for more slices.
    Raises SuperResolutionError for whatever the user can mend, Cancelled.
    """
    check_type(volume)
    ijk_to_ras = geometry.check_ijk_to_ras(ijk_to_ras)
    method = (methods or MethodRegistry()).get(job)
    axis = slice_axis.choose_slice_axis(ijk_to_ras, job.slice_axis)
    filled, mask = mask_non_finite(volume)
    intensity = (
        Intensity(*job.intensity_range, filled.dtype)
        if job.intensity_range
        else Intensity.of(filled)
    )
    factors = axis.factors(method.scale)

    output = allocate(tuple(n * f for n, f in zip(volume.shape, factors[::-1])), volume.dtype)
    source, target = (np.moveaxis(a, axis.numpy_axis, 0) for a in (filled, output))
    _enlarge(method, source, target, intensity, job.batch_size, progress, cancelled)

    messages = [
        f"Taken: {axis}.",
        *spacing_warnings(ijk_to_ras, axis, method.cards),
        *method.messages,
    ]
    if mask is not None:
        messages.append(
            f"{mask.sum()} of {mask.size} voxels are NaN or infinite: they are so in the output, too, and the "
            "voxels around them were made as if they were dark."
        )
        _put_back(mask, volume, output, axis.numpy_axis, method.scale)
    return UpsamplingResult(
        output,
        geometry.upsampled_ijk_to_ras(ijk_to_ras, factors),
        provenance.describe(filled, ijk_to_ras, job, method, axis, intensity),
        messages,
    )


def _enlarge(method, source, target, intensity, size, progress, cancelled):
    """Fills target (n, scale·h, scale·w) with the enlarged slices of source (n, h, w), in the stored type.

    A batch is fetched after the next one was started, so that a GPU never waits. Of slices without any structure (empty ones, around the body)
    each gray level is enlarged once.
    """
    is_flat = [slice_.min() == slice_.max() for slice_ in source]
    size = size or method.batch_size(*source.shape[1:])
    flat, fetch = {}, lambda: None
    for part in batches(len(source), size, progress, cancelled):
        numbers = range(len(source))[part]
        wanted = [
            number
            for number in numbers
            if not is_flat[number] or flat.setdefault(source[number, 0, 0], number) == number
        ]
        previous, fetch = fetch, _start(method, source, target, intensity, wanted)
        previous()
    fetch()
    for number in np.flatnonzero(is_flat):
        target[number] = target[flat[source[number, 0, 0]]]


def _start(method, source, target, intensity, numbers):
    if not numbers:
        return lambda: None
    made = method.start(intensity.normalize(source[numbers]), intensity)

    def fetch():
        target[numbers] = made()

    return fetch


def _put_back(mask, volume, output, numpy_axis, scale):
    """The voxels of the volume where the mask says so, into the output."""
    for wanted, image, target in zip(
        *(np.moveaxis(a, numpy_axis, 0) for a in (mask, volume, output))
    ):
        if wanted.any():
            enlarged, image = (a.repeat(scale, 0).repeat(scale, 1) for a in (wanted, image))
            target[enlarged] = image[enlarged]


def batches(total, size, progress=None, cancelled=None):
    """Slice objects that divide `total` slices, `size` at a time; reports progress and ends with Cancelled between them."""
    for start in range(0, total, size):
        if cancelled and cancelled():
            raise Cancelled
        if progress and start == 0:
            progress(0, total)
        yield slice(start, start + size)
        if progress:
            progress(min(start + size, total), total)
    if cancelled and cancelled():
        raise Cancelled


def spacing_warnings(
    ijk_to_ras: np.ndarray, axis: slice_axis.SliceAxis, cards: Iterable[ModelCard]
) -> list[str]:
    """Sentences for the models, given by their cards, that have never seen pixels of this size."""
    in_plane = np.delete(geometry.spacing(ijk_to_ras), axis.axis)
    return [
        f"The model {card.name} was trained on pixels of {card.spacing_range[0]:.3g}–{card.spacing_range[1]:.3g} mm, the slices have "
        f"{in_plane.min():.3g}×{in_plane.max():.3g} mm: look at the result with care."
        for card in cards
        if card.spacing_range and not _lies_within(in_plane, card.spacing_range)
    ]


def _lies_within(values, limits):
    return limits[0] * 0.999 <= values.min() and values.max() <= limits[1] * 1.001
