"""Small VGG networks with random weights, and an independent computation of their features."""

from pathlib import Path
from unittest import mock

import numpy as np
import torch
from MRISuperResTrainingLib.networks import vgg
from scipy.signal import correlate

WIDTHS = (4, 4, 6, 8, 8)


def narrow():
    """A patch: VGG with few features a layer."""
    return mock.patch.object(vgg, "WIDTHS", WIDTHS)


def random_weights(name, seed=0):
    """{(block, number): (weight, bias)} of a narrow network."""
    rng = np.random.default_rng(seed)
    weights, features_in = {}, 3
    for block, (count, width) in enumerate(zip(vgg.CONVOLUTIONS[name], WIDTHS)):
        for number in range(count):
            weights[block, number] = (
                rng.normal(0, np.sqrt(2 / (9 * features_in)), (width, features_in, 3, 3)).astype(
                    np.float32
                ),
                rng.normal(0, 0.1, width).astype(np.float32),
            )
            features_in = width
    return weights


def write_torchvision(path, name, weights):
    state, index = {}, 0
    for block, count in enumerate(vgg.CONVOLUTIONS[name]):
        for number in range(count):
            for kind, value in zip(("weight", "bias"), weights[block, number]):
                state[f"features.{index}.{kind}"] = torch.tensor(value)
            index += 2  # a convolution and its activation
        index += 1  # the pooling
    torch.save(state | {"classifier.0.weight": torch.zeros(2)}, path)
    return Path(path)


def write_caffe(path, weights):
    np.savez(
        path,
        **{
            f"block{block + 1}_conv{number + 1}.{kind}": value
            for (block, number), pair in weights.items()
            for kind, value in zip(("weight", "bias"), pair)
        },
    )
    return Path(path)


def convolutions(rgb, weights):
    """Outputs of all convolutions before the activation: {(block, number): (features, h, w)}.

    rgb: (3, h, w), normalized. Computed one channel at a time.
    """
    x, outputs, last = rgb.astype(float), {}, 0
    for (block, number), (weight, bias) in weights.items():
        if block != last:
            h, w = (side // 2 * 2 for side in x.shape[1:])
            x = x[:, :h, :w].reshape(len(x), h // 2, 2, w // 2, 2).max((2, 4))
            last = block
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        outputs[block, number] = np.stack(
            [
                sum(correlate(a, k, "valid") for a, k in zip(padded, kernels)) + b
                for kernels, b in zip(weight, bias)
            ]
        )
        x = np.maximum(outputs[block, number], 0)
    return outputs
