"""Findings of an audit: a method on one volume, on several, and as an entry of a model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..comparison.lesions import DIAMETERS, OUTCOMES, Lesion, LesionScore
from ..models.card import AUDIT_FIGURES
from ..options import BASELINES, AuditOptions

MEASURES = ("unfaithful", "crossing", "hallucinated", "inconsistency")
"""Fields of Findings that are averaged over volumes."""
LESION_CONTRAST = 0.2
"""Contrast of the lesions of an audit, as a fraction of the intensity range."""
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
    """

    slices: int
    patches: int
    unfaithful: float
    crossing: float
    hallucinated: float
    inconsistency: float
    lesions: tuple[AuditedLesion, ...]

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
        )

    def lesion_figures(self) -> Figures:
        """Summarize the lesions.

        Returns:
            "lesions": their number; "lesions_preserved", "lesions_weakened", "lesions_lost" and
            "lesions_exaggerated"; remaining contrast: "mean_contrast", "min_contrast", and the
            means of "bright" and "dark" lesions and of those of "2_px" to "5_px". A contrast is
            None if there is no such lesion.
        """
        outcomes = [lesion.score.outcome for lesion in self.lesions]
        kinds: dict[str, Callable[[Lesion], bool]] = {
            "bright": lambda lesion: lesion.contrast > 0,
            "dark": lambda lesion: lesion.contrast < 0,
        }
        kinds |= {f"{diameter}_px": _has_diameter(diameter) for diameter in DIAMETERS}
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
        "degradation": options.degradation,
        "noise": options.noise,
        "seed": options.seed,
        **_rounded(figures[model]),
        "baselines": {name: _rounded(figures[name]) for name in BASELINES},
    }


def _has_diameter(diameter: int) -> Callable[[Lesion], bool]:
    return lambda lesion: lesion.diameter == diameter


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _rounded(figures: Figures) -> Figures:
    return {key: _round(figures[key]) for key in AUDIT_FIGURES}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, CARD_DIGITS)
