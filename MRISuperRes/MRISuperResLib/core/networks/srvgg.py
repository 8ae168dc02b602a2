"""SRVGGNetCompact: convolutions at low resolution only, for checkpoints of Real-ESRGAN.

Code of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833). Parameters are named as in BasicSR, whose
checkpoints map directly.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F


class SrvggNet(nn.Module):
    """Generator from (n, channels, h, w) to (n, channels, scale·h, scale·w), intensities about 0-1.

    Args:
        scale: 2, 4 or 8.
        convolutions: Convolutions between the first and the last one.
        features: Channels between the convolutions.
        channels: Channels of the images.

    Attributes:
        scale: Upsampling factor.
        reach: Distance in low-resolution pixels beyond which the output does not depend on the
            input (half the receptive field).
    """

    def __init__(
        self, scale: int, convolutions: int = 16, features: int = 64, channels: int = 1
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {scale}")
        self.scale, self.reach = scale, convolutions + 2  # one pixel per convolution
        sizes = [channels, *(convolutions + 1) * [features]]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.PReLU(after)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, channels * scale**2, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the upsampled images; the sum is in float32 also under autocast."""
        # half precision would round the repeated input itself
        return F.pixel_shuffle(self.body(x), self.scale) + F.interpolate(
            x.float(), scale_factor=self.scale, mode="nearest"
        )
