"""Report of an evaluation: a folder of tables (CSV and Markdown), figures and a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MRISuperResLib.core import provenance
from MRISuperResLib.core.comparison import figure as comparison_figure
from MRISuperResLib.core.comparison.results import Comparison
from MRISuperResLib.core.comparison.scores import SCORING_RULE, Metric, csv_text
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.options import ComparisonOptions, UpsamplingOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback

from . import figures
from .evaluate import (
    LEVEL,
    PUBLISHED,
    RESAMPLES,
    Evaluation,
    EvaluationSource,
    Summary,
    evaluate,
)
from .scales import BETWEEN_SLICES, SLICE_SPACING, scale_text, scales_of

if TYPE_CHECKING:
    from MRISuperResLib.core.comparison.sampled import MetricFunction

SUMMARY, VOLUMES, MARKDOWN = "summary.csv", "volumes.csv", "evaluation.md"
FIGURE, RECORD = "evaluation.png", "evaluation.json"
PICTURES, HR_SLICES = "pictures", "hr_slices"


def evaluate_into(
    folder: str | Path,
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
    evaluation.md: the tables. evaluation.png: their curves. pictures/: a slice of every volume,
    restored by every method. hr_slices/: middle slices of 128 pixels, upsampled. evaluation.json:
    models, settings and versions.

    Args:
        folder: An empty folder.
        sources: See `evaluate`.
        models: See `evaluate`.
        scales: See `evaluate`.
        registry: See `evaluate`.
        options: See `evaluate`.
        further: See `evaluate`.
        with_hr_slices: Also upsample the high-resolution slices themselves.
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
        name, path = Path(source.label).name, pictures / figures.picture_name(source, scale)
        comparison_figure.draw(comparison, path, f"{name}, {scale_text(scale)}")

    evaluation = evaluate(
        sources, models, scales, registry, options, further, on_progress, is_cancelled, draw
    )
    if not evaluation.volumes:
        reason = " ".join(evaluation.skipped) or "No volumes: name at least one."
        raise SuperResolutionError(f"Nothing could be evaluated. {reason}")
    record = _record(evaluation, models, scales, registry, options)
    texts = {
        SUMMARY: summary_csv(evaluation),
        VOLUMES: volumes_csv(evaluation),
        MARKDOWN: markdown(evaluation),
        RECORD: json.dumps(record, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    figures.draw_scores(evaluation, folder / FIGURE)
    in_plane = [scale for scale in scales if scale != BETWEEN_SLICES]
    if with_hr_slices and in_plane:
        figures.draw_hr_slices(folder / HR_SLICES, evaluation, sources, models, in_plane, registry)
    return evaluation


def _record(
    evaluation: Evaluation,
    models: Sequence[str],
    scales: Sequence[int],
    registry: MethodRegistry,
    options: ComparisonOptions,
) -> dict[str, Any]:
    values = options.to_dict()
    settings = {key: values[key] for key in values if key not in ("methods", "scale", "reference")}
    device, precision = options.device, options.precision
    methods = [
        registry.between_slices(
            UpsamplingOptions(
                isotropic=True, between_slices=name, device=device, precision=precision
            )
        )
        if scale == BETWEEN_SLICES
        else registry.get(UpsamplingOptions(name, device=device, precision=precision))
        for name, scale in scales_of(models, registry).items()
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


def volumes_csv(evaluation: Evaluation) -> str:
    """Return a line per volume, scale and method as CSV.

    `slices` counts all slices, `scored` those that every metric is averaged over. `psnr_volume` is
    the PSNR over all voxels, `mesh` the deviation of the mean error over the pixel phases. Between
    slices, `scale` is 1, and `slices` are reformats.
    """
    keys = [metric.key for metric in evaluation.metrics()]
    lines = [
        (
            scores.anatomy,
            scores.subject,
            scores.volume,
            scores.scale,
            scores.table.slice_count,
            len(scores.table.scored),
            method,
            scores.table.volume_psnr(method),
            scores.mesh.get(method),
            *(scores.table.mean(method, key) for key in keys),
        )
        for scores in evaluation.volumes
        for method in scores.table.methods
    ]
    place = ("anatomy", "subject", "volume", "scale", "slices", "scored", "method")
    return csv_text((*place, "psnr_volume", "mesh", *keys), lines)


def summary_csv(evaluation: Evaluation) -> str:
    """Return a line per anatomy, scale, method and metric as CSV.

    `mean` is over subjects, `low` and `high` are the ends of its confidence interval.
    """
    lines = []
    for anatomy, scale, method in _cells(evaluation):
        for metric in evaluation.metrics():
            if summary := evaluation.summary(anatomy, scale, method, metric.key):
                interval = summary.interval or (None, None)
                place = anatomy, scale, method, metric.key
                lines.append((*place, summary.mean, *interval, summary.subjects))
    header = ("anatomy", "scale", "method", "metric", "mean", "low", "high", "subjects")
    return csv_text(header, lines)


def markdown(evaluation: Evaluation) -> str:
    """Return a Markdown table per anatomy and scale: methods by metrics, the best in bold."""
    lines = [
        "# Evaluation",
        "",
        f"Means over subjects, with {LEVEL:.0%} bootstrap confidence intervals over subjects "
        f"({RESAMPLES} resamples); the best in bold. Degraded and restored slices, 0–255; PSNR "
        "with peak 255, SSIM after Wang et al. 2004; nothing is rounded.",
        "",
        f"The value of a volume is the mean over its scored slices: {SCORING_RULE}.",
        "",
    ]
    if any(scores.scale == BETWEEN_SLICES for scores in evaluation.volumes):
        lines += [
            f"Between slices: nearly isotropic volumes, degraded to slices about {SLICE_SPACING:g} "
            "mm apart without a gap; the scored slices are reformats.",
            "",
        ]
    for anatomy in evaluation.anatomies:
        for scale in evaluation.scales(anatomy):
            lines += _table(evaluation, anatomy, scale)
    pairs = [f"- {scores.volume}: {scores.low}" for scores in evaluation.volumes if scores.low]
    if pairs:
        lines += ["Upsampled from a low-resolution file, not degraded:", "", *pairs, ""]
    if evaluation.skipped:
        lines += ["Skipped:", "", *(f"- {sentence}" for sentence in evaluation.skipped), ""]
    return "\n".join(lines)


def _table(evaluation: Evaluation, anatomy: str, scale: int) -> list[str]:
    metrics = sorted(
        evaluation.metrics(),
        key=lambda metric: (
            PUBLISHED.index(metric.key) if metric.key in PUBLISHED else len(PUBLISHED)
        ),
    )
    rows = {
        method: [evaluation.summary(anatomy, scale, method, metric.key) for metric in metrics]
        for method in evaluation.methods(anatomy, scale)
    }
    subjects = max(summary.subjects for row in rows.values() for summary in row if summary)
    count = f"{subjects} {'subject' if subjects == 1 else 'subjects'}"
    lines = [
        f"## {anatomy}, {scale_text(scale)} ({count})",
        "",
        "| method | " + " | ".join(metric.heading for metric in metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    best = [_best(metric, [row[n] for row in rows.values()]) for n, metric in enumerate(metrics)]
    for method, row in rows.items():
        cells = (_cell(*each) for each in zip(metrics, row, best))
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return [*lines, ""]


def _best(metric: Metric, summaries: Iterable[Summary | None]) -> str | None:
    """The text of the best mean; None without a mean."""
    shown = [metric.text(summary.mean) for summary in summaries if summary]
    return (max if metric.better == "higher" else min)(shown, key=float) if shown else None


def _cell(metric: Metric, summary: Summary | None, best: str | None) -> str:
    if summary is None:
        return "–"
    text = metric.text(summary.mean)
    text = f"**{text}**" if text == best else text
    if summary.interval is None:
        return text
    low, high = (metric.text(end) for end in summary.interval)
    return f"{text} ({low}–{high})"


def _cells(evaluation: Evaluation) -> Sequence[tuple[str, int, str]]:
    return [
        (anatomy, scale, method)
        for anatomy in evaluation.anatomies
        for scale in evaluation.scales(anatomy)
        for method in evaluation.methods(anatomy, scale)
    ]
