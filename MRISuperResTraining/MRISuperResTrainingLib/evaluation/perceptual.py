"""LPIPS and the VGG19 feature distance as metrics of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from MRISuperResLib.core.comparison.scores import Metric

from ..networks.perceptual_distance import find_lpips, find_vgg_distance

if TYPE_CHECKING:
    from MRISuperResLib.core.comparison.compare import MetricFunction

    from ..networks.perceptual_distance import PerceptualDistance

METRICS = {
    Metric("lpips", "LPIPS", "", "lower", "image", 4): find_lpips,
    Metric("vgg_distance", "VGG distance", "", "lower", "image", 4): find_vgg_distance,
}
"""Metrics, with the functions that load their networks."""


def perceptual_metrics() -> list[tuple[Metric, MetricFunction]]:
    """Load the metrics whose weights are available.

    Returns:
        Metrics and functions of an image and its reference, both (h, w), normalized; see
        `compare_methods`.

    Raises:
        SuperResolutionError: A file holds other weights (kind "environment").
    """
    networks = {metric: find() for metric, find in METRICS.items()}
    return [(metric, _Distance(network)) for metric, network in networks.items() if network]


class _Distance:
    """A distance that computes the features of a reference once for all methods."""

    def __init__(self, network: PerceptualDistance) -> None:
        self._network = network
        self._reference: np.ndarray | None = None
        self._expected: list[torch.Tensor] = []

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> float:
        if reference is not self._reference:
            self._reference, self._expected = reference, self._features(reference)
        return float(self._network.distance(self._features(image), self._expected))

    def _features(self, image: np.ndarray) -> list[torch.Tensor]:
        with torch.inference_mode():
            batch = torch.as_tensor(image, dtype=torch.float32)[None, None]
            return self._network.features(batch)
