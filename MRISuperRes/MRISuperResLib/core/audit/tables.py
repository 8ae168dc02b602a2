"""Tables of an audit: CSV for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..comparison.scores import csv_text
from ..models.card import AUDIT_FIGURES, format_count, format_figure
from ..options import AuditOptions
from .findings import LESION_CONTRAST, Findings, combine_volumes
from .sfrc import LIMIT, SIDE, THRESHOLD

Results = Mapping[int, Mapping[str, Mapping[str, Findings]]]
"""{scale: {name of a volume: {name of a method: Findings}}}"""

LEGEND = f"""\
How to read it: slices are degraded, every method restores them, and the results are compared with
the reference in patches of {SIDE} input pixels. The first two methods are baselines: they use no
learning and cannot hallucinate.

- **Unfaithful patches** show another structure than the reference, at frequencies that the input
  contains: their Fourier ring correlation (FRC) falls below {THRESHOLD:g} before {LIMIT:g} of the
  input's Nyquist frequency. A model with more of them than bicubic interpolation contradicts
  acquired data: see `audit.png` and `maps/`.
- **FRC crossing**: the mean frequency where that correlation falls below {THRESHOLD:g}, as part of
  the Nyquist frequency of the reference. Higher means more faithful detail.
- **Hallucinated detail**: energy beyond the input's resolution without a counterpart in the
  reference, in percent of the detail of the reference or of the result, whichever is larger. Of
  two methods with the same FRC crossing, prefer the one with less.
- **Data inconsistency**: the RMSE of the degraded output against the input.
- **Synthetic lesions**: bright and dark discs of 2 to 5 input pixels, with a contrast of
  {LESION_CONTRAST:.0%} of the intensity range, added to the input. *Lost*: less than a quarter of
  the contrast remains at the input's resolution; *weakened*: less than three quarters;
  *exaggerated*: more than one and a quarter."""


def volumes_csv(results: Results) -> str:
    """Return a line per scale, volume and method as CSV."""
    return _csv(
        ("scale", "volume", "method"),
        {
            (scale, volume, method): found
            for scale, volumes in results.items()
            for volume, methods in volumes.items()
            for method, found in methods.items()
        },
    )


def summary_csv(results: Results) -> str:
    """Return a line per scale and method as CSV: means over the volumes, and all lesions."""
    return _csv(
        ("scale", "volumes", "method"),
        {
            (scale, len(volumes), method): found
            for scale, volumes in results.items()
            for method, found in combine_volumes(volumes).items()
        },
    )


def lesions_csv(results: Results) -> str:
    """Return a line per lesion and method as CSV; its position is in input pixels."""
    position = ("scale", "volume", "method", "slice", "row", "column", "diameter")
    values = ("contrast", "outcome", "remaining_contrast", "brightness", "peak")
    return csv_text(
        (*position, *values),
        [
            (
                scale,
                volume,
                method,
                each.number,
                each.lesion.row,
                each.lesion.column,
                each.lesion.diameter,
                float(each.lesion.contrast),
                each.score.outcome,
                each.score.contrast,
                each.score.brightness,
                each.score.peak,
            )
            for scale, volumes in results.items()
            for volume, methods in volumes.items()
            for method, found in methods.items()
            for each in found.lesions
        ],
    )


def markdown(results: Results, options: AuditOptions, skipped: Sequence[str] = ()) -> str:
    """Return the tables of an audit as Markdown.

    Args:
        results: Findings of every scale, volume and method.
        options: Options of the audit, of any scale.
        skipped: Sentences about volumes that could not be audited.
    """
    noise = f", {options.noise:g} % noise" if options.noise else ""
    chosen = (
        "all slices"
        if options.slices is None
        else f"at most {format_count(options.slices, 'slice')} per volume"
    )
    lines = [
        "# Audit",
        "",
        f"Degradation: {options.degradation}{noise}; {chosen}; seed {options.seed}. "
        "Means over volumes; lesions of all volumes.",
        "",
    ]
    for scale, volumes in results.items():
        lines += [*_table(scale, volumes), ""]
    lines += [LEGEND, ""]
    if skipped:
        lines += ["Skipped:", "", *(f"- {sentence}" for sentence in skipped), ""]
    return "\n".join(lines)


def _table(scale: int, volumes: Mapping[str, Mapping[str, Findings]]) -> list[str]:
    methods = combine_volumes(volumes)
    first = next(iter(methods.values()))
    rows = [["figure", *(f"`{name}`" for name in methods)]]
    for key, (heading, _) in AUDIT_FIGURES.items():
        texts = [format_figure(key, found.figures()[key]) for found in methods.values()]
        rows.append([heading, *texts])
    counts = (
        format_count(len(volumes), "volume"),
        format_count(first.slices, "slice"),
        format_count(first.patches, "patch", "patches"),
        format_count(len(first.lesions), "lesion"),
    )
    return [f"## ×{scale}: {', '.join(counts)}", "", *_aligned(rows)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table that is also readable as text: first column left, others right."""
    first, *others = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        f"| {row[0]:{first}} | {' | '.join(map(str.rjust, row[1:], others))} |" for row in rows
    ]
    rule = "|".join(["-" * (first + 2), *("-" * (width + 1) + ":" for width in others)])
    return [lines[0], f"|{rule}|", *lines[1:]]


def _csv(keys: tuple[str, ...], findings: Mapping[tuple[Any, ...], Findings]) -> str:
    header = next(iter(findings.values())).figures()
    lines = [(*key, *found.figures().values()) for key, found in findings.items()]
    return csv_text((*keys, *header), lines)
