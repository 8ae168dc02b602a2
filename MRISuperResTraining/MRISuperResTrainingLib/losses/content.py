"""Content losses: the difference from the reference, pixel by pixel or frequency by frequency."""

from __future__ import annotations

import torch
from torch import Tensor


def l1(images: Tensor, reference: Tensor) -> Tensor:
    """Compute L_content, the mean absolute difference: L_1 of Wang et al. 2018, eq. 3.

    Wang et al. 2018: "ESRGAN: Enhanced super-resolution generative adversarial networks",
    arXiv:1809.00219.

    Args:
        images: Any shape.
        reference: The same shape.

    Returns:
        A scalar.
    """
    return (images - reference).abs().mean()


def fft_l1(images: Tensor, reference: Tensor) -> Tensor:
    """Compute the mean absolute difference of the real and imaginary parts of the spectra.

    Cho et al. 2021, "Rethinking coarse-to-fine approach in single image deblurring", section 3.3
    (arXiv:2108.05054), with means in place of sums. The two-dimensional transform is orthonormal.

    Args:
        images: (n, c, h, w).
        reference: The same shape.

    Returns:
        A scalar.
    """
    difference = torch.fft.rfft2(images.float() - reference.float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()
