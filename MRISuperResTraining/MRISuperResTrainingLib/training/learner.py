"""A network that learns: with its optimizer, in the precision and on the processes that accelerate was told of."""

import contextlib
import math

import torch


class Learner:
    """net: an untrained network; rate: the peak learning rate of its Adam. clip_norm: largest norm of the gradients, None for any.

    Called with a batch, it runs the network; the gradients of a loss are averaged over all processes.
    """

    def __init__(self, accelerator, net, rate, betas, clip_norm=None):
        self._accelerator, self._peak, self._clip_norm = accelerator, rate, clip_norm or math.inf
        self.net = net.to(accelerator.device, memory_format=torch.channels_last)
        self._run, self._optimizer = accelerator.prepare(
            self.net,
            torch.optim.Adam(
                [p for p in net.parameters() if p.requires_grad], lr=rate, betas=tuple(betas)
            ),
        )

    def __call__(self, batch):
        return self._run(batch)

    def backward(self, tensor, gradient=None):
        """Adds to the gradients of the network. gradient: that of a tensor which is no scalar, scaled already."""
        torch.autograd.backward(self.scaled(tensor) if gradient is None else tensor, gradient)

    def scaled(self, loss):
        """float16 has no room for small gradients: losses are enlarged before they are derived."""
        scaler = self._accelerator.scaler
        return scaler.scale(loss) if scaler else loss

    def not_yet(self):
        """A context in which gradients are added up without being averaged over the processes, for all parts of a batch but the last."""
        return self._accelerator.no_sync(self._run)

    def step(self, share):
        """Clips the gradients, changes the weights, forgets the gradients. share: of the peak learning rate. Returns the norm before clipping.

        Where float16 overflowed the weights stay as they are, and the norm counts as 0.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._peak * share
        self._accelerator.unscale_gradients(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self._clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return norm.nan_to_num(0, 0, 0) if self._accelerator.scaler else norm

    def state(self):
        return {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state):
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._optimizer.zero_grad()


def parts(tensors, size, learner):
    """Divides tensors of one length; yields a context and a tuple of parts: the gradients of the last part only are averaged over the processes."""
    split = list(zip(*(tensor.split(size) for tensor in tensors)))
    for number, part in enumerate(split):
        yield contextlib.nullcontext() if number == len(split) - 1 else learner.not_yet(), part
