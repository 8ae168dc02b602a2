"""The ESRGAN generator: a network of residual-in-residual dense blocks (RRDB).

Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
arXiv:1809.00219, section 3.1. Parameters are named as in BasicSR, whose checkpoints map directly.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from .compact import upsample_bicubic

SLOPE = 0.2
"""Slope of every LeakyReLU for negative values."""
BETA = 0.2
"""Residual scaling, in the dense block and again in the RRDB (Wang et al. 2018, section 3.1)."""
INITIAL_GAIN = 0.1
"""Factor of the Kaiming initialization inside the blocks, which start near the identity."""


def _conv(features_in: int, features_out: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(features_in, features_out, kernel, padding=kernel // 2)


def _activate(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


class DenseBlock(nn.Module):
    """Five convolutions, each on all outputs before it: (n, features, h, w) to the same shape."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)
        for conv in self.children():
            weight, bias = conv.parameters()
            nn.init.kaiming_normal_(weight, a=SLOPE)
            weight.data.mul_(INITIAL_GAIN)
            nn.init.zeros_(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape."""
        outputs = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            outputs = torch.cat((outputs, _activate(conv(outputs))), 1)
        return torch.add(x, self.conv5(outputs), alpha=BETA)


class RRDB(nn.Module):
    """Residual-in-residual dense block: three dense blocks, (n, features, h, w) to the same."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape."""
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=BETA)


class RRDBNet(nn.Module):
    """Generator from (n, channels, h, w) to (n, channels, scale·h, scale·w), intensities about 0-1.

    Args:
        scale: 2, 4 or 8.
        blocks: RRDBs; 23 in Wang et al. 2018.
        features: Channels of the trunk; 64 in Wang et al. 2018.
        growth: Channels that each convolution of a dense block adds; 32 in Wang et al. 2018.
        first_kernel: Side of the first convolution: 3 without an activation as in the official
            code, or 9 with a LeakyReLU as in SRGAN (Ledig et al. 2017, arXiv:1609.04802).
        channels: 1 for MRI, 3 for checkpoints trained on photographs.
        skip: Add `upsample_bicubic` of the input, so that the network learns only the difference
            from interpolation; an untrained network interpolates.
        unshuffle: 1, or side of the pixel blocks, 2 or 4, that become channels before the first
            convolution (Wang et al. 2021, Real-ESRGAN, arXiv:2107.10833, section 3.4): the trunk
            computes fewer pixels. Sides that are not a multiple are mirrored at their end.

    Attributes:
        scale: Upsampling factor.
        reach: Distance in low-resolution pixels beyond which the output does not depend on the
            input (half the receptive field).
    """

    def __init__(
        self,
        scale: int,
        blocks: int = 23,
        features: int = 64,
        growth: int = 32,
        first_kernel: int = 3,
        channels: int = 1,
        skip: bool = False,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {scale}")
        if first_kernel not in (3, 9):
            raise ValueError(f"the first kernel must be 3 or 9, not {first_kernel}")
        if unshuffle not in (1, 2, 4):
            raise ValueError(f"unshuffle must be 1, 2 or 4, not {unshuffle}")
        self.scale, self.unshuffle, self.skip = scale, unshuffle, skip
        # first convolution, blocks, body; the rest, on ever smaller pixels, less than 3
        blocks_reached = first_kernel // 2 + 15 * blocks + 1 + 3
        self.reach = unshuffle * blocks_reached + unshuffle - 1
        self.activate_first = first_kernel == 9
        self.conv_first = _conv(channels * unshuffle**2, features, first_kernel)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = _conv(features, features)
        self.upsampling = [
            f"conv_up{step + 1}" for step in range(int(math.log2(scale * unshuffle)))
        ]
        for name in self.upsampling:
            self.add_module(name, _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, channels)
        if skip:
            for parameter in self.conv_last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the upsampled images, in float32 also under autocast."""
        height, width = x.shape[2:]
        images, x = x, self.conv_first(self._unshuffled(x))
        if self.activate_first:
            x = _activate(x)
        x = x + self.conv_body(self.body(x))
        for name in self.upsampling:
            x = _activate(
                self.get_submodule(name)(F.interpolate(x, scale_factor=2, mode="nearest"))
            )
        x = _activate(self.conv_hr(x))
        # the eight bits of bfloat16 would show as steps in the image
        with torch.autocast(x.device.type, enabled=False):
            output: torch.Tensor = self.conv_last(x.to(self.conv_last.weight.dtype))
            output = output[:, :, : self.scale * height, : self.scale * width]
            return output + upsample_bicubic(images, self.scale) if self.skip else output

    def _unshuffled(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels·unshuffle², h/unshuffle, w/unshuffle), rounded up."""
        if self.unshuffle == 1:
            return x
        bottom, right = (-side % self.unshuffle for side in x.shape[2:])
        if bottom or right:
            # a side shorter than the block cannot be mirrored
            mode = "reflect" if min(x.shape[2:]) >= self.unshuffle else "replicate"
            x = F.pad(x, (0, right, 0, bottom), mode)
        return F.pixel_unshuffle(x, self.unshuffle)
