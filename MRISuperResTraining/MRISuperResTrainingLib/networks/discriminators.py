"""The discriminators: images (n, 1, patch, patch) with intensities about 0–1 to one number C(x) each, (n, 1), before the sigmoid.

"thesis": eight 3×3 convolutions, every one followed by batch normalization and LeakyReLU, and a dense head, as SRGAN has it
(Ledig et al. 2017, arXiv:1609.04802) but for the normalization of the first layer.
"official": that of ESRGAN's authors for patches of 128 pixels; the strided convolutions are 4×4, the first has no normalization.
The head of either adapts to the size of the patches.
"""

from torch import nn

from .whole_batch import BatchNorm

SLOPE = 0.2  # of every LeakyReLU
FEATURES = (64, 128, 256, 512)


def _head(inputs, hidden):
    """(n, features, h, w) to (n, 1). The last bias is never trained: what is added to all C(x) alike is in no relativistic loss, so
    that its gradient is rounding noise, which Adam would make as large as any other."""
    last = nn.Linear(hidden, 1)
    last.bias.requires_grad_(False)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), last)


class ThesisDiscriminator(nn.Module):
    """Every second convolution halves the image: 128 pixels to 8."""

    HEAD = 1024

    def __init__(self, patch, channels=1):
        super().__init__()
        layers, features_in, side = [], channels, patch
        for features in FEATURES:
            for stride in (1, 2):
                layers += [
                    nn.Conv2d(features_in, features, 3, stride, padding=1, bias=False),
                    BatchNorm(features),
                    nn.LeakyReLU(SLOPE),
                ]
                features_in = features
            side = -(-side // 2)
        self.body = nn.Sequential(*layers)
        self.head = _head(features_in * side**2, self.HEAD)

    def forward(self, x):
        return self.head(self.body(x))


class OfficialDiscriminator(nn.Module):
    """Five pairs of a 3×3 convolution and a 4×4 one that halves the image: 128 pixels to 4."""

    HEAD = 100

    def __init__(self, patch, channels=1):
        super().__init__()
        side = patch // 32
        if side < 1:
            raise ValueError(
                f"the official discriminator needs patches of at least 32 pixels, not {patch}"
            )
        layers, features_in = [], channels
        for features in (*FEATURES, FEATURES[-1]):
            layers += [nn.Conv2d(features_in, features, 3, padding=1, bias=features_in == channels)]
            layers += [BatchNorm(features)] if features_in != channels else []
            layers += [
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(features, features, 4, 2, padding=1, bias=False),
                BatchNorm(features),
                nn.LeakyReLU(SLOPE),
            ]
            features_in = features
        self.body = nn.Sequential(*layers)
        self.head = _head(features_in * side**2, self.HEAD)

    def forward(self, x):
        return self.head(self.body(x))


DISCRIMINATORS = {"thesis": ThesisDiscriminator, "official": OfficialDiscriminator}


def make_discriminator(name, patch):
    """An untrained discriminator for patches of `patch`×`patch` pixels. Raises ValueError for what there is not."""
    if name not in DISCRIMINATORS:
        raise ValueError(f"there is no discriminator {name!r}: {', '.join(DISCRIMINATORS)}")
    return DISCRIMINATORS[name](patch)
