"""An evaluation as text: CSV for machines, Markdown for people."""

from MRISuperResLib.core.comparison.scores import csv_text

from .bootstrap import LEVEL, RESAMPLES

SHOWN = ("psnr", "ssim_wang", "rmse")
"""The metrics of the thesis's tables; what else was measured follows them."""


def volumes_csv(evaluation):
    """A line per volume, scale and method, with the mean of every metric over its slices, and the PSNR of the whole volume."""
    keys = [metric.key for metric in evaluation.metrics()]
    lines = [
        (
            scores.anatomy,
            scores.subject,
            scores.volume,
            scores.scale,
            method,
            scores.table.volume_psnr(method),
            *(scores.table.mean(method, key) for key in keys),
        )
        for scores in evaluation.volumes
        for method in scores.table.methods
    ]
    return csv_text(
        ("anatomy", "subject", "volume", "scale", "method", "psnr_volume", *keys), lines
    )


def summary_csv(evaluation):
    """A line per anatomy, scale, method and metric: the mean over subjects and its interval."""
    lines = []
    for anatomy, scale, method in _cells(evaluation):
        for metric in evaluation.metrics():
            if summary := evaluation.summary(anatomy, scale, method, metric.key):
                lines.append(
                    (
                        anatomy,
                        scale,
                        method,
                        metric.key,
                        summary.mean,
                        *(summary.interval or (None, None)),
                        summary.subjects,
                    )
                )
    return csv_text(
        ("anatomy", "scale", "method", "metric", "mean", "low", "high", "subjects"), lines
    )


def markdown(evaluation, title):
    """The thesis's tables: for each anatomy the methods below each other, the scales and metrics beside; the best in bold."""
    lines = [
        f"# {title}",
        "",
        f"Means over subjects, in brackets the {LEVEL:.0%} interval of a bootstrap over subjects ({RESAMPLES} resamples); the best in bold.",
        "Degraded and rebuilt slices, 0–255; PSNR with peak 255, SSIM after Wang et al.; nothing is rounded.",
        "",
    ]
    for anatomy in evaluation.anatomies:
        lines += _anatomy(evaluation, anatomy)
    if evaluation.skipped:
        lines += ["Left out:", "", *(f"- {sentence}" for sentence in evaluation.skipped), ""]
    return "\n".join(lines)


def _anatomy(evaluation, anatomy):
    metrics = sorted(
        evaluation.metrics(),
        key=lambda metric: SHOWN.index(metric.key) if metric.key in SHOWN else len(SHOWN),
    )
    lines = []
    for scale in evaluation.scales(anatomy):
        methods = evaluation.methods(anatomy, scale)
        subjects = evaluation.summary(anatomy, scale, methods[0], "rmse").subjects
        lines += [
            f"## {anatomy}, ×{scale} ({subjects} {'subject' if subjects == 1 else 'subjects'})",
            "",
            "| method | " + " | ".join(metric.heading for metric in metrics) + " |",
            "|---" * (len(metrics) + 1) + "|",
        ]
        cells = {
            method: [evaluation.summary(anatomy, scale, method, metric.key) for metric in metrics]
            for method in methods
        }
        best = [
            _best(metric, [row[n] for row in cells.values()]) for n, metric in enumerate(metrics)
        ]
        for method, row in cells.items():
            lines.append(
                f"| `{method}` | "
                + " | ".join(
                    _cell(metric, summary, best[n])
                    for n, (metric, summary) in enumerate(zip(metrics, row))
                )
                + " |"
            )
        lines.append("")
    return lines


def _best(metric, summaries):
    """The best mean as it is shown; None where there is none."""
    shown = [metric.text(summary.mean) for summary in summaries if summary]
    return (max if metric.better == "higher" else min)(shown, key=float) if shown else None


def _cell(metric, summary, best):
    if summary is None:
        return "–"
    text = metric.text(summary.mean)
    text = f"**{text}**" if text == best else text
    return (
        text
        if summary.interval is None
        else f"{text} ({metric.text(summary.interval[0])}–{metric.text(summary.interval[1])})"
    )


def _cells(evaluation):
    return [
        (anatomy, scale, method)
        for anatomy in evaluation.anatomies
        for scale in evaluation.scales(anatomy)
        for method in evaluation.methods(anatomy, scale)
    ]
