"""The relativistic average GAN: is a real image more real than the average of the fake ones?

D_Ra(x_r, x_f) = σ(C(x_r) − E[C(x_f)]), where C is the discriminator before the sigmoid and E the mean over the batch.
Jolicoeur-Martineau 2018, arXiv:1807.00734; as ESRGAN has it: Wang et al. 2018, arXiv:1809.00219, section 3.2.
"""

from torch import Tensor
from torch.nn import functional as F

from ..networks.whole_batch import mean_over_processes


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """(−E[log D_Ra(x_r, x_f)] − E[log(1 − D_Ra(x_f, x_r))]) / 2 of C(x_r) and C(x_f), (n, 1) each, before the sigmoid.

    The half is that of ESRGAN's code; the paper has the sum.
    """
    return (_judged_real(real, fake) + _judged_fake(fake, real)) / 2


def generator_loss(real: Tensor, fake: Tensor, terms: str = "fake") -> Tensor:
    """L_adv. terms: "fake", −E[log D_Ra(x_f, x_r)] as the thesis has it; "both": the average of it and −E[log(1 − D_Ra(x_r, x_f))], as ESRGAN's code does."""
    loss = _judged_real(fake, real)
    return loss if terms == "fake" else (loss + _judged_fake(real, fake)) / 2


def _judged_real(x, other):
    """−E[log σ(x − E[other])]"""
    return F.softplus(-_relative(x, other)).mean()


def _judged_fake(x, other):
    """−E[log(1 − σ(x − E[other]))]"""
    return F.softplus(_relative(x, other)).mean()


def _relative(x, other):
    return x.float() - mean_over_processes(other.float().mean())
