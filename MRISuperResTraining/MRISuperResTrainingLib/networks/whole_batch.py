"""What is computed over a whole batch, where several processes have a part of it each.

Batch normalization and the relativistic loss need means over all samples of a batch. Here these are taken over all
processes, in the forward and in the backward pass, so that a batch gives the same gradients however it is shared out.
The parts must be of equal size.
"""

import torch
from torch import distributed, nn
from torch.nn import functional as F


def mean_over_processes(x):
    """The mean over all processes of a tensor (any shape); a gradient flows back to every process. With one process x itself."""
    return _MeanOverProcesses.apply(x) if _processes() > 1 else x


def _processes():
    return (
        distributed.get_world_size()
        if distributed.is_available() and distributed.is_initialized()
        else 1
    )


class _MeanOverProcesses(torch.autograd.Function):
    """Each process's loss depends on the mean, so the gradient of their average is the mean of theirs."""

    @staticmethod
    def forward(ctx, x):
        return _mean(x)

    @staticmethod
    def backward(ctx, *gradients):
        return _mean(*gradients)


def _mean(x):
    x = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(x)
    return x / distributed.get_world_size()


class BatchNorm(nn.Module):
    """Batch normalization of (n, features, h, w) with the statistics of the batch in all processes, never with running ones.

    A discriminator works on batches only, so that no statistics have to be remembered. Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    EPSILON = 1e-5

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        if _processes() == 1:
            return F.batch_norm(
                x, None, None, self.weight, self.bias, training=True, eps=self.EPSILON
            )
        x = x.float()
        mean = mean_over_processes(x.mean((0, 2, 3)))[:, None, None]
        variance = mean_over_processes(((x - mean) ** 2).mean((0, 2, 3)))[:, None, None]
        return (x - mean) * (variance + self.EPSILON).rsqrt() * self.weight[
            :, None, None
        ] + self.bias[:, None, None]
