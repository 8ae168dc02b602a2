"""System resources: GPU, available memory, and estimates of memory.

Nothing here needs PyTorch, whose import takes seconds.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import SuperResolutionError

if TYPE_CHECKING:
    from .geometry import SliceAxis

NVML = {"win32": "nvml.dll", "linux": "libnvidia-ml.so.1"}
"""NVIDIA's management library. It comes with the driver and does not initialize the GPU."""
WORKER_BYTES = 2**29
"""Memory of a process with PyTorch and a network, without its volume."""
NETWORK_ADDRESS_SPACE = 1152 * 2**20
"""Smallest limit of the address space with which every command works on a small volume."""
COMPARISON_ADDRESS_SPACE = 512 * 2**20
"""The same for comparisons of interpolations, which load SciPy and matplotlib."""


def let_threads_sleep() -> None:
    """Make the threads of PyTorch sleep while they wait, unless the user chose another policy.

    By default they spin, which doubles the time if other programs use the same cores. Call it
    before PyTorch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@functools.cache
def has_gpu() -> bool:
    """Return True if PyTorch can probably use a GPU (NVIDIA or Apple silicon)."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        nvml, count = ctypes.CDLL(NVML[sys.platform]), ctypes.c_uint(0)
        return (
            nvml.nvmlInit_v2() == 0
            and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
            and count.value > 0
        )
    except (KeyError, OSError, AttributeError):  # unsupported system, missing or old driver
        return False


def check_address_space(needed: int = NETWORK_ADDRESS_SPACE) -> None:
    """Check that a limit of this process (ulimit -v) leaves room for the libraries.

    Without, they end the process without an exception, so that nothing can be reported.

    Args:
        needed: Bytes of address space.

    Raises:
        SuperResolutionError: The limit is too small (kind "memory").
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise SuperResolutionError(
            f"Out of memory: {format_bytes(needed)} of address space are needed, but this process "
            f"is limited to {format_bytes(limit)} (ulimit -v). Raise the limit; upsampling by an "
            "interpolation such as bicubic needs less.",
            "memory",
        )


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


def thread_count() -> int:
    """Return the number of threads that PyTorch may use on the CPU."""
    requested = os.environ.get("OMP_NUM_THREADS", "")
    if requested.isdecimal() and int(requested):
        return int(requested)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class RunEstimate:
    """Estimated size and memory of a task.

    Attributes:
        output_bytes: Size of all outputs, which stay in memory together.
        peak_bytes: Memory while the last output is computed.
        megapixels: Millions of voxels of all outputs.
    """

    output_bytes: int
    peak_bytes: int
    megapixels: float

    def fits(self, available: int | None) -> bool:
        """Return True if the task fits into `available` bytes; None (unknown) counts as enough."""
        return available is None or self.peak_bytes <= available


def estimate_run(
    volumes: Sequence[tuple[Sequence[int], int, SliceAxis]], scale: int
) -> RunEstimate:
    """Estimate size and memory of upsampling.

    Args:
        volumes: ((ni, nj, nk), bytes per voxel, slice direction) for every volume or frame.
        scale: Upsampling factor.
    """
    voxels = [math.prod(size) * math.prod(axis.factors(scale)) for size, _bytes, axis in volumes]
    output = sum(count * voxel for count, (_size, voxel, _axis) in zip(voxels, volumes))
    # the worker's copy of a volume, and a temporary one for its percentiles
    copies = max((2 * math.prod(size) * voxel for size, voxel, _axis in volumes), default=0)
    return RunEstimate(output, output + copies + WORKER_BYTES, sum(voxels) / 1e6)


def estimate_grid_run(volumes: Sequence[tuple[Sequence[int], int, Sequence[int]]]) -> RunEstimate:
    """Estimate size and memory of upsampling to grids, see `through_plane.grid.OutputGrid`.

    Args:
        volumes: ((ni, nj, nk), bytes per voxel, (ni, nj, nk) of the output) for every volume.
    """
    outputs = [math.prod(new) for _size, _bytes, new in volumes]
    output = sum(count * voxel for count, (_size, voxel, _new) in zip(outputs, volumes))
    # the worker's copies of a volume, and two of its output in single precision
    copies = max(
        (
            2 * math.prod(size) * voxel + 2 * 4 * count
            for count, (size, voxel, _new) in zip(outputs, volumes)
        ),
        default=0,
    )
    return RunEstimate(output, output + copies + WORKER_BYTES, sum(outputs) / 1e6)


def format_bytes(count: float) -> str:
    """Format a number of bytes as "37 MiB" or "1.2 GiB"."""
    if count < 2**30:
        return f"{max(1, round(count / 2**20))} MiB"
    return f"{count / 2**30:.1f} GiB"
