"""Perceptual distances of images; lower is more similar.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric"
(arXiv:1801.03924), eq. 1: d(x, y) = Σ_l mean over (h, w) of ‖w_l ⊙ (x_l − y_l)‖², where x_l are the
features of block l, normalized to unit length at every position.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from MRISuperResLib.core.errors import SuperResolutionError

from . import vgg
from .vgg import VGG

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Published input normalization of LPIPS, for RGB from −1 to 1."""
EPSILON = 1e-10
LINEAR_FILE = "lpips_v0.1_vgg_lin.pth"
"""The published linear weights w_l² of LPIPS for VGG16."""


class PerceptualDistance(nn.Module):
    """Distance in the features of a VGG; a subclass defines the input and the weights w_l².

    Args:
        features: The VGG.
    """

    def __init__(self, features: VGG) -> None:
        super().__init__()
        self.vgg = features

    def forward(self, images: Tensor, reference: Tensor) -> Tensor:
        """Compute the distances of gray images.

        Args:
            images: (n, 1, h, w), clipped to 0–1.
            reference: The same shape.

        Returns:
            (n,), 0 for equal images.
        """
        return self.distance(self.features(images), self.features(reference))

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the normalized features of all blocks, to compare one image with several."""
        return [
            x / (x.square().sum(1, keepdim=True).sqrt() + EPSILON)
            for x in self.vgg.last_activations(self._normalized(images.float().clamp(0, 1)))
        ]

    def distance(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """Compute the distances (n,) of the features of two batches."""
        terms = [
            self._weighted((a - b).square(), block).sum(1).mean((1, 2))
            for block, (a, b) in enumerate(zip(features, others))
        ]
        return torch.stack(terms).sum(0)

    def _normalized(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def _weighted(self, squares: Tensor, block: int) -> Tensor:
        raise NotImplementedError


class Lpips(PerceptualDistance):
    """LPIPS, version 0.1, with VGG16 and the published linear weights.

    Args:
        features: Path of the weights of VGG16; those of VGG19 would define another metric.
        linear: Path of `LINEAR_FILE`.

    Raises:
        SuperResolutionError: A file holds no such weights (kind "environment").
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, features: str | Path, linear: str | Path) -> None:
        super().__init__(VGG("vgg16", features))
        for block, weight in enumerate(_read(linear)):
            self.register_buffer(f"linear{block}", weight)
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None])

    def _normalized(self, images: Tensor) -> Tensor:
        return (images * 2 - 1 - self.shift) / self.scale

    def _weighted(self, squares: Tensor, block: int) -> Tensor:
        return self.get_buffer(f"linear{block}") * squares


class VggDistance(PerceptualDistance):
    """Distance in the features of VGG19 with equal weights, the mean over the blocks.

    It replaces LPIPS if only the weights of VGG19 are available, which the perceptual loss needs
    anyway. Its values cannot be compared with those of LPIPS.
    """

    def _normalized(self, images: Tensor) -> Tensor:
        return self.vgg.normalized(images)

    def _weighted(self, squares: Tensor, block: int) -> Tensor:
        return squares / len(vgg.WIDTHS)


def find_lpips() -> Lpips | None:
    """Load LPIPS from MRISUPERRES_WEIGHTS; None if one of its two files is missing.

    Raises:
        SuperResolutionError: A file holds no such weights (kind "environment").
    """
    features, linear = vgg.find_vgg("vgg16"), vgg.find_weights(LINEAR_FILE)
    return Lpips(features, linear) if features and linear else None


def find_vgg_distance() -> VggDistance | None:
    """Load the VGG19 distance from MRISUPERRES_WEIGHTS; None if its file is missing.

    Raises:
        SuperResolutionError: The file holds no such weights (kind "environment").
    """
    path = vgg.find_vgg("vgg19")
    return VggDistance(VGG("vgg19", path)) if path else None


def _read(path: str | Path) -> list[Tensor]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return [
            values[f"lin{block}.model.1.weight"].float().reshape(width, 1, 1)
            for block, width in enumerate(vgg.WIDTHS)
        ]
    except Exception as e:  # torch.load raises many kinds of errors for other files
        raise SuperResolutionError(
            f"{path} holds no weights of LPIPS ({type(e).__name__}): get {LINEAR_FILE} from "
            "github.com/richzhang/PerceptualSimilarity.",
            "environment",
        ) from e
