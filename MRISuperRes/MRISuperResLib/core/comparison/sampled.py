"""Metrics that take so long that they are computed on a few slices only."""

import numpy as np

from ..errors import SuperResolutionError
from ..metrics import PEAK
from .scores import PERCEPTUAL

SLICES = 5
"""Spread over the middle of the volume; a perceptual metric may take half a minute for each."""


class SampledMetrics:
    """The perceptual metric of a job, and further ones that a caller brings.

    job: ComparisonOptions; stack: SliceStack. further: [(scores.Metric, function(image, truth))] of slices (h, w), normalized.
    metrics: those that were asked for. Raises SuperResolutionError where one cannot be computed of such slices.
    """

    def __init__(self, job, stack, further=()):
        functions = dict(further)
        if job.perceptual != "none":
            functions[PERCEPTUAL[job.perceptual]] = _naturalness(job.perceptual, stack.shape)
        self.metrics = tuple(functions)
        self._functions = functions
        self._numbers = frozenset(
            np.rint(np.linspace(0.2, 0.8, SLICES) * (len(stack) - 1)).astype(int).tolist()
        )

    def of(self, number, image, truth):
        """{metric key: value, or None where there is too little in the slice for it}; nothing for a slice that is not among the chosen."""
        if number not in self._numbers:
            return {}
        return {
            metric.key: _value(function, image, truth)
            for metric, function in self._functions.items()
        }


def _naturalness(name, shape):
    from ..metrics.perceptual import PerceptualMetric

    metric = PerceptualMetric(name)
    metric.check_size(*shape)
    return lambda image, truth: metric(image * PEAK)


def _value(function, image, truth):
    try:
        return function(image, truth)
    except SuperResolutionError as e:
        if e.kind != "input":
            raise
        return None
