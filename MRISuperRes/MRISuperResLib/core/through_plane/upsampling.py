"""Upsampling of a volume to an isotropic grid, or to a requested spacing.

Slices are upsampled in-plane first, if the grid is finer there. Then every reformat that contains
the slice direction is upsampled along it, see `reformats`. On request, the network between slices
is adapted to the volume before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import geometry, provenance, resampling
from ..errors import SuperResolutionError
from ..intensity import Intensity
from ..masking import ImageVoxels
from ..messages import Message, info
from ..methods.between_slices import (
    SliceInterpolation,
    ThroughPlaneMethod,
    ThroughPlaneNetwork,
)
from ..options import UpsamplingOptions
from ..progress import CancelCheck, PartsProgress, Progress, ProgressCallback
from ..slice_profile import BASELINE, containing_voxels
from ..uncertainty import check_spread, with_uncertainty
from ..volume import Volume
from .grid import OutputGrid
from .reformats import upsample_reformats
from .thickness import SliceThickness

if TYPE_CHECKING:
    from ..methods.registry import MethodRegistry
    from ..upsampling import Allocate
    from .adaptation import Adaptation

InPlane = Callable[[Volume, UpsamplingOptions, ProgressCallback], Volume]
"""Upsamples the slices of a volume in-plane, as `upsampling.upsample_volume` does."""


def upsample_to_grid(
    volume: Volume,
    options: UpsamplingOptions,
    registry: MethodRegistry,
    in_plane: InPlane,
    allocate: Allocate,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Volume:
    """Upsample a volume to the grid that the options request.

    Voxels without image (NaN, infinite, padding) keep the value of the nearest input voxel.

    The uncertainty is the spread of the results of both orientations and their flips, see
    `upsample_reformats`; that of the in-plane step is not part of it.

    Peak memory: the volume, the output, two copies of it in single precision, and a batch; for the
    uncertainty a third copy.

    Args:
        volume: Input volume.
        options: Options with `isotropic` or `spacing`.
        registry: Finds and loads the method between slices.
        in_plane: Upsamples in-plane; called if the grid is finer than the input there.
        allocate: Allocates the output array.
        on_progress: Called with the progress in slices, steps of the adaptation and reformats.
        is_cancelled: Called before every batch and step.

    Returns:
        The volume on the grid, of the input's type, with messages and provenance.

    Raises:
        SuperResolutionError: An error that the user can fix, such as an uncertainty requested
            without a network between slices.
        Cancelled: `is_cancelled` returned True.
    """
    grid = OutputGrid.of(volume, options)
    axis = grid.axis
    voxels = ImageVoxels.of(volume, "The output keeps their values.")
    intensity = (
        Intensity.of(voxels.values)
        if options.intensity_range is None
        else Intensity(*options.intensity_range, volume.array.dtype)
    )
    is_thick = grid.slices > volume.size[axis.index]
    method = registry.between_slices(options) if is_thick else None
    thickness = SliceThickness.of(volume, options, axis)
    if options.uncertainty:
        _check_uncertainty(method)
    reformats = sum(np.delete(grid.size, axis.index).tolist()) if is_thick else 0
    first = volume.size[axis.index] if grid.scale else 0
    steps = options.adapt if is_thick else 0
    parts = PartsProgress([first, steps, reformats])

    def report(progress: Progress) -> None:
        if on_progress:
            on_progress(parts.whole(progress))

    image = intensity.normalize(voxels.array).astype(np.float32)
    in_plane_record: dict[str, Any] | None = None
    adaptation: Adaptation | None = None
    messages: list[Message] = []
    spread: np.ndarray | None = None
    if grid.scale:
        normalized = replace(volume, array=image, padding=None, messages=())
        upsampled = in_plane(normalized, _in_plane_options(options, grid.scale), report)
        image, in_plane_record = upsampled.array, upsampled.provenance
        messages += (m for m in upsampled.messages if m.code != "slice-axis")
    for numpy_axis in range(3):
        if numpy_axis != axis.numpy_axis or not is_thick:
            image = _resized(image, numpy_axis, grid.shape[numpy_axis])
    if method:
        if steps and isinstance(method, ThroughPlaneNetwork):  # the options allow no other
            from .adaptation import adapt  # imports torch

            parts.number = 1
            slices = np.moveaxis(image, axis.numpy_axis, 0)
            adaptation = adapt(
                slices,
                method,
                grid.aspect,
                thickness.coverage,
                steps,
                options.seed,
                report,
                is_cancelled,
            )
            method = adaptation.method
            messages.append(adaptation.message)
        parts.number = 2
        image, spread = upsample_reformats(
            image, grid, method, thickness.coverage, options, report, is_cancelled
        )
        messages += method.messages

    output = allocate(grid.shape, volume.array.dtype)
    for target, part in zip(output, image):
        target[...] = intensity.restore(part)
    if options.clip == "input":
        np.clip(output, voxels.values.min(), voxels.values.max(), out=output)
    if voxels.missing is not None:
        _restore_missing(voxels.missing, volume.array, output)
    result = Volume(
        output,
        grid.ijk_to_ras,
        (
            *volume.messages,
            *voxels.messages,
            *_describe(volume, options, grid, method, thickness),
            *messages,
        ),
        _record(volume, options, grid, method, thickness, intensity, in_plane_record, adaptation),
        volume.header,
    )
    if spread is None:
        return result
    spread *= intensity.high - intensity.low
    if voxels.missing is not None:
        _restore_missing(voxels.missing, np.zeros_like(volume.array), spread)
    return with_uncertainty(result, spread)


def _check_uncertainty(method: ThroughPlaneMethod | None) -> None:
    if method is None:
        raise SuperResolutionError(
            "The uncertainty map shows that between slices, but the output has no more slices than "
            "the volume. Choose the scale 2, 4 or 8, or leave out the map.",
            "settings",
        )
    check_spread(method.name, method.stage != "interpolation")


def _in_plane_options(options: UpsamplingOptions, scale: int) -> UpsamplingOptions:
    """Options of the in-plane step, whose input is normalized."""
    return replace(options.in_plane(scale), intensity_range=(0.0, 1.0), clip="none")


def _resized(image: np.ndarray, numpy_axis: int, count: int) -> np.ndarray:
    """Resample an axis to a number of voxels, antialiased: (k, j, i) in single precision."""
    if image.shape[numpy_axis] == count:
        return image
    weights = resampling.weights(image.shape[numpy_axis], count).astype(np.float32)
    moved: np.ndarray = np.moveaxis(np.tensordot(weights, image, (1, numpy_axis)), 0, numpy_axis)
    return np.ascontiguousarray(moved)


def _restore_missing(missing: np.ndarray, array: np.ndarray, output: np.ndarray) -> None:
    """Copy the voxels without image to all output voxels whose centers they contain."""
    containing = np.ix_(*map(containing_voxels, array.shape, output.shape))
    is_missing = missing[containing]
    output[is_missing] = array[containing][is_missing]


def _describe(
    volume: Volume,
    options: UpsamplingOptions,
    grid: OutputGrid,
    method: ThroughPlaneMethod | None,
    thickness: SliceThickness,
) -> list[Message]:
    messages = [
        info("slice-axis", f"{grid.axis.description(volume.ijk_to_ras)}."),
        info("output-grid", f"Output voxels: {geometry.format_sides(grid.spacing)} mm."),
    ]
    if method:
        text = f"Between slices: {method.name}. Slice thickness: {thickness}."
        messages += [*thickness.messages, info("through-plane", text)]
    elif options.adapt:
        messages.append(
            info("training", "No adaptation: the output has no more slices than the volume.")
        )
    return messages


def _record(
    volume: Volume,
    options: UpsamplingOptions,
    grid: OutputGrid,
    method: ThroughPlaneMethod | None,
    thickness: SliceThickness,
    intensity: Intensity,
    in_plane: dict[str, Any] | None,
    adaptation: Adaptation | None,
) -> dict[str, Any]:
    """Provenance of the output. The model is the one between slices, if there is one."""
    record = provenance.describe_upsampling(
        volume,
        options,
        method or SliceInterpolation(BASELINE),
        grid.scale or 1,
        grid.axis,
        intensity,
    )
    record["factors"] = [new / old for new, old in zip(grid.size, volume.size)]
    if method:
        record["slice_thickness"] = thickness.mm
    if adaptation:
        record["adaptation"] = adaptation.to_dict()
    if in_plane and method:
        record["in_plane_model"] = in_plane["model"]
    elif in_plane:
        record |= {key: in_plane[key] for key in ("model", "device", "precision")}
    return record
