"""Validation: the quality of a generator on whole held-out slices, and which model is the best.

The best model of stage 1 has the highest PSNR. Stage 2 needs another measure, since every step
towards sharpness costs PSNR:
  the lowest LPIPS, if its weights are available (see `networks.vgg.Lpips`);
  else the lowest distance in the features of VGG19, if its weights are available. The perceptual
    loss itself would select the model that fools one layer of VGG best;
  else the highest contrast, a factor of SSIM. Too smooth an image has too little of it, noise too
    much. Unlike PSNR and the structure factor of SSIM, it does not require a texture at exactly
    the pixels of the reference.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from MRISuperResLib.core import resampling, slice_profile
from MRISuperResLib.core.errors import is_out_of_memory
from MRISuperResLib.core.inference.runner import NetworkRunner
from MRISuperResLib.core.messages import Message, info
from MRISuperResLib.core.metrics.full_reference import K2, PEAK, RADIUS, psnr, ssim, window_mean
from MRISuperResLib.core.networks import make_generator

from ..data.sampler import Pair, SlicePairs
from ..data.slice_sampler import interpolated
from ..networks.vgg import VGG, Lpips, PerceptualDistance, VggDistance
from ..options.settings import Settings

MAX_SLICES, MAX_PERCEPTUAL_SLICES = 48, 12
"""Number of measured slices, spread over all held-out slices: enough to select a model. The
perceptual distances take one or two seconds per slice on a CPU, so they use fewer."""
SAMPLES = 3
"""Largest number of slices to display."""
MAX_PSNR = 100.0
"""Upper limit, dB: a perfect slice must not make the mean infinite."""

C2 = K2**2
"""Constant of SSIM for images from 0 to 1."""

Upsample = Callable[[np.ndarray], np.ndarray]
Scores = dict[str, float]


class Measure(NamedTuple):
    """A score that selects the best model.

    Attributes:
        name: Key of the score.
        higher: True if the higher value is better.
    """

    name: str
    higher: bool

    def is_better(self, value: float, other: float) -> bool:
        """Return True if `value` is better than `other`."""
        return value > other if self.higher else value < other


PSNR = Measure("psnr", True)
LPIPS = Measure("lpips", False)
VGG_DISTANCE = Measure("vgg_distance", False)
CONTRAST = Measure("contrast", True)


class Validation:
    """Validation of a run. If memory runs out, it continues in tiles, then on the CPU.

    Args:
        accelerator: Device and processes, which share the slices.
        settings: Settings of the run.
        pairs: Held-out slices, the same in all processes.
        vgg: VGG19 for the measure of stage 2; None if its weights are missing.
        lpips: LPIPS for the measure of stage 2; None if its weights are missing.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        settings: Settings,
        pairs: SlicePairs,
        vgg: VGG | None = None,
        lpips: Lpips | None = None,
    ) -> None:
        self._accelerator, self._settings = accelerator, settings
        self._distances: dict[Measure, PerceptualDistance] = {}  # the preferred one first
        if lpips:
            self._distances[LPIPS] = lpips
        if vgg:
            self._distances[VGG_DISTANCE] = VggDistance(vgg)
        self._is_moved = False  # True once the distances are computed on the CPU
        count = min(len(pairs), MAX_SLICES)
        chosen = np.unique(np.linspace(0, len(pairs) - 1, count).round().astype(int))
        self._pairs: list[Pair] = [pairs[int(n)] for n in chosen]
        every = -(-len(self._pairs) // MAX_PERCEPTUAL_SLICES)
        self._perceptual_slices = frozenset(range(0, len(self._pairs), every))
        self._net = (
            make_generator(settings.generator, settings.scale)
            .to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            .eval()
            .requires_grad_(False)
        )
        self._runner = NetworkRunner(self._net, accelerator.device)
        self._baseline_scores: dict[str, Scores] = {}

    @property
    def messages(self) -> list[Message]:
        """Messages about memory since the last call of `scores`."""
        moved = [
            info(
                "out-of-memory",
                f"Out of memory on {self._accelerator.device}: the perceptual distance was "
                "computed on the CPU (same result).",
            )
        ]
        return [*self._runner.messages, *(moved if self._is_moved else [])]

    def measure(self, stage: str) -> Measure:
        """Return the measure that selects the best model of a stage."""
        if stage == "psnr":
            return PSNR
        return next(iter(self._distances), CONTRAST)

    def scores(self, weights: dict[str, Tensor], measure: Measure) -> Scores:
        """Compute the mean scores of a generator, the same in all processes.

        Args:
            weights: Weights of the generator.
            measure: Measure to include.

        Returns:
            "psnr" (dB), "ssim" unless the slices are too small, and the measure.
        """
        self._net.load_state_dict(weights)
        self._runner.reset()
        return self._means(self._upsample, measure)

    @property
    def baseline(self) -> str:
        """The interpolation to compare with: "bicubic" (MATLAB's imresize), or "bspline"."""
        return slice_profile.BASELINE if self._settings.is_between_slices else "bicubic"

    def baseline_scores(self, measure: Measure) -> Scores:
        """Compute the same scores of the baseline."""
        if measure.name not in self._baseline_scores:
            self._baseline_scores[measure.name] = self._means(self._interpolate, measure)
        return self._baseline_scores[measure.name]

    def samples(self) -> dict[str, list[np.ndarray]]:
        """Return a few slices for display: "low", "output" of the last weights, "high"."""
        pairs = self._pairs[:: -(-len(self._pairs) // SAMPLES)]
        return {
            "low": [low if low.ndim == 2 else low[0] for low, _ in pairs],
            "output": [self._upsample(low) for low, _ in pairs],
            "high": [high for _, high in pairs],
        }

    def _upsample(self, low: np.ndarray) -> np.ndarray:
        """(h, w) to (scale·h, scale·w); between slices, (3, slices, w) to (h, w)."""
        image: np.ndarray = self._runner(_tensor(low))()[0]
        return image

    def _interpolate(self, low: np.ndarray) -> np.ndarray:
        """The same by the baseline."""
        if self._settings.is_between_slices:
            return interpolated(low)
        return resampling.upsample(low, self._settings.scale)

    def _means(self, upsample: Upsample, measure: Measure) -> Scores:
        first, step = self._accelerator.process_index, self._accelerator.num_processes
        scored = [
            (n, self._slice_scores(n, upsample(self._pairs[n][0]), measure))
            for n in range(first, len(self._pairs), step)
        ]
        gathered = gather_object(scored)  # type: ignore[no-untyped-call]
        slices = [scores for _, scores in sorted(gathered, key=lambda pair: pair[0])]
        names = dict.fromkeys(name for scores in slices for name in scores)
        return {
            name: float(np.mean([scores[name] for scores in slices if name in scores]))
            for name in names
        }

    def _slice_scores(self, n: int, image: np.ndarray, measure: Measure) -> Scores:
        reference = self._pairs[n][1]
        scores = {"psnr": min(MAX_PSNR, psnr(image * PEAK, reference * PEAK))}
        if min(reference.shape) > 2 * RADIUS:  # larger than the window
            scores["ssim"] = ssim(image * PEAK, reference * PEAK)
        if measure == CONTRAST:
            scores["contrast"] = contrast(image, reference)
        elif measure in self._distances and n in self._perceptual_slices:
            scores[measure.name] = self._distance(measure, image, reference)
        return scores

    def _distance(self, measure: Measure, image: np.ndarray, reference: np.ndarray) -> float:
        images = _tensor(image), _tensor(reference)
        if not self._is_moved:
            try:
                return _distance(self._distances[measure], images, self._accelerator.device)
            except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeErrors
                if not is_out_of_memory(error) or self._accelerator.device.type == "cpu":
                    raise
            # copies, since the perceptual loss needs VGG19 on the device
            self._distances = {
                key: copy.deepcopy(distance) for key, distance in self._distances.items()
            }
            self._is_moved = True
        return _distance(self._distances[measure], images, torch.device("cpu"))


def contrast(image: np.ndarray, reference: np.ndarray) -> float:
    """Compute the mean contrast factor of SSIM: (2 σ_x σ_y + C2) / (σ_x² + σ_y² + C2).

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
    eq. 9, with the Gaussian window of SSIM.

    Args:
        image: (h, w), 0–1.
        reference: The same shape.

    Returns:
        0 to 1; 1 for images of equal contrast.
    """
    deviations = [
        np.sqrt(np.maximum(window_mean(a**2) - window_mean(a) ** 2, 0))
        for a in (image.astype(float), reference.astype(float))
    ]
    factor = (2 * deviations[0] * deviations[1] + C2) / (
        deviations[0] ** 2 + deviations[1] ** 2 + C2
    )
    return float(np.mean(factor))


def _distance(
    network: PerceptualDistance, images: tuple[Tensor, Tensor], device: torch.device
) -> float:
    with torch.inference_mode():
        image, reference = (tensor.to(device) for tensor in images)
        return float(network.to(device)(image, reference))


def _tensor(image: np.ndarray) -> Tensor:
    """(1, 1, h, w), or (1, channels, h, w) of several channels; float32 on the CPU."""
    tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))
    return tensor[(None,) * (4 - tensor.ndim)]
