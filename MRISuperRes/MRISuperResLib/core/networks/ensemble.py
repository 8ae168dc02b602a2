"""Self-ensemble: the mean of a network's results for the eight symmetries of the square."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

SYMMETRIES = tuple(itertools.product((False, True), range(4)))
"""(mirrored, quarter turns) of the eight symmetries; a transposition is a mirrored turn."""


class SelfEnsemble(nn.Module):
    """The mean over flipped and turned images, each result flipped and turned back.

    Timofte et al. 2016, "Seven ways to improve example-based single image super resolution",
    section 3.5 (arXiv:1511.02228). It is as symmetric as interpolation: a turned image gives the
    turned result.

    Args:
        net: Network from (n, 1, h, w) to (n, 1, scale·h, scale·w).

    Attributes:
        scale: Upsampling factor.
        reach: That of the network.
    """

    scale: int
    reach: int | None

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.scale, self.reach = net, net.scale, net.reach  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Return the upsampled images, averaged in float32 also under autocast."""
        results = (turned_back(self.net(turned(x, *each)).float(), *each) for each in SYMMETRIES)
        total: Tensor = sum(results, start=torch.zeros((), device=x.device))
        return total / len(SYMMETRIES)


def turned(x: Tensor, is_mirrored: bool, turns: int) -> Tensor:
    """Mirror images (n, 1, h, w), then turn them by quarter turns."""
    images = torch.rot90(x.flip(3) if is_mirrored else x, turns, (2, 3))
    return images.contiguous(memory_format=torch.channels_last)


def turned_back(x: Tensor, is_mirrored: bool, turns: int) -> Tensor:
    """Undo `turned`."""
    images = torch.rot90(x, -turns, (2, 3))
    return images.flip(3) if is_mirrored else images
