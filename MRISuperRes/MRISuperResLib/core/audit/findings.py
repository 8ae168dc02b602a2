"""The figures of an audit: of a method on one volume, and of several volumes together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..comparison.lesions import DIAMETERS, WORDS, Dot, LesionScore

MEASURES = ("unfaithful", "crossing", "invented", "inconsistency")
"""The figures of the patches, fields of Findings."""


@dataclass(frozen=True)
class Lesion:
    """A planted Dot in the slice of a number, and what a method has made of it."""

    number: int
    dot: Dot
    score: LesionScore


@dataclass(frozen=True)
class Findings:
    """What was found of a method.

    slices, patches: how many were looked at and judged. unfaithful: % of the patches that contradict what was acquired. crossing: mean
    frequency up to which they agree with the truth, a part of Nyquist. invented: energy of the detail beyond the input's resolution that
    has no counterpart in the truth, % of the energy that the truth has there; see ring_correlation. inconsistency: root mean square
    error, 0–255, of the rebuilt slices made smaller against what was rebuilt. lesions: Lesions.
    """

    slices: int
    patches: int
    unfaithful: float
    crossing: float
    invented: float
    inconsistency: float
    lesions: tuple[Lesion, ...]

    @classmethod
    def together(cls, findings: Sequence[Self]) -> Self:
        """Means over volumes, each of the same weight; all of their lesions."""
        means = {
            key: float(np.mean([getattr(found, key) for found in findings])) for key in MEASURES
        }
        return cls(
            sum(found.slices for found in findings),
            sum(found.patches for found in findings),
            **means,
            lesions=tuple(lesion for found in findings for lesion in found.lesions),
        )

    def survival(self) -> dict[str, float | None]:
        """{name: number}: planted; how many are of each of dots.WORDS; and the part of their contrast that is left: mean, the least, of the bright and the
        dark ones, of those of each diameter; None where none was planted."""
        counts = {word: sum(lesion.score.word == word for lesion in self.lesions) for word in WORDS}
        kinds = {
            "bright": lambda lesion: lesion.dot.height > 0,
            "dark": lambda lesion: lesion.dot.height < 0,
        }
        kinds |= {
            f"{diameter}_px": lambda lesion, diameter=diameter: lesion.dot.diameter == diameter
            for diameter in DIAMETERS
        }
        heights = [lesion.score.height for lesion in self.lesions]
        return {
            "planted": len(self.lesions),
            **counts,
            "contrast": _mean(heights),
            "least": min(heights, default=None),
            **{
                name: _mean([lesion.score.height for lesion in self.lesions if belongs(lesion)])
                for name, belongs in kinds.items()
            },
        }

    def figures(self) -> dict[str, float | None]:
        """All of it as {name: number or None}."""
        return (
            {"slices": self.slices, "patches": self.patches}
            | {key: getattr(self, key) for key in MEASURES}
            | self.survival()
        )


def _mean(values):
    return float(np.mean(values)) if values else None
