"""How far an image is from the truth, pixel by pixel and frequency by frequency."""

import torch
from torch import Tensor


def l1(images: Tensor, truth: Tensor) -> Tensor:
    """L_content: the mean absolute difference of two tensors of the same shape."""
    return (images - truth).abs().mean()


def fft_l1(images: Tensor, truth: Tensor) -> Tensor:
    """The mean absolute difference of the real and the imaginary parts of the two-dimensional spectra (n, c, h, w), each orthonormal.

    Cho et al. 2021, "Rethinking coarse-to-fine approach in single image deblurring", arXiv:2108.05054, section 3.3, whose sums are means here.
    """
    difference = torch.fft.rfft2(images.float() - truth.float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()
