"""L_percep: how differently a network that knows photographs sees two images."""

import torch

NORMS = {
    "l1": lambda difference: difference.abs().mean(),
    "l2": lambda difference: difference.square().mean(),
}


def perceptual(vgg, images, truth, norm="l1"):
    """The distance of VGG's features before the last activation; a gradient flows to `images` only.

    vgg: features.VGG; images, truth: (n, 1, h, w), 0–1. norm: "l1", the mean absolute difference (both public codes of ESRGAN, and the
    thesis's text); "l2", the mean squared one (the thesis's equation).
    """
    with torch.no_grad():
        expected = vgg.last_convolution(truth)
    return NORMS[norm](vgg.last_convolution(images) - expected)
