"""Interpolation methods, and back-projection of any method. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..intensity import Intensity
from ..messages import Message
from ..models.card import ModelCard
from ..resampling import back_project, upsample
from .base import Method

if TYPE_CHECKING:
    import torch

BATCH_PIXELS = 2**22
"""Output pixels of a batch."""


class InterpolationMethod:
    """An interpolation with the kernels of MATLAB's imresize, see `resampling.upsample`.

    Args:
        name: "nearest", "bilinear" or "bicubic".
        scale: 2, 4 or 8.
    """

    stage = "interpolation"
    cards: tuple[ModelCard, ...] = ()
    device = "cpu"
    precision = "float64"

    def __init__(self, name: str, scale: int) -> None:
        self.name, self.scale = name, scale

    @property
    def messages(self) -> list[Message]:
        """Always empty."""
        return []

    def batch_size(self, height: int, width: int) -> int:
        """Return the number of slices that fit into BATCH_PIXELS."""
        return max(1, BATCH_PIXELS // (height * width * self.scale**2))

    def upload(self, images: np.ndarray) -> np.ndarray:
        """Return the slices unchanged."""
        return images

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Upsample (n, h, w) to (n, scale·h, scale·w) of the same floating-point type."""
        return upsample(images, self.scale, self.name)

    def start(self, images: np.ndarray, intensity: Intensity) -> Callable[[], np.ndarray]:
        """Upsample slices at once; see `Method.start`."""
        result = intensity.restore(self(images))
        return lambda: result


class BackProjectedMethod:
    """A method whose result is made consistent with the input, see `resampling.back_project`.

    Args:
        method: The method whose result is back-projected.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self.name = f"{method.name}+bp"
        self.scale, self.stage, self.cards = method.scale, method.stage, method.cards

    @property
    def device(self) -> torch.device | str:
        """Current device of the method."""
        return self._method.device

    @property
    def precision(self) -> str:
        """Current type of the computation."""
        return self._method.precision

    @property
    def messages(self) -> list[Message]:
        """The messages of the method."""
        return self._method.messages

    def batch_size(self, height: int, width: int) -> int:
        """Return the batch size of the method."""
        return self._method.batch_size(height, width)

    def upload(self, images: np.ndarray) -> np.ndarray:
        """Return the slices unchanged: back-projection is computed on the CPU."""
        return images

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Upsample (n, h, w) to (n, scale·h, scale·w)."""
        return back_project(self._method(images), images, self.scale)

    def start(self, images: np.ndarray, intensity: Intensity) -> Callable[[], np.ndarray]:
        """Upsample slices at once; see `Method.start`."""
        result = intensity.restore(self(images))
        return lambda: result
