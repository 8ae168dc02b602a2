"""Evaluation of the uncertainty map: how it ranks the true error, and its calibrated intervals.

Intervals |error| ≤ q · (spread + FLOOR) are calibrated as in conformal prediction: q is the
quantile of |error| / (spread + FLOOR) of other subjects (Angelopoulos et al. 2022, "Image-to-image
regression with distribution-free uncertainty quantification", arXiv:2202.05265).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MRISuperResLib.core.comparison.between_slices import ThickReference
from MRISuperResLib.core.comparison.stack import SliceStack
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import choose_slice_axis
from MRISuperResLib.core.io.formats import read_first_frame
from MRISuperResLib.core.metrics.full_reference import PEAK, foreground
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback, ProgressMeter
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

if TYPE_CHECKING:
    from MRISuperResLib.core.intensity import Intensity
    from MRISuperResLib.core.methods.registry import MethodRegistry

    from .evaluate import EvaluationSource

LEVEL = 0.9
"""Share of the voxels whose error an interval is to contain."""
TOP = 0.1
"""Share of the voxels that count as most uncertain."""
FLOOR = 1.0
"""Added to the spread, of 255, so that voxels without a spread have an interval, too."""
MAX_VOXELS = 200_000
"""Foreground voxels of a volume that are measured; of more, a random sample."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Foreground voxels of a volume restored by a model.

    Attributes:
        volume: Name of the file.
        subject: Name of the subject.
        anatomy: Anatomy.
        model: Name of the model.
        spread: Values of the uncertainty map (n,), of 255.
        error: Absolute errors (n,), of 255.
    """

    volume: str
    subject: str
    anatomy: str
    model: str
    spread: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Interval:
    """Intervals of one kind, calibrated on other subjects.

    Attributes:
        coverage: Share of the voxels whose error they contain.
        width: Mean half-width, of 255.
    """

    coverage: float
    width: float


@dataclass(frozen=True)
class UncertaintyScores:
    """Agreement of the uncertainty map of a model with the true error on a volume.

    Attributes:
        sample: The voxels.
        correlation: Spearman's rank correlation of spread and error; None if either is constant.
        error: Mean absolute error, of 255.
        top_error: Mean absolute error of the most uncertain voxels, see TOP.
        calibrated: Intervals in proportion to the spread; None without another subject.
        constant: Intervals of one width for all voxels; None without another subject.
    """

    sample: Sample
    correlation: float | None
    error: float
    top_error: float
    calibrated: Interval | None
    constant: Interval | None


def measure(
    volume: Volume,
    model: str,
    options: ComparisonOptions,
    registry: MethodRegistry,
    is_cancelled: CancelCheck | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Degrade a volume, restore it with a model, and return spread and absolute error.

    Args:
        volume: The reference.
        model: Name of a model, in-plane or between slices as the options say.
        options: Options of the comparison, with the model's scale or with a slice spacing.
        registry: Loads the model.
        is_cancelled: Called before every batch.

    Returns:
        Spread and absolute error of the foreground voxels, both (n,), of 255.

    Raises:
        SuperResolutionError: The volume or the model cannot be used.
        Cancelled: `is_cancelled` returned True.
    """
    if options.is_between_slices:
        given = ThickReference(volume, options)
        low, requested = given.low, given.upsampling_options(model)
        reference, intensity, axis = given.array, given.intensity, given.axis
    else:
        stack = SliceStack(volume, options)
        low, intensity, axis = stack.low, stack.intensity, stack.axis
        cropped = stack.reference_volume()
        assert cropped is not None
        reference = cropped.array
        requested = replace(options.upsampling_options(model), slice_axis=axis.name)
    result = upsample_volume(
        low, replace(requested, uncertainty=True), registry=registry, is_cancelled=is_cancelled
    )
    assert result.uncertainty is not None
    gain = PEAK / (intensity.high - intensity.low)
    error = gain * np.abs(result.array - reference.astype(np.float64))
    inside = _foreground(reference, intensity, axis.numpy_axis)
    return gain * result.uncertainty.array[inside], error[inside]


def _foreground(array: np.ndarray, intensity: Intensity, numpy_axis: int) -> np.ndarray:
    """Foreground of all slices: boolean (k, j, i)."""
    masks = [foreground(intensity.normalize(image)) for image in np.moveaxis(array, numpy_axis, 0)]
    return np.moveaxis(np.stack(masks), 0, numpy_axis)


