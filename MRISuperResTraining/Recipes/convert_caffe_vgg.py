"""Convert VGG19 weights of the original authors (Caffe) to torchvision's convention.

    python convert_caffe_vgg.py vgg19_caffe.npz vgg19-caffe.pth

The original network sees BGR from 0 to 255 minus the mean of ImageNet. The input arrays are named
block1_conv1.weight, block1_conv1.bias and so on. The output is a state dict for RGB from 0 to 1,
normalized with mean and standard deviation: the first convolution absorbs the difference of the
inputs, exactly except in the outermost pixel, where the padding differs by 0.5 gray levels.

The last convolution, conv5_4, is multiplied by 1/20. Its features are that much larger than those
of torchvision's weights, for which the weights of the losses (λ, η) are meant. In the published
logs of ESRGAN the perceptual loss of photographs is 0.8 to 1.0 with torchvision's weights; with the
original ones, reference against bicubic ×4 has 15 to 24.
"""

import sys
from pathlib import Path

import numpy as np
import torch

CONVOLUTIONS = (2, 2, 4, 4, 4)
CAFFE_MEAN = np.array([123.68, 116.779, 103.939])
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
GAIN = 1 / 20


def convert(source, target):
    """Convert an .npz file with the original weights to a .pth file; return its path."""
    with np.load(source, allow_pickle=False) as file:
        values = {key: file[key].astype(np.float64) for key in file.files}
    state, index = {}, 0
    for block, count in enumerate(CONVOLUTIONS, 1):
        for number in range(1, count + 1):
            weight, bias = (
                values[f"block{block}_conv{number}.{kind}"] for kind in ("weight", "bias")
            )
            if index == 0:
                weight = weight[:, ::-1]  # BGR to RGB
                offset = (255 * MEAN - CAFFE_MEAN)[None, :, None, None]
                bias = bias + (weight * offset).sum((1, 2, 3))
                weight = weight * (255 * DEVIATION)[None, :, None, None]
            if (block, number) == (len(CONVOLUTIONS), CONVOLUTIONS[-1]):
                weight, bias = weight * GAIN, bias * GAIN
            state[f"features.{index}.weight"] = torch.tensor(weight.copy(), dtype=torch.float32)
            state[f"features.{index}.bias"] = torch.tensor(bias, dtype=torch.float32)
            index += 2  # the convolution and its activation
        index += 1  # the pooling
    torch.save(state, target)
    return Path(target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(convert(*sys.argv[1:]))
