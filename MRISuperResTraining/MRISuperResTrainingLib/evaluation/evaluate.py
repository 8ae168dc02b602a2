"""Evaluation: every method on every volume at every scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from MRISuperResLib.core.comparison.between_slices import compare_between_slices
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.comparison.scores import Metric
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.io.formats import read_first_frame
from MRISuperResLib.core.masking import ImageVoxels
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.metrics.full_reference import mesh
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback, ProgressMeter
from MRISuperResLib.core.resampling import INTERPOLATIONS

from ..data.pairs import VolumeFiles, read_low
from ..networks.vgg import find_lpips, find_vgg_distance
from .scales import BETWEEN_SLICES, options_for, scale_text, scales_of

if TYPE_CHECKING:
    from MRISuperResLib.core.comparison.results import Comparison
    from MRISuperResLib.core.comparison.sampled import MetricFunction
    from MRISuperResLib.core.comparison.scores import ScoreTable

    from ..networks.vgg import PerceptualDistance

RESAMPLES, SEED = 10_000, 0
LEVEL = 0.95
"""Confidence level of the intervals."""

PUBLISHED = ("psnr", "ssim_wang", "rmse")
"""Metrics that publications report: the first columns of the tables, and the panels of the
figure."""

PERCEPTUAL_METRICS = {
    Metric("lpips", "LPIPS", "", "lower", "image", 4): find_lpips,
    Metric("vgg_distance", "VGG distance", "", "lower", "image", 4): find_vgg_distance,
}
"""Perceptual metrics, with the functions that load their networks."""


class EvaluationSource(VolumeFiles, Protocol):
    """Volume file, such as `data.sources.Source`."""

    @property
    def label(self) -> str:
        """The path, with the series if the folder holds several."""

    @property
    def subject(self) -> str:
        """Name of the subject."""

    @property
    def anatomy(self) -> str:
        """Anatomy of the volume."""


ComparisonCallback = Callable[[EvaluationSource, "Comparison"], None]
"""Called with each comparison and its source."""


@dataclass(frozen=True)
class VolumeScores:
    """Scores of the methods of one scale on one volume.

    Attributes:
        volume: Name of the file.
        subject: Name of the subject.
        anatomy: Anatomy.
        scale: Upsampling factor; 1: between slices.
        table: The scores.
        mesh: `mesh` of the errors of each method on all slices, 0–255; empty between slices.
        low: Name of the low-resolution file of an own pair; empty if the volume was degraded.
    """

    volume: str
    subject: str
    anatomy: str
    scale: int
    table: ScoreTable
    mesh: dict[str, float]
    low: str = ""


@dataclass(frozen=True)
class Summary:
    """Mean of a metric over subjects, where a subject counts as the mean of its volumes.

    Attributes:
        mean: The mean.
        interval: Its confidence interval; None for one subject.
        subjects: Number of subjects.
    """

    mean: float
    interval: tuple[float, float] | None
    subjects: int


class Evaluation:
    """Scores of several volumes.

    Args:
        volumes: Scores in the order in which they were computed; the summaries need at least one
            volume.
        skipped: Sentences about volumes that could not be used.
    """

    def __init__(self, volumes: Iterable[VolumeScores], skipped: Iterable[str] = ()) -> None:
        self.volumes: list[VolumeScores] = list(volumes)
        self.skipped: list[str] = list(skipped)

    @property
    def anatomies(self) -> list[str]:
        """Anatomies, sorted."""
        return sorted({scores.anatomy for scores in self.volumes})

    def scales(self, anatomy: str) -> list[int]:
        """List the scales at which an anatomy was evaluated."""
        return sorted({scores.scale for scores in self.volumes if scores.anatomy == anatomy})

    def methods(self, anatomy: str, scale: int) -> tuple[str, ...]:
        """List the methods of a scale."""
        return self._of(anatomy, scale)[0].table.methods

    def metrics(self) -> tuple[Metric, ...]:
        """List the metrics."""
        return self.volumes[0].table.metrics

    def summary(self, anatomy: str, scale: int, method: str, key: str) -> Summary | None:
        """Average a metric over subjects; None if it is defined on no volume.

        Args:
            anatomy: Anatomy.
            scale: Upsampling factor.
            method: Name of the method.
            key: Key of the metric.
        """
        values: dict[str, list[float]] = {}
        for scores in self._of(anatomy, scale):
            if (mean := scores.table.mean(method, key)) is not None:
                values.setdefault(scores.subject, []).append(mean)
        if not values:
            return None
        means = [sum(of_subject) / len(of_subject) for of_subject in values.values()]
        return Summary(sum(means) / len(means), confidence_interval(means), len(means))

    def _of(self, anatomy: str, scale: int) -> list[VolumeScores]:
        return [
            scores for scores in self.volumes if (scores.anatomy, scores.scale) == (anatomy, scale)
        ]


def confidence_interval(values: ArrayLike) -> tuple[float, float] | None:
    """Compute the percentile bootstrap interval of a mean over subjects, 95 %.

    Subjects are resampled, not slices: the similar slices of a subject would make the interval far
    too narrow. Efron and Tibshirani 1993, "An introduction to the bootstrap",
    chapter 13. The same values give the same interval.

    Args:
        values: One value per subject.

    Returns:
        (low, high); None for fewer than two subjects.
    """
    from scipy.stats import bootstrap

    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return None
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def evaluate(
    sources: Sequence[EvaluationSource],
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
    options: ComparisonOptions | None = None,
    further: Iterable[tuple[Metric, MetricFunction]] = (),
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
    on_comparison: ComparisonCallback | None = None,
) -> Evaluation:
    """Degrade every volume at every scale, restore it with every method, and score the results.

    The low-resolution file of an own pair replaces the degraded volume, at its scale only. Models
    between slices are measured at the scale 1: nearly isotropic volumes are degraded to thick
    slices, and restored beside the interpolations between slices.

    Args:
        sources: Volume files.
        models: Names of models, each for its own scale. The interpolations and back-projected
            bicubic interpolation are always included.
        scales: Upsampling factors; 1: between slices.
        registry: Finds the models and keeps them loaded.
        options: Options of the comparisons, except methods, scale and reference.
        further: Additional metrics, see `compare_methods`.
        on_progress: Called with the progress in pairs of volume and scale.
        is_cancelled: Called between slices.
        on_comparison: Called with every comparison.

    Returns:
        The scores; volumes that cannot be used are listed in `skipped`.

    Raises:
        SuperResolutionError: A model is not installed, or the options do not suit it.
        Cancelled: `is_cancelled` returned True.
    """
    of_models = scales_of(models, registry)
    options = options or ComparisonOptions(INTERPOLATIONS)
    requests = {scale: options_for(scale, of_models, options) for scale in scales}
    further = tuple(further)
    volumes: list[VolumeScores] = []
    skipped: list[str] = []
    meter, done, total = ProgressMeter(), 0, len(sources) * len(scales)
    for source in sources:
        for scale, requested in requests.items():
            if on_progress:
                on_progress(meter.update(done, total))
            done += 1
            try:
                comparison = _compare(source, requested, registry, further, is_cancelled)
            except SuperResolutionError as error:
                if error.kind not in _skipped_kinds(scale):
                    raise
                skipped.append(f"{source.label}, {scale_text(scale)}: {error}")
                continue
            name = Path(source.label).name
            scores = VolumeScores(
                name,
                source.subject,
                source.anatomy,
                scale,
                comparison.table,
                {} if scale == BETWEEN_SLICES else mesh_by_method(comparison),
                "" if scale == BETWEEN_SLICES else Path(source.low).name,
            )
            volumes.append(scores)
            if on_comparison:
                on_comparison(source, comparison)
    if on_progress:
        on_progress(meter.update(total, total))
    return Evaluation(volumes, skipped)


def _compare(
    source: EvaluationSource,
    options: ComparisonOptions,
    registry: MethodRegistry,
    further: Sequence[tuple[Metric, MetricFunction]],
    is_cancelled: CancelCheck | None,
) -> Comparison:
    volume = read_first_frame(source.path, source.series or None)
    if options.is_between_slices:
        return compare_between_slices(
            volume, options, registry=registry, further=further, is_cancelled=is_cancelled
        )
    return compare_methods(
        volume,
        options,
        low=read_low(source, volume, options.scale, options.slice_axis),
        registry=registry,
        further=further,
        is_cancelled=is_cancelled,
    )


def _skipped_kinds(scale: int) -> tuple[str, ...]:
    """The kinds of errors of a single volume; thick slices of 4 mm do not suit every one."""
    return ("input", "settings") if scale == BETWEEN_SLICES else ("input",)


def mesh_by_method(comparison: Comparison) -> dict[str, float]:
    """Compute the `mesh` of every method of a comparison with a reference, 0–255."""
    assert comparison.reference is not None
    scale, axis = comparison.options.scale, comparison.axis.numpy_axis
    reference = ImageVoxels.of(comparison.reference)
    intensity = Intensity.of(reference.values)
    gain = 255 / (intensity.high - intensity.low)
    meshes = {}
    for output in comparison.outputs:
        error = output.volume.array - reference.array.astype(np.float64)
        if reference.missing is not None:
            error[reference.missing] = 0
        meshes[output.name] = gain * mesh(np.moveaxis(error, axis, 0), scale)
    return meshes


def perceptual_metrics() -> list[tuple[Metric, MetricFunction]]:
    """Load the metrics whose weights are available.

    Returns:
        Metrics and functions of an image and its reference, both (h, w), normalized; see
        `compare_methods`.

    Raises:
        SuperResolutionError: A file holds other weights (kind "environment").
    """
    networks = {metric: find() for metric, find in PERCEPTUAL_METRICS.items()}
    return [(metric, _Distance(network)) for metric, network in networks.items() if network]


class _Distance:
    """Distance that computes the features of a reference once for all methods."""

    def __init__(self, network: PerceptualDistance) -> None:
        self._network = network
        self._reference: np.ndarray | None = None
        self._expected: list[torch.Tensor] = []

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> float:
        if reference is not self._reference:
            self._reference, self._expected = reference, self._features(reference)
        return float(self._network.distance(self._features(image), self._expected))

    def _features(self, image: np.ndarray) -> list[torch.Tensor]:
        with torch.inference_mode():
            batch = torch.as_tensor(image, dtype=torch.float32)[None, None]
            return self._network.features(batch)
