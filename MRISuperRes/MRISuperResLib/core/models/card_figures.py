"""Figures of model cards: scores on held-out volumes, and audits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

SCORES = ("psnr", "ssim", "rmse")
METRICS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "rmse": ("RMSE, of 255", 2),
    "lpips": ("LPIPS", 4),
    "vgg_distance": ("VGG distance", 4),
}
"""{key: (heading, decimals)} of the metrics of a card; only SCORES are required."""
AUDIT_FIGURES = {
    "unfaithful": ("unfaithful patches, %", 2),
    "crossing": ("FRC crossing, of Nyquist", 3),
    "hallucinated": ("hallucinated detail, %", 1),
    "inconsistency": ("data inconsistency, of 255", 2),
    "lesions": ("synthetic lesions", 0),
    "lesions_preserved": ("lesions preserved", 0),
    "lesions_weakened": ("lesions weakened", 0),
    "lesions_lost": ("lesions lost", 0),
    "lesions_exaggerated": ("lesions exaggerated", 0),
    "mean_contrast": ("mean lesion contrast", 2),
    "min_contrast": ("minimum lesion contrast", 2),
}
"""{key: (heading, decimals)} of the figures of an audit; see `audit.findings`."""
NULLABLE_FIGURES = ("mean_contrast", "min_contrast")
"""Null if no slice had room for a lesion."""
AUDIT_LEGEND = (
    "Unfaithful patches contradict the reference at frequencies that the input contains. "
    "Hallucinated detail has no counterpart in the reference. "
    "Synthetic lesions are discs, 2 to 5 input pixels wide."
)


def format_figure(key: str, value: float | None) -> str:
    """Format a figure of an audit; `key` is one of AUDIT_FIGURES."""
    return "–" if value is None else f"{value:.{AUDIT_FIGURES[key][1]}f}"


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Format a number of things, such as "1 slice" or "2 patches"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


class CardTable(NamedTuple):
    """Table of texts: row names in the first column, the model in the last one."""

    heading: str
    header: list[str]
    rows: list[list[str]]


def all_scores(entry: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the scores of the baselines of an entry, then those of the model."""
    return (*entry["baselines"].values(), entry)


def _have_scores(value: object) -> bool:
    return isinstance(value, dict) and all(
        is_number(value.get(key)) for key in METRICS if key in SCORES or key in value
    )


def _are_entries(value: Any, is_complete: Callable[[Any], bool]) -> bool:
    return isinstance(value, tuple) and all(
        is_complete(entry)
        and isinstance(entry.get("anatomy"), str)
        and isinstance(entry.get("baselines"), dict)
        and all(map(is_complete, entry["baselines"].values()))
        for entry in value
    )


def are_metrics(value: Any) -> bool:
    """Return True for valid `ModelCard.metrics`, which have the same baselines in every entry."""
    return _are_entries(value, _have_scores) and all(
        isinstance(m.get("data"), str) and list(m["baselines"]) == list(value[0]["baselines"])
        for m in value
    )


def _have_figures(value: object) -> bool:
    return isinstance(value, dict) and all(
        is_number(value.get(key))
        or (key in NULLABLE_FIGURES and key in value and value[key] is None)
        for key in AUDIT_FIGURES
    )


def are_audits(value: Any) -> bool:
    """Return True for a valid `ModelCard.audit`."""
    return (
        _are_entries(value, _have_figures)
        and all(are_texts(e.get("volumes")) and type(e.get("slices")) is int for e in value)
        and len({entry["anatomy"] for entry in value}) == len(value)
    )


def are_texts(value: object) -> bool:
    """Return True for a sequence of texts."""
    return isinstance(value, (tuple, list)) and all(isinstance(each, str) for each in value)


def is_number(value: Any) -> bool:
    """Return True for a finite number that is small enough to print as a decimal number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
