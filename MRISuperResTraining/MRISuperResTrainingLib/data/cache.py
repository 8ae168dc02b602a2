"""Cache of prepared slices: a stack of slices as .npy, and its description beside it as .json.

The description is written last, and holds a checksum of both: a stack without a matching
description counts as missing. The same name always has the same content, so that two processes
may write it at once.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from MRISuperResLib.core.io.atomic import atomic_file, translate_os_errors, write_json

FOLDER_VARIABLE = "MRISUPERRES_CACHE"
CHECKSUM = "crc32"


def default_folder() -> Path:
    """Return the folder that MRISUPERRES_CACHE names, else one in the user's cache."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "MRISuperRes" / "training"


def read(path: Path) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Read a stack of slices.

    Args:
        path: The .npy file.

    Returns:
        The slices (n, h, w), float32, memory-mapped, and their description. None if a file is
        missing or damaged.
    """
    try:
        description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        slices = np.load(path, mmap_mode="r")
        checksum = description.pop(CHECKSUM)
        is_whole = slices.dtype == np.float32 and _checksum(slices, description) == checksum
    except Exception:  # NumPy raises many kinds of errors for a damaged header
        return None
    return (slices, description) if is_whole else None


def write(path: Path, slices: np.ndarray, description: dict[str, Any]) -> None:
    """Write a stack of slices and its description.

    Args:
        path: The .npy file.
        slices: (n, h, w) float32.
        description: JSON values.

    Raises:
        SuperResolutionError: The disk is full, or the folder is not writable (kind
            "environment").
    """
    slices = np.ascontiguousarray(slices, np.float32)
    checked = description | {CHECKSUM: _checksum(slices, description)}
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, slices.nbytes) as temporary, open(temporary, "wb") as file:
        np.save(file, slices)
    write_json(path.with_suffix(".json"), checked)


def _checksum(slices: np.ndarray, description: dict[str, Any]) -> int:
    text = json.dumps([list(slices.shape), description], sort_keys=True)
    return zlib.crc32(slices.reshape(-1).view(np.uint8).data, zlib.crc32(text.encode()))
