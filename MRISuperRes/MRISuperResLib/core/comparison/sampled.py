"""Slow metrics, computed on a few of the scored slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..errors import SuperResolutionError
from ..metrics.full_reference import PEAK
from ..options import ComparisonOptions
from .scores import PERCEPTUAL, Metric

MetricFunction = Callable[[np.ndarray, np.ndarray], float]
"""Computes a metric of a slice and its reference, both (h, w), normalized."""
SAMPLED_SLICES = 5
"""Number of slices for slow metrics, evenly spaced over the middle of the scored ones."""


class SampledMetrics:
    """Slow metrics of a comparison.

    Attributes:
        metrics: The metrics.
    """

    def __init__(
        self,
        options: ComparisonOptions,
        shape: tuple[int, int],
        scored: Sequence[int],
        further: Iterable[tuple[Metric, MetricFunction]],
    ) -> None:
        """Load the metrics and choose the slices.

        Args:
            options: Options of the comparison.
            shape: (rows, columns) of the slices.
            scored: Numbers of the scored slices.
            further: Metrics besides that of the options.
        """
        self._functions = dict(further)
        if options.perceptual != "none":
            function = _perceptual_function(options.perceptual, shape)
            self._functions[PERCEPTUAL[options.perceptual]] = function
        self.metrics: tuple[Metric, ...] = tuple(self._functions)
        places = np.linspace(0.2, 0.8, SAMPLED_SLICES) * (len(scored) - 1)
        self._numbers = {scored[place] for place in np.rint(places).astype(int)}

    def of(
        self, number: int, image: np.ndarray, reference: np.ndarray | None
    ) -> dict[str, float | None]:
        """Return {metric key: value, or None for too little content}; {} for an unsampled slice."""
        if number not in self._numbers:
            return {}
        values: dict[str, float | None] = {}
        for metric, function in self._functions.items():
            try:
                values[metric.key] = function(image, image if reference is None else reference)
            except SuperResolutionError as e:
                if e.kind != "input":
                    raise
                values[metric.key] = None
        return values


def _perceptual_function(name: str, shape: tuple[int, int]) -> MetricFunction:
    from ..metrics.perceptual import PerceptualMetric

    metric = PerceptualMetric(name)
    metric.check_size(*shape)
    return lambda image, reference: metric(image * PEAK)
