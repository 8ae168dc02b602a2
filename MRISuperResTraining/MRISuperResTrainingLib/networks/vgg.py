"""VGG: image features from the classification of photographs, and distances of images in them.

Simonyan and Zisserman 2014 (arXiv:1409.1556), with torchvision's weights: a state dict for RGB from
0 to 1, normalized with the mean and standard deviation of ImageNet. Nothing is downloaded: the
file must be in a folder that MRISUPERRES_WEIGHTS names.

Perceptual distances, lower is more similar: Zhang et al. 2018, "The unreasonable effectiveness of
deep features as a perceptual metric" (arXiv:1801.03924), eq. 1: d(x, y) = Σ_l mean over (h, w) of
‖w_l ⊙ (x_l − y_l)‖², where x_l are the features of block l, normalized to unit length at every
position.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.metrics.perceptual import FOLDERS_VARIABLE

CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Number of convolutions in each block; the image is halved between the blocks."""
WIDTHS = (64, 128, 256, 512, 512)
"""Number of features of each block."""
FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
URL = "https://download.pytorch.org/models"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet, RGB."""

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Published input normalization of LPIPS, for RGB from −1 to 1."""
EPSILON = 1e-10
LINEAR_FILE = "lpips_v0.1_vgg_lin.pth"
"""The published linear weights w_l² of LPIPS for VGG16."""


class VGG(nn.Module):
    """Convolutional part of VGG for gray images; not trained, always in float32.

    Args:
        name: "vgg16" or "vgg19".
        path: Weights in torchvision's convention.

    Raises:
        SuperResolutionError: The file holds no such weights (kind "environment").
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, path: str | Path) -> None:
        super().__init__()
        weights = _read(name, path)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1) for weight, _ in block
            )
            for block in weights
        )
        for convolutions, values in zip(self.blocks, weights):
            for convolution, tensors in zip(convolutions.children(), values):
                for parameter, tensor in zip(convolution.parameters(), tensors):
                    parameter.data = tensor
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])
        self.requires_grad_(False).eval()

    def last_convolution(self, images: Tensor) -> Tensor:
        """Compute the last convolution before its activation (conv5_4 of VGG19).

        Args:
            images: (n, 1, h, w), about 0–1, not clipped.

        Returns:
            (n, 512, h/16, w/16).
        """
        *_, features = self._convolutions(self.normalized(images))
        return features

    def normalized(self, images: Tensor) -> Tensor:
        """Return gray images (n, 1, h, w), 0–1, as normalized RGB, (n, 3, h, w)."""
        return (images.float() - self.mean) / self.deviation

    def last_activations(self, inputs: Tensor) -> list[Tensor]:
        """Compute the outputs of all blocks after the activation (conv1_2, conv2_2, …).

        Args:
            inputs: (n, 3, h, w), normalized.

        Returns:
            (n, width, h/2^b, w/2^b) for block b, from 0.
        """
        return [F.relu(features) for features in self._convolutions(inputs)]

    def _convolutions(self, x: Tensor) -> Iterator[Tensor]:
        """The last convolution of every block before its activation."""
        with torch.autocast(x.device.type, enabled=False):
            for number, block in enumerate(self.blocks):
                if number:
                    x = F.max_pool2d(x, 2)
                for convolution in block.children():
                    features = convolution(x)
                    x = F.relu(features)
                yield features


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
        for block, weight in enumerate(_read_linear(linear)):
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
        return squares / len(WIDTHS)


def find_weights(pattern: str) -> Path | None:
    """Find a weights file.

    Args:
        pattern: File name pattern, such as "vgg19*.pth".

    Returns:
        The first file in the folders of MRISUPERRES_WEIGHTS; None if there is none.
    """
    for folder in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        for path in sorted(Path(folder).glob(pattern)):
            return path
    return None


def find_vgg(name: str) -> Path | None:
    """Find the weights of "vgg16" or "vgg19" in the folders of MRISUPERRES_WEIGHTS."""
    return find_weights(f"{name}*.pth")


def load_vgg(name: str, path: str | Path | None = None) -> VGG:
    """Load a VGG.

    Args:
        name: "vgg16" or "vgg19".
        path: Weights; None: searched in MRISUPERRES_WEIGHTS.

    Raises:
        SuperResolutionError: No weights were found, or the file holds no such weights (kind
            "environment").
    """
    found = path or find_vgg(name)
    if found is None:
        raise SuperResolutionError(
            f"The perceptual loss needs the weights of {name.upper()}, {FILES[name]}: get them "
            f"from {URL}/{FILES[name]}, and put them into a folder that the environment "
            f"variable {FOLDERS_VARIABLE} names.",
            "environment",
        )
    return VGG(name, found)


def find_lpips() -> Lpips | None:
    """Load LPIPS from MRISUPERRES_WEIGHTS; None if one of its two files is missing.

    Raises:
        SuperResolutionError: A file holds no such weights (kind "environment").
    """
    features, linear = find_vgg("vgg16"), find_weights(LINEAR_FILE)
    return Lpips(features, linear) if features and linear else None


def find_vgg_distance() -> VggDistance | None:
    """Load the VGG19 distance from MRISUPERRES_WEIGHTS; None if its file is missing.

    Raises:
        SuperResolutionError: The file holds no such weights (kind "environment").
    """
    path = find_vgg("vgg19")
    return VggDistance(VGG("vgg19", path)) if path else None


def _read(name: str, path: str | Path) -> list[list[tuple[Tensor, Tensor]]]:
    """Weight and bias of every convolution of every block."""
    try:
        return _blocks(name, torch.load(path, map_location="cpu", weights_only=True))
    except Exception as e:  # torch.load raises many kinds of errors for other files
        reason = str(e).splitlines()[0] if str(e) else ""
        raise SuperResolutionError(
            f"{path} holds no weights of {name.upper()} ({type(e).__name__}: {reason}): "
            f"get {FILES[name]} from {URL}.",
            "environment",
        ) from e


def _blocks(name: str, values: dict[str, Tensor]) -> list[list[tuple[Tensor, Tensor]]]:
    blocks: list[list[tuple[Tensor, Tensor]]] = []
    features_in, index = 3, 0
    for width, count in zip(WIDTHS, CONVOLUTIONS[name]):
        blocks.append([])
        for _ in range(count):
            key = f"features.{index}"
            weight, bias = values[f"{key}.weight"].float(), values[f"{key}.bias"].float()
            if weight.shape != (width, features_in, 3, 3) or bias.shape != (width,):
                raise ValueError(f"{key} has the shape {tuple(weight.shape)}")
            blocks[-1].append((weight, bias))
            features_in = width
            index += 2  # the convolution and its activation
        index += 1  # the pooling
    return blocks


def _read_linear(path: str | Path) -> list[Tensor]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return [
            values[f"lin{block}.model.1.weight"].float().reshape(width, 1, 1)
            for block, width in enumerate(WIDTHS)
        ]
    except Exception as e:  # torch.load raises many kinds of errors for other files
        raise SuperResolutionError(
            f"{path} holds no weights of LPIPS ({type(e).__name__}): get {LINEAR_FILE} from "
            "github.com/richzhang/PerceptualSimilarity.",
            "environment",
        ) from e
