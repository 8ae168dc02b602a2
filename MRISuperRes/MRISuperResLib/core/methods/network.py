"""Upsampling with a generator network, or with a blend of two. Needs torch and safetensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import is_out_of_memory
from ..inference.device import (
    MAX_HALF_ERROR,
    free_memory,
    half_precision_error,
    peak_memory,
    requested_dtype,
)
from ..inference.runner import NetworkRunner, is_exact_in_float32, restore
from ..intensity import Intensity
from ..messages import Message, info, warning
from ..models.card import ModelCard
from ..networks import load_generator

GPU_BATCH_PIXELS = 2**20
"""Low-resolution pixels that keep a GPU busy; larger batches only take more memory."""
MEMORY_FRACTION = 0.8
"""Part of a GPU's free memory that a batch may take."""
SYMMETRIES = tuple(itertools.product((False, True), range(4)))
"""(mirrored, quarter turns) of the eight symmetries; a transposition is a mirrored turn."""


class NetworkMethod:
    """Upsampling with the network of a model, or with a blend of a pair of models.

    A blend interpolates the weights of both networks (Wang et al. 2018, section 3.4,
    arXiv:1809.00219).

    Args:
        cards: The card of a model, or those of a pair: PSNR, then GAN.
        weights: The content of the weights file of each, see `Model.read_weights`.
        device: Where the network runs.
        alpha: Blend of a pair, from 0 (PSNR weights) to 1 (GAN weights); None: no blend.
        precision: "float32", "half" or "auto", see `requested_dtype`.
        ensemble: Average the results for the eight symmetries, see `SelfEnsemble`.
        with_spread: Also compute the spread of the eight results; needs `ensemble`.

    Raises:
        SuperResolutionError: Weights and card do not match (kind "model").
    """

    def __init__(
        self,
        cards: Sequence[ModelCard],
        weights: Sequence[bytes],
        device: torch.device,
        alpha: float | None = None,
        precision: str = "float32",
        ensemble: bool = False,
        with_spread: bool = False,
    ) -> None:
        self.cards, self.scale = tuple(cards), cards[0].scale
        self.name, self.stage = cards[0].name, cards[0].stage
        if alpha is not None:
            self.name, self.stage = f"{cards[0].pair}@{alpha:g}", "blend"
        nets = [
            load_generator(card.name, card.architecture, card.scale, data)
            for card, data in zip(cards, weights)
        ]
        if alpha is not None:
            with torch.no_grad():
                for value, end in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
                    value.lerp_(end, alpha)
        self.reach: int | None = nets[0].reach
        net = SelfEnsemble(nets[0], with_spread) if ensemble else nets[0]
        self._net = net.eval().requires_grad_(False)
        self._precision, self._dtype = precision, requested_dtype(precision, device)
        self._runner = NetworkRunner(self._net, device, self._dtype)
        self._slice_bytes: dict[tuple[int, int], int] = {}  # GPU memory by slice size
        self._is_checked = False
        self._precision_messages: list[Message] = []
        self.reset()

    @property
    def device(self) -> torch.device:
        """Current device; the CPU after a GPU ran out of memory."""
        return self._runner.device

    @property
    def precision(self) -> str:
        """Current type of the computation, such as "float32"."""
        return _name(self._runner.dtype)

    @property
    def messages(self) -> list[Message]:
        """Messages about precision and memory since `reset`."""
        return [*self._precision_messages, *self._runner.messages]

    def reset(self) -> None:
        """Discard the precision checks and memory fallbacks of earlier tasks."""
        self._runner.reset()
        self._is_checked, self._precision_messages = self._dtype == torch.float32, []
        if self._is_checked and self._precision == "half":
            self._precision_messages = [
                warning(
                    "precision",
                    f"{self.name} computed in float32: PyTorch finds no fast half precision on the "
                    f"device {self.device}.",
                )
            ]

    def batch_size(self, height: int, width: int) -> int:
        """Return the number of slices (height, width) to upsample at a time.

        On a CPU, one slice at a time is fastest, since it stays in the cache. On a GPU, the memory
        of a first, empty slice decides.
        """
        if self.device.type == "cpu":
            return 1
        requested = max(1, GPU_BATCH_PIXELS // (height * width))
        if self.device.type != "cuda" or requested == 1:
            return requested
        if (height, width) not in self._slice_bytes:
            taken = peak_memory(self.device, lambda: self(np.zeros((1, height, width))))
            if self.device.type == "cpu":  # out of memory for a single slice
                return 1
            self._slice_bytes[height, width] = max(1, taken)
        available = MEMORY_FRACTION * free_memory(self.device)
        return int(np.clip(available // self._slice_bytes[height, width], 1, requested))

    def upload(self, images: np.ndarray) -> torch.Tensor:
        """Return slices (n, h, w) as a float32 tensor on the device, or on the CPU if needed."""
        tensor = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
        try:
            if self.device.type == "cuda":
                return tensor.pin_memory().to(self.device, non_blocking=True)
            return tensor.to(self.device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return tensor

    def __call__(self, images: np.ndarray | torch.Tensor) -> np.ndarray:
        """Upsample (n, h, w), normalized, to (n, scale·h, scale·w), float32.

        Raises:
            SuperResolutionError: Not even a part of a slice fits into memory (kind "memory").
        """
        return self._runner(self._batch(images))()

    def start(
        self, images: np.ndarray | torch.Tensor, intensity: Intensity
    ) -> Callable[[], np.ndarray]:
        """Start upsampling slices; see `Method.start`.

        The device converts to the stored type: this is fast there, and less data is copied.
        """
        # MPS has no unsigned integers
        if not is_exact_in_float32(intensity.dtype) or self.device.type == "mps":
            fetch = self._runner(self._batch(images))
            return lambda: intensity.restore(fetch())
        return self._runner(
            self._batch(images), lambda upsampled: restore(upsampled[:, 0], intensity)
        )

    def start_with_spread(
        self, images: np.ndarray | torch.Tensor, intensity: Intensity
    ) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        """Start upsampling slices with the spread of the ensemble; see `SpreadMethod`."""
        fetch = self._runner(self._batch(images), lambda upsampled: upsampled)

        def finish() -> tuple[np.ndarray, np.ndarray]:
            upsampled, spread = np.moveaxis(fetch(), 1, 0)
            if is_exact_in_float32(intensity.dtype):  # as `start` does, to the last bit
                stored: np.ndarray = restore(torch.from_numpy(upsampled.copy()), intensity).numpy()
            else:
                stored = intensity.restore(upsampled)
            return stored, spread * np.float32(intensity.high - intensity.low)

        return finish

    def _batch(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return slices (n, h, w) as a batch (n, 1, h, w) on the device."""
        batch = (images if isinstance(images, torch.Tensor) else self.upload(images))[:, None]
        # no check after a fallback to the CPU, which computes in float32
        if not self._is_checked and self._runner.dtype == self._dtype:
            self._check_precision(batch)
        return batch

    def _check_precision(self, batch: torch.Tensor) -> None:
        """Compare half precision with float32, and reject it if the difference is too large."""
        half = _name(self._dtype)
        try:
            error = half_precision_error(self._net, batch.to(self.device), self._dtype)
        except RuntimeError as e:
            if not is_out_of_memory(e):
                raise
            self._is_checked, self._runner.dtype = True, torch.float32
            self._precision_messages = [
                info(
                    "precision",
                    f"{self.name} computed in float32: not enough memory to check {half}.",
                )
            ]
            return
        if error is None:
            return
        self._is_checked = True
        rms, largest = (f"{100 * value:.2g} %" for value in error)
        if error[0] <= MAX_HALF_ERROR:
            self._precision_messages = [
                info(
                    "precision",
                    f"{self.name} computed in {half}: differs from float32 by {rms} of the "
                    f"intensity range (root mean square on one patch, at most {largest}).",
                )
            ]
        else:
            self._runner.dtype = torch.float32
            self._precision_messages = [
                warning(
                    "precision",
                    f"{self.name} computed in float32: {half} would differ by {rms} of the "
                    f"intensity range, more than {100 * MAX_HALF_ERROR:g} %.",
                )
            ]


class SelfEnsemble(nn.Module):
    """The mean over flipped and turned images, each result flipped and turned back.

    Timofte et al. 2016, "Seven ways to improve example-based single image super resolution",
    section 3.5 (arXiv:1511.02228). It is as symmetric as interpolation: a turned image gives the
    turned result.

    Args:
        net: Network from (n, 1, h, w) to (n, 1, scale·h, scale·w).
        with_spread: Also return the spread of the eight results.

    Attributes:
        scale: Upsampling factor.
        reach: That of the network.
    """

    scale: int
    reach: int | None

    def __init__(self, net: nn.Module, with_spread: bool = False) -> None:
        super().__init__()
        self.net, self.scale, self.reach = net, net.scale, net.reach  # type: ignore[assignment]
        self.with_spread = with_spread

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of the results, in float32 also under autocast.

        With the spread, their standard deviation is a second channel. The mean is the same.
        """
        total, deviations, squares = torch.zeros((3, 1, 1, 1, 1), device=x.device)
        first: Tensor | None = None
        for each in SYMMETRIES:
            result = turned_back(self.net(turned(x, *each)).float(), *each)
            total = total + result
            if self.with_spread:
                # deviations from one result are small: their squares lose no digits in float32
                first = result if first is None else first
                deviation = result - first
                deviations = deviations + deviation
                squares = squares + deviation.square()
        count = len(SYMMETRIES)
        mean = total / count
        if not self.with_spread:
            return mean
        variance = squares / count - (deviations / count).square()
        return torch.cat((mean, variance.clamp(min=0).sqrt()), 1)


def turned(x: Tensor, is_mirrored: bool, turns: int) -> Tensor:
    """Mirror images (n, 1, h, w), then turn them by quarter turns."""
    images = torch.rot90(x.flip(3) if is_mirrored else x, turns, (2, 3))
    return images.contiguous(memory_format=torch.channels_last)


def turned_back(x: Tensor, is_mirrored: bool, turns: int) -> Tensor:
    """Undo `turned`."""
    images = torch.rot90(x, -turns, (2, 3))
    return images.flip(3) if is_mirrored else images


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
