"""Figure of an evaluation: every metric by scale, a line per method with its intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from MRISuperResLib.core.comparison.figure import import_matplotlib
from MRISuperResLib.core.comparison.scores import Metric

from .evaluate import Evaluation
from .tables import SHOWN

PANEL = 3.2, 2.6
"""Width and height of a panel, inches."""
RESOLUTION = 150
"""Dots per inch."""
OFFSET = 0.06
"""Horizontal offset between methods, part of the distance between two scales."""


def draw(evaluation: Evaluation, path: str | Path) -> None:
    """Draw a PNG file: a row per anatomy, a column per metric.

    Args:
        evaluation: The scores.
        path: Output file.

    Raises:
        SuperResolutionError: matplotlib is missing (kind "environment").
    """
    figure_class, _ = import_matplotlib()
    metrics = [metric for metric in evaluation.metrics() if metric.key in SHOWN]
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
    panel.set_xticks(range(len(scales)), [f"×{scale}" for scale in scales])
    panel.set_title(f"{anatomy}: {metric.heading}", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.grid(axis="y", lw=0.3)
