"""Compact residual network for computers without a GPU; it computes at low resolution only.

Residual blocks without batch normalization (Lim et al. 2017, arXiv:1707.02921, section 3.1),
sub-pixel convolution (Shi et al. 2016, arXiv:1609.05158, section 2.2) and a bicubic skip
connection, so that the network learns only the difference from interpolation.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .bicubic import upsample_bicubic

SLOPE = 0.2
"""Slope of the activation for negative values. With ReLU the channels of the first blocks die one
after another at the learning rates of a small network, until only the last block learns."""
RESIDUAL_GAIN = 0.1
"""Factor of the initial weights of each block's second convolution: near the identity."""


class ResidualBlock(nn.Module):
    """x + conv(LeakyReLU(conv(x))), (n, features, h, w) to the same shape."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        for conv, gain in ((self.conv1, 1.0), (self.conv2, RESIDUAL_GAIN)):
            weight, bias = conv.parameters()
            nn.init.kaiming_normal_(weight, a=SLOPE)
            weight.data.mul_(gain)
            nn.init.zeros_(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return an image of the same shape."""
        residual: torch.Tensor = self.conv2(F.leaky_relu(self.conv1(x), SLOPE, inplace=True))
        return x + residual


class CompactNet(nn.Module):
    """Generator from (n, channels, h, w) to (n, channels, scale·h, scale·w), intensities about 0-1.

    Multiplications per low-resolution pixel: about 9·features²·(2·blocks + 1), and
    9·features·scale² for the last convolution.

    Args:
        scale: 2, 4 or 8.
        blocks: Residual blocks.
        features: Channels of the residual blocks.
        channels: Channels of the images.
        skip: True: the skip connection is that of `upsample_bicubic`. False: that of PyTorch
            (a = −0.75, repeated edges), with which the shipped models were trained.

    Attributes:
        scale: Upsampling factor.
        reach: Distance in low-resolution pixels beyond which the output does not depend on the
            input (half the receptive field).
    """

    def __init__(
        self,
        scale: int,
        blocks: int = 8,
        features: int = 64,
        channels: int = 1,
        skip: bool = False,
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {scale}")
        self.scale, self.skip = scale, skip
        self.reach = 2 * blocks + 3  # one pixel per convolution
        self.conv_first = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, channels * scale**2, 3, padding=1)
        for parameter in self.conv_last.parameters():
            nn.init.zeros_(parameter)  # starts as bicubic interpolation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the upsampled images; the sum is in float32 also under autocast."""
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        # half precision would round the interpolated input itself
        interpolated = (
            upsample_bicubic(x, self.scale)
            if self.skip
            else F.interpolate(x.float(), scale_factor=self.scale, mode="bicubic")
        )
        return F.pixel_shuffle(self.conv_last(features), self.scale) + interpolated
