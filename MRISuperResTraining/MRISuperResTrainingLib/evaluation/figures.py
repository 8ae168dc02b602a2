"""Figures of an evaluation: curves of the scores, and upsampled high-resolution slices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.comparison import figure as comparison_figure
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.comparison.results import Comparison
from MRISuperResLib.core.comparison.scores import Metric
from MRISuperResLib.core.geometry import SliceAxis, choose_slice_axis
from MRISuperResLib.core.io.formats import read_first_frame
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import FLOOR, ComparisonOptions
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.volume import Volume

from .evaluate import PUBLISHED, Evaluation, EvaluationSource
from .scales import BETWEEN_SLICES, scale_text, scales_of

PANEL = 3.2, 2.6
"""Width and height of a panel, inches."""
RESOLUTION = 150
"""Dots per inch."""
OFFSET = 0.06
"""Horizontal offset between methods, relative to the distance between two scales."""

HR_SIDE = 128
"""Pixels of the longer side of a high-resolution slice, as in the thesis; larger slices are first
downsampled."""


def draw_scores(evaluation: Evaluation, path: str | Path) -> None:
    """Draw every metric by scale: a row per anatomy, a column per metric, a line per method.

    Args:
        evaluation: The scores.
        path: PNG file to write.

    Raises:
        SuperResolutionError: matplotlib is missing (kind "environment").
    """
    figure_class, _ = comparison_figure.import_matplotlib()
    metrics = [metric for metric in evaluation.metrics() if metric.key in PUBLISHED]
    anatomies = evaluation.anatomies
    size = PANEL[0] * len(metrics), PANEL[1] * len(anatomies) + 0.6
    figure = figure_class(figsize=size, dpi=RESOLUTION, layout="constrained")
    axes = figure.subplots(len(anatomies), len(metrics), squeeze=False)
    colors: dict[str, Any] = {}
    for anatomy, row in zip(anatomies, axes):
        for metric, panel in zip(metrics, row):
            _draw_panel(evaluation, anatomy, metric, panel, colors)
    handles = {
        label: handle
        for panel in axes.flat
        for handle, label in zip(*panel.get_legend_handles_labels())
    }
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        fontsize=7,
        frameon=False,
    )
    figure.savefig(path, format="png")


def _draw_panel(
    evaluation: Evaluation, anatomy: str, metric: Metric, panel: Any, colors: dict[str, Any]
) -> None:
    scales = evaluation.scales(anatomy)
    by_scale = {scale: evaluation.methods(anatomy, scale) for scale in scales}
    methods = list(dict.fromkeys(method for scale in scales for method in by_scale[scale]))
    for n, method in enumerate(methods):
        shift = OFFSET * (n - (len(methods) - 1) / 2)
        points = [
            (x + shift, summary)
            for x, scale in enumerate(scales)
            if method in by_scale[scale]
            and (summary := evaluation.summary(anatomy, scale, method, metric.key))
        ]
        ends = [summary.interval or (summary.mean, summary.mean) for _, summary in points]
        means = [summary.mean for _, summary in points]
        errors = [[abs(mean - end[side]) for mean, end in zip(means, ends)] for side in (0, 1)]
        bars = panel.errorbar(
            [x for x, _ in points],
            means,
            errors,
            fmt="o-",
            ms=3,
            lw=0.8,
            capsize=2,
            label=method,
            color=colors.get(method),
        )
        colors.setdefault(method, bars.lines[0].get_color())
    panel.set_xticks(range(len(scales)), [scale_text(scale) for scale in scales])
    panel.set_title(anatomy, fontsize=8)
    panel.set_xlabel("Scale", fontsize=7)
    panel.set_ylabel(metric.heading, fontsize=7)
    panel.tick_params(labelsize=7)
    panel.grid(axis="y", lw=0.3)


def picture_name(source: EvaluationSource, scale: int) -> str:
    """Return the name of a PNG file that every file system accepts."""
    subject = re.sub(r"[^A-Za-z0-9._-]+", "_", source.subject)
    name = Path(source.path).name.split(".")[0] + (f"_{source.series}" if source.series else "")
    ending = "between-slices" if scale == BETWEEN_SLICES else f"x{scale}"
    return f"{subject}_{name}_{ending}.png"


def middle_slice(source: EvaluationSource) -> tuple[Volume, SliceAxis]:
    """Read the middle slice of a volume, downsampled to at most 128 pixels.

    Args:
        source: Volume file.

    Returns:
        The slice as a volume at its place in space, and its direction.
    """
    volume = read_first_frame(source.path, source.series or None)
    axis = choose_slice_axis(volume.ijk_to_ras, size=volume.size)
    stack = np.moveaxis(volume.array, axis.numpy_axis, 0)
    number = len(stack) // 2
    image = np.asarray(stack[number], dtype=np.float32)
    factor = max(1, max(image.shape) / HR_SIDE)
    rows, columns = (round(side / factor) for side in image.shape)
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += number * matrix[:3, axis.index]
    factors = np.ones(3)
    in_plane = [index for index in range(3) if index != axis.index]
    factors[in_plane] = columns / image.shape[1], rows / image.shape[0]
    downsampled = np.moveaxis(resampling.resize(image, (rows, columns))[None], 0, axis.numpy_axis)
    array = np.ascontiguousarray(downsampled)
    return Volume(array, geometry.upsampled_ijk_to_ras(matrix, factors)), axis


def upsample_middle_slice(
    source: EvaluationSource, scale: int, models: Sequence[str], registry: MethodRegistry
) -> Comparison:
    """Upsample the middle slice of a volume with every method, without a reference.

    Args:
        source: Volume file.
        scale: Upsampling factor.
        models: Names of models of this scale.
        registry: Finds the models and keeps them loaded.
    """
    volume, axis = middle_slice(source)
    methods = (*INTERPOLATIONS, FLOOR, *models)
    options = ComparisonOptions(methods, scale, reference=False, slice_axis=axis.name)
    return compare_methods(volume, options, registry=registry)


def draw_hr_slices(
    folder: Path,
    evaluation: Evaluation,
    sources: Sequence[EvaluationSource],
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
) -> None:
    """Draw the upsampled middle slice of every evaluated volume at every scale.

    Args:
        folder: Folder to create.
        evaluation: Names the volumes that can be used.
        sources: Volume files.
        models: Names of models, each for its own scale.
        scales: Upsampling factors in-plane.
        registry: Finds the models and keeps them loaded.

    Raises:
        SuperResolutionError: matplotlib is missing (kind "environment").
    """
    folder.mkdir()
    of_models = scales_of(models, registry)
    used = {(scores.volume, scores.subject) for scores in evaluation.volumes}
    for source in sources:
        name = Path(source.label).name
        if (name, source.subject) not in used:
            continue
        for scale in scales:
            of_scale = [model for model in models if of_models[model] == scale]
            comparison = upsample_middle_slice(source, scale, of_scale, registry)
            path = folder / picture_name(source, scale)
            comparison_figure.draw(comparison, path, f"{name}, middle slice ×{scale}")
