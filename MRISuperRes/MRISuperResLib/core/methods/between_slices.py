"""Methods that upsample between slices: interpolation along the slice direction, and networks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from ..errors import SuperResolutionError, is_out_of_memory
from ..messages import Message, info
from ..models.card import ModelCard
from ..slice_profile import interpolation_weights
from .interpolation import AnyMethod

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH_PIXELS = 2**16
"""Pixels of acquired slices that a network takes at a time on a CPU: they stay in its cache."""
GPU_BATCH_PIXELS = 2**20


class ThroughPlaneMethod(AnyMethod, Protocol):
    """Method from reformats (n, slices, w), normalized, to (n, count, w)."""

    def batch_size(self, slices: int, width: int) -> int:
        """Return the number of reformats (slices, width) to upsample at a time."""

    def __call__(
        self, images: np.ndarray, count: int, aspect: float, coverage: float
    ) -> np.ndarray:
        """Upsample reformats.

        Args:
            images: (n, slices, w), normalized.
            count: Number of output slices, 1 to 8 times as many.
            aspect: Slice spacing, in in-plane pixels.
            coverage: Slice thickness, as a part of the slice spacing.

        Returns:
            (n, count, w), floating-point.
        """


class SliceInterpolation:
    """An interpolation between slices, see `interpolation_weights`.

    Args:
        name: One of `slice_profile.INTERPOLATIONS`.
    """

    stage, device, precision = "interpolation", "cpu", "float64"
    cards: tuple[ModelCard, ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def messages(self) -> list[Message]:
        """Always empty."""
        return []

    def batch_size(self, slices: int, width: int) -> int:
        """Return a number of reformats that fits into GPU_BATCH_PIXELS."""
        return max(1, GPU_BATCH_PIXELS // (slices * width))

    def __call__(
        self, images: np.ndarray, count: int, aspect: float, coverage: float
    ) -> np.ndarray:
        """Upsample (n, slices, w) to (n, count, w); aspect and coverage make no difference."""
        upsampled: np.ndarray = interpolation_weights(images.shape[1], count, self.name) @ images
        return upsampled


class ThroughPlaneNetwork:
    """A network between slices, in float32.

    Args:
        card: The card of the model.
        weights: The content of its weights file.
        device: Where the network runs.

    Raises:
        SuperResolutionError: Weights and card do not match (kind "model").
    """

    stage, precision = "psnr", "float32"

    def __init__(self, card: ModelCard, weights: bytes, device: torch.device) -> None:
        from ..networks import load_generator

        self.name, self.cards, self._requested = card.name, (card,), device
        net: nn.Module = load_generator(card.name, card.architecture, card.scale, weights)
        self._net = net.eval().requires_grad_(False)
        self.reset()

    @property
    def net(self) -> nn.Module:
        """The network, for inference only; other tasks share it."""
        return self._net

    def with_network(self, net: nn.Module) -> Self:
        """Return this method with another network, on the requested device."""
        method = copy.copy(self)
        method._net = net.eval().requires_grad_(False)
        method.reset()
        return method

    def reset(self) -> None:
        """Return to the requested device."""
        self.device, self.messages = self._requested, list[Message]()
        self._max_batch: int | None = None
        self._net.to(self.device)

    def batch_size(self, slices: int, width: int) -> int:
        """Return the number of reformats (slices, width) to upsample at a time."""
        pixels = BATCH_PIXELS if self.device.type == "cpu" else GPU_BATCH_PIXELS
        return max(1, pixels // (slices * width))

    def __call__(
        self, images: np.ndarray, count: int, aspect: float, coverage: float
    ) -> np.ndarray:
        """Upsample reformats; out of memory, in smaller batches and in the end on the CPU.

        Raises:
            SuperResolutionError: Not even one reformat fits into memory (kind "memory").
        """
        parts: list[np.ndarray] = []
        first = 0
        while first < len(images):
            part = images[first : first + (self._max_batch or len(images))]
            try:
                parts.append(self._upsample(part, count, aspect, coverage))
                first += len(part)
            except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeErrors
                if not is_out_of_memory(error):
                    raise
                self._reduce(len(part), error)
        return np.concatenate(parts)

    def _upsample(
        self, images: np.ndarray, count: int, aspect: float, coverage: float
    ) -> np.ndarray:
        import torch

        from ..networks.through_plane import with_geometry

        batch = torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]
        with torch.inference_mode():
            given = with_geometry(batch.to(self.device), aspect, coverage)
            given = given.contiguous(memory_format=torch.channels_last)
            upsampled: np.ndarray = self._net.upsample(given, count)[:, 0].cpu().numpy()  # type: ignore[operator]
        return upsampled

    def _reduce(self, size: int, error: Exception) -> None:
        """Choose the next smaller batch, in the end the CPU."""
        import torch

        if size > 1:
            self._max_batch = size // 2
            how = f"{self._max_batch} at a time"
        elif self.device.type != "cpu":
            self.device, self._max_batch, how = torch.device("cpu"), 1, "on the CPU"
            self._net.to(self.device)
        else:
            raise SuperResolutionError(
                "Out of memory between slices. Close other applications, or crop the volume.",
                "memory",
            ) from error
        self.messages = [
            info(
                "out-of-memory",
                f"Out of memory on {self._requested}; continued {how} (same result).",
            )
        ]
