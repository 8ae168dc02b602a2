"""A small residual network for machines without a GPU: all its work is done at low resolution.

Residual blocks without batch normalization (Lim et al. 2017, "Enhanced deep residual networks for single image
super-resolution", arXiv:1707.02921), sub-pixel convolution (Shi et al. 2016, arXiv:1609.05158), and a bicubic skip, so
that only what interpolation lacks has to be learnt.
"""

from torch import nn
from torch.nn import functional as F

SLOPE = 0.2
"""Of the activation for negative values. With ReLU the channels of the first blocks die one after the other at the learning rates that a small network
needs, until nothing but the last block learns."""
RESIDUAL_GAIN = (
    0.1  # of the initial weights of each block's second convolution: blocks start near the identity
)


class ResidualBlock(nn.Module):
    """x + conv(LeakyReLU(conv(x))), (n, features, h, w) to the same shape."""

    def __init__(self, features):
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        for conv, gain in ((self.conv1, 1.0), (self.conv2, RESIDUAL_GAIN)):
            weight, bias = conv.parameters()
            nn.init.kaiming_normal_(weight, a=SLOPE)
            weight.data.mul_(gain)
            nn.init.zeros_(bias)

    def forward(self, x):
        return x + self.conv2(F.leaky_relu(self.conv1(x), SLOPE, inplace=True))


class CompactNet(nn.Module):
    """Low-resolution images (n, channels, h, w) to (n, channels, scale·h, scale·w), both with intensities about 0–1.

    scale: 2, 4 or 8. Multiplications per low-resolution pixel: about 9·features²·(2·blocks + 1), plus 9·features·scale².
    reach: how many low-resolution pixels away the output depends on.
    """

    def __init__(self, scale, blocks=8, features=64, channels=1):
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {scale}")
        self.scale, self.reach = scale, 2 * blocks + 3  # one for every convolution
        self.conv_first = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, channels * scale**2, 3, padding=1)
        for parameter in self.conv_last.parameters():
            nn.init.zeros_(parameter)  # begins as bicubic interpolation

    def forward(self, x):
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        # the sum in single precision: half precision would round the input itself
        return F.pixel_shuffle(self.conv_last(features), self.scale) + F.interpolate(
            x.float(), scale_factor=self.scale, mode="bicubic"
        )
