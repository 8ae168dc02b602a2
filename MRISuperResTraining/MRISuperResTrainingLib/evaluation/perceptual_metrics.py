"""LPIPS, and the distance in the features of VGG19, as metrics of the comparison."""

import torch

from MRISuperResLib.core.comparison.scores import Metric

from ..networks.perceptual_distance import find_lpips, find_vgg_distance

METRICS = {
    Metric("lpips", "LPIPS", "", "lower", "image", 4): find_lpips,
    Metric("vgg_distance", "VGG distance", "", "lower", "image", 4): find_vgg_distance,
}


def perceptual_metrics():
    """[(Metric, function of two slices (h, w), normalized)], see comparison.compare: those whose weights are there.

    Raises SuperResolutionError for files that hold none.
    """
    networks = {metric: find() for metric, find in METRICS.items()}
    return [(metric, _Distance(network)) for metric, network in networks.items() if network]


class _Distance:
    """Several methods are measured against the same truth, one after the other: its features are computed once."""

    def __init__(self, network):
        self._network = network
        self._truth = self._expected = None

    def __call__(self, image, truth):
        if truth is not self._truth:
            self._truth, self._expected = truth, self._features(truth)
        return float(self._network.distance(self._features(image), self._expected))

    def _features(self, image):
        with torch.inference_mode():
            return self._network.features(torch.as_tensor(image, dtype=torch.float32)[None, None])
