"""Report of an evaluation of uncertainty maps: a folder with a table as CSV and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from MRISuperResLib.core.comparison.scores import csv_text
from MRISuperResLib.core.errors import SuperResolutionError

from .uncertainty import FLOOR, LEVEL, TOP, Interval, UncertaintyScores

VOLUMES, MARKDOWN = "volumes.csv", "uncertainty.md"

Value = Callable[[UncertaintyScores], float | None]


def _of(interval: Interval | None, name: str) -> float | None:
    return None if interval is None else getattr(interval, name)


COLUMNS: tuple[tuple[str, str, int, Value], ...] = (
    ("correlation", "rank correlation", 2, lambda scores: scores.correlation),
    ("error", "mean error", 1, lambda scores: scores.error),
    ("top_error", f"of the most uncertain {TOP:.0%}", 1, lambda scores: scores.top_error),
    ("coverage", "coverage", 2, lambda scores: _of(scores.calibrated, "coverage")),
    ("half_width", "half-width", 1, lambda scores: _of(scores.calibrated, "width")),
    ("constant_coverage", "coverage, constant", 2, lambda s: _of(s.constant, "coverage")),
    ("constant_half_width", "half-width, constant", 1, lambda s: _of(s.constant, "width")),
)
"""Key, heading, decimals and value of every column."""


def write_report(
    folder: str | Path, scores: Sequence[UncertaintyScores], skipped: Sequence[str]
) -> None:
    """Write volumes.csv and uncertainty.md into an empty folder.

    Args:
        folder: The folder.
        scores: Scores by model and volume.
        skipped: Sentences about volumes that could not be used.

    Raises:
        SuperResolutionError: There are no scores.
    """
    if not scores:
        reason = " ".join(skipped) or "No volumes: name at least one."
        raise SuperResolutionError(f"Nothing could be evaluated. {reason}")
    texts = {VOLUMES: volumes_csv(scores), MARKDOWN: markdown(scores, skipped)}
    for name, text in texts.items():
        Path(folder, name).write_text(text, encoding="utf-8", newline="")


def volumes_csv(scores: Sequence[UncertaintyScores]) -> str:
    """Return a line per model and volume as CSV."""
    lines = [
        (
            each.sample.model,
            each.sample.anatomy,
            each.sample.subject,
            each.sample.volume,
            len(each.sample.error),
            *(value(each) for _, _, _, value in COLUMNS),
        )
        for each in scores
    ]
    place = ("model", "anatomy", "subject", "volume", "voxels")
    return csv_text((*place, *(key for key, _, _, _ in COLUMNS)), lines)


def markdown(scores: Sequence[UncertaintyScores], skipped: Sequence[str] = ()) -> str:
    """Return a Markdown table per model, with the means over subjects."""
    lines = [
        "# Uncertainty maps",
        "",
        "Volumes are degraded and restored. The spread of the eight results is compared with the "
        "true absolute error, in the foreground, both on the scale 0–255.",
        "",
        "- Rank correlation: Spearman's, of spread and error; 1 if the map orders all errors, 0 if "
        "it says nothing.",
        f"- Mean error of all voxels, and of the {TOP:.0%} with the largest spread.",
        f"- Coverage: share of the voxels with |error| ≤ q · (spread + {FLOOR:g}), where q is "
        f"calibrated on the other subjects to contain {LEVEL:.0%} of their errors; and the mean "
        "half-width of these intervals. “Constant”: intervals of one width for all voxels, "
        "calibrated alike. A useful map has narrower intervals of the same coverage.",
        "",
    ]
    for model in dict.fromkeys(each.sample.model for each in scores):
        lines += _table(model, [each for each in scores if each.sample.model == model])
    if skipped:
        lines += ["Skipped:", "", *(f"- {sentence}" for sentence in skipped), ""]
    return "\n".join(lines)


def _table(model: str, scores: Sequence[UncertaintyScores]) -> list[str]:
    lines = [
        f"## {model}",
        "",
        "| volume | " + " | ".join(heading for _, heading, _, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for each in scores:
        cells = (_cell(value(each), digits) for _, _, digits, value in COLUMNS)
        lines.append(f"| {each.sample.volume} | {' | '.join(cells)} |")
    means = (_cell(_mean(scores, value), digits) for _, _, digits, value in COLUMNS)
    return [*lines, f"| mean over subjects | {' | '.join(means)} |", ""]


def _mean(scores: Sequence[UncertaintyScores], value: Value) -> float | None:
    """Mean over subjects, where a subject counts as the mean of its volumes."""
    subjects: dict[str, list[float]] = {}
    for each in scores:
        if (number := value(each)) is not None:
            subjects.setdefault(each.sample.subject, []).append(number)
    means = [sum(numbers) / len(numbers) for numbers in subjects.values()]
    return sum(means) / len(means) if means else None


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
