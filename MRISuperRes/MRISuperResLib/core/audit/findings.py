"""Findings of an audit: a method on one volume, on several, as an entry of a model card, in tables.

Tables are CSV for programs and Markdown for people.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..comparison.lesions import DIAMETERS, OUTCOMES, Lesion, LesionScore
from ..comparison.scores import csv_text
from ..messages import Message
from ..models.card_figures import AUDIT_FIGURES, format_count, format_figure
from ..options import AuditOptions
from .legends import BETWEEN_SLICES_LEGEND, LEGEND

MEASURES = ("unfaithful", "crossing", "hallucinated", "inconsistency")
"""Fields of Findings that are averaged over volumes."""
CARD_DIGITS = 4

Figures = dict[str, float | None]
"""{name of a figure: value, None if it is undefined}"""


@dataclass(frozen=True)
class AuditedLesion:
    """Synthetic lesion with the response of a method.

    Attributes:
        number: Number of the slice.
        lesion: The lesion.
        score: Response of the method.
    """

    number: int
    lesion: Lesion
    score: LesionScore


@dataclass(frozen=True)
class Findings:
    """Findings about a method; see `audit.sfrc` for the formulas.

    Attributes:
        slices: Number of audited slices.
        patches: Number of judged patches.
        unfaithful: Percentage of the patches that contradict acquired data.
        crossing: Mean frequency up to which patches agree with the reference, as a fraction of
            Nyquist.
        hallucinated: Energy of the detail without a counterpart in the reference, percent of the
            detail of the reference or of the result, whichever is larger; 0 to 100.
        inconsistency: RMSE of the degraded result against the input, 0–255.
        lesions: Synthetic lesions.
        diameters: Diameters of the lesions, in pixels of the input, or in slice thicknesses.
        unit: The unit of the diameters: "px" or "slices".
    """

    slices: int
    patches: int
    unfaithful: float
    crossing: float
    hallucinated: float
    inconsistency: float
    lesions: tuple[AuditedLesion, ...]
    diameters: tuple[int, ...] = DIAMETERS
    unit: str = "px"

    @classmethod
    def combine(cls, findings: Sequence[Self]) -> Self:
        """Combine volumes: means over volumes with equal weights, and all lesions."""
        means = {
            key: float(np.mean([getattr(found, key) for found in findings])) for key in MEASURES
        }
        return cls(
            sum(found.slices for found in findings),
            sum(found.patches for found in findings),
            **means,
            lesions=tuple(lesion for found in findings for lesion in found.lesions),
            diameters=findings[0].diameters,
            unit=findings[0].unit,
        )

    def lesion_figures(self) -> Figures:
        """Summarize the lesions.

        Returns:
            "lesions": their number; "lesions_preserved", "lesions_weakened", "lesions_lost" and
            "lesions_exaggerated"; remaining contrast: "mean_contrast", "min_contrast", and the
            means of "bright" and "dark" lesions and of those of every diameter, such as "2_px" or
            "3_slices". A contrast is None if there is no such lesion.
        """
        outcomes = [lesion.score.outcome for lesion in self.lesions]
        kinds: dict[str, Callable[[Lesion], bool]] = {
            "bright": lambda lesion: lesion.contrast > 0,
            "dark": lambda lesion: lesion.contrast < 0,
        }
        kinds |= {f"{each}_{self.unit}": _has_diameter(each) for each in self.diameters}
        contrasts = [lesion.score.contrast for lesion in self.lesions]
        return {
            "lesions": len(self.lesions),
            **{f"lesions_{outcome}": outcomes.count(outcome) for outcome in OUTCOMES},
            "mean_contrast": _mean(contrasts),
            "min_contrast": min(contrasts, default=None),
            **{
                name: _mean([each.score.contrast for each in self.lesions if is_kind(each.lesion)])
                for name, is_kind in kinds.items()
            },
        }

    def figures(self) -> Figures:
        """Return all figures by name."""
        return (
            {"slices": self.slices, "patches": self.patches}
            | {key: getattr(self, key) for key in MEASURES}
            | self.lesion_figures()
        )


Results = Mapping[int, Mapping[str, Mapping[str, Findings]]]
"""{scale: {name of a volume: {name of a method: Findings}}}"""


def combine_volumes(volumes: Mapping[str, Mapping[str, Findings]]) -> dict[str, Findings]:
    """Combine the volumes of a scale.

    Args:
        volumes: {name of a volume: {name of a method: Findings}}.

    Returns:
        {name of a method: Findings of all volumes}.
    """
    return {
        method: Findings.combine([methods[method] for methods in volumes.values()])
        for method in next(iter(volumes.values()))
    }


def card_entry(
    anatomy: str,
    model: str,
    options: AuditOptions,
    volumes: Mapping[str, Mapping[str, Findings]],
) -> dict[str, Any]:
    """Build an entry of `ModelCard.audit`: the figures of a model and of the baselines.

    Args:
        anatomy: Anatomy of the volumes.
        model: Name of the model.
        options: Options of the audit.
        volumes: {name of a volume: {name of a method: Findings}}.
    """
    figures = {name: found.figures() for name, found in combine_volumes(volumes).items()}
    return {
        "anatomy": anatomy,
        "volumes": sorted(volumes),
        "slices": figures[model]["slices"],
        "patches": figures[model]["patches"],
        "degradation": options.degradation_text(),
        "noise": options.noise,
        "seed": options.seed,
        **_rounded(figures[model]),
        "baselines": {name: _rounded(figures[name]) for name in options.baselines},
    }


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
    """Return a line per lesion and method as CSV; its position is in input voxels."""
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
    kind = "reformat" if options.is_between_slices else "slice"
    chosen = (
        f"all {kind}s"
        if options.slices is None
        else f"at most {format_count(options.slices, kind)} per volume"
    )
    lines = [
        "# Audit",
        "",
        f"Degradation: {options.degradation_text()}{noise}; {chosen}; seed {options.seed}. "
        "Means over volumes; lesions of all volumes.",
        "",
    ]
    for scale, volumes in results.items():
        lines += [*_table(scale, volumes), ""]
    lines += [BETWEEN_SLICES_LEGEND if options.is_between_slices else LEGEND, ""]
    if skipped:
        lines += ["Skipped:", "", *(f"- {sentence}" for sentence in skipped), ""]
    return "\n".join(lines)


def _has_diameter(diameter: int) -> Callable[[Lesion], bool]:
    return lambda lesion: lesion.diameter == diameter


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _rounded(figures: Figures) -> Figures:
    return {key: _round(figures[key]) for key in AUDIT_FIGURES}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, CARD_DIGITS)


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
    heading = f"×{scale}" if scale > 1 else "Between slices"
    return [f"## {heading}: {', '.join(counts)}", "", *_aligned(rows)]


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


@dataclass(frozen=True)
class AuditReport:
    """Findings of an audit.

    Attributes:
        findings: {scale: {volume: {method: Findings}}}; bicubic interpolation and back-projected
            bicubic are always among the methods.
        messages: Messages about the volumes and methods.
    """

    findings: dict[int, dict[str, dict[str, Findings]]]
    messages: tuple[Message, ...]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line per scale, volume and method."""
        Path(path).write_text(volumes_csv(self.findings), encoding="utf-8", newline="")
