"""Relativistic average GAN losses: is a real image more realistic than the average fake image?

D_Ra(x_r, x_f) = σ(C(x_r) − E[C(x_f)]), where C is the discriminator before the sigmoid and E the
mean over the batch. Jolicoeur-Martineau 2018, section 4.2 (arXiv:1807.00734); used by ESRGAN: Wang
et al. 2018, eqs. 1 and 2 (arXiv:1809.00219).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ..networks.discriminators import mean_over_processes


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Compute L_D = (−E[log D_Ra(x_r, x_f)] − E[log(1 − D_Ra(x_f, x_r))]) / 2.

    Wang et al. 2018, eq. 1; the half is that of their code.

    Args:
        real: C(x_r), (n, 1), before the sigmoid.
        fake: C(x_f), (n, 1).

    Returns:
        A scalar.
    """
    return (_loss_as_real(real, fake) + _loss_as_fake(fake, real)) / 2


def generator_loss(real: Tensor, fake: Tensor, terms: str = "fake") -> Tensor:
    """Compute L_adv.

    Args:
        real: C(x_r), (n, 1), before the sigmoid.
        fake: C(x_f), (n, 1).
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
