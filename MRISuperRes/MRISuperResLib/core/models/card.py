"""The model card: what is known of a model, in a JSON file beside its weights."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from ..errors import SuperResolutionError
from ..options import SCALES

NAME = re.compile(
    r"(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9_-])?",
    re.IGNORECASE | re.ASCII,
)
"""A file name on every system: without separators, of moderate length, no final dot, and none of the devices of Windows."""
STAGES = ("psnr", "gan")
DEVICE_KINDS = ("cpu", "gpu")
SCORES = ("psnr", "ssim", "rmse")
MAX_DEPTH = 20
"""Of objects within objects: a card has five, and what is much deeper can't be handled by Python."""
MEASURES = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "rmse": ("RMSE, of 255", 2),
    "lpips": ("LPIPS", 4),
    "vgg_distance": ("VGG distance", 4),
}
"""{key: (heading, digits)} of what a card's metrics may hold; only SCORES are always there."""
AUDITED = {
    "unfaithful": ("unfaithful patches, %", 2),
    "crossing": ("agreement up to, of Nyquist", 3),
    "invented": ("invented detail, %", 1),
    "inconsistency": ("inconsistency, of 255", 2),
    "planted": ("lesions planted", 0),
    "kept": ("lesions kept", 0),
    "weakened": ("lesions weakened", 0),
    "lost": ("lesions lost", 0),
    "exaggerated": ("lesions exaggerated", 0),
    "contrast": ("contrast left, mean", 2),
    "least": ("contrast left, least", 2),
}
"""{key: (heading, digits)} of what a card's audits hold; see audit.findings."""
AUDIT_LEGEND = (
    "Unfaithful patches show another structure than the truth, at frequencies that the input still had; invented detail has no counterpart in the truth; "
    "lesions are discs of 2 to 5 pixels of the input, planted into it."
)