def evaluate_uncertainty(
    sources: Sequence[EvaluationSource],
    models: Sequence[str],
    registry: MethodRegistry,
    options: ComparisonOptions,
    slices: int | None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> tuple[list[UncertaintyScores], list[str]]:
    """Measure the uncertainty maps of models on volumes.

    Args:
        sources: Volume files.
        models: Names of models: between slices if the options have a slice spacing, else in-plane.
        registry: Finds the models and keeps them loaded.
        options: Options of the comparisons, except methods and scale; the seed also chooses voxels.
        slices: Evenly spaced slices per volume in-plane; None: all.
        on_progress: Called with the progress in pairs of volume and model.
        is_cancelled: Called before every batch.

    Returns:
        Scores by model and volume, and sentences about volumes that could not be used.

    Raises:
        SuperResolutionError: A model is not installed or has no spread.
        Cancelled: `is_cancelled` returned True.
    """
    samples: list[Sample] = []
    skipped: list[str] = []
    meter, done, total = ProgressMeter(), 0, len(sources) * len(models)
    for source in sources:
        name = Path(source.label).name
        for model in models:
            if on_progress:
                on_progress(meter.update(done, total))
            done += 1
            scale = 1 if options.is_between_slices else registry.scale_of(model)
            requested = replace(options, scale=scale)
            try:
                volume = read_first_frame(source.path, source.series or None)
                if slices is not None and not options.is_between_slices:
                    volume = _some_slices(volume, options.slice_axis, slices)
                spread, error = measure(volume, model, requested, registry, is_cancelled)
            except SuperResolutionError as failure:
                if failure.kind != "input":
                    raise
                skipped.append(f"{name}, {model}: {failure}")
                continue
            if not len(error):
                skipped.append(f"{name}, {model}: no foreground.")
                continue
            chosen = np.random.default_rng(options.seed).permutation(len(error))[:MAX_VOXELS]
            samples.append(
                Sample(name, source.subject, source.anatomy, model, spread[chosen], error[chosen])
            )
    if on_progress:
        on_progress(meter.update(total, total))
    scores = [score(sample, samples) for sample in samples]
    return sorted(scores, key=lambda each: models.index(each.sample.model)), skipped


def _some_slices(volume: Volume, slice_axis: str, count: int) -> Volume:
    """Return evenly spaced slices of a volume, as if they were all."""
    axis = choose_slice_axis(volume.ijk_to_ras, slice_axis, volume.size)
    size = volume.array.shape[axis.numpy_axis]
    numbers = np.unique(np.linspace(0, size - 1, min(count, size) + 2).astype(int)[1:-1])
    kept, padding = (
        None if array is None else np.take(array, numbers, axis.numpy_axis)
        for array in (volume.array, volume.padding)
    )
    assert kept is not None
    return replace(volume, array=kept, padding=padding)


def score(sample: Sample, samples: Sequence[Sample]) -> UncertaintyScores:
    """Score the map of a volume, with intervals calibrated on the model's other subjects.

    Args:
        sample: The voxels of the volume.
        samples: Those of all volumes and models.
    """
    from scipy.stats import spearmanr

    spread, error = sample.spread, sample.error
    varies = np.ptp(spread) > 0 and np.ptp(error) > 0
    top = spread >= np.quantile(spread, 1 - TOP)
    others = [
        each for each in samples if each.model == sample.model and each.subject != sample.subject
    ]
    calibrated = constant = None
    if others:
        calibrated = _interval(error, calibrate(others) * (spread + FLOOR))
        constant = _interval(error, np.full_like(error, calibrate(others, is_constant=True)))
    return UncertaintyScores(
        sample,
        float(spearmanr(spread, error).statistic) if varies else None,
        float(error.mean()),
        float(error[top].mean()),
        calibrated,
        constant,
    )


def calibrate(samples: Sequence[Sample], is_constant: bool = False) -> float:
    """Return the factor of intervals that contain the share LEVEL of the errors.

    Args:
        samples: Volumes; all subjects weigh the same, and all voxels of a subject.
        is_constant: True for intervals of one width, which the factor then is, of 255.
    """
    voxels: dict[str, int] = {}
    for sample in samples:
        voxels[sample.subject] = voxels.get(sample.subject, 0) + len(sample.error)
    ratios = np.concatenate(
        [s.error if is_constant else s.error / (s.spread + FLOOR) for s in samples]
    )
    weights = np.concatenate([np.full(len(s.error), 1 / voxels[s.subject]) for s in samples])
    order = np.argsort(ratios)
    shares = np.cumsum(weights[order]) / weights.sum()
    return float(ratios[order][np.searchsorted(shares, LEVEL * (1 - 1e-9))])


def _interval(error: np.ndarray, widths: np.ndarray) -> Interval:
    return Interval(float(np.mean(error <= widths)), float(widths.mean()))
