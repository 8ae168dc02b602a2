"""Discriminators: networks that tell real images from generated ones.

Input: images (n, 1, patch, patch), about 0–1. Output: C(x) before the sigmoid, (n, 1), of the U-Net
(n, 1, patch, patch).

"thesis": eight 3×3 convolutions, each with batch normalization and LeakyReLU, and a dense head, as
in SRGAN (Ledig et al. 2017, arXiv:1609.04802, fig. 4), which does not normalize the first layer.
"official": the discriminator of ESRGAN's published code for patches of 128 pixels; its strided
convolutions are 4×4. The dense heads adapt to the size of the patches. "unet": a U-Net with
spectral normalization, which judges every pixel.

Batch normalization and the relativistic loss need means over all samples of a batch. If several
processes share a batch, the means are taken over all processes, in the forward and in the backward
pass: the gradients do not depend on how the batch is divided. The parts must have equal sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

NEGATIVE_SLOPE = 0.2
FEATURES = (64, 128, 256, 512)


def mean_over_processes(x: Tensor) -> Tensor:
    """Compute the mean of a tensor over all processes; gradients flow back to every process.

    Args:
        x: Any shape, the same in all processes.

    Returns:
        The same shape; `x` itself in a single process.
    """
    if _process_count() == 1:
        return x
    mean: Tensor = _MeanOverProcesses.apply(x)  # type: ignore[no-untyped-call]
    return mean


def _process_count() -> int:
    is_shared = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if is_shared else 1


class _MeanOverProcesses(torch.autograd.Function):
    """Mean over processes. Every loss depends on it, so the gradients are averaged as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _mean(*gradients)


def _mean(x: Tensor) -> Tensor:
    x = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(x)
    return x / distributed.get_world_size()


class BatchNorm(nn.Module):
    """Batch normalization with the statistics of the batch in all processes.

    Ioffe and Szegedy 2015 (arXiv:1502.03167), without running statistics: a discriminator
    only processes whole batches.
    """

    EPSILON = 1e-5

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (n, features, h, w)."""
        if _process_count() == 1:
            return F.batch_norm(
                x, None, None, self.weight, self.bias, training=True, eps=self.EPSILON
            )
        x = x.float()
        mean = mean_over_processes(x.mean((0, 2, 3)))[:, None, None]
        variance = mean_over_processes(((x - mean) ** 2).mean((0, 2, 3)))[:, None, None]
        normalized = (x - mean) * (variance + self.EPSILON).rsqrt()
        return normalized * self.weight[:, None, None] + self.bias[:, None, None]


def _head(inputs: int, hidden: int) -> nn.Sequential:
    """(n, features, h, w) to (n, 1).

    The last bias is not trained: a constant added to all C(x) cancels in a relativistic loss. Its
    gradient is rounding noise, which Adam would amplify to the size of any other gradient.
    """
    last = nn.Linear(hidden, 1)
    last.bias.requires_grad_(False)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden), nn.LeakyReLU(NEGATIVE_SLOPE), last
    )


class Discriminator(nn.Module):
    """Base of the discriminators: a convolutional body and a dense head."""

    def __init__(self, layers: list[nn.Module], inputs: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)
        self.head = _head(inputs, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Compute C(x), (n, 1)."""
        logits: Tensor = self.head(self.body(x))
        return logits


