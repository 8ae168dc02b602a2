"""What the computer has, as far as it can be told in a moment: PyTorch knows better, but takes seconds to import."""

import ctypes
import functools
import platform
import sys
from pathlib import Path

NVML = {"win32": "nvml.dll", "linux": "libnvidia-ml.so.1"}
"""NVIDIA's management library, which comes with its driver, and does not touch the GPU itself."""


@functools.cache
def has_gpu() -> bool:
    """Whether there seems to be a GPU that PyTorch can use: the driver knows one of NVIDIA's, or the processor is Apple's."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        nvml, count = ctypes.CDLL(NVML[sys.platform]), ctypes.c_uint(0)
        return (
            nvml.nvmlInit_v2() == 0
            and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
            and count.value > 0
        )
    except (KeyError, OSError, AttributeError):  # another system, no driver, an old one
        return False


def available_memory() -> int | None:
    """Bytes of memory that programs can still have; None where the system does not tell."""
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        return (
            status.free
            if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
            else None
        )
    try:  # Linux; macOS has no such file
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(
            int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")
        )
    except (OSError, ValueError, StopIteration):
        return None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "totalPages",
                "freePages",
                "totalVirtual",
                "freeVirtual",
                "freeExtendedVirtual",
            )
        ),
    ]


def device_kind(device: str) -> str:
    """ "gpu" or "cpu": for what kind of machine a model should be made (ModelCard.made_for). device: that of a job, see job.UpsamplingOptions."""
    uses_gpu = has_gpu() if device == "auto" else device != "cpu"
    return "gpu" if uses_gpu else "cpu"
