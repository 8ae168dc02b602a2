"""Networks of the library spandrel, for imported checkpoints that have no file in this package."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import SuperResolutionError

SPANDREL = "spandrel"
"""The network of a card whose architecture is {"network": SPANDREL, "type": identifier}."""
MEMORY_FACTOR = 4
"""Memory that a network may allocate while it is made, in sizes of its weights, which spandrel
deduces its size from."""
MIN_MEMORY = 2**28
"""Bytes that every network may allocate: tables of positions are not among the weights."""


class SpandrelNet(nn.Module):
    """A network of spandrel on images with one channel, (n, 1, h, w) to (n, 1, scale·h, scale·w).

    A network for colors receives three equal channels, and the mean of its outputs counts. Sides
    that the network cannot process are mirrored at their end, and the output is cropped.

    Args:
        found: An `ImageModelDescriptor` of spandrel.

    Attributes:
        scale: Upsampling factor.
        reach: None: attention and pooling may depend on the whole slice.
    """

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.scale, self.reach = int(found.scale), None
        self._channels, self._sizes = int(found.input_channels), found.size_requirements
        self.network = found.model.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the upsampled images."""
        height, width = x.shape[2:]
        right, bottom = self._sizes.get_padding(width, height)
        rows, columns = _mirrored(height, bottom), _mirrored(width, right)
        # contiguous, since attention reshapes its input without a copy
        images = x[:, :, rows][:, :, :, columns].expand(-1, self._channels, -1, -1).contiguous()
        upsampled: Tensor = self.network(images)[:, :, : self.scale * height, : self.scale * width]
        return upsampled.mean(1, keepdim=True)


def import_spandrel() -> ModuleType:
    """Import spandrel.

    Raises:
        SuperResolutionError: It cannot be imported (kind "environment").
    """
    try:
        import spandrel
    except (ImportError, RuntimeError) as e:  # RuntimeError: torchvision of another build
        raise SuperResolutionError(
            "This checkpoint or model needs spandrel and torchvision, which cannot be imported "
            f"({str(e).splitlines()[0]}). Install them (pip install spandrel), with the "
            "torchvision version that belongs to your PyTorch.",
            "environment",
        ) from e
    return spandrel


def load_with_spandrel(state: Mapping[str, Tensor]) -> Any:
    """Detect the network of some weights, and make it.

    Args:
        state: The weights by name.

    Returns:
        A model descriptor of spandrel.

    Raises:
        SuperResolutionError: spandrel cannot be imported (kind "environment").
        Exception: Of many types: the network is unknown, or the weights do not fit it.
    """
    spandrel = import_spandrel()
    size = sum(value.numel() * value.element_size() for value in state.values())
    limit = _MemoryLimit(MEMORY_FACTOR * size + MIN_MEMORY)
    with limit, warnings.catch_warnings(action="ignore"):  # about the code of the networks
        return spandrel.MAIN_REGISTRY.load(dict(state))


def load_spandrel_network(state: Mapping[str, Tensor], scale: int, kind: object) -> SpandrelNet:
    """Make a network of a model card.

    Args:
        state: The weights by name.
        scale: Upsampling factor of the card.
        kind: Identifier of the architecture on the card.

    Raises:
        SuperResolutionError: See `load_with_spandrel`.
        Exception: See `load_with_spandrel`.
    """
    found = load_with_spandrel(state)
    if (found.architecture.id, found.scale) != (kind, scale):
        raise ValueError(f"the weights are of {found.architecture.id} ×{found.scale}")
    return SpandrelNet(found)


class _MemoryLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses to make tensors of more than some bytes altogether, before memory is allocated."""

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left = limit

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        sizes = args[0] if args and isinstance(args[0], (list, tuple)) else ()
        if all(isinstance(side, int) for side in sizes):  # torch.empty, torch.zeros, …
            self._allocate(math.prod(sizes) if sizes else 0)
        shapes = [arg.shape for arg in args if isinstance(arg, Tensor)]
        if len(shapes) > 1 and not str(func).startswith("aten.copy_"):
            self._allocate(_broadcast_size(shapes))
        return func(*args, **(kwargs or {}))

    def _allocate(self, elements: int) -> None:
        self._left -= 4 * elements  # float32
        if self._left < 0:
            raise ValueError("the weights describe a network that is larger than they are")


def _broadcast_size(shapes: list[torch.Size]) -> int:
    try:
        return math.prod(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]
    except RuntimeError:  # no operation on elements
        return 0


def _mirrored(side: int, added: int) -> Tensor:
    """Indices of a side, mirrored at its end to be `added` pixels longer."""
    indices = torch.arange(side + added) % (2 * side)
    return torch.minimum(indices, 2 * side - 1 - indices)
