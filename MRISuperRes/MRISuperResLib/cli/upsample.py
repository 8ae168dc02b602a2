"""The command `upsample IN OUT`, and the steps that it shares with `batch`."""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..core.errors import SuperResolutionError
from ..core.io.atomic import claim
from ..core.io.formats import check_output, read_volume, write_volume
from ..core.methods.registry import MethodRegistry
from ..core.options import UpsamplingOptions
from ..core.progress import CancelCheck, format_elapsed
from ..core.upsampling import upsample_volume
from ..core.volume import Volume
from .console import Console

Writer = Callable[[Volume], None]


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Upsample a file and return the line that describes the output.

    Raises:
        SuperResolutionError: The input, the options or the output are not usable.
        Cancelled: The user stopped the command.
    """
    start = time.monotonic()
    options = options_of(arguments)
    write = make_writer(
        arguments.output, arguments.input, arguments.dicom, arguments.frame, arguments.series
    )
    registry = MethodRegistry()
    with claim(arguments.output):
        method = registry.get(options)
        volume = upsample_file(
            arguments.input,
            write,
            options,
            registry,
            console,
            is_cancelled,
            arguments.frame,
            arguments.series,
        )
    size = "×".join(map(str, volume.size))
    spacing = "×".join(f"{side:.4g}" for side in volume.spacing)
    return (
        f"Done in {format_elapsed(time.monotonic() - start)}: {arguments.output}, {size} voxels "
        f"of {spacing} mm ({volume.array.dtype.name}), {method.name} ×{method.scale}"
    )


def options_of(arguments: argparse.Namespace) -> UpsamplingOptions:
    """Return the upsampling options that the arguments give."""
    return UpsamplingOptions(
        model=arguments.model,
        scale=arguments.scale,
        slice_axis=arguments.slice_axis,
        device=arguments.device,
        precision=arguments.precision,
    )


def make_writer(
    target: str | Path,
    source: str | Path,
    as_dicom: bool,
    frame: int | None = None,
    series: str | None = None,
) -> Writer:
    """Return the function that writes the volume made from `source`.

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
        return functools.partial(write_volume, target)
    from ..core.io.dicom_write import DicomSeriesWriter, find_source_series

    return DicomSeriesWriter(target, find_source_series(source, frame, series)).write


def upsample_file(
    source: str | Path,
    write: Writer,
    options: UpsamplingOptions,
    registry: MethodRegistry,
    console: Console,
    is_cancelled: CancelCheck,
    frame: int | None = None,
    series: str | None = None,
) -> Volume:
    """Read, upsample and write a volume; return the written one.

    Raises:
        SuperResolutionError: The input or the output is not usable, or memory is exhausted.
        Cancelled: The user stopped the command.
    """
    try:
        volume = read_volume(source, frame, series)
        console.messages(volume.messages)  # before the work, as some advise against it
        result = _upsample(volume, options, registry, console, is_cancelled)
        provenance = result.provenance or {}
        file = {"file": Path(source).name, "frame": frame, "series": series}
        provenance["input"] = provenance.get("input", {}) | file
        result = replace(result, provenance=provenance)
        write(result)
    except MemoryError as error:
        raise SuperResolutionError(
            f"Out of memory while reading {Path(source).name} or writing its output. "
            "Close other applications, crop the volume or choose a smaller scale.",
            "memory",
        ) from error
    return result


def _upsample(
    volume: Volume,
    options: UpsamplingOptions,
    registry: MethodRegistry,
    console: Console,
    is_cancelled: CancelCheck,
) -> Volume:
    try:
        result = upsample_volume(
            volume,
            options,
            registry=registry,
            on_progress=console.progress,
            is_cancelled=is_cancelled,
        )
    except MemoryError as error:
        gib = volume.array.nbytes * registry.get(options).scale ** 2 / 2**30
        raise SuperResolutionError(
            f"Out of memory: the output alone takes {gib:.1f} GiB. "
            "Close other applications, crop the volume or choose a smaller scale.",
            "memory",
        ) from error
    console.messages(result.messages[len(volume.messages) :])
    return result
