"""Provenance: the record that marks an output as synthetic and makes it reproducible."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from .geometry import SliceAxis
    from .intensity import Intensity
    from .methods.interpolation import AnyMethod
    from .options import ComparisonOptions, UpsamplingOptions
    from .volume import Volume

PRODUCT = "MRISuperRes"
NOTICE = "synthetic, not for diagnosis"


def record_header(notice: str) -> dict[str, Any]:
    """Build the first fields of every record: notice, software with version, UTC date."""
    return {
        "notice": notice,
        "software": f"{PRODUCT} {__version__}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe_upsampling(
    volume: Volume,
    options: UpsamplingOptions | ComparisonOptions,
    method: AnyMethod,
    scale: int,
    axis: SliceAxis,
    intensity: Intensity,
) -> dict[str, Any]:
    """Describe how an output was computed.

    Args:
        volume: Input volume.
        options: Options of the task.
        method: Method that upsampled the slices, or between them.
        scale: In-plane upsampling factor.
        axis: Slice direction.
        intensity: Intensity map of the input.

    Returns:
        JSON values: notice, model with its hash, options, input, library versions and date.
    """
    description = volume.header.get("descrip")
    return {
        **record_header(NOTICE),
        "model": model_record(method),
        "scale": scale,
        "slices": {"axis": axis.name, "plane": axis.plane, "reason": axis.reason},
        "device": str(method.device),
        "precision": method.precision,
        "options": options.to_dict(),
        "input": {
            "size": list(volume.size),
            "spacing": list(volume.spacing),
            "type": str(volume.array.dtype),
            **({"description": description} if description else {}),
        },
        "intensity": {"low": intensity.low, "high": intensity.high},
        "versions": versions(),
    }


def model_record(method: AnyMethod) -> dict[str, str | None]:
    """Describe a method by name, stage and the SHA-256 of its weights.

    A blend lists both hashes; an interpolation has none.
    """
    return {
        "name": method.name,
        "stage": method.stage,
        "sha256": " ".join(card.sha256 for card in method.cards) or None,
    }


def has_output_grid(record: Mapping[str, Any]) -> bool:
    """Return True for the provenance of an output with a requested spacing instead of a scale."""
    return "factors" in record


def describe_methods(record: Mapping[str, Any]) -> str:
    """Name the methods of an output: "fast-x2-psnr ×2", or "through-plane between slices".

    Args:
        record: Its provenance.
    """
    name, scale = record["model"]["name"], record["scale"]
    if not has_output_grid(record):
        return f"{name} ×{scale}"
    if "slice_thickness" not in record:
        return f"{name} ×{scale}, reduced" if scale > 1 else "resampled"
    first = f"{record['in_plane_model']['name']} ×{scale}, " if "in_plane_model" in record else ""
    return f"{first}{name} between slices"


def describe_adaptation(adaptation: Mapping[str, Any]) -> str:
    """Tell what the adaptation of the network between slices gained.

    Args:
        adaptation: "adaptation" of the provenance of an output.
    """
    steps, gain = adaptation["steps"], adaptation["held_out_gain_db"]
    if adaptation["used"]:
        return (
            f"Network adapted to this volume in {steps} steps: {gain:+.2f} dB PSNR "
            "on its held-out slices."
        )
    return (
        f"Adaptation in {steps} steps did not improve the network on held-out slices "
        f"of this volume ({gain:+.2f} dB PSNR); the original network was used."
    )


def versions() -> dict[str, str]:
    """List the versions of Python and of the numerical libraries that are loaded.

    The modules report them, since package metadata may belong to a broken installation.
    """
    found = {"python": platform.python_version()}
    for name in ("numpy", "torch", "safetensors"):
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__)
    return found


def provenance_path(path: str | Path) -> Path:
    """Return the provenance file of an output: NAME.json beside the file or DICOM folder NAME."""
    path = Path(os.path.abspath(path))
    return path.with_name(f"{path.name}.json")


def read_provenance(path: str | Path) -> dict[str, Any] | None:
    """Return the provenance beside an output, or None if it is missing, damaged or of others."""
    try:
        record = json.loads(provenance_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_own = isinstance(record, dict) and is_own_software(str(record.get("software")))
    return record if is_own else None


def is_own_software(text: str) -> bool:
    """Return True for a software with version that names this one, as provenance has it."""
    return text.startswith(f"{PRODUCT} ")


def output_record(path: str | Path) -> dict[str, Any]:
    """Describe the content of an output, so that a damaged one is noticed.

    Args:
        path: A volume file, or the folder of a DICOM series.

    Returns:
        "bytes": size; "sha256": of the file, or of the lines that sha256sum prints for a series.
    """
    path = Path(path)
    files = sorted(path.glob("*.dcm")) if path.is_dir() else [path]
    hashes = []
    for each in files:
        with open(each, "rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    lines = "".join(f"{sha256}  {each.name}\n" for sha256, each in zip(hashes, files))
    total = hashlib.sha256(lines.encode()).hexdigest() if path.is_dir() else hashes[0]
    return {"bytes": sum(each.stat().st_size for each in files), "sha256": total}
