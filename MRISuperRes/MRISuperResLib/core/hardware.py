"""What the computer has, as far as it can be told in a moment: PyTorch knows better, but takes seconds to import."""

import ctypes
import functools
import platform
import sys

NVML = {"win32": "nvml.dll", "linux": "libnvidia-ml.so.1"}
"""NVIDIA's management library, which comes with its driver, and does not touch the GPU itself."""


@functools.cache
def has_gpu() -> bool:
    """Whether there seems to be a GPU that PyTorch can use: the driver knows one of NVIDIA's, or the processor is Apple's."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        nvml, count = ctypes.CDLL(NVML[sys.platform]), ctypes.c_uint(0)
        return nvml.nvmlInit_v2() == 0 and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 and count.value > 0
    except (KeyError, OSError, AttributeError):  # another system, no driver, an old one
        return False


def machine(device: str) -> str:
    """"gpu" or "cpu": for what kind of machine a model should be made (ModelCard.made_for). device: that of a job, see job.UpscaleJob."""
    uses_gpu = has_gpu() if device == "auto" else device != "cpu"
    return "gpu" if uses_gpu else "cpu"
