"""Compact networks, which compute at low resolution only, and their skip connection.

CompactNet, for computers without a GPU: residual blocks without batch normalization (Lim et al.
2017, arXiv:1707.02921, section 3.1), sub-pixel convolution (Shi et al. 2016, arXiv:1609.05158,
section 2.2) and a bicubic skip connection, so that the network learns only the difference from
interpolation. SrvggNet: for checkpoints of Real-ESRGAN.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F

from .. import resampling

SLOPE = 0.2
"""Slope of the activation for negative values. With ReLU the channels of the first blocks die one
after another at the learning rates of a small network, until only the last block learns."""
RESIDUAL_GAIN = 0.1
"""Factor of the initial weights of each block's second convolution: near the identity."""
REACH = 2
"""Distance in low-resolution pixels to the farthest pixel that an output pixel depends on."""


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


class SrvggNet(nn.Module):
    """SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833).

    Generator from (n, channels, h, w) to (n, channels, scale·h, scale·w), intensities about 0-1.
    Parameters are named as in BasicSR, whose checkpoints map directly.

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
