"""Perceptual loss: the difference of two images in the features of a network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..networks.vgg import VGG

NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda difference: difference.abs().mean(),
    "l2": lambda difference: difference.square().mean(),
}


def perceptual(vgg: VGG, images: Tensor, reference: Tensor, norm: str = "l1") -> Tensor:
    """Compute L_percep from the features before the last activation.

    Wang et al. 2018, section 3.2 (arXiv:1809.00219), after Johnson et al. 2016, eq. 2
    (arXiv:1603.08155), who compare features after the activation. The images are not clipped to
    0–1: a clipped pixel would have no gradient, so that the generator could not learn to bring it
    back into the range. The published code of ESRGAN (BasicSR, vgg_arch.py) does not clip either.

    Args:
        vgg: Network with the features.
        images: (n, 1, h, w), about 0–1; gradients flow back to them.
        reference: The same shape; without gradients.
        norm: "l1": mean absolute difference, as in the published code of ESRGAN. "l2": mean
            squared difference, as in Johnson et al.

    Returns:
        A scalar.
    """
    with torch.no_grad():
        expected = vgg.last_convolution(reference)
    return NORMS[norm](vgg.last_convolution(images) - expected)
