"""LPIPS, and the distance in the features of VGG19, as metrics of the comparison."""

import torch

from MRISuperResLib.core.comparison.scores import Metric

from ..networks import lpips, vgg_distance

METRICS = {Metric("lpips", "LPIPS", "", "lower", "image", 4): lpips, Metric("vgg_distance", "VGG distance", "", "lower", "image", 4): vgg_distance}


def perceptual_metrics():
    """[(Metric, function of two slices (h, w), normalised)], see comparison.compare: those whose weights are there.

    Raises MRISuperResError for files that hold none.
    """
    networks = {metric: module.find() for metric, module in METRICS.items()}
    return [(metric, _function(network)) for metric, network in networks.items() if network]


def _function(network):
    def distance(image, truth):
        with torch.inference_mode():
            return float(network(*(torch.as_tensor(a, dtype=torch.float32)[None, None] for a in (image, truth))))

    return distance
