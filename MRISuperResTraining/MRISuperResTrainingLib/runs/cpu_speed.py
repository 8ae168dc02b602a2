"""How long a model takes on a computer without a GPU: a figure of its card."""

import platform
import time
from pathlib import Path

import numpy as np
import torch

SIDE = 256
"""Pixels of the slice that is enlarged: of an ordinary MRI slice."""
REPEATS = 5


def measure(method):
    """The ModelCard.cpu_speed of a NetworkMethod on the CPU: the quickest of some runs, as whatever else the computer does only adds."""
    slice_ = np.random.default_rng(0).random((1, SIDE, SIDE), dtype=np.float32)
    method(slice_)  # the first one also prepares the convolutions
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        method(slice_)
        seconds.append(time.perf_counter() - start)
    megapixels = (SIDE * method.scale) ** 2 / 1e6
    return {
        "seconds_per_megapixel": round(min(seconds) / megapixels, 3),
        "threads": torch.get_num_threads(),
        "processor": processor(),
    }


def processor():
    """The name of the processor, as far as the system tells."""
    try:  # Linux, where platform knows the architecture only
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
