"""Tables of an evaluation: CSV for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from MRISuperResLib.core.comparison.scores import SCORING_RULE, Metric, csv_text

from .evaluate import LEVEL, RESAMPLES, Evaluation, Summary

SHOWN = ("psnr", "ssim_wang", "rmse")
"""Metrics of the first columns, those that publications report; the others follow."""


def volumes_csv(evaluation: Evaluation) -> str:
    """Return a line per volume, scale and method as CSV.

    `slices` is the number of slices, `scored` that of the slices that every metric is averaged
    over; `psnr_volume` is the PSNR over all voxels.
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
            *(scores.table.mean(method, key) for key in keys),
        )
        for scores in evaluation.volumes
        for method in scores.table.methods
    ]
    first = ("anatomy", "subject", "volume", "scale", "slices", "scored", "method", "psnr_volume")
    return csv_text((*first, *keys), lines)


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


def markdown(evaluation: Evaluation, title: str) -> str:
    """Return a Markdown table per anatomy and scale: methods by metrics, the best in bold.

    Args:
        evaluation: The scores.
        title: Heading of the text.
    """
    lines = [
        f"# {title}",
        "",
        f"Means over subjects, with {LEVEL:.0%} bootstrap confidence intervals over subjects "
        f"({RESAMPLES} resamples); the best in bold. Degraded and restored slices, 0–255; PSNR "
        "with peak 255, SSIM after Wang et al. 2004; nothing is rounded.",
        "",
        f"The value of a volume is the mean over its scored slices: {SCORING_RULE}.",
        "",
    ]
    for anatomy in evaluation.anatomies:
        for scale in evaluation.scales(anatomy):
            lines += _table(evaluation, anatomy, scale)
    if evaluation.skipped:
        lines += ["Skipped:", "", *(f"- {sentence}" for sentence in evaluation.skipped), ""]
    return "\n".join(lines)


def _table(evaluation: Evaluation, anatomy: str, scale: int) -> list[str]:
    metrics = sorted(
        evaluation.metrics(),
        key=lambda metric: SHOWN.index(metric.key) if metric.key in SHOWN else len(SHOWN),
    )
    rows = {
        method: [evaluation.summary(anatomy, scale, method, metric.key) for metric in metrics]
        for method in evaluation.methods(anatomy, scale)
    }
    subjects = max(summary.subjects for row in rows.values() for summary in row if summary)
    lines = [
        f"## {anatomy}, ×{scale} ({subjects} {'subject' if subjects == 1 else 'subjects'})",
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
    """The best mean as it is shown; None if there is none."""
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
