"""The methods against the truth: a volume is degraded, rebuilt by every method, and compared with itself."""

from dataclasses import dataclass

import numpy as np

from . import metrics, resample, slices
from .intensity import Intensity, check_type, mask_non_finite


@dataclass(frozen=True)
class Scores:
    """psnr: dB, peak 255, one mean square error over the volume; ssim: mean over the slices; rmse: on the 0–255 scale."""

    psnr: float
    ssim: float
    rmse: float


class ReferenceTest:
    """A volume that is the truth, and what is left of it after the thesis's degradation (MATLAB bicubic).

    volume: (k, j, i); ijk_to_ras: (4, 4), mm. reference: (n, h, w) and low: (n, h/scale, w/scale), both normalised, the
    sides cropped to multiples of the scale; cropped: (rows, columns) that were left out.
    """

    def __init__(self, volume, ijk_to_ras, scale, axis="auto"):
        check_type(volume)
        volume, _ = mask_non_finite(volume)
        self.axis = slices.choose(ijk_to_ras, axis)
        whole = np.moveaxis(Intensity.of(volume).normalise(volume), self.axis.numpy_axis, 0)
        self.reference = resample.crop_to_multiple(whole, scale)
        self.cropped = tuple(a - b for a, b in zip(whole.shape[1:], self.reference.shape[1:]))
        self.low = resample.degrade(self.reference, scale)

    def rebuild(self, method):
        """The low-resolution slices enlarged by a method (see methods.MethodCache): the shape of the reference."""
        size = method.batch_size(*self.low.shape[1:])
        return np.concatenate([method(self.low[start:start + size]) for start in range(0, len(self.low), size)])

    def scores(self, rebuilt):
        """Scores of rebuilt slices against the reference."""
        rebuilt, reference = rebuilt * metrics.PEAK, self.reference * metrics.PEAK
        ssim = float(np.mean([metrics.ssim(a, b) for a, b in zip(rebuilt, reference)]))
        return Scores(metrics.psnr(rebuilt, reference), ssim, metrics.rmse(rebuilt, reference))
