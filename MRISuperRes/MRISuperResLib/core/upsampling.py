"""Upsampling of a volume: panel, console, command line, worker and Python API all call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from . import geometry, provenance
from .errors import Cancelled, SuperResolutionError, translate_device_errors
from .geometry import SliceAxis, choose_slice_axis
from .intensity import Intensity, common_intensity_range
from .masking import ImageVoxels, inside_of
from .messages import Message, info, warning
from .methods.registry import MethodRegistry
from .models.card import ModelCard
from .options import UpsamplingOptions
from .progress import CancelCheck, Progress, ProgressCallback, ProgressMeter
from .slices import restore_missing, upsample_inside, upsample_slices
from .through_plane.upsampling import upsample_to_grid
from .uncertainty import start_function, with_uncertainty
from .volume import Frames, Volume

Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]
"""Allocates an output array (shape, dtype), in memory or in a file."""
MAX_SPACING_RATIO = 1.25
"""In-plane spacings that differ by at most this factor from a training volume count as trained on:
the spacings of the training volumes of one anatomy are about as far apart."""


def allocate_in_memory(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Allocate an output array.

    Raises:
        SuperResolutionError: The array does not fit into memory (kind "memory").
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:
        gib = np.prod(shape, dtype=float) * np.dtype(dtype).itemsize / 2**30
        raise SuperResolutionError(
            f"Out of memory: the output needs {gib:.1f} GiB. "
            "Crop the volume or choose a smaller scale.",
            "memory",
        ) from error


@translate_device_errors
def upsample_volume(
    volume: Volume,
    options: UpsamplingOptions,
    *,
    registry: MethodRegistry | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
    mask: Volume | None = None,
    allocate: Allocate = allocate_in_memory,
) -> Volume:
    """Upsample a volume in place.

    Slices are upsampled in-plane; slice count and slice spacing are unchanged, unless the options
    request an isotropic output or a spacing (see `through_plane.upsampling`). Voxels without image
    (NaN, infinite, padding; see `ImageVoxels`) and constant volumes keep their values exactly.

    Peak memory: the volume, the output and one batch (two on a GPU); for the percentiles a copy of
    the volume; for voxels without image a filled copy and a mask; for the uncertainty an output in
    single precision, and batches three times as large. An output in a file (see `allocate`) needs
    no memory.

    Args:
        volume: Input volume.
        options: Options of the task.
        registry: Registry that keeps networks loaded between tasks; None: a new one.
        on_progress: Called with the progress in slices, first with none done.
        is_cancelled: Called before every batch; the task stops when it returns True.
        mask: Volume on the voxel grid of the input, not 0 inside. The method upsamples the inside,
            with the intensity range of the inside and nothing of what is outside; bicubic
            interpolation upsamples the outside. None: no mask.
        allocate: Allocates the output array.

    Returns:
        The upsampled volume, of the input's type, with the messages of the input and of this task,
        its provenance, and its uncertainty if requested.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    registry = registry or MethodRegistry()
    if options.has_output_grid:
        return _upsample_to_grid(
            volume, options, registry, on_progress, is_cancelled, mask, allocate
        )
    inside = None if mask is None else inside_of(mask, volume)
    method = registry.get(options)
    start = start_function(method, options.uncertainty)
    axis = choose_slice_axis(volume.ijk_to_ras, options.slice_axis, volume.size)
    voxels = ImageVoxels.of(volume, "The output keeps their values.")
    if options.intensity_range is None:
        values = voxels.values if inside is None else voxels.values_inside(inside)
        intensity = Intensity.of(values)
    else:
        intensity = Intensity(*options.intensity_range, volume.array.dtype)
    factors = axis.factors(method.scale)

    shape = tuple(n * f for n, f in zip(volume.array.shape, factors[::-1]))
    output = allocate(shape, volume.array.dtype)
    outputs = [output]
    if options.uncertainty:
        outputs.append(allocate_in_memory(shape, np.float32))
    source, *targets = (np.moveaxis(a, axis.numpy_axis, 0) for a in (voxels.array, *outputs))
    size = options.batch_size or method.batch_size(*source.shape[1:])
    if inside is None or inside.all():
        upsample_slices(start, source, targets, intensity, size, on_progress, is_cancelled)
    else:
        parts = np.moveaxis(inside, axis.numpy_axis, 0)
        upsample_inside(
            method, start, source, targets, parts, intensity, size, on_progress, is_cancelled
        )

    if options.clip == "input":
        image = voxels.values
        np.clip(output, image.min(), image.max(), out=output)
    if voxels.missing is not None:
        for each, values in zip(outputs, (volume.array, np.zeros_like(volume.array))):
            restore_missing(voxels.missing, values, each, axis.numpy_axis, method.scale)
    messages = [
        *volume.messages,
        info("slice-axis", f"{axis.description(volume.ijk_to_ras)}."),
        *voxels.messages,
        *spacing_messages(volume.ijk_to_ras, axis, method.cards),
        *method.messages,
    ]
    record = provenance.describe_upsampling(volume, options, method, method.scale, axis, intensity)
    if inside is not None:
        record["mask"] = {"voxels": int(np.count_nonzero(inside))}
    result = Volume(
        output,
        geometry.upsampled_ijk_to_ras(volume.ijk_to_ras, factors),
        tuple(messages),
        record,
        volume.header,
    )
    return with_uncertainty(result, outputs[1]) if options.uncertainty else result


