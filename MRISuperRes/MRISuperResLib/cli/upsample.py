"""The command `upsample IN OUT`, and the steps that it shares with `batch`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import SuperResolutionError
from ..core.io.atomic import check_space, claim
from ..core.io.formats import (
    check_output,
    copy_gradient_tables,
    read_frames,
    read_volume,
    write_volume,
)
from ..core.labels import check_grid_of_labels, check_labels, upsample_labels
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from ..core.output_plan import OutputPlan
from ..core.progress import CancelCheck, format_elapsed
from ..core.provenance import describe_methods
from ..core.uncertainty import MAP
from ..core.upsampling import upsample_frames
from ..core.volume import Frames, Volume
from .console import Console

MAX_PACKED = 1000
"""Largest factor by which compression makes voxels smaller (deflate: 1032)."""
PLANNED = "output-grid"
"""Code of the message about the output, which is shown before the work."""


@dataclass(frozen=True)
class Output:
    """An output and the function that writes its frames.

    Attributes:
        target: Output file, or the folder of a DICOM series.
        write: Writes the frames.
    """

    target: Path
    write: Callable[[Frames], None]

    def check_space(self, size: int) -> None:
        """Check, before a long task, that `size` bytes of voxels fit on the disk.

        Raises:
            SuperResolutionError: They do not (kind "environment").
        """
        is_packed = self.target.name.lower().endswith((".gz", ".nrrd"))
        check_space(self.target, size // MAX_PACKED if is_packed else size)


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Upsample a file and return the line that describes the output.

    Raises:
        SuperResolutionError: The input, the options or the output are not usable.
        Cancelled: The user stopped the command.
    """
    start = time.monotonic()
    options = options_of(arguments)
    if arguments.uncertainty is not None:
        options = replace(options, uncertainty=True)
    output = make_output(
        arguments.output, arguments.input, arguments.dicom, arguments.frame, arguments.series
    )
    registry = MethodRegistry()
    labels = _read_labels(arguments)
    if arguments.uncertainty is not None:
        others = arguments.input, arguments.output, arguments.mask, *(arguments.labels or ())
        _check_target(arguments.uncertainty, "uncertainty map", others)
    with claim(arguments.output):
        registry.load(options)
        volume = upsample_file(
            arguments.input,
            output,
            options,
            registry,
            console,
            is_cancelled,
            arguments.frame,
            arguments.series,
            arguments.mask,
            labels,
        )
        if labels is not None:
            upsampled = upsample_labels(labels, volume, arguments.label_interpolation)
            write_volume(arguments.labels[1], upsampled)
        if volume.uncertainty is not None:
            complete = (volume.provenance or {}) | {"map": MAP}
            write_volume(arguments.uncertainty, replace(volume.uncertainty, provenance=complete))
    size = "×".join(map(str, volume.size))
    record = volume.provenance or {}
    count = record.get("frames", 1)
    frames = f", {count} frames" if count > 1 else ""
    spacing = "×".join(f"{side:.4g}" for side in volume.spacing)
    return (
        f"Done in {format_elapsed(time.monotonic() - start)}: {arguments.output}, {size} voxels "
        f"of {spacing} mm{frames} ({volume.array.dtype.name}), {describe_methods(record)}"
        + (f"; labels: {arguments.labels[1]}" if labels is not None else "")
        + (f"; uncertainty: {arguments.uncertainty}" if options.uncertainty else "")
    )


def _read_labels(arguments: argparse.Namespace) -> Volume | None:
    """Read the label map, and check before the work that it fits and that OUT can be written."""
    if arguments.labels is None:
        return None
    source, target = arguments.labels
    check_output(target, source)
    _check_target(target, "label map", (arguments.input, arguments.output))
    labels = read_volume(source, labels=True)
    check_labels(labels)
    return labels


def _check_target(target: str, what: str, others: Iterable[str | None]) -> None:
    """Check before the work that a file beside OUT can be written, and replaces none of others."""
    check_output(target)
    if Path(target).resolve() in (Path(other).resolve() for other in others if other is not None):
        raise SuperResolutionError(
            f"The {what} would replace the file {target}. Choose another name.", "settings"
        )


