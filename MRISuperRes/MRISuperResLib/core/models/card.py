"""Model cards: descriptions of models, as JSON files beside their weights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from ..errors import SuperResolutionError
from ..options import SCALES
from ..validation import Rule, Validated, one_of, setting, text

MODEL_NAME = re.compile(
    r"(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9_-])?",
    re.IGNORECASE | re.ASCII,
)
"""A valid file name on every system: no separators, no final dot, no reserved Windows name."""
MODEL_NAME_RULE = "letters, digits and . _ -, and not a name that Windows reserves"
KINDS = {
    "psnr": "PSNR model: faithful, smooth",
    "gan": "GAN model: sharp, may hallucinate detail",
}
STAGES = tuple(KINDS)
DEVICE_KINDS = ("cpu", "gpu")
SCORES = ("psnr", "ssim", "rmse")
MAX_DEPTH = 20
"""Maximum nesting of a card, which needs five levels; thousands exceed Python's recursion limit."""
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


def is_model_name(value: object) -> bool:
    """Return True for a name that a model can have."""
    return isinstance(value, str) and MODEL_NAME.fullmatch(value) is not None


def _scores(entry: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The baselines of an entry, then the entry itself."""
    return (*entry["baselines"].values(), entry)


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _are_spacings(value: object) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(_is_number(side) and side > 0 for side in value)
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(each, str) for each in value)


def _have_scores(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_number(value.get(key)) for key in METRICS if key in SCORES or key in value
    )


def _are_entries(value: Any, is_complete: Callable[[Any], bool]) -> bool:
    return isinstance(value, tuple) and all(
        is_complete(entry)
        and isinstance(entry.get("anatomy"), str)
        and isinstance(entry.get("baselines"), dict)
        and all(map(is_complete, entry["baselines"].values()))
        for entry in value
    )


def _are_metrics(value: Any) -> bool:
    return _are_entries(value, _have_scores) and all(
        isinstance(m.get("data"), str)
        and "bicubic" in m["baselines"]
        and list(m["baselines"]) == list(value[0]["baselines"])
        for m in value
    )


def _have_figures(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_number(value.get(key))
        or (key in NULLABLE_FIGURES and key in value and value[key] is None)
        for key in AUDIT_FIGURES
    )


def _are_audits(value: Any) -> bool:
    return (
        _are_entries(value, _have_figures)
        and all(_are_texts(e.get("volumes")) and type(e.get("slices")) is int for e in value)
        and len({entry["anatomy"] for entry in value}) == len(value)
    )


def _is_speed(value: Any) -> bool:
    return value == {} or (
        isinstance(value, dict)
        and _is_number(value.get("seconds_per_megapixel"))
        and value["seconds_per_megapixel"] > 0
        and type(value.get("threads")) is int
        and isinstance(value.get("processor"), str)
    )


def _is_training(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("data", []), list)
        and all(isinstance(entry, dict) for entry in value.get("data", []))
    )


def _is_deeper(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _is_number(value: Any) -> bool:
    """Return True for a finite number that is small enough to print as a decimal number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


@dataclass(frozen=True)
class ModelCard(Validated):
    """Description of a model, stored beside its weights.

    Attributes:
        name: The model's name, also that of its files.
        title: A short description for lists.
        scale: Upsampling factor: 2, 4 or 8.
        stage: "psnr" or "gan".
        sha256: SHA-256 of the weights file, hexadecimal.
        architecture: Arguments of `networks.make_generator`, without the scale.
        anatomy: Anatomies of the training data, such as "brain".
        contrasts: Contrasts of the training data, such as "T2w".
        spacing_range: (smallest, largest) in-plane spacing of the low-resolution training slices,
            mm; empty if unknown.
        metrics: Scores on volumes of unseen subjects, one entry per volume: {"data", "anatomy",
            "psnr" dB, "ssim", "rmse" 0-255, "baselines": {name: {"psnr", "ssim", "rmse"}}}, and
            "lpips" and "vgg_distance" where they were measured.
        audit: One entry per anatomy: {"anatomy", "volumes" (names), "slices", "patches",
            "degradation", "noise", "seed", AUDIT_FIGURES, "baselines": {name: AUDIT_FIGURES}}.
        made_for: "gpu" for a model that is too slow without one, else "cpu".
        cpu_speed: {"seconds_per_megapixel" (of the output), "threads", "processor"}, or empty.
        training: Degradation, loss, steps, settings, versions, and "data": one object per
            training volume with its "anatomy", in-plane "spacing" (mm), license and source.
        license: License of the weights.
        limits: Uses for which the model is not suitable.
        pair: A name that a PSNR model shares with the GAN model trained from it; both have the
            same scale and architecture. Empty without a partner.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    name: str = setting(Rule(is_model_name, f"made of {MODEL_NAME_RULE}"))
    title: str = setting(text())
    scale: int = setting(one_of(*SCALES))
    stage: str = setting(one_of(*STAGES))
    sha256: str = setting(Rule(_is_sha256, "64 hexadecimal digits"))
    architecture: dict[str, Any] = setting(
        Rule(
            lambda v: isinstance(v, dict) and v.get("channels", 1) == 1,
            "a JSON object that describes a network with one channel",
        )
    )
    anatomy: tuple[str, ...] = setting(Rule(_are_texts, "a list of texts"), ())
    contrasts: tuple[str, ...] = setting(Rule(_are_texts, "a list of texts"), ())
    spacing_range: tuple[float, ...] = setting(
        Rule(
            lambda v: v == () or (_are_spacings(v) and v[0] <= v[1]),
            "empty or [smallest, largest] in mm",
        ),
        (),
    )
    metrics: tuple[dict[str, Any], ...] = setting(
        Rule(
            _are_metrics,
            f"a list of objects with data, anatomy, {', '.join(SCORES)}, and baselines, bicubic "
            "among them, with the same scores",
        ),
        (),
    )
    audit: tuple[dict[str, Any], ...] = setting(
        Rule(
            _are_audits,
            "a list of objects, one per anatomy, with anatomy, volumes, slices, "
            f"{', '.join(AUDIT_FIGURES)}, and baselines with the same figures",
        ),
        (),
    )
    made_for: str = setting(one_of(*DEVICE_KINDS), DEVICE_KINDS[0])
    cpu_speed: dict[str, Any] = setting(
        Rule(_is_speed, "empty or have seconds_per_megapixel, threads and processor"),
        {},
    )
    training: dict[str, Any] = setting(
        Rule(_is_training, "a JSON object whose data is a list of objects"), {}
    )
    license: str = setting(text(), "")
    limits: str = setting(text(), "")
    pair: str = setting(
        Rule(lambda v: v == "" or is_model_name(v), f"made of {MODEL_NAME_RULE}"), ""
    )

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a card from its JSON file; unknown keys are ignored.

        Raises:
            SuperResolutionError: The file is not a valid model card (kind "model").
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if not isinstance(values, dict) or _is_deeper(values, MAX_DEPTH):
                raise ValueError(f"It is not a JSON object with at most {MAX_DEPTH} levels")
            # refuses what cannot be written again, such as NaN and half a surrogate pair
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
            known = cls.__dataclass_fields__
            card = cls.from_dict({key: value for key, value in values.items() if key in known})
            if card.name != Path(path).stem:
                raise ValueError(f"It names the model “{card.name}”")
            return card
        except (OSError, ValueError, RecursionError, SuperResolutionError) as e:
            reason = str(e).removesuffix(".")
            raise SuperResolutionError(
                f"The model card {path} cannot be used. {reason}. Install the model again.",
                "model",
            ) from e

    @property
    def is_through_plane(self) -> bool:
        """True for a model that upsamples between slices."""
        return self.architecture.get("network") == "through-plane"

    def training_spacings(self) -> dict[str, list[tuple[float, float]]]:
        """Return the in-plane spacings of the low-resolution training slices, by anatomy.

        Returns:
            {anatomy: [(along rows, along columns) in mm]}, one pair per training volume; empty if
            the card does not record them.
        """
        spacings: dict[str, list[tuple[float, float]]] = {}
        for volume in self.training.get("data", []):
            spacing, anatomy = volume.get("spacing"), volume.get("anatomy")
            if isinstance(anatomy, str) and _are_spacings(spacing):
                first, second = (self.scale * side for side in spacing)
                spacings.setdefault(anatomy, []).append((first, second))
        return spacings

    def metric_tables(self) -> list[CardTable]:
        """Return a table per metric: a row per held-out volume; baselines, then the model."""
        tables = []
        for key, (heading, decimals) in METRICS.items():
            rows = [
                [m["data"], *(f"{scores[key]:.{decimals}f}" for scores in _scores(m))]
                for m in self.metrics
                if all(key in scores for scores in _scores(m))
            ]
            if rows:
                header = ["", *self.metrics[0]["baselines"], self.name]
                tables.append(CardTable(heading, header, rows))
        return tables

    def audit_tables(self) -> list[CardTable]:
        """Return a table per anatomy: a row per figure, the baselines, then the model."""
        return [
            CardTable(
                f"Audit, {entry['anatomy']} ({format_count(len(entry['volumes']), 'volume')}, "
                f"{format_count(entry['slices'], 'slice')})",
                ["", *entry["baselines"], self.name],
                [
                    [heading, *(format_figure(key, figures[key]) for figures in _scores(entry))]
                    for key, (heading, _) in AUDIT_FIGURES.items()
                ],
            )
            for entry in self.audit
        ]

    def summary(self) -> str:
        """Summarize the model in a few lines."""
        lines = [self.title]
        kind = KINDS[self.stage]
        contrasts = f" ({', '.join(self.contrasts)})" if self.contrasts else ""
        data = f"; trained on {', '.join(self.anatomy)} MRI{contrasts}" if self.anatomy else ""
        lines.append(f"×{self.scale}, {kind}{data}")
        if self.spacing_range:
            lines.append(
                "In-plane spacing of training: {:.3g}–{:.3g} mm".format(*self.spacing_range)
            )
        for anatomy in sorted({m["anatomy"] for m in self.metrics}):
            held_out = [m for m in self.metrics if m["anatomy"] == anatomy]
            gains = [m["psnr"] - m["baselines"]["bicubic"]["psnr"] for m in held_out]
            lines.append(
                f"Held-out {anatomy} volumes ({len(gains)}): PSNR {min(gains):+.1f} to "
                f"{max(gains):+.1f} dB over bicubic"
            )
        if speed := self.cpu_speed:
            lines.append(
                f"{speed['seconds_per_megapixel']:.2g} s per output megapixel on a CPU "
                f"({speed['processor']}, {format_count(speed['threads'], 'thread')})"
            )
        return "\n".join(lines + ([self.limits] if self.limits else []))
