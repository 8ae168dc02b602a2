"""Intensity.restore for tensors: on the device where they are, with all its cores."""

import numpy as np
import torch


def is_exact_in_single(dtype):
    """Whether single precision has room for all values of a numpy type, so that `restore` can be used."""
    return dtype.itemsize <= (4 if dtype.kind == "f" else 2)


@torch.inference_mode()
def restore(images, intensity):
    """Normalized images, a float32 tensor of any shape that is overwritten, in the stored type of an intensity.Intensity.

    The same as Intensity.restore but for values that lie within a hundredth of a gray level of half a step, which may be rounded the other way.
    """
    dtype = intensity.dtype
    values = images.mul_(intensity.high - intensity.low).add_(intensity.low)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
    else:
        limits, values = np.iinfo(dtype), values.round_()
    return values.clamp_(float(limits.min), float(limits.max)).to(getattr(torch, dtype.name))
