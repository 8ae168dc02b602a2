"""Bicubic interpolation on the device of a network: the skip connection around it."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch.nn import functional as F

from .. import resampling

REACH = 2
"""Distance in low-resolution pixels to the farthest pixel that an output pixel depends on."""


def upsample_bicubic(images: torch.Tensor, scale: int) -> torch.Tensor:
    """Upsample as `resampling.upsample`: MATLAB's kernel and symmetric edges.

    F.interpolate has another kernel (a = −0.75) and repeats the pixels at the edges.

    Args:
        images: (n, channels, h, w).
        scale: Upsampling factor, a whole number.

    Returns:
        (n, channels, scale·h, scale·w), float32 also under autocast.
    """
    n, channels, height, width = images.shape
    rows, columns = (_mirrored(side, images.device) for side in (height, width))
    padded = images.float().flatten(0, 1)[:, None].index_select(2, rows).index_select(3, columns)
    with torch.autocast(images.device.type, enabled=False):
        phases = F.conv2d(padded, _kernels(scale, images.device))
    return F.pixel_shuffle(phases, scale).reshape(n, channels, scale * height, scale * width)


def _mirrored(side: int, device: torch.device) -> torch.Tensor:
    """Numbers of the pixels along an axis with REACH more at both ends, mirrored at the edges."""
    number = torch.arange(-REACH, side + REACH, device=device) % (2 * side)
    return torch.minimum(number, 2 * side - 1 - number)


@lru_cache(maxsize=16)
def _kernels(scale: int, device: torch.device) -> torch.Tensor:
    """Kernels of the scale² output pixels of an input pixel: (scale², 1, 5, 5)."""
    side = 2 * REACH + 1
    phases = resampling.weights(side, side * scale)[REACH * scale : (REACH + 1) * scale]
    with torch.inference_mode(False):  # the cached tensor is also used for training
        axis = torch.tensor(phases, dtype=torch.float32, device=device)
        return torch.einsum("ay,bx->abyx", axis, axis).reshape(scale**2, 1, side, side)
