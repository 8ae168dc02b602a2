"""The distance of two images in the features of VGG19: LPIPS without its learned weights, which belong to VGG16.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", arXiv:1801.03924, equation 1 with equal
weights. For whoever has the weights of VGG19, which the
training needs anyway, and not those of VGG16; its values are not those of LPIPS.
"""

from . import weight_files
from .lpips import directions
from .vgg import FILE_PATTERNS, VGG


class VggDistance:
    """vgg: features.VGG of VGG19."""

    def __init__(self, vgg):
        self._vgg = vgg

    def __call__(self, images, truth):
        """The distances of gray images (n, 1, h, w), 0–1, clipped to that: (n,), 0 for equal ones."""
        return self.distance(self.features(images), self.features(truth))

    def features(self, images):
        """What two images are compared by, for whoever compares one with many."""
        return directions(self._vgg, self._vgg.normalized(images))

    def distance(self, one, other):
        """Of the features of images, as above."""
        return sum((a - b).square().sum(1).mean((1, 2)) for a, b in zip(one, other)) / len(one)


def find():
    """The VggDistance of the weights in the folders of MRISUPERRES_WEIGHTS; None where they are not there."""
    path = weight_files.find(*FILE_PATTERNS["vgg19"])
    return VggDistance(VGG("vgg19", path)) if path else None
