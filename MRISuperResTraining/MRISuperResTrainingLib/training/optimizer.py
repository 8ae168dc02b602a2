"""Optimization: a network with its Adam optimizer and gradient scaling; learning rate schedules."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

HALVINGS = (1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""Shares of the steps after which the learning rate is halved, as in ESRGAN's second stage: 50,
100, 200 and 300 of 400 thousand steps (Wang et al. 2018, section 4.1, arXiv:1809.00219)."""
WARM_UP = 1 / 50
"""Share of the steps with a linear warm-up."""


def learning_rate_share(schedule: str, step: int, steps: int) -> float:
    """Compute the share of the peak learning rate in a step.

    Args:
        schedule: "constant"; "halving": halved after the shares `HALVINGS` of the steps; "cosine":
            linear warm-up over the first 2 %, then half a cosine to 0 (Loshchilov and Hutter 2016,
            eq. 5, arXiv:1608.03983, without restarts).
        step: Step, from 0.
        steps: Number of steps of the stage.

    Returns:
        0 to 1.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "halving":
        return 0.5 ** sum(step >= part * steps for part in HALVINGS)
    warm_up = max(1, int(steps * WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


class OptimizedNetwork:
    """Network with its Adam optimizer and gradient scaling, prepared by accelerate.

    Kingma and Ba 2014 (arXiv:1412.6980).

    Args:
        accelerator: Device, processes and precision.
        net: Network to train; it is moved to the device.
        learning_rate: Peak learning rate.
        betas: β1 and β2.
        clip_norm: Largest norm of the gradients; None: not clipped.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        net: nn.Module,
        learning_rate: float,
        betas: Sequence[float],
        clip_norm: float | None = None,
    ) -> None:
        self._accelerator = accelerator
        self._learning_rate, self._clip_norm = learning_rate, clip_norm or math.inf
        # mypy does not accept the keyword that PyTorch documents
        self.net: nn.Module = net.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        trained = [p for p in net.parameters() if p.requires_grad]
        self._run, self._optimizer = accelerator.prepare(
            self.net, torch.optim.Adam(trained, lr=learning_rate, betas=(betas[0], betas[1]))
        )

    def __call__(self, batch: Tensor) -> Tensor:
        """Run the network; gradients of a loss are averaged over all processes."""
        output: Tensor = self._run(batch)
        return output

    def backward(self, tensor: Tensor, gradient: Tensor | None = None) -> None:
        """Add to the gradients of the network.

        Args:
            tensor: A loss, or with `gradient` any tensor.
            gradient: Gradient of the tensor, already scaled.
        """
        torch.autograd.backward(self.scaled(tensor) if gradient is None else tensor, gradient)

    def scaled(self, loss: Tensor) -> Tensor:
        """Scale a loss, since small gradients underflow in float16."""
        scaler = self._accelerator.scaler
        return scaler.scale(loss) if scaler else loss

    def unsynchronized(self) -> AbstractContextManager[Any]:
        """Return a context in which gradients are not averaged over the processes."""
        return self._accelerator.no_sync(self._run)

    def step(self, share: float) -> Tensor:
        """Clip the gradients, update the weights, reset the gradients.

        Args:
            share: Share of the peak learning rate.

        Returns:
            The norm of the gradients before clipping. 0 if float16 overflowed; the weights then
            stay as they are.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate * share
        self._accelerator.unscale_gradients(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self._clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return norm.nan_to_num(0, 0, 0) if self._accelerator.scaler else norm

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._optimizer.zero_grad()


def micro_batches(
    tensors: Sequence[Tensor], size: int, network: OptimizedNetwork
) -> Iterator[tuple[AbstractContextManager[Any], tuple[Tensor, ...]]]:
    """Divide a batch.

    Args:
        tensors: Tensors of equal length.
        size: Largest length of a part.
        network: Network whose gradients are accumulated.

    Yields:
        A context for the backward pass, and the parts of the tensors. Only the gradients of the
        last part are averaged over the processes.
    """
    divided = list(zip(*(torch.split(tensor, size) for tensor in tensors)))
    for number, part in enumerate(divided):
        is_last = number == len(divided) - 1
        yield contextlib.nullcontext() if is_last else network.unsynchronized(), part
