"""The command `compare IN --out DIR`, and its files."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.comparison import figure
from ..core.comparison.compare import compare_methods
from ..core.comparison.results import Comparison
from ..core.comparison.scores import csv_text
from ..core.errors import SuperResolutionError
from ..core.io.atomic import new_folder
from ..core.io.formats import read_volume, write_volume
from ..core.methods.registry import (
    MethodRegistry,
    default_comparison_methods,
    default_methods_between_slices,
)
from ..core.models.card import ModelCard
from ..core.models.store import ModelStore
from ..core.options import DEFAULT_SCALE, FLOOR, ComparisonOptions
from ..core.progress import CancelCheck, format_elapsed
from ..core.resampling import INTERPOLATIONS, difference_map
from ..core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from ..core.volume import Volume
from .arguments import comparison_values
from .console import WIDTH, Console, format_columns

TITLES = {"image": "WHOLE IMAGE", "foreground": "FOREGROUND", "": "NO REFERENCE"}
"""Headings of the tables, by the region of their metrics."""
Source = dict[str, Any]
"""The input as the provenance records it: file, frame and series."""
METHOD_FIELDS = ("model", "device", "precision", "options")
"""Provenance fields that differ between methods."""


def run(arguments: argparse.Namespace, console: Console, is_cancelled: CancelCheck) -> str:
    """Compare methods on a file and return the tables.

    Raises:
        SuperResolutionError: The input, the options or the output are not usable.
        Cancelled: The user stopped the command.
    """
    start = time.monotonic()
    registry = MethodRegistry()
    options = options_of(arguments, registry.store)
    figure.import_matplotlib()
    with new_folder(arguments.out) as folder:
        for name in options.methods:
            registry.load(options.upsampling_options(name))  # before the volume is read
        volume = read_volume(arguments.input, arguments.frame, arguments.series)
        try:
            comparison = compare_methods(
                volume,
                options,
                registry=registry,
                on_progress=console.progress,
                is_cancelled=is_cancelled,
            )
        except MemoryError as error:
            raise SuperResolutionError(
                f"Out of memory for the outputs of {len(options.methods)} methods. Compare fewer "
                "at a time, close other applications, crop the volume or choose a smaller scale.",
                "memory",
            ) from error
        console.messages(comparison.messages)
        _write(folder, comparison, arguments, registry.store)
    duration = format_elapsed(time.monotonic() - start)
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    return "\n".join([*report(comparison, width), f"Done in {duration}: {arguments.out}"])


def options_of(arguments: argparse.Namespace, store: ModelStore) -> ComparisonOptions:
    """Return the comparison options that the arguments give.

    Raises:
        SuperResolutionError: An option is invalid, or no pair of models can be blended.
    """
    between_slices = arguments.slice_spacing is not None
    if between_slices and (arguments.scale is not None or arguments.blend):
        raise SuperResolutionError(
            "--slice-spacing compares methods between slices, which have neither --scale nor "
            "--blend: leave them out.",
            "settings",
        )
    scale = arguments.scale or DEFAULT_SCALE
    if arguments.methods:
        names = arguments.methods
    elif arguments.models and between_slices:
        names = [*THROUGH_PLANE_INTERPOLATIONS, *arguments.models]
    elif arguments.models:
        names = [*INTERPOLATIONS, FLOOR, *arguments.models]
    elif between_slices:
        names = default_methods_between_slices(store)
    else:
        names = default_comparison_methods(scale, store)
    blends = []
    if arguments.blend:
        pairs = store.pairs(scale)
        if not pairs:
            raise SuperResolutionError(
                f"No pair of a PSNR and a GAN model for ×{scale} is installed: "
                "omit --blend, or install a pair.",
                "model",
            )
        blends = [f"{pair}@{alpha}" for pair in pairs for alpha in arguments.blend]
    return ComparisonOptions(
        methods=(*names, *blends),
        scale=scale,
        reference=not arguments.no_reference,
        slice_spacing=arguments.slice_spacing,
        slice_thickness=arguments.slice_thickness,
        **comparison_values(arguments),
    )


def report(comparison: Comparison, width: int) -> list[str]:
    """Return the tables by region and the synthetic lesions, as lines for a terminal."""
    table = comparison.table
    kind = "slices" if comparison.thick is None else f"{comparison.axis.plane} reformats"
    slices = f"{len(table.scored)} of {table.slice_count} {kind}"
    restored = " and restored" if comparison.options.reference else ""
    lines = [
        f"{comparison.conditions()}{restored}.",
        f"Mean ± standard deviation over {slices}; * best.",
        "",
    ]
    _, rows = table.rows()
    for region, title in TITLES.items():
        shown = [n for n, metric in enumerate(table.metrics, 1) if metric.region == region]
        if shown:
            headings = (table.metrics[n - 1].heading.removesuffix(", foreground") for n in shown)
            cells = [[row[0], *(row[n] for n in shown)] for row in rows]
            lines += [*format_columns([[title, *headings], *cells], width), ""]
    return [*lines, *_lesions(comparison, width)]


def _write(
    folder: Path, comparison: Comparison, arguments: argparse.Namespace, store: ModelStore
) -> None:
    options = comparison.options
    source: Source = {
        "file": Path(arguments.input).name,
        "frame": arguments.frame,
        "series": arguments.series,
    }
    area = None
    if arguments.zoom is not None:
        area = figure.area_around(comparison, arguments.zoom)
    thick = comparison.thick
    to = f"×{options.scale}" if thick is None else f"{thick.spacing:.3g} mm slice spacing"
    title = f"{source['file']}, {to}"
    figure.draw(comparison, folder / "comparison.png", title, area)
    write_tables(folder, comparison, source)
    write_volumes(folder, comparison, source)
    if arguments.maps:
        write_maps(folder / "maps", comparison, store.pairs(options.scale))


def _lesions(comparison: Comparison, width: int) -> Iterator[str]:
    """Yield a table with a column per lesion size."""
    sizes = sorted({lesion.diameter for lesion in comparison.lesions})
    if not sizes:
        return
    outcomes = {
        (lesion.method, lesion.diameter): f"{lesion.outcome} {lesion.contrast:.0%}"
        for lesion in comparison.lesions
    }
    rows = [["SYNTHETIC LESIONS", *(f"{size} voxels" for size in sizes)]]
    for output in comparison.outputs:
        rows.append([output.name, *(outcomes[output.name, size] for size in sizes)])
    yield from format_columns(rows, width)
    yield "(remaining contrast at the input's resolution)"
    yield ""


def write_tables(folder: Path, comparison: Comparison, source: Source) -> None:
    """Write comparison.csv, slices.csv, lesions.csv and comparison.json."""
    _write_text(folder / "comparison.csv", comparison.table.csv())
    _write_text(folder / "slices.csv", comparison.table.slice_csv())
    header = ("method", "diameter", "outcome", "contrast", "brightness", "peak")
    rows = [
        (
            lesion.method,
            lesion.diameter,
            lesion.outcome,
            *map(float, (lesion.contrast, lesion.brightness, lesion.peak)),
        )
        for lesion in comparison.lesions
    ]
    _write_text(folder / "lesions.csv", csv_text(header, rows))
    records = [output.volume.provenance or {} for output in comparison.outputs]
    methods = [
        {**record["model"], "device": record["device"], "precision": record["precision"]}
        for record in records
    ]
    summary = _common(comparison, source) | {
        "options": comparison.options.to_dict(),
        "methods": methods,
        "messages": [message.to_dict() for message in comparison.messages],
    }
    _write_text(
        folder / "comparison.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    )


def write_volumes(folder: Path, comparison: Comparison, source: Source) -> None:
    """Write volumes/METHOD.nii.gz; with a reference also reference.nii.gz and low.nii.gz."""
    volumes = folder / "volumes"
    volumes.mkdir()
    for output in comparison.outputs:
        record = output.volume.provenance or {}
        record = record | {"input": record["input"] | source}
        write_volume(volumes / f"{output.name}.nii.gz", replace(output.volume, provenance=record))
    if comparison.reference is not None:
        common = _common(comparison, source)
        for name, volume, notice in (
            ("reference", comparison.reference, "the part of the input that was compared"),
            ("low", comparison.low, "the degraded input"),
        ):
            record = common | {"notice": notice}
            write_volume(folder / f"{name}.nii.gz", replace(volume, provenance=record))


def write_maps(
    folder: Path, comparison: Comparison, pairs: Mapping[str, tuple[ModelCard, ModelCard]]
) -> None:
    """Write the difference maps, float32, in the intensities of the input.

    METHOD-inconsistency.nii.gz, METHOD-error.nii.gz (with a reference), and PAIR-gan-psnr.nii.gz
    for every pair whose two models were compared.

    Args:
        folder: The folder to create.
        comparison: Results of the comparison.
        pairs: PSNR and GAN model cards, by the name of the pair.
    """
    folder.mkdir()
    arrays = {output.name: output.volume.array for output in comparison.outputs}
    common = _common(comparison, {})

    def write(name: str, array: np.ndarray, like: Volume, formula: str) -> None:
        record = {key: common[key] for key in ("software", "date")} | {"notice": f"map: {formula}"}
        volume = Volume(array, like.ijk_to_ras, provenance=record, header=like.space)
        write_volume(folder / f"{name}.nii.gz", volume)

    for name, array in arrays.items():
        inconsistency = comparison.inconsistency_map(array)
        write(f"{name}-inconsistency", inconsistency, comparison.low, "|degraded output − input|")
        if comparison.reference is not None:
            error = difference_map(array, comparison.reference.array)
            write(f"{name}-error", error, comparison.reference, "|output − reference|")
    for pair, (psnr, gan) in pairs.items():
        if psnr.name in arrays and gan.name in arrays:
            difference = difference_map(arrays[gan.name], arrays[psnr.name])
            like = comparison.outputs[0].volume
            write(f"{pair}-gan-psnr", difference, like, "|GAN model − PSNR model|")


def _common(comparison: Comparison, source: Source) -> dict[str, Any]:
    """Return the provenance fields that all outputs share."""
    record = comparison.outputs[0].volume.provenance or {}
    shared = {key: value for key, value in record.items() if key not in METHOD_FIELDS}
    return shared | {"input": record["input"] | source}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
