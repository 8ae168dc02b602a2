"""The network between slices: upsamples along one axis, by any factor up to 8.

It computes on the acquired slices only, as a compact network does (see `compact`), and adds what
cubic B-spline interpolation lacks. Zhao et al. 2021, "SMORE: a self-supervised anti-aliasing and
super-resolution algorithm for MRI using deep learning" (IEEE Trans Med Imaging 40), upsample such
slices, too; here one network serves all slice spacings, which it receives as two more channels.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn

from .. import resampling
from ..slice_profile import interpolation_weights
from .compact import ResidualBlock

SUB_SLICES = 8
"""Slices into which a slice is divided, which are then averaged to the requested number."""


class ThroughPlaneNet(nn.Module):
    """Generator from (n, 3, slices, w) to (n, 1, count, w), intensities about 0-1.

    Args:
        scale: Largest factor, 8.
        blocks: Residual blocks.
        features: Channels of the residual blocks.

    Attributes:
        scale: Largest factor.
        reach: None: slices are not divided into tiles.
    """

    reach: int | None = None

    def __init__(self, scale: int, blocks: int = 16, features: int = 32) -> None:
        super().__init__()
        if scale != SUB_SLICES:
            raise ValueError(f"scale must be {SUB_SLICES}, not {scale}")
        self.scale = scale
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, SUB_SLICES, 3, padding=1)
        for parameter in self.conv_last.parameters():
            nn.init.zeros_(parameter)  # starts as interpolation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample to square pixels: (n, 3, slices, w) to (n, 1, round(aspect · slices), w).

        Args:
            x: What `with_geometry` returns.
        """
        aspect = float(x[0, 1, 0, 0]) * SUB_SLICES
        return self.upsample(x, round(aspect * x.shape[2]))

    def upsample(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Upsample (n, 3, slices, w) to (n, 1, count, w), in float32 also under autocast.

        Args:
            x: What `with_geometry` returns.
            count: Number of output slices.
        """
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        residual = self.conv_last(features).float()
        n, parts, slices, width = residual.shape
        divided = residual.transpose(1, 2).reshape(n, 1, slices * parts, width)
        interpolation, reduction = _weights(slices, count, x.device)
        with torch.autocast(x.device.type, enabled=False):
            return interpolation @ x[:, :1].float() + reduction @ divided


def with_geometry(images: torch.Tensor, aspect: float, coverage: float) -> torch.Tensor:
    """Return the network's input, (n, 3, slices, w).

    Args:
        images: (n, 1, slices, w), normalized.
        aspect: Slice spacing, in in-plane pixels, 1 to 8.
        coverage: Slice thickness, as a part of the slice spacing; less than 1 with a gap.
    """
    planes = torch.ones_like(images)
    return torch.cat((images, planes * (aspect / SUB_SLICES), planes * coverage), 1)


@lru_cache(maxsize=256)
def _weights(slices: int, count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of the interpolation (count, slices), and of the averages (count, 8·slices)."""
    matrices = (
        interpolation_weights(slices, count),
        resampling.weights(slices * SUB_SLICES, count),
    )
    with torch.inference_mode(False):  # the cached tensors are also used for training
        first, second = (
            torch.tensor(matrix, dtype=torch.float32, device=device) for matrix in matrices
        )
    return first, second
