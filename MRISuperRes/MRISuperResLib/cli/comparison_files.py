"""Files of a comparison: tables, volumes and maps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.comparison import maps
from ..core.comparison.compare import Comparison
from ..core.comparison.scores import csv_text
from ..core.io.formats import write_volume
from ..core.models.card import ModelCard
from ..core.volume import Volume

Source = dict[str, Any]
"""The input as the provenance records it: file, frame and series."""
METHOD_FIELDS = ("model", "device", "precision", "options")
"""Provenance fields that differ between methods."""


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
    options = comparison.options
    arrays = {output.name: output.volume.array for output in comparison.outputs}
    common = _common(comparison, {})

    def write(name: str, array: np.ndarray, like: Volume, formula: str) -> None:
        record = {key: common[key] for key in ("software", "date")} | {"notice": f"map: {formula}"}
        volume = Volume(array, like.ijk_to_ras, provenance=record)
        write_volume(folder / f"{name}.nii.gz", volume)

    for name, array in arrays.items():
        inconsistency = maps.inconsistency_map(
            array, comparison.low.array, comparison.axis, options.scale, options.degradation
        )
        write(f"{name}-inconsistency", inconsistency, comparison.low, "|degraded output − input|")
        if comparison.reference is not None:
            error = maps.difference_map(array, comparison.reference.array)
            write(f"{name}-error", error, comparison.reference, "|output − reference|")
    for pair, (psnr, gan) in pairs.items():
        if psnr.name in arrays and gan.name in arrays:
            difference = maps.difference_map(arrays[gan.name], arrays[psnr.name])
            like = comparison.outputs[0].volume
            write(f"{pair}-gan-psnr", difference, like, "|GAN model − PSNR model|")


def _common(comparison: Comparison, source: Source) -> dict[str, Any]:
    """Return the provenance fields that all outputs share."""
    record = comparison.outputs[0].volume.provenance or {}
    shared = {key: value for key, value in record.items() if key not in METHOD_FIELDS}
    return shared | {"input": record["input"] | source}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
