"""Stacks of slices on disk: one file each, an ordinary .npy file with a description in JSON behind its last byte, and a checksum of all.

A file appears whole or not at all, and the same name always has the same content: two processes that write it at once do no harm.
"""

import contextlib
import io
import json
import os
import secrets
import sys
import zlib
from pathlib import Path

import numpy as np

from MRISuperResLib.core.io.writing import translate_os_errors

FOLDER_VARIABLE = "MRISUPERRES_CACHE"
CHECKSUM = 8  # hexadecimal digits of a CRC-32


def default_folder():
    """Where the system keeps what a program can make again, or what the environment variable MRISUPERRES_CACHE names."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "MRISuperRes" / "training"


def read(path):
    """(slices (n, h, w) float32, mapped from the file; description), or None where there is no such file, or not as it was written."""
    try:
        content = np.memmap(path, np.uint8, "r")
        end = len(content) - CHECKSUM
        if zlib.crc32(content[:end].data) != int(content[end:].tobytes(), 16):
            return None
    except (OSError, ValueError):
        return None
    slices = np.load(path, mmap_mode="r")
    return slices, json.loads(content[slices.offset + slices.nbytes : end].tobytes())


def write(path, shape, slices, describe):
    """slices: yields n images (h, w); shape: (n, h, w). describe(): JSON values, called after the last slice.

    Raises SuperResolutionError (kind "environment") where the disk is full, or the folder can't be written.
    """
    path = Path(path)
    with translate_os_errors(path, 4 * int(np.prod(shape))):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(part, "xb") as file:
                crc = 0
                for data in _content(shape, slices, describe):
                    crc = zlib.crc32(data, crc)
                    file.write(data)
                file.write(f"{crc:0{CHECKSUM}x}".encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _content(shape, slices, describe):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
    )
    yield header.getvalue()
    for image in slices:
        yield np.ascontiguousarray(image, "<f4").tobytes()
    yield json.dumps(describe()).encode()
