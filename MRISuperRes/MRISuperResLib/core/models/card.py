"""Model cards: descriptions of models, as JSON files beside their weights."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..errors import SuperResolutionError
from ..options import SCALES
from ..slice_profile import BASELINE
from ..validation import Rule, Validated, invalid, one_of, setting, text
from .card_figures import (
    AUDIT_FIGURES,
    METRICS,
    SCORES,
    CardTable,
    all_scores,
    are_audits,
    are_metrics,
    are_texts,
    format_count,
    format_figure,
    is_number,
)

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
MAX_DEPTH = 20
"""Maximum nesting of a card, which needs five levels; thousands exceed Python's recursion limit."""


def is_model_name(value: object) -> bool:
    """Return True for a name that a model can have."""
    return isinstance(value, str) and MODEL_NAME.fullmatch(value) is not None


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _are_spacings(value: object) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(is_number(side) and side > 0 for side in value)
    )


def _is_speed(value: Any) -> bool:
    return value == {} or (
        isinstance(value, dict)
        and is_number(value.get("seconds_per_megapixel"))
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


@dataclass(frozen=True)
class ModelCard(Validated):
    """Description of a model, stored beside its weights.

    Attributes:
        name: The model's name, also that of its files.
        title: A short description for lists.
        scale: Upsampling factor: 2, 4 or 8; between slices, the largest one, 8.
        stage: "psnr" or "gan".
        sha256: SHA-256 of the weights file, hexadecimal.
        architecture: Arguments of `networks.make_generator`, without the scale.
        anatomy: Anatomies of the training data, such as "brain".
        contrasts: Contrasts of the training data, such as "T2w".
        spacing_range: (smallest, largest) in-plane spacing of the slices that the network received
            in the training, mm; empty if unknown.
        metrics: Scores on volumes of unseen subjects, one entry per volume: {"data", "anatomy",
            "psnr" dB, "ssim", "rmse" 0-255, "baselines": {name: {"psnr", "ssim", "rmse"}}}, and
            "lpips" and "vgg_distance" where they were measured. Between slices, also the
            "slice_spacing" (mm) of the measured slices.
        audit: One entry per anatomy: {"anatomy", "volumes" (names), "slices", "patches",
            "degradation", "noise", "seed", AUDIT_FIGURES, "baselines": {name: AUDIT_FIGURES}}.
        made_for: "gpu" for a model that is too slow without one, else "cpu".
        cpu_speed: {"seconds_per_megapixel" (of the output), "threads", "processor"}, or empty.
            Between slices, of reformats whose slices are 4 in-plane pixels apart.
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
    anatomy: tuple[str, ...] = setting(Rule(are_texts, "a list of texts"), ())
    contrasts: tuple[str, ...] = setting(Rule(are_texts, "a list of texts"), ())
    spacing_range: tuple[float, ...] = setting(
        Rule(
            lambda v: v == () or (_are_spacings(v) and v[0] <= v[1]),
            "empty or [smallest, largest] in mm",
        ),
        (),
    )
    metrics: tuple[dict[str, Any], ...] = setting(
        Rule(
            are_metrics,
            f"a list of objects with data, anatomy, {', '.join(SCORES)}, and baselines with "
            "the same scores",
        ),
        (),
    )
    audit: tuple[dict[str, Any], ...] = setting(
        Rule(
            are_audits,
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(self.baseline in entry["baselines"] for entry in self.metrics):
            raise invalid(f"“metrics” must have the baseline {self.baseline} in every entry.")

    @property
    def is_through_plane(self) -> bool:
        """True for a model that upsamples between slices."""
        return self.architecture.get("network") == "through-plane"

    @property
    def baseline(self) -> str:
        """The interpolation over which the gain is stated."""
        return BASELINE if self.is_through_plane else "bicubic"

    @property
    def factor(self) -> str:
        """The upsampling factor as text: "×2", or "up to ×8" between slices."""
        return f"up to ×{self.scale}" if self.is_through_plane else f"×{self.scale}"

    def gains(self) -> dict[str, list[float]]:
        """Return the gains in PSNR over the baseline on held-out volumes, dB, by anatomy."""
        gains: dict[str, list[float]] = {}
        for entry in self.metrics:
            gain = entry["psnr"] - entry["baselines"][self.baseline]["psnr"]
            gains.setdefault(entry["anatomy"], []).append(gain)
        return dict(sorted(gains.items()))

    def training_spacings(self) -> dict[str, list[tuple[float, float]]]:
        """Return the in-plane spacings of the slices that the network received, by anatomy.

        Returns:
            {anatomy: [(along rows, along columns) in mm]}, one pair per training volume; empty if
            the card does not record them.
        """
        spacings: dict[str, list[tuple[float, float]]] = {}
        factor = 1 if self.is_through_plane else self.scale
        for volume in self.training.get("data", []):
            spacing, anatomy = volume.get("spacing"), volume.get("anatomy")
            if isinstance(anatomy, str) and _are_spacings(spacing):
                first, second = (factor * side for side in spacing)
                spacings.setdefault(anatomy, []).append((first, second))
        return spacings

    def metric_tables(self) -> list[CardTable]:
        """Return a table per metric: a row per held-out volume; baselines, then the model."""
        tables = []
        for key, (heading, decimals) in METRICS.items():
            rows = [
                [m["data"], *(f"{scores[key]:.{decimals}f}" for scores in all_scores(m))]
                for m in self.metrics
                if all(key in scores for scores in all_scores(m))
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
                    [heading, *(format_figure(key, figures[key]) for figures in all_scores(entry))]
                    for key, (heading, _) in AUDIT_FIGURES.items()
                ],
            )
            for entry in self.audit
        ]

    def summary(self) -> str:
        """Summarize the model in a few lines."""
        lines = [self.title]
        contrasts = f" ({', '.join(self.contrasts)})" if self.contrasts else ""
        data = f"; trained on {', '.join(self.anatomy)} MRI{contrasts}" if self.anatomy else ""
        kind = (
            f"Between slices, {self.factor}"
            if self.is_through_plane
            else f"{self.factor}, {KINDS[self.stage]}"
        )
        lines.append(kind + data)
        if self.spacing_range:
            lines.append(
                "In-plane spacing of training: {:.3g}–{:.3g} mm".format(*self.spacing_range)
            )
        for anatomy, gains in self.gains().items():
            lines.append(
                f"Held-out {anatomy} volumes ({len(gains)}): PSNR {min(gains):+.1f} to "
                f"{max(gains):+.1f} dB over {self.baseline}"
            )
        if speed := self.cpu_speed:
            lines.append(
                f"{speed['seconds_per_megapixel']:.2g} s per output megapixel on a CPU "
                f"({speed['processor']}, {format_count(speed['threads'], 'thread')})"
            )
        return "\n".join(lines + ([self.limits] if self.limits else []))
