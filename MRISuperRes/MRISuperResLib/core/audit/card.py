"""What an audit leaves in the card of a model."""

from ..models.card import AUDITED
from ..options import BASELINES, AuditOptions
from .findings import Findings
from .tables import together

DIGITS = 4


def card_entry(
    anatomy: str, model: str, job: AuditOptions, volumes: dict[str, dict[str, Findings]]
) -> dict:
    """An entry of ModelCard.audit: the figures of a model, and of what learns nothing.

    anatomy: what the volumes show. job: AuditOptions. volumes: {name of a volume: {name of a method: Findings}}.
    """
    figures = {name: found.figures() for name, found in together(volumes).items()}
    return {
        "anatomy": anatomy,
        "volumes": sorted(volumes),
        "slices": figures[model]["slices"],
        "patches": figures[model]["patches"],
        "degradation": job.degradation,
        "noise": job.noise,
        "seed": job.seed,
        **_rounded(figures[model]),
        "baselines": {name: _rounded(figures[name]) for name in BASELINES},
    }


def _rounded(figures):
    return {key: None if figures[key] is None else round(figures[key], DIGITS) for key in AUDITED}
