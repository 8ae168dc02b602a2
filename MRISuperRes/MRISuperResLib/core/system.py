"""Hardware queries that need no PyTorch, whose import takes seconds."""

from __future__ import annotations

import ctypes
import functools
import platform
import sys
from pathlib import Path
from typing import Literal

NVML = {"win32": "nvml.dll", "linux": "libnvidia-ml.so.1"}
"""NVIDIA's management library. It comes with the driver and does not initialize the GPU."""


@functools.cache
def has_gpu() -> bool:
    """Return True if PyTorch can probably use a GPU: one of NVIDIA, or one of Apple silicon."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        nvml, count = ctypes.CDLL(NVML[sys.platform]), ctypes.c_uint(0)
        return (
            nvml.nvmlInit_v2() == 0
            and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
            and count.value > 0
        )
    except (KeyError, OSError, AttributeError):  # another system, no driver, an old driver
        return False


def available_memory() -> int | None:
    """Return the available memory in bytes; None if it is unknown.

    Without psutil, which Slicer does not bring, it is known on Linux only.
    """
    try:
        import psutil
    except ImportError:
        return _available_on_linux()
    return int(psutil.virtual_memory().available)


def _available_on_linux() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(
            int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")
        )
    except (OSError, ValueError, StopIteration):
        return None


def device_kind(device: str) -> Literal["cpu", "gpu"]:
    """Return the kind of a device, for the choice of a model (see `ModelCard.made_for`).

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps", as in `UpsamplingOptions`.
    """
    uses_gpu = has_gpu() if device == "auto" else device != "cpu"
    return "gpu" if uses_gpu else "cpu"
