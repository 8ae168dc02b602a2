"""Devices of PyTorch: choice by name, GPU memory, half precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.backends import cudnn

from ..errors import SuperResolutionError

PATCH = 64
"""Side of the patch that is computed in both precisions, low-resolution pixels."""
MAX_HALF_ERROR = 2e-3
"""Root mean square error, relative to the intensity range, above which half precision is rejected.
It corresponds to a PSNR of 54 dB; upsampled images have 25 to 45 dB."""

Network = Callable[[torch.Tensor], torch.Tensor]


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
    """Call a function and return its peak memory in bytes.

    Args:
        device: A CUDA device.
        function: Function to measure; its result is discarded.
    """
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    function()
    return torch.cuda.max_memory_allocated(device) - before


def half_dtype(device: torch.device) -> torch.dtype:
    """Return the 16-bit type that a device computes fast, or float32 if it has none.

    float16 on GPUs with tensor cores: as fast as bfloat16 with eight times its resolution, and
    the activations of normalized images stay within its range. bfloat16 on CPUs with AVX-512
    BF16 or AMX; other CPUs emulate it slowly.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return torch.float16
    if device.type == "cpu":
        # missing in older versions of PyTorch
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32


def requested_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of the computation for a precision.

    Args:
        precision: "float32"; "half": `half_dtype`; "auto": `half_dtype` on GPUs, float32 on CPUs.
        device: Device of the network.
    """
    if precision == "float32" or (precision == "auto" and device.type == "cpu"):
        return torch.float32
    return half_dtype(device)


def run_network(net: Network, batch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return net(batch) as float32.

    Args:
        net: A network with float32 weights.
        batch: (n, 1, h, w).
        dtype: The type of the computation. float32 means float32: TF32 is disabled.
    """
    with (
        torch.inference_mode(),
        torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32),
        cudnn.flags(enabled=True, allow_tf32=False),
    ):
        return net(batch).float()


def half_precision_error(
    net: Network, batch: torch.Tensor, dtype: torch.dtype
) -> tuple[float, float] | None:
    """Compare half precision with float32 on one patch, around the brightest pixel.

    Args:
        net: A network with float32 weights; the first channel of its result is compared.
        batch: (n, 1, h, w), normalized; the patch is from the image with the largest contrast.
        dtype: The type to compare with float32.

    Returns:
        (root mean square, largest) difference, relative to the intensity range; infinite if
        values overflow. None if every image is constant, so that nothing can be compared.
    """
    number = int((batch.amax((1, 2, 3)) - batch.amin((1, 2, 3))).argmax())
    image = batch[number : number + 1]
    if image.amin() == image.amax():
        return None
    row, column = divmod(int(image.argmax()), image.shape[3])
    top, left = (
        max(0, min(center - PATCH // 2, side - PATCH))
        for center, side in ((row, image.shape[2]), (column, image.shape[3]))
    )
    patch = image[:, :, top : top + PATCH, left : left + PATCH].contiguous(
        memory_format=torch.channels_last
    )
    half, single = (run_network(net, patch, each)[:, :1] for each in (dtype, torch.float32))
    difference = half - single
    rms, largest = float(difference.square().mean().sqrt()), float(difference.abs().max())
    return (rms, largest) if largest < float("inf") else (float("inf"), float("inf"))
