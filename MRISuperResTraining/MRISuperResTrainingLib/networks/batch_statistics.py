"""Statistics of a batch that several processes share.

Batch normalization and the relativistic loss need means over all samples of a batch. These means
are taken over all processes, in the forward and in the backward pass: the gradients of a batch do
not depend on how it is divided. The parts must have equal sizes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F


def mean_over_processes(x: Tensor) -> Tensor:
    """Compute the mean of a tensor over all processes; gradients flow back to every process.

    Args:
        x: Any shape, the same in all processes.

    Returns:
        The same shape; `x` itself in a single process.
    """
    if _process_count() == 1:
        return x
    mean: Tensor = _MeanOverProcesses.apply(x)  # type: ignore[no-untyped-call]
    return mean


def _process_count() -> int:
    is_shared = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if is_shared else 1


class _MeanOverProcesses(torch.autograd.Function):
    """The loss of every process depends on the mean: its gradient is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _mean(*gradients)


def _mean(x: Tensor) -> Tensor:
    x = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(x)
    return x / distributed.get_world_size()


class BatchNorm(nn.Module):
    """Batch normalization with the statistics of the batch in all processes.

    Ioffe and Szegedy 2015 (arXiv:1502.03167), without running statistics: a discriminator sees
    whole batches only.
    """

    EPSILON = 1e-5

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (n, features, h, w)."""
        if _process_count() == 1:
            return F.batch_norm(
                x, None, None, self.weight, self.bias, training=True, eps=self.EPSILON
            )
        x = x.float()
        mean = mean_over_processes(x.mean((0, 2, 3)))[:, None, None]
        variance = mean_over_processes(((x - mean) ** 2).mean((0, 2, 3)))[:, None, None]
        normalized = (x - mean) * (variance + self.EPSILON).rsqrt()
        return normalized * self.weight[:, None, None] + self.bias[:, None, None]