def options_of(arguments: argparse.Namespace) -> UpsamplingOptions:
    """Return the upsampling options that the arguments give."""
    return UpsamplingOptions(
        model=arguments.model,
        scale=arguments.scale,
        slice_axis=arguments.slice_axis,
        device=arguments.device,
        precision=arguments.precision,
        clip=arguments.clip,
        ensemble=arguments.ensemble,
        isotropic=arguments.isotropic,
        spacing=arguments.spacing,
        between_slices=arguments.between_slices,
        slice_thickness=arguments.slice_thickness,
        adapt=arguments.adapt,
        seed=arguments.seed,
    )


def make_output(
    target: str | Path,
    source: str | Path,
    as_dicom: bool,
    frame: int | None = None,
    series: str | None = None,
) -> Output:
    """Return the output for the frames made from `source`, after checking that it can be written.

    Args:
        target: Output file, or the folder of a DICOM series.
        source: Input file or folder.
        as_dicom: True for a derived DICOM series.
        frame: Frame of a 4D input.
        series: Series of a DICOM folder.

    Raises:
        SuperResolutionError: The output cannot be written.
    """
    if not as_dicom:
        check_output(target, source)

        def write(frames: Frames) -> None:
            write_volume(target, frames)
            if len(frames) > 1:
                copy_gradient_tables(source, target)

        return Output(Path(target), write)
    from ..core.io.dicom_write import DicomSeriesWriter, find_source_series

    writer = DicomSeriesWriter(target, find_source_series(source, frame, series))
    return Output(Path(target), lambda frames: writer.write(frames[0]))


def upsample_file(
    source: str | Path,
    output: Output,
    options: UpsamplingOptions,
    registry: MethodRegistry,
    console: Console,
    is_cancelled: CancelCheck,
    frame: int | None = None,
    series: str | None = None,
    mask: str | Path | None = None,
    labels: Volume | None = None,
) -> Volume:
    """Read, upsample and write a volume, or all frames of a 4D file.

    A label map is only checked to lie on the grid of the volume.

    Returns:
        The first written frame, with the messages about all of them.

    Raises:
        SuperResolutionError: The input or the output is not usable, or memory is exhausted.
        Cancelled: The user stopped the command.
    """
    written: dict[int, Volume] = {}
    provenance = {"file": Path(source).name, "frame": frame, "series": series}

    def recorded(number: int) -> Volume:
        """Upsample a frame; show its messages, and complete its provenance."""
        result = upsampled[number]
        record = result.provenance or {}
        record["input"] = record.get("input", {}) | provenance
        if mask is not None:
            record["mask"] |= {"file": Path(mask).name}
        known = {message.text for message in shown}
        new = [
            message
            for message in result.messages
            if message.text not in known and message.code != PLANNED
        ]
        if written:
            new = [message for message in new if message.is_warning]
        console.messages(new)
        shown.extend(new)
        written.setdefault(0, result)
        return replace(result, provenance=record)

    try:
        frames = read_frames(source, frame, series)
        if options.uncertainty and len(frames) > 1:
            raise SuperResolutionError(
                f"{Path(source).name} holds {len(frames)} frames, but the uncertainty map is that "
                "of one. Choose it with --frame, or leave out the map.",
                "settings",
            )
        first = frames[0]
        if labels is not None:
            check_grid_of_labels(labels, first)
        shown = list(first.messages)
        console.messages(shown)  # before the work, as some advise against it
        plan = OutputPlan.of(first, options, registry, len(frames))
        del first  # one frame at a time is in memory
        output.check_space(plan.output_bytes)
        console.messages([plan.message()])
        upsampled = upsample_frames(
            frames,
            options,
            registry=registry,
            on_progress=console.progress,
            is_cancelled=is_cancelled,
            mask=None if mask is None else read_volume(mask, labels=True),
        )
        output.write(Frames(len(frames), recorded))
    except MemoryError as error:
        raise SuperResolutionError(
            f"Out of memory while upsampling {Path(source).name} or writing its output. "
            "Close other applications, crop the volume or choose a smaller scale.",
            "memory",
        ) from error
    return replace(written[0], messages=tuple(shown))