class ThesisDiscriminator(Discriminator):
    """Eight convolutions; every second one halves the image: 128 pixels to 8."""

    HIDDEN = 1024

    def __init__(self, patch: int, channels: int = 1) -> None:
        layers: list[nn.Module] = []
        features_in, side = channels, patch
        for features in FEATURES:
            for stride in (1, 2):
                layers += [
                    nn.Conv2d(features_in, features, 3, stride, padding=1, bias=False),
                    BatchNorm(features),
                    nn.LeakyReLU(NEGATIVE_SLOPE),
                ]
                features_in = features
            side = -(-side // 2)
        super().__init__(layers, features_in * side**2, self.HIDDEN)


class OfficialDiscriminator(Discriminator):
    """Five pairs of a 3×3 convolution and a 4×4 one that halves the image: 128 pixels to 4."""

    HIDDEN = 100

    def __init__(self, patch: int, channels: int = 1) -> None:
        side = patch // 32
        if side < 1:
            raise ValueError(
                f"the official discriminator needs patches of at least 32 pixels, not {patch}"
            )
        layers: list[nn.Module] = []
        features_in = channels
        for features in (*FEATURES, FEATURES[-1]):
            is_first = features_in == channels
            layers += [nn.Conv2d(features_in, features, 3, padding=1, bias=is_first)]
            layers += [] if is_first else [BatchNorm(features)]
            layers += [
                nn.LeakyReLU(NEGATIVE_SLOPE),
                nn.Conv2d(features, features, 4, 2, padding=1, bias=False),
                BatchNorm(features),
                nn.LeakyReLU(NEGATIVE_SLOPE),
            ]
            features_in = features
        super().__init__(layers, features_in * side**2, self.HIDDEN)


class UNetDiscriminator(nn.Module):
    """U-Net with spectral normalization: three halvings, skip connections, a number per pixel.

    Schönfeld et al. 2020 (arXiv:2002.12655) with the layers of Real-ESRGAN (Wang et al. 2021,
    section 3.4, arXiv:2107.10833). Spectral normalization (Miyato et al. 2018, arXiv:1802.05957)
    bounds the slope of C. Nothing couples the images of a batch.
    """

    def __init__(self, patch: int, channels: int = 1) -> None:
        super().__init__()
        if patch < 2 ** len(FEATURES):
            raise ValueError(f"the U-Net needs patches of at least 16 pixels, not {patch}")
        first = FEATURES[0]
        sizes = list(pairwise(FEATURES))
        self.conv_first = nn.Conv2d(channels, first, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(shallow, deep, 4, 2, padding=1, bias=False))
            for shallow, deep in sizes
        )
        self.up = nn.ModuleList(_normalized(deep, shallow) for shallow, deep in reversed(sizes))
        self.body = nn.ModuleList(_normalized(first, first) for _ in range(2))
        self.conv_last = nn.Conv2d(first, 1, 3, padding=1)
        assert self.conv_last.bias is not None
        self.conv_last.bias.requires_grad_(False)  # see `_head`

    def forward(self, x: Tensor) -> Tensor:
        """Compute C(x), (n, 1, h, w)."""
        skips = [F.leaky_relu(self.conv_first(x), NEGATIVE_SLOPE)]
        for conv in self.down:
            skips.append(F.leaky_relu(conv(skips[-1]), NEGATIVE_SLOPE))
        x = skips.pop()
        for conv in self.up:
            skip = skips.pop()
            x = F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=False)
            x = F.leaky_relu(conv(x), NEGATIVE_SLOPE) + skip
        for conv in self.body:
            x = F.leaky_relu(conv(x), NEGATIVE_SLOPE)
        logits: Tensor = self.conv_last(x)
        return logits


def _normalized(features_in: int, features_out: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(features_in, features_out, 3, padding=1, bias=False))


DISCRIMINATORS: dict[str, Callable[[int], nn.Module]] = {
    "thesis": ThesisDiscriminator,
    "official": OfficialDiscriminator,
    "unet": UNetDiscriminator,
}


def make_discriminator(name: str, patch: int) -> nn.Module:
    """Return an untrained discriminator.

    Args:
        name: A key of DISCRIMINATORS.
        patch: Side of the patches, pixels.

    Raises:
        ValueError: The name is unknown, or the patch too small.
    """
    if name not in DISCRIMINATORS:
        raise ValueError(f"unknown discriminator {name!r}: choose {', '.join(DISCRIMINATORS)}")
    return DISCRIMINATORS[name](patch)
