"""JSON sidecars: metadata that BIDS and dcm2niix store beside a NIfTI file."""

from __future__ import annotations

import json
import math
from pathlib import Path

MAX_BYTES = 2**24
"""Largest sidecar that is read; those of dcm2niix have some kilobytes."""


def stated_thickness(path: Path, stem: str) -> float | None:
    """Return the slice thickness in the sidecar of an image.

    A sidecar is optional, so that a damaged one counts as missing.

    Args:
        path: The image.
        stem: Its name without extension.

    Returns:
        Slice thickness as stated, mm; None without a sidecar or a number in it.
    """
    sidecar = path.with_name(f"{stem}.json")
    try:
        if sidecar.stat().st_size > MAX_BYTES:
            return None
        values = json.loads(sidecar.read_text(encoding="utf-8-sig"))
        number = values.get("SliceThickness") if isinstance(values, dict) else None
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            return None
        return float(number) if math.isfinite(number) else None
    except (OSError, ValueError, OverflowError, RecursionError):
        return None