def _upsample_to_grid(
    volume: Volume,
    options: UpsamplingOptions,
    registry: MethodRegistry,
    on_progress: ProgressCallback | None,
    is_cancelled: CancelCheck | None,
    mask: Volume | None,
    allocate: Allocate,
) -> Volume:
    """See `upsample_volume`; a mask is refused."""
    if mask is not None:
        raise SuperResolutionError(
            "A mask cannot be used with an isotropic output or a spacing. Choose the scale 2, 4 or "
            "8, or leave out the mask.",
            "settings",
        )

    def in_plane(
        slices: Volume, plane_options: UpsamplingOptions, report: ProgressCallback
    ) -> Volume:
        return upsample_volume(
            slices,
            plane_options,
            registry=registry,
            on_progress=report,
            is_cancelled=is_cancelled,
        )

    return upsample_to_grid(
        volume, options, registry, in_plane, allocate, on_progress, is_cancelled
    )


def upsample_frames(
    frames: Frames,
    options: UpsamplingOptions,
    *,
    registry: MethodRegistry | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
    mask: Volume | None = None,
) -> Frames:
    """Upsample all frames of a 4D image, with one intensity range so that they do not flicker.

    The frames are read once for their range. Each is upsampled whenever it is accessed.

    Args:
        frames: The frames; their types may differ, and the outputs have one that holds all.
        options: Options of the task.
        registry: As in `upsample_volume`.
        on_progress: Called with the progress in slices of all frames.
        is_cancelled: Called between frames and before every batch.
        mask: As in `upsample_volume`, for all frames.

    Raises:
        SuperResolutionError: The frames are not alike, or one cannot be read.
        Cancelled: `is_cancelled` returned True.
    """
    registry, count, first = registry or MethodRegistry(), len(frames), frames[0]
    shared, dtypes = options, {first.array.dtype}
    outside = None if mask is None else ~inside_of(mask, first)
    if count > 1 and options.adapt:
        raise SuperResolutionError(
            f"Adaptation trains for one volume, and this image has {count} frames. Upsample one "
            "frame, or leave out the adaptation.",
            "settings",
        )

    def aligned() -> Iterator[Volume]:
        for number in range(count):
            if is_cancelled and is_cancelled():
                raise Cancelled
            frame = frames[number]
            if not frame.is_aligned_with(first):
                raise SuperResolutionError(
                    f"Frame {number} has another size or place than frame 0. Upsample them one by "
                    "one."
                )
            dtypes.add(frame.array.dtype)
            yield frame if outside is None else _without(frame, outside)

    if count > 1:
        limits = common_intensity_range(aligned(), first.array.size * count)
        shared = replace(options, intensity_range=limits)
    dtype = np.result_type(*dtypes)
    meter, current = ProgressMeter(), 0

    def report(progress: Progress) -> None:
        if on_progress:
            done = current * progress.total + progress.done  # the frames are alike
            on_progress(meter.update(done, count * progress.total))

    def upsampled(number: int) -> Volume:
        nonlocal current
        frame, current = frames[number], number
        result = upsample_volume(
            replace(frame, array=frame.array.astype(dtype, copy=False)),
            shared,
            registry=registry,
            on_progress=report,
            is_cancelled=is_cancelled,
            mask=mask,
        )
        if count == 1:
            return result
        record = result.provenance or {}
        record["intensity"] |= {"of": "all frames"}
        return replace(result, provenance=record | {"options": options.to_dict(), "frames": count})

    return Frames(count, upsampled)


def _without(volume: Volume, outside: np.ndarray) -> Volume:
    """Return a volume whose voxels outside a mask count as padding."""
    padding = outside if volume.padding is None else outside | volume.padding
    return replace(volume, padding=padding)


def spacing_messages(
    ijk_to_ras: np.ndarray, axis: SliceAxis, cards: Iterable[ModelCard]
) -> list[Message]:
    """Warn about models that were not trained on slices of this in-plane spacing.

    Args:
        ijk_to_ras: (4, 4) matrix of the low-resolution volume, mm.
        axis: Slice direction.
        cards: Cards of the models. A card that lists no training spacings gives no warning.

    Returns:
        A warning (code "spacing") about the models whose nearest training spacing differs by more
        than the factor MAX_SPACING_RATIO, in either in-plane direction; models with the same
        training spacings share one.
    """
    in_plane = np.delete(geometry.spacing(ijk_to_ras), axis.index)
    names: dict[str, list[str]] = {}
    for card in {card.name: card for card in cards}.values():
        trained = card.training_spacings()
        if trained and _spacing_ratio(in_plane, trained) > MAX_SPACING_RATIO:
            known = "; ".join(f"{name}: {_spacing_text(sides)}" for name, sides in trained.items())
            names.setdefault(known, []).append(card.name)
    return [
        warning(
            "spacing",
            f"{' and '.join(group)} {'was' if len(group) == 1 else 'were'} not trained on an "
            f"in-plane spacing of {_spacing_text([in_plane])} mm ({known} mm). "
            "Check the result with care.",
        )
        for known, group in names.items()
    ]


def _spacing_ratio(
    in_plane: np.ndarray, trained: Mapping[str, Sequence[tuple[float, float]]]
) -> float:
    """Factor between an in-plane spacing and the nearest training spacing."""
    known = np.sort([sides for spacings in trained.values() for sides in spacings], axis=1)
    factors = np.exp(np.abs(np.log(known / np.sort(in_plane))).max(axis=1))
    return float(factors.min()) * (1 - 1e-4)  # headers store single precision


def _spacing_text(spacings: Iterable[Iterable[float]]) -> str:
    """List up to three spacings ("2.25, 6, 6×9"), or give the range of more ("0.859–2")."""
    pairs = sorted({tuple(sorted(float(f"{side:.3g}") for side in sides)) for sides in spacings})
    if len(pairs) > 3:
        return f"{pairs[0][0]:.3g}–{max(pair[-1] for pair in pairs):.3g}"
    return ", ".join("×".join(dict.fromkeys(f"{side:.3g}" for side in pair)) for pair in pairs)
