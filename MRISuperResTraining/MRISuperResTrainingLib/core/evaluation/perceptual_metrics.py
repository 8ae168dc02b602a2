"""LPIPS as a metric of the comparison."""

import torch

from MRISuperResLib.core.comparison.scores import Metric

from ..networks import lpips

LPIPS = Metric("lpips", "LPIPS", "", "lower", "image", 4)


def lpips_metric():
    """(Metric, function of two slices (h, w), normalised), see comparison.compare; None where the weights are not there.

    Raises MRISuperResError for files that hold none.
    """
    network = lpips.find()
    return (LPIPS, lambda image, truth: _distance(network, image, truth)) if network else None


def _distance(network, image, truth):
    with torch.inference_mode():
        return float(network(*(torch.as_tensor(a, dtype=torch.float32)[None, None] for a in (image, truth))))
