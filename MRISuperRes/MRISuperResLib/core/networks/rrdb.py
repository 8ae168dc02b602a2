"""The generator: a network of residual-in-residual dense blocks (RRDB).

Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", arXiv:1809.00219, section 3.1.
Parameter names follow BasicSR, so that its checkpoints map one to one.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

SLOPE = 0.2  # of every LeakyReLU
BETA = 0.2  # residual scaling, in the dense block and again in the RRDB
INITIAL_GAIN = 0.1  # of the Kaiming initialization inside the blocks: deep residual networks start near the identity


def _conv(features_in, features_out, kernel=3):
    return nn.Conv2d(features_in, features_out, kernel, padding=kernel // 2)


def _activated(x):
    return F.leaky_relu(x, SLOPE, inplace=True)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the outputs of all before: (n, features, h, w) to the same shape."""

    def __init__(self, features, growth):
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

    def forward(self, x):
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, _activated(conv(seen))), 1)
        return torch.add(x, self.conv5(seen), alpha=BETA)


class RRDB(nn.Module):
    """Residual-in-residual dense block: three dense blocks, (n, features, h, w) to the same shape."""

    def __init__(self, features, growth):
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, x):
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=BETA)


class RRDBNet(nn.Module):
    """Low-resolution images (n, channels, h, w) to (n, channels, scale·h, scale·w), both with intensities about 0–1.

    scale: 2, 4 or 8. blocks, features, growth: the thesis and ESRGAN have 23, 64, 32. first_kernel: 9 is the thesis's
    first layer, followed by a LeakyReLU; 3 is ESRGAN's, without an activation. channels: 1 for MRI, 3 for checkpoints
    that were trained on photographs. reach: how many low-resolution pixels away the output depends on.
    """

    def __init__(self, scale, blocks=23, features=64, growth=32, first_kernel=3, channels=1):
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {scale}")
        if first_kernel not in (3, 9):
            raise ValueError(f"the first kernel must be 3 or 9, not {first_kernel}")
        self.scale = scale
        self.reach = (
            first_kernel // 2 + 15 * blocks + 1 + 3
        )  # first convolution, blocks, body; all that follow, on ever smaller pixels, less than 3
        self.activate_first = first_kernel == 9
        self.conv_first = _conv(channels, features, first_kernel)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = _conv(features, features)
        self.upsampling = [f"conv_up{step + 1}" for step in range(int(math.log2(scale)))]
        for name in self.upsampling:
            self.add_module(name, _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, channels)

    def forward(self, x):
        x = self.conv_first(x)
        if self.activate_first:
            x = _activated(x)
        x = x + self.conv_body(self.body(x))
        for name in self.upsampling:
            x = _activated(
                self.get_submodule(name)(F.interpolate(x, scale_factor=2, mode="nearest"))
            )
        x = _activated(self.conv_hr(x))
        with torch.autocast(
            x.device.type, enabled=False
        ):  # the image itself in single precision: eight bits of bfloat16 would show as steps
            return self.conv_last(x.to(self.conv_last.weight.dtype))
