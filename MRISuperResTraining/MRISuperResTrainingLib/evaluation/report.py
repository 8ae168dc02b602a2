"""Report of an evaluation: a folder of tables and figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MRISuperResLib.core import geometry, provenance, resampling
from MRISuperResLib.core.comparison import figure as comparison_figure
from MRISuperResLib.core.comparison.compare import Comparison, compare_methods
from MRISuperResLib.core.comparison.scores import SCORING_RULE
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import FLOOR, ComparisonOptions, UpsamplingOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.slice_axis import SliceAxis, choose_slice_axis
from MRISuperResLib.core.volume import Volume

from . import figure, tables
from .evaluate import Evaluation, EvaluationSource, evaluate

if TYPE_CHECKING:
    from MRISuperResLib.core.comparison.compare import MetricFunction
    from MRISuperResLib.core.comparison.scores import Metric

SUMMARY, VOLUMES, MARKDOWN = "summary.csv", "volumes.csv", "evaluation.md"
FIGURE, RECORD = "evaluation.png", "evaluation.json"
PICTURES, HR_SLICES = "pictures", "hr_slices"
HR_SIDE = 128
"""Pixels of the longer side of a high-resolution slice, as in the thesis; larger ones are first
downsampled."""


def evaluate_into(
    folder: str | Path,
    title: str,
    sources: Sequence[EvaluationSource],
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
    options: ComparisonOptions,
    further: Iterable[tuple[Metric, MetricFunction]] = (),
    with_hr_slices: bool = False,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Evaluation:
    """Evaluate models and write the report into an empty folder.

    summary.csv: means over subjects with confidence intervals. volumes.csv: every volume.
    evaluation.md: the tables. evaluation.png: their curves. pictures/: a slice of every volume by
    every method. hr_slices/: the middle slices of 128 pixels, upsampled. evaluation.json: how the
    report was made.

    Args:
        folder: An empty folder.
        title: Heading of the tables.
        sources: See `evaluate`.
        models: See `evaluate`.
        scales: See `evaluate`.
        registry: See `evaluate`.
        options: See `evaluate`.
        further: See `evaluate`.
        with_hr_slices: Upsample the high-resolution slices themselves, too.
        on_progress: See `evaluate`.
        is_cancelled: See `evaluate`.

    Raises:
        SuperResolutionError: No volume can be used, or matplotlib is missing.
        Cancelled: `is_cancelled` returned True.
    """
    comparison_figure.import_matplotlib()
    folder = Path(folder)
    pictures = folder / PICTURES
    pictures.mkdir()

    def draw(source: EvaluationSource, comparison: Comparison) -> None:
        scale = comparison.options.scale
        name, path = Path(source.path).name, pictures / picture_name(source, scale)
        comparison_figure.draw(comparison, path, f"{name}, ×{scale}")

    evaluation = evaluate(
        sources, models, scales, registry, options, further, on_progress, is_cancelled, draw
    )
    if not evaluation.volumes:
        reason = " ".join(evaluation.skipped) or "There is no volume: name at least one."
        raise SuperResolutionError(f"Nothing could be evaluated. {reason}")
    record = _record(evaluation, models, scales, registry, options)
    texts = {
        SUMMARY: tables.summary_csv(evaluation),
        VOLUMES: tables.volumes_csv(evaluation),
        MARKDOWN: tables.markdown(evaluation, title),
        RECORD: json.dumps(record, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    figure.draw(evaluation, folder / FIGURE)
    if with_hr_slices:
        _draw_hr_slices(folder / HR_SLICES, evaluation, sources, models, scales, registry)
    return evaluation


def picture_name(source: EvaluationSource, scale: int) -> str:
    """Return the name of a PNG file, without characters that file systems refuse."""
    subject = re.sub(r"[^A-Za-z0-9._-]+", "_", source.subject)
    return f"{subject}_{Path(source.path).name.split('.')[0]}_x{scale}.png"


def middle_slice(path: str | Path) -> tuple[Volume, SliceAxis]:
    """Read the middle slice of a volume, downsampled to at most 128 pixels.

    Args:
        path: Volume file.

    Returns:
        The slice as a volume at its place in space, and its direction.
    """
    volume = read_volume(path)
    axis = choose_slice_axis(volume.ijk_to_ras)
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
    path: str | Path, scale: int, models: Sequence[str], registry: MethodRegistry
) -> Comparison:
    """Upsample the middle slice of a volume by every method, without a reference.

    Args:
        path: Volume file.
        scale: Upsampling factor.
        models: Names of models of this scale.
        registry: Finds the models and keeps them loaded.
    """
    volume, axis = middle_slice(path)
    methods = (*INTERPOLATIONS, FLOOR, *models)
    options = ComparisonOptions(methods, scale, reference=False, slice_axis=axis.name)
    return compare_methods(volume, options, registry=registry)


def _draw_hr_slices(
    folder: Path,
    evaluation: Evaluation,
    sources: Sequence[EvaluationSource],
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
) -> None:
    folder.mkdir()
    used = {(scores.volume, scores.subject) for scores in evaluation.volumes}
    for source in sources:
        name = Path(source.path).name
        if (name, source.subject) not in used:
            continue
        for scale in scales:
            of_scale = [model for model in models if registry.scale_of(model) == scale]
            comparison = upsample_middle_slice(source.path, scale, of_scale, registry)
            path = folder / picture_name(source, scale)
            comparison_figure.draw(comparison, path, f"{name}, middle slice ×{scale}")


def _record(
    evaluation: Evaluation,
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
    options: ComparisonOptions,
) -> dict[str, Any]:
    values = options.to_dict()
    settings = {key: values[key] for key in values if key not in ("methods", "scale", "reference")}
    methods = [
        registry.get(UpsamplingOptions(name, device=options.device, precision=options.precision))
        for name in models
    ]
    return {
        "models": [provenance.model_record(method) for method in methods],
        "scales": list(scales),
        "settings": settings,
        "scored_slices": SCORING_RULE,
        "volumes": sorted({scores.volume for scores in evaluation.volumes}),
        "skipped": evaluation.skipped,
        "versions": provenance.versions(),
    }
