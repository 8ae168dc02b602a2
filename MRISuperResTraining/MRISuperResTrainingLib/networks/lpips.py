"""LPIPS: the distance of two images as people judge it, lower for the more similar ones.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", arXiv:1801.03924; version 0.1, VGG16,
with the published linear weights. It needs torchvision's weights of VGG16: with those of VGG19 it would be another measure.
"""

import torch

from MRISuperResLib.core.errors import SuperResolutionError

from . import vgg, weight_files

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of RGB from −1 to 1, as published."""
EPSILON = 1e-10
LINEAR_FILE = "lpips_v0.1_vgg_lin.pth"


class Lpips(torch.nn.Module):
    """vgg: the path of VGG16's weights; linear: that of LPIPS's. Raises SuperResolutionError (kind "environment")."""

    def __init__(self, vgg, linear):
        super().__init__()
        self.vgg = vgg.VGG("vgg16", vgg)
        self._linear = [f"linear{number}" for number in range(len(vgg.WIDTHS))]
        for name, weight in zip(self._linear, _read(linear)):
            self.register_buffer(name, weight)
        for name, values in (("shift", SHIFT), ("scale", SCALE)):
            self.register_buffer(name, torch.tensor(values)[:, None, None])

    def forward(self, images, truth):
        """The distances of gray images (n, 1, h, w), 0–1, clipped to that: (n,)."""
        return self.distance(self.features(images), self.features(truth))

    def features(self, images):
        """What two images are compared by, for whoever compares one with many."""
        return directions(self.vgg, (images.float().clamp(0, 1) * 2 - 1 - self.shift) / self.scale)

    def distance(self, one, other):
        """Of the features of images, as above."""
        return sum(
            (self.get_buffer(name) * (a - b) ** 2).sum(1).mean((1, 2))
            for name, a, b in zip(self._linear, one, other)
        )


def directions(vgg, inputs):
    """The features of every block of a vgg.VGG, at each place of length 1. inputs: (n, 3, h, w), normalized."""
    return [
        x / (x.square().sum(1, keepdim=True).sqrt() + EPSILON) for x in vgg.last_activations(inputs)
    ]


def find():
    """The Lpips of the files in the folders of MRISUPERRES_WEIGHTS; None where one of the two is not there."""
    vgg, linear = weight_files.find("vgg16*.pth"), weight_files.find(LINEAR_FILE)
    return Lpips(vgg, linear) if vgg and linear else None


def _read(path):
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return [
            values[f"lin{number}.model.1.weight"].float().reshape(width, 1, 1)
            for number, width in enumerate(vgg.WIDTHS)
        ]
    except (
        Exception
    ) as e:  # the reader raises whatever it meets in a file that is not what it seems
        raise SuperResolutionError(
            f"{path} holds no weights of LPIPS ({type(e).__name__}): get {LINEAR_FILE} from the page of its authors "
            "(github.com/richzhang/PerceptualSimilarity).",
            "environment",
        ) from e
