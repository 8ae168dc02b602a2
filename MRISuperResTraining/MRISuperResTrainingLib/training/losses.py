"""Losses: functions of tensors.

The adversarial losses are relativistic averages: is a real image more realistic than the average
fake image? D_Ra(x_r, x_f) = σ(C(x_r) − E[C(x_f)]), where C is the discriminator before the sigmoid
and E the mean over the batch. Jolicoeur-Martineau 2018, section 4.2 (arXiv:1807.00734); used by
ESRGAN: Wang et al. 2018, eqs. 1 and 2 (arXiv:1809.00219).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..networks.discriminators import mean_over_processes
from ..networks.vgg import VGG


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


ARTIFACT_WINDOW, ARTIFACT_POWER = 7, 1 / 5
"""Side of the window in pixels, and power of the image's variance (Liang et al. 2022)."""

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


def artifacts(images: Tensor, reference: Tensor, averaged: Tensor) -> Tensor:
    """Compute the loss of locally discriminative learning (LDL): the artifacts of a generator.

    Liang et al. 2022, "Details or artifacts: a locally discriminative learning approach to
    realistic image super-resolution", section 3 (arXiv:2203.09195). Residuals |images −
    reference| that vary within a window count as artifacts, unless the moving average of the
    generator is further from the reference. The weights of the pixels count as constants.

    Args:
        images: (n, 1, h, w), both sides larger than half a window; gradients flow back to them.
        reference: The same shape.
        averaged: Images of the moving average of the generator, the same shape.

    Returns:
        A scalar.
    """
    residual = (images - reference).abs()
    with torch.no_grad():
        padded = F.pad(residual, [ARTIFACT_WINDOW // 2] * 4, mode="reflect")
        windows = padded.unfold(2, ARTIFACT_WINDOW, 1).unfold(3, ARTIFACT_WINDOW, 1)
        of_image = residual.var(dim=(1, 2, 3), keepdim=True) ** ARTIFACT_POWER
        weights = of_image * windows.var(dim=(-2, -1))
        weights = weights * (residual >= (averaged - reference).abs())
    return (weights * residual).mean()


def mesh(images: Tensor, reference: Tensor, scale: int) -> Tensor:
    """Compute the mean error by pixel phase, apart from the mean error of the image.

    An upsampling network writes the scale² output pixels of a low-resolution pixel with other
    weights. If their errors differ on average, the output shows a fixed mesh, which a discriminator
    takes for noise (see `MRISuperResLib.core.metrics.full_reference.mesh`).

    Args:
        images: (n, 1, h, w), both sides multiples of `scale`; gradients flow back to them.
        reference: The same shape.
        scale: Upsampling factor.

    Returns:
        The mean absolute value over images and phases, a scalar.
    """
    n, channels, height, width = images.shape
    cells = (n, channels, height // scale, scale, width // scale, scale)
    by_phase = (images - reference).reshape(cells).mean((1, 2, 4))
    return (by_phase - by_phase.mean((1, 2), keepdim=True)).abs().mean()


def r1_penalty(images: Tensor, logits: Tensor, factor: float = 1.0) -> Tensor:
    """Compute E‖∇C(x_r)‖², the squared slope of the discriminator at the references.

    Mescheder et al. 2018, "Which training methods for GANs do actually converge?", eq. 9
    (arXiv:1801.04406), there with the factor γ/2.

    Args:
        images: x_r, (n, 1, h, w), with gradients.
        logits: C(x_r), (n, …); of several numbers per image, C is their mean.
        factor: Factor of C during the differentiation, since small gradients underflow in float16.

    Returns:
        A scalar, through which gradients flow back to the discriminator.
    """
    total = factor * logits.float().flatten(1).mean(1).sum()
    (slope,) = torch.autograd.grad(total, images, create_graph=True)
    return (slope / factor).square().flatten(1).sum(1).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Compute L_D = (−E[log D_Ra(x_r, x_f)] − E[log(1 − D_Ra(x_f, x_r))]) / 2.

    Wang et al. 2018, eq. 1; the half is that of their code.

    Args:
        real: C(x_r) before the sigmoid, (n, 1) or (n, 1, h, w).
        fake: C(x_f), the same shape.

    Returns:
        A scalar.
    """
    return (_loss_as_real(real, fake) + _loss_as_fake(fake, real)) / 2


def generator_loss(real: Tensor, fake: Tensor, terms: str = "fake") -> Tensor:
    """Compute L_adv.

    Args:
        real: C(x_r) before the sigmoid, (n, 1) or (n, 1, h, w).
        fake: C(x_f), the same shape.
        terms: "both": (−E[log D_Ra(x_f, x_r)] − E[log(1 − D_Ra(x_r, x_f))]) / 2, Wang et al.
            2018, eq. 2, halved as in their code. "fake": the first expectation alone.

    Returns:
        A scalar.
    """
    loss = _loss_as_real(fake, real)
    return loss if terms == "fake" else (loss + _loss_as_fake(real, fake)) / 2


def _loss_as_real(x: Tensor, other: Tensor) -> Tensor:
    """−E[log σ(x − E[other])]."""
    return F.softplus(-_relative(x, other)).mean()


def _loss_as_fake(x: Tensor, other: Tensor) -> Tensor:
    """−E[log(1 − σ(x − E[other]))]."""
    return F.softplus(_relative(x, other)).mean()


def _relative(x: Tensor, other: Tensor) -> Tensor:
    return x.float() - mean_over_processes(other.float().mean())