def audited_text(key: str, value: float | None) -> str:
    """A figure of an audit as it is shown; key: of AUDITED."""
    return "–" if value is None else f"{value:.{AUDITED[key][1]}f}"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model. Its weights are the file beside the card; a card holds no paths.

    architecture: of the network, without the scale: see generators.make_generator. stage: "psnr" or "gan". anatomy, contrasts: what it
    was trained on. spacing_range: the smallest and largest pixel of the low-resolution slices that it was trained on, mm.
    metrics: a list of {"data", "anatomy", "psnr" dB, "ssim", "rmse" 0–255, "baselines": {name: {"psnr", "ssim", "rmse"}}} on volumes of
    subjects that were not trained on; beside the scores stand "lpips" and "vgg_distance" where they were measured.
    audit: a list, one entry per anatomy, of {"anatomy", "volumes" (names), "slices", "patches", "degradation", "noise", "seed", the AUDITED figures, "baselines": {name:
    the AUDITED figures}}; contrasts are null where no lesion had room.
    made_for: "cpu", or "gpu" for a model that is too slow without. cpu_speed: {"seconds_per_megapixel" (of the output), "threads",
    "processor"}. training: data, licenses, settings. sha256: of the weights file. pair: a name that a PSNR model shares with the GAN
    model that was made from it, of the same scale and architecture; empty where there is none.
    """

    name: str
    title: str
    scale: int
    stage: str
    sha256: str
    architecture: dict
    anatomy: list[str] = field(default_factory=list)
    contrasts: list[str] = field(default_factory=list)
    spacing_range: list[float] = field(default_factory=list)
    metrics: list[dict] = field(default_factory=list)
    audit: list[dict] = field(default_factory=list)
    made_for: str = DEVICE_KINDS[0]
    cpu_speed: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    license: str = ""
    limits: str = ""
    pair: str = ""

    def __post_init__(self):
        wrong = [
            (
                not _is_name(self.name),
                f"the name {self.name!r} is not made of letters, digits and . _ -, or is one that Windows keeps for itself",
            ),
            (
                not _are_texts([self.title, self.license, self.limits]),
                "title, license and limits must be texts",
            ),
            (
                type(self.scale) is not int or self.scale not in SCALES,
                f"the scale must be 2, 4 or 8, not {self.scale!r}",
            ),
            (
                self.pair != "" and not _is_name(self.pair),
                f"the pair {self.pair!r} is not made of letters, digits and . _ -",
            ),
            (self.stage not in STAGES, f"the stage must be psnr or gan, not {self.stage!r}"),
            (
                not isinstance(self.sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.sha256),
                "sha256 must be 64 hexadecimal digits",
            ),
            (
                not isinstance(self.architecture, dict)
                or self.architecture.get("channels", 1) != 1,
                "the architecture must be a JSON object, of a network for one channel",
            ),
            (
                self.made_for not in DEVICE_KINDS,
                f"made_for must be cpu or gpu, not {self.made_for!r}",
            ),
            (
                not _are_texts(self.anatomy) or not _are_texts(self.contrasts),
                "anatomy and contrasts must be lists of texts",
            ),
            (
                not _are_metrics(self.metrics),
                f"metrics must be a list of objects with data, anatomy, {', '.join(SCORES)} and the same of baselines, bicubic among them",
            ),
            (
                not _are_audits(self.audit),
                f"audit must be a list of objects, one per anatomy, with anatomy, volumes, slices, {', '.join(AUDITED)} and the same of baselines",
            ),
            (
                not _is_training(self.training),
                "training must be a JSON object, and its data a list of them",
            ),
            (
                not _is_speed(self.cpu_speed),
                "cpu_speed must be empty or have seconds_per_megapixel, threads and processor",
            ),
            (
                not _is_range(self.spacing_range),
                "spacing_range must be empty or [smallest, largest] in mm",
            ),
        ]
        for is_wrong, reason in wrong:
            if is_wrong:
                raise ValueError(reason)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Raises SuperResolutionError (kind "model") for a file that is no model card."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("not a JSON object")
            if _is_deeper(values, MAX_DEPTH):
                raise ValueError(f"more than {MAX_DEPTH} levels")
            json.dumps(
                values, ensure_ascii=False, allow_nan=False
            ).encode()  # what can't be written again, such as half a character, is refused
            known = {f.name for f in fields(cls)}
            card = cls(**{key: value for key, value in values.items() if key in known})
            if card.name != Path(path).stem:
                raise ValueError(f"it names the model {card.name!r}")
            return card
        except (OSError, ValueError, TypeError, RecursionError) as e:
            raise SuperResolutionError(
                f"The model card {path} can't be used ({e}): install the model again.", "model"
            ) from e

    def to_dict(self) -> dict:
        return asdict(self)

    def figures(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """[(heading, header, rows)] of texts: a table for each measure, with a row per held-out volume; the baselines, then the model."""
        tables = []
        for key, (heading, digits) in MEASURES.items():
            rows = [
                [
                    m["data"],
                    *(f"{scores[key]:.{digits}f}" for scores in (*m["baselines"].values(), m)),
                ]
                for m in self.metrics
                if all(key in scores for scores in (*m["baselines"].values(), m))
            ]
            if rows:
                tables.append((heading, ["", *self.metrics[0]["baselines"], self.name], rows))
        return tables

    def audited(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """[(heading, header, rows)] of texts: a table for each anatomy, with a row per figure of the audit; the baselines, then the model."""
        return [
            (
                f"Audit, {entry['anatomy']} ({_count(len(entry['volumes']), 'volume')}, {_count(entry['slices'], 'slice')})",
                ["", *entry["baselines"], self.name],
                [
                    [
                        heading,
                        *(
                            audited_text(key, found[key])
                            for found in (*entry["baselines"].values(), entry)
                        ),
                    ]
                    for key, (heading, _) in AUDITED.items()
                ],
            )
            for entry in self.audit
        ]

    def summary(self) -> str:
        """A few lines for a panel."""
        lines = [self.title]
        kind = (
            "PSNR-oriented: faithful, smooth"
            if self.stage == "psnr"
            else "GAN: sharp, may invent detail"
        )
        contrasts = f" ({', '.join(self.contrasts)})" if self.contrasts else ""
        lines.append(
            f"×{self.scale}, {kind}"
            + (f"; trained on {', '.join(self.anatomy)} MRI{contrasts}" if self.anatomy else "")
        )
        if self.spacing_range:
            lines.append("Trained on pixels of {:.3g}–{:.3g} mm".format(*self.spacing_range))
        for anatomy in sorted({m["anatomy"] for m in self.metrics}):
            gains = [
                m["psnr"] - m["baselines"]["bicubic"]["psnr"]
                for m in self.metrics
                if m["anatomy"] == anatomy
            ]
            lines.append(
                f"Held-out {anatomy} volumes ({len(gains)}): PSNR {min(gains):+.1f} to {max(gains):+.1f} dB against bicubic"
            )
        if self.cpu_speed:
            speed = self.cpu_speed
            threads = "1 thread" if speed["threads"] == 1 else f"{speed['threads']} threads"
            lines.append(
                f"{speed['seconds_per_megapixel']:.2g} s per megapixel of the output on a CPU ({speed['processor']}, {threads})"
            )
        return "\n".join(lines + ([self.limits] if self.limits else []))


def _count(number, what):
    return f"{number} {what}" + ("" if number == 1 else "s")


def _is_range(value):
    return isinstance(value, list) and (
        not value or (len(value) == 2 and all(map(_is_number, value)) and 0 < value[0] <= value[1])
    )


def _are_texts(value):
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _are_scores(value):
    return isinstance(value, dict) and all(
        _is_number(value.get(key)) for key in {*SCORES, *(key for key in MEASURES if key in value)}
    )


def _are_metrics(value):
    return isinstance(value, list) and all(
        _are_scores(m)
        and isinstance(m.get("data"), str)
        and isinstance(m.get("anatomy"), str)
        and isinstance(m.get("baselines"), dict)
        and "bicubic" in m["baselines"]
        and list(m["baselines"]) == list(value[0]["baselines"])
        and all(map(_are_scores, m["baselines"].values()))
        for m in value
    )


def _are_findings(value):
    return isinstance(value, dict) and all(
        _is_number(value.get(key))
        or (key in ("contrast", "least") and key in value and value[key] is None)
        for key in AUDITED
    )


def _are_audits(value):
    return (
        isinstance(value, list)
        and all(
            _are_findings(entry)
            and isinstance(entry.get("anatomy"), str)
            and _are_texts(entry.get("volumes"))
            and type(entry.get("slices")) is int
            and isinstance(entry.get("baselines"), dict)
            and all(map(_are_findings, entry["baselines"].values()))
            for entry in value
        )
        and len({entry["anatomy"] for entry in value}) == len(value)
    )


def _is_speed(value):
    return isinstance(value, dict) and (
        not value
        or (
            _is_number(value.get("seconds_per_megapixel"))
            and value["seconds_per_megapixel"] > 0
            and type(value.get("threads")) is int
            and isinstance(value.get("processor"), str)
        )
    )


def _is_training(value):
    return (
        isinstance(value, dict)
        and isinstance(value.get("data", []), list)
        and all(isinstance(entry, dict) for entry in value.get("data", []))
    )


def _is_deeper(value, levels):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _is_name(value):
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_number(value):
    """Finite, and small enough to be printed as a decimal number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
