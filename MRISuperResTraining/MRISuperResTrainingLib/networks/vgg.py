"""VGG: image features from the classification of photographs.

Simonyan and Zisserman 2014 (arXiv:1409.1556), with torchvision's weights: a state dict for RGB from
0 to 1, normalized with the mean and standard deviation of ImageNet. Nothing is downloaded: the
file must be in a folder that MRISUPERRES_WEIGHTS names.
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
