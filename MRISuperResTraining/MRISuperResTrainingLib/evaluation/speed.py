"""Speed of networks on the CPU of this computer."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from MRISuperResLib.core.methods.between_slices import ThroughPlaneNetwork
from MRISuperResLib.core.methods.network import NetworkMethod

SIDE = 256
"""Side of the slice, pixels: a typical MRI slice."""
ASPECT = 4
"""Slice spacing of the reformat, in in-plane pixels."""
REPEATS = 5


def cpu_speed(method: NetworkMethod) -> dict[str, Any]:
    """Measure a method on the CPU for `ModelCard.cpu_speed`."""
    images = np.random.default_rng(0).random((1, SIDE, SIDE), dtype=np.float32)
    return _speed(lambda: method(images), (SIDE * method.scale) ** 2)


def cpu_speed_between_slices(method: ThroughPlaneNetwork) -> dict[str, Any]:
    """Measure a method between slices on the CPU for `ModelCard.cpu_speed`, in one orientation."""
    images = np.random.default_rng(0).random((1, SIDE // ASPECT, SIDE), dtype=np.float32)
    return _speed(lambda: method(images, SIDE, ASPECT, 1.0), SIDE**2)


def processor() -> str:
    """Return the name of the processor."""
    try:  # on Linux, platform returns the architecture only
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _speed(run: Callable[[], Any], pixels: int) -> dict[str, Any]:
    """Time a function that computes so many pixels.

    The fastest of several runs counts, since other programs can only slow a run down.
    """
    run()  # the first run also prepares the convolutions
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds_per_megapixel": round(min(seconds) / (pixels / 1e6), 3),
        "threads": torch.get_num_threads(),
        "processor": processor(),
    }
