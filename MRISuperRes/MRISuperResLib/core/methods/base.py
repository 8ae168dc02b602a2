"""The protocol of an upsampling method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..intensity import Intensity
from ..messages import Message
from ..models.card import ModelCard

if TYPE_CHECKING:
    import torch


class Method(Protocol):
    """Upsampling method: a callable from (n, h, w), normalized, to (n, scale·h, scale·w)."""

    @property
    def name(self) -> str:
        """The method's name, see `MethodName`."""

    @property
    def scale(self) -> int:
        """Upsampling factor: 2, 4 or 8."""

    @property
    def stage(self) -> str:
        """Kind of method: "interpolation", "psnr", "gan" or "blend"."""

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """The cards of its networks: none, one, or the two of a blend."""

    @property
    def device(self) -> torch.device | str:
        """Current device; the CPU after a GPU ran out of memory."""

    @property
    def precision(self) -> str:
        """Current type of the computation, such as "float32"."""

    @property
    def messages(self) -> list[Message]:
        """Messages about precision and memory since the method was requested."""

    def batch_size(self, height: int, width: int) -> int:
        """Return the number of slices (height, width) to upsample at a time."""

    def upload(self, images: np.ndarray) -> Any:
        """Prepare slices for `__call__`; methods of the same device can share them.

        Args:
            images: (n, h, w), normalized.
        """

    def __call__(self, images: Any) -> np.ndarray:
        """Upsample slices.

        Args:
            images: (n, h, w), normalized, or what `upload` returned.

        Returns:
            (n, scale·h, scale·w), normalized, floating-point.
        """

    def start(self, images: np.ndarray, intensity: Intensity) -> Callable[[], np.ndarray]:
        """Start upsampling slices.

        Args:
            images: (n, h, w), normalized.
            intensity: Maps the result to the stored type.

        Returns:
            A function that waits for the result, (n, scale·h, scale·w) in the stored type.
        """
