"""VGG, trained to name photographs: what its layers see is compared where pixels would say too little.

Simonyan and Zisserman 2014, arXiv:1409.1556. The weights come from a file, in one of two conventions: torchvision's state
dict (RGB, 0–1, ImageNet's mean and standard deviation), or an .npz with the first authors' own (BGR, 0–255, mean only), whose
names are block1_conv1.weight, block1_conv1.bias and so on.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from MRISuperResLib.core.errors import SuperResolutionError

from . import weight_files

CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""In each block; between the blocks the image is halved."""
WIDTHS = (64, 128, 256, 512, 512)
FILE_PATTERNS = {name: (f"{name}*.pth", f"{name}*.npz") for name in CONVOLUTIONS}
FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
SOURCE = "https://download.pytorch.org/models"

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of RGB, torchvision's weights."""
CAFFE = ((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3)

CAFFE_GAIN = 1 / 20
"""By which the features of the first authors' weights are multiplied: at conv5_4 they are so much larger than torchvision's, for
which the weights of the losses (λ, η) are meant. Of ESRGAN's published training logs, with torchvision's weights: a perceptual loss
of 0.8 to 1.0 on photographs; with these weights, truth against bicubic ×4: 15 to 24."""


class VGG(nn.Module):
    """Grey images (n, 1, h, w), 0–1, to features; in single precision whatever surrounds it, and never trained.

    name: "vgg16" or "vgg19". path: of the weights. Raises SuperResolutionError (kind "environment") for a file that holds no such weights.
    """

    def __init__(self, name, path):
        super().__init__()
        weights, (mean, deviation), self.gain = _read(name, path)
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(*weight.shape[1::-1], 3, padding=1) for weight, _ in block)
            for block in weights
        )
        for convolutions, values in zip(self.blocks, weights):
            for convolution, tensors in zip(convolutions.children(), values):
                for parameter, tensor in zip(convolution.parameters(), tensors):
                    parameter.data = tensor
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])
        self.requires_grad_(False).eval()

    def last_convolution(self, images):
        """What the perceptual loss of ESRGAN compares: the last convolution, conv5_4 of VGG19, before its activation; (n, 512, h/16, w/16)."""
        *_, features = self._run(self.normalized(images))
        return features * self.gain

    def normalized(self, images):
        """(n, 3, h, w) as the weights expect it of gray images (n, 1, h, w), 0–1, clipped to that."""
        return (images.float().clamp(0, 1) - self.mean) / self.deviation

    def last_activations(self, inputs):
        """The outputs of every block, after the activation (conv1_2, conv2_2, …). inputs: (n, 3, h, w), normalized already."""
        return [F.relu(features) for features in self._run(inputs)]

    def _run(self, x):
        with torch.autocast(x.device.type, enabled=False):
            for number, block in enumerate(self.blocks):
                if number:
                    x = F.max_pool2d(x, 2)
                for convolution in block.children():
                    features = convolution(x)
                    x = F.relu(features)
                yield features


def find_vgg(name, path=None):
    """The path of the weights: that which is given, or what is found. Raises SuperResolutionError (kind "environment") where there is none."""
    found = path or weight_files.find(*FILE_PATTERNS[name])
    if found is None:
        raise weight_files.missing(
            f"The perceptual loss (VGG{name[-2:]})", FILES[name], f"{SOURCE}/{FILES[name]}"
        )
    return found


def _read(name, path):
    """([[(weight, bias) of a convolution] of a block], (mean, deviation) of the input in RGB, gain of the features)"""
    try:
        if str(path).endswith(".npz"):
            weights = _blocks(name, _caffe_keys, _load_npz(path))
            weights[0][0] = (weights[0][0][0].flip(1), weights[0][0][1])  # BGR to RGB
            return weights, CAFFE, CAFFE_GAIN
        return (
            _blocks(
                name, _torchvision_keys, torch.load(path, map_location="cpu", weights_only=True)
            ),
            IMAGENET,
            1.0,
        )
    except (
        Exception
    ) as e:  # the readers raise whatever they meet in a file that is not what it seems
        raise SuperResolutionError(
            f"{path} holds no weights of {name.upper()} ({type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}): "
            f"get {FILES[name]} from {SOURCE}.",
            "environment",
        ) from e


def _load_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def _caffe_keys(name):
    for block, count in enumerate(CONVOLUTIONS[name]):
        yield [f"block{block + 1}_conv{number + 1}" for number in range(count)]


def _torchvision_keys(name):
    index = 0
    for count in CONVOLUTIONS[name]:
        yield [f"features.{index + 2 * number}" for number in range(count)]
        index += 2 * count + 1  # every convolution has an activation, every block a pooling


def _blocks(name, keys, values):
    blocks, features_in = [], 3
    for width, block in zip(WIDTHS, keys(name)):
        blocks.append([])
        for key in block:
            weight, bias = values[f"{key}.weight"].float(), values[f"{key}.bias"].float()
            if weight.shape != (width, features_in, 3, 3) or bias.shape != (width,):
                raise ValueError(f"{key} has the shape {tuple(weight.shape)}")
            blocks[-1].append((weight, bias))
            features_in = width
    return blocks
