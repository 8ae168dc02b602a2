"""The protocol of an upsampling method; interpolations, and back-projection of any method.

Nothing here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..intensity import Intensity
from ..messages import Message
from ..models.card import ModelCard
from ..resampling import back_project, upsample

if TYPE_CHECKING:
    import torch


class AnyMethod(Protocol):
    """Common part of the methods in-plane and between slices, which provenance records."""

    @property
    def name(self) -> str:
        """The method's name, see `MethodName`."""

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


class Method(AnyMethod, Protocol):
    """Upsampling method: a callable from (n, h, w), normalized, to (n, scale·h, scale·w)."""

    @property
    def scale(self) -> int:
        """Upsampling factor: 2, 4 or 8."""

    @property
    def reach(self) -> int | None:
        """Low-resolution pixels beyond which a result does not depend on a slice.

        None: it may depend on the whole slice, or nothing is gained by a part of it.
        """

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
    reach = None
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
        self.reach = None

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
