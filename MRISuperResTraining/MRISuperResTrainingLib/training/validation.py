"""How good a generator is on whole slices of the validation part, by the metrics of the comparison; which is the best.

The best model of stage 1 has the highest PSNR. That of stage 2 can't be chosen so, as every step towards sharpness costs PSNR. It has
  the lowest LPIPS, where the weights of VGG16 and of LPIPS are there (see networks.lpips);
  else the lowest distance in the features of VGG19, where those weights are there (see networks.vgg_distance). The perceptual loss itself would
    choose what fools one layer of VGG best;
  else the highest contrast, one of the three factors of SSIM: (2σxσy + c) / (σx² + σy² + c), where σ is the standard deviation around
  each pixel. Too smooth an image has too little of it, noise that is not there too much; but in contrast to SSIM's third factor, and
  to PSNR, a texture need not lie on the very pixels of the truth.
"""

from typing import NamedTuple

import numpy as np
import torch
from accelerate.utils import gather_object
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core import metrics, resampling
from MRISuperResLib.core.networks import make_generator

from ..networks.vgg_distance import VggDistance

MOST_SLICES, MOST_LOOKED_AT = 48, 12
"""Spread over all validation slices: with so many the means are known well enough to choose. VGG takes a CPU a second or two a slice, so that it looks
at fewer."""
SAMPLES = 3

RADIUS, SIGMA = 5, 1.5  # pixels, as in SSIM
C2 = 0.03**2  # of images from 0 to 1, as in SSIM


class Measure(NamedTuple):
    """higher: whether the higher value is the better one."""

    name: str
    higher: bool

    def is_better(self, value, than):
        return value > than if self.higher else value < than


PSNR = Measure("psnr", True)
LPIPS, VGG_DISTANCE, CONTRAST = (
    Measure("lpips", False),
    Measure("vgg_distance", False),
    Measure("contrast", True),
)


class Validation:
    """pairs: data.sampler.SlicePairs, the same in all processes, which share the work.

    vgg: features.VGG and lpips: lpips.Lpips of the measures of stage 2, None where their weights are not there.
    """

    def __init__(self, accelerator, settings, pairs, vgg=None, lpips=None):
        self._accelerator, self._settings = accelerator, settings
        self._distances = {}  # the best one first
        if lpips:
            self._distances[LPIPS] = lpips.to(accelerator.device)
        if vgg:
            self._distances[VGG_DISTANCE] = VggDistance(vgg)
        chosen = np.unique(
            np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_SLICES)).round().astype(int)
        )
        self._pairs = [pairs[n] for n in chosen]
        self._looked_at = frozenset(
            range(0, len(self._pairs), -(-len(self._pairs) // MOST_LOOKED_AT))
        )
        self._net = (
            make_generator(settings.generator, settings.scale)
            .to(accelerator.device, memory_format=torch.channels_last)
            .eval()
            .requires_grad_(False)
        )
        self._bicubic = {}

    def judge(self, stage):
        """The Measure that chooses the best model of a stage."""
        if stage == "psnr":
            return PSNR
        return next(iter(self._distances), CONTRAST)

    def scores(self, weights, by):
        """{"psnr" dB, "ssim", and `by`: means over the slices} of a generator's weights; the same in all processes."""
        self._net.load_state_dict(weights)
        return self._mean(self._enlarge, by)

    def bicubic(self, by):
        """The same of MATLAB's bicubic interpolation."""
        if by.name not in self._bicubic:
            self._bicubic[by.name] = self._mean(
                lambda low: resampling.upsample(low, self._settings.scale), by
            )
        return self._bicubic[by.name]

    def samples(self):
        """{"low", "output", "high": lists of slices}: what the weights that were scored last make of a few slices."""
        pairs = self._pairs[:: -(-len(self._pairs) // SAMPLES)]
        return {
            "low": [low for low, _ in pairs],
            "output": [self._enlarge(low) for low, _ in pairs],
            "high": [high for _, high in pairs],
        }

    def _enlarge(self, low):
        with torch.inference_mode():
            return self._net(self._tensor(low))[0, 0].float().cpu().numpy()

    def _mean(self, enlarge, by):
        first, step = self._accelerator.process_index, self._accelerator.num_processes
        own = [
            (n, self._scores(enlarge(low), high, by, n in self._looked_at))
            for n, (low, high) in list(enumerate(self._pairs))[first::step]
        ]
        slices = [scores for _, scores in sorted(gather_object(own), key=lambda pair: pair[0])]
        names = dict.fromkeys(name for scores in slices for name in scores)
        return {
            name: float(np.mean([scores[name] for scores in slices if name in scores]))
            for name in names
        }

    def _scores(self, image, truth, by, is_looked_at):
        """PSNR of at most 100 dB, so that a perfect slice does not make the mean infinite."""
        scores = {"psnr": min(100.0, metrics.psnr(image * metrics.PEAK, truth * metrics.PEAK))}
        if min(truth.shape) > 2 * RADIUS:  # larger than the window
            scores["ssim"] = metrics.ssim(image * metrics.PEAK, truth * metrics.PEAK)
        if by is CONTRAST:
            scores["contrast"] = contrast(image, truth)
        elif by in self._distances and is_looked_at:
            with torch.inference_mode():
                scores[by.name] = float(
                    self._distances[by](self._tensor(image), self._tensor(truth))
                )
        return scores

    def _tensor(self, image):
        return torch.as_tensor(
            np.ascontiguousarray(image, dtype=np.float32), device=self._accelerator.device
        )[None, None]


def contrast(image, truth):
    """The mean of the contrast term of SSIM (Wang et al. 2004, equation 9) of two images (h, w), 0–1; 1 for images of equal contrast."""
    deviations = [
        np.sqrt(np.maximum(_smooth(a.astype(float) ** 2) - _smooth(a.astype(float)) ** 2, 0))
        for a in (image, truth)
    ]
    return float(
        np.mean(
            (2 * deviations[0] * deviations[1] + C2)
            / (deviations[0] ** 2 + deviations[1] ** 2 + C2)
        )
    )


def _smooth(a):
    return gaussian_filter(a, SIGMA, radius=RADIUS, mode="nearest")
