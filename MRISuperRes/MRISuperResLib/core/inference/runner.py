"""Inference in batches; out of memory, in smaller batches, in tiles and on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch

from ..errors import SuperResolutionError, is_out_of_memory
from ..intensity import Intensity
from ..messages import Message, info
from .device import run_network

MAX_OVERLAP = 64
"""Low-resolution pixels that are computed around a tile and dropped. The result equals that of the
whole slice if the network's reach is not larger. RRDB-23 reaches 350 pixels, but hardly depends on
the far ones: with weights for photographs, ×4, a T2 slice in tiles of 64 pixels differs by at most
2e-6 of the range."""
MIN_TILE = 64
"""Smallest side of a tile, low-resolution pixels."""
TILE_STEP = 4
"""Tiles and overlaps are multiples of it, low-resolution pixels: networks with unshuffled input
compute blocks of 2×2 or 4×4 pixels, which begin at the first pixel of the slice."""

Fetch = Callable[[], np.ndarray]


class UpsamplingNetwork(Protocol):
    """A network from (n, 1, h, w) to (n, c, scale·h, scale·w).

    Attributes:
        scale: Upsampling factor.
    """

    scale: int

    @property
    def reach(self) -> int | None:
        """Distance beyond which the output does not depend on the input, low-resolution pixels.

        It is half the receptive field. None if there is no such distance, as with attention:
        slices are never divided into tiles.
        """

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        """Upsample images."""

    def to(self, device: torch.device, /) -> Any:
        """Move the weights to a device."""


class NetworkRunner:
    """Runner of a network on (n, 1, h, w) tensors, with fallbacks when memory runs out.

    Args:
        net: The network with its weights.
        device: Where it runs.
        dtype: The type in which it computes there.

    Attributes:
        device: Current device.
        dtype: Current type of the computation.
        messages: Fallbacks since `reset`.
    """

    def __init__(
        self, net: UpsamplingNetwork, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self._net, self._requested = net, (device, dtype)
        self.messages: list[Message] = []
        self.reset()

    def reset(self) -> None:
        """Return to the requested device and type: a new task may find more memory."""
        (self.device, self.dtype), self.messages = self._requested, []
        self._max_batch: int | None = None
        self._tile: int | None = None  # side
        try:
            self._net.to(self.device)
        except RuntimeError as error:
            if not is_out_of_memory(error) or self.device.type == "cpu":
                raise
            self._continue_on_cpu()

    def __call__(
        self,
        batch: torch.Tensor,
        finish: Callable[[torch.Tensor], torch.Tensor] = lambda images: images[:, 0],
    ) -> Fetch:
        """Start upsampling a batch.

        Args:
            batch: (n, 1, h, w), normalized.
            finish: Converts the result of the network (n, c, scale·h, scale·w), float32, on the
                device. Default: its first channel.

        Returns:
            A function that waits for the result and returns it. Until then, a GPU computes in the
            background.

        Raises:
            SuperResolutionError: Not even one tile fits into memory (kind "memory").
        """
        parts: list[Fetch] = []
        first = 0
        while first < len(batch):
            part = batch[first : first + (self._max_batch or len(batch))]
            try:
                images = part.to(self.device, memory_format=torch.channels_last)
                upsampled = (
                    self._upsample_in_tiles(images, self._tile)
                    if self._tile
                    else run_network(self._net, images, self.dtype)
                )
                parts.append(_fetch(finish(upsampled)))
                first += len(part)
            except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeErrors
                if not is_out_of_memory(error):
                    raise
                self._reduce(part, error)
        if len(parts) == 1:
            return parts[0]
        return lambda: np.concatenate([fetch() for fetch in parts])

    def _reduce(self, part: torch.Tensor, error: Exception) -> None:
        """Choose the next smaller batch or tile, in the end the CPU."""
        height, width = part.shape[2:]
        side = self._tile or max(height, width)
        if len(part) > 1:
            self._max_batch = len(part) // 2
        elif side > MIN_TILE and self._net.reach is not None:
            self._tile = max(MIN_TILE, side // 2 // TILE_STEP * TILE_STEP)
        elif self.device.type != "cpu":
            self._continue_on_cpu()
        else:
            is_tiled = self._net.reach is not None
            tiles = "even in tiles" if is_tiled else "and its network needs whole slices"
            raise SuperResolutionError(
                f"Out of memory for a slice of {width}×{height} pixels, {tiles}. "
                "Close other applications, or crop the volume.",
                "memory",
            ) from error
        if self._requested[0].type == "cuda":
            torch.cuda.empty_cache()
        self.messages = [self._message()]

    def _continue_on_cpu(self) -> None:
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._net.to(self.device)
        self._max_batch, self._tile = 1, None  # see NetworkMethod.batch_size
        self.messages = [self._message()]

    def _message(self) -> Message:
        device, _ = self._requested
        how = []
        if self.device != device:
            how.append("on the CPU")
        if self._tile:
            how.append(f"in tiles of {self._tile} px")
        if not how:
            slices = "1 slice" if self._max_batch == 1 else f"{self._max_batch} slices"
            how.append(f"{slices} at a time")
        return info(
            "out-of-memory",
            f"Out of memory on {device}; continued {' '.join(how)} (same result).",
        )

    def _upsample_in_tiles(self, part: torch.Tensor, side: int) -> torch.Tensor:
        """(n, c, scale·h, scale·w), float32, on the CPU."""
        scale, overlap = self._net.scale, min(self._net.reach or 0, MAX_OVERLAP)
        overlap = -(-overlap // TILE_STEP) * TILE_STEP
        height, width = part.shape[2:]
        output: torch.Tensor | None = None
        for top, bottom in _steps(height, side):
            for left, right in _steps(width, side):
                above, before = max(0, top - overlap), max(0, left - overlap)
                window = part[:, :, above : bottom + overlap, before : right + overlap]
                tile = run_network(self._net, window, self.dtype)
                if output is None:
                    output = torch.empty((*tile.shape[:2], scale * height, scale * width))
                rows = slice(scale * (top - above), scale * (bottom - above))
                columns = slice(scale * (left - before), scale * (right - before))
                output[..., scale * top : scale * bottom, scale * left : scale * right] = tile[
                    ..., rows, columns
                ]
        assert output is not None
        return output


def is_exact_in_float32(dtype: np.dtype) -> bool:
    """Return True if float32 holds all values of a type, so that `restore` can be used."""
    return dtype.itemsize <= (4 if dtype.kind == "f" else 2)


@torch.inference_mode()
def restore(images: torch.Tensor, intensity: Intensity) -> torch.Tensor:
    """Return normalized images in the stored type: `Intensity.restore` on the images' device.

    Values within 0.01 of a rounding boundary may be rounded the other way.

    Args:
        images: float32, any shape; overwritten.
        intensity: The map to invert; its type is exact in float32.
    """
    dtype = intensity.dtype
    values = images.mul_(intensity.high - intensity.low).add_(intensity.low)
    if dtype.kind == "f":
        minimum, maximum = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    else:
        minimum, maximum = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
        values = values.round_()
    return values.clamp_(minimum, maximum).to(getattr(torch, dtype.name))


def _fetch(tensor: torch.Tensor) -> Fetch:
    """A function that returns a tensor as an array; the copy from a GPU starts at once."""
    if tensor.device.type != "cuda":
        array: np.ndarray = tensor.cpu().numpy()
        return lambda: array
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(
        tensor, non_blocking=True
    )
    arrived = torch.cuda.current_stream(tensor.device).record_event()

    def wait() -> np.ndarray:
        arrived.synchronize()
        copied: np.ndarray = host.numpy()
        return copied

    return wait


def _steps(length: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive steps."""
    for start in range(0, length, size):
        yield start, min(start + size, length)
