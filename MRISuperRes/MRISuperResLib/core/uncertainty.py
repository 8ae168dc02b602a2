"""The uncertainty of an upsampled volume: the spread of the results of the self-ensemble.

A network gives a slightly different result for a flipped or turned image. Where the eight results
differ, the network is less sure. Their standard deviation says nothing about what all eight results
miss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from .errors import SuperResolutionError
from .intensity import Intensity
from .slices import Finish, Start
from .volume import Volume

if TYPE_CHECKING:
    from .methods.interpolation import Method

MAP = "uncertainty: standard deviation of the eight results of the self-ensemble"
"""Content of the map, for its provenance."""
WORTH = (
    "Larger where the network is less sure, but no error bar: in-plane, on unseen subjects, its "
    "rank correlation with the true error is about 0.3, and the most uncertain tenth of the voxels "
    "has about twice the mean error."
)
"""Reliability of the map, for users: the means of Resources/Evaluation/uncertainty.md."""


class SpreadMethod(Protocol):
    """Method that computes the spread of a self-ensemble, beside its mean."""

    def start_with_spread(
        self, images: np.ndarray, intensity: Intensity
    ) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        """Start upsampling slices.

        Args:
            images: (n, h, w), normalized.
            intensity: Maps the result to the stored type.

        Returns:
            A function that waits for the result: values as those of `Method.start`, and their
            spread in the same intensities, float32, not rounded; both (n, scale·h, scale·w).
        """


def start_function(method: Method, with_spread: bool) -> Start:
    """Return the function that starts a batch of slices.

    Args:
        method: The method.
        with_spread: True if the function that waits for the slices also returns their spread.

    Raises:
        SuperResolutionError: The method has no spread (kind "settings").
    """
    if with_spread:
        check_spread(method.name, hasattr(method, "start_with_spread"))
        return cast(SpreadMethod, method).start_with_spread

    def start(images: np.ndarray, intensity: Intensity) -> Finish:
        finish = method.start(images, intensity)
        return lambda: (finish(),)

    return start


def check_spread(name: str, has_spread: bool) -> None:
    """Refuse an uncertainty map of a method that has none.

    Raises:
        SuperResolutionError: `has_spread` is False (kind "settings").
    """
    if has_spread:
        return
    if name.endswith("+bp"):
        text = (
            "The uncertainty map describes the results of a network, not their back-projection. "
            "Leave out +bp or the map."
        )
    else:
        text = (
            "The uncertainty map is the spread of a network's results for flipped and turned "
            f"images, which is 0 for {name}. Choose a model, or leave out the map."
        )
    raise SuperResolutionError(text, "settings")


def with_uncertainty(volume: Volume, spread: np.ndarray) -> Volume:
    """Return an upsampled volume with its uncertainty map.

    Args:
        volume: The upsampled volume.
        spread: (k, j, i) of its shape, float32, in its intensities.
    """
    record = (volume.provenance or {}) | {"map": MAP}
    uncertainty = Volume(spread, volume.ijk_to_ras, provenance=record, header=volume.space)
    return replace(volume, uncertainty=uncertainty)
