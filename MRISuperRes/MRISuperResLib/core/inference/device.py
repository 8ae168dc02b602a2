"""Devices of PyTorch: choice by name, GPU memory queries."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import SuperResolutionError


def resolve_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        SuperResolutionError: The computer has no such device (kind "environment").
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SuperResolutionError(
            "PyTorch finds no Apple GPU. Choose the device auto or cpu.", "environment"
        )
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise SuperResolutionError(
                "PyTorch finds no NVIDIA GPU. Choose the device auto or cpu, or install PyTorch "
                "with CUDA.",
                "environment",
            )
        if int(index or 0) >= count:
            raise SuperResolutionError(
                f"There is no GPU {index}. PyTorch finds {count}, counted from 0.", "environment"
            )
        return torch.device("cuda", int(index)) if index else torch.device("cuda")
    return torch.device(kind)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a CUDA device in bytes, after releasing PyTorch's cache."""
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]


def peak_memory(device: torch.device, function: Callable[[], object]) -> int:
    """Call a function and return the memory that it took at its peak, in bytes.

    Args:
        device: A CUDA device.
        function: What is measured; its result is dropped.
    """
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    function()
    return torch.cuda.max_memory_allocated(device) - before
