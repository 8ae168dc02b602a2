"""Presets and recipes: settings to start from, and everything that reproduces a model.

A recipe is a JSON file:

    {"title": …, "limits": …, "license": …, "made_for": …,   as on a model card
     "preset": "modern",                                     optional: settings to start from
     "settings": {"psnr": {"steps": 5000}, …},               fields of `Settings`, all scales
     "scales": {"8": {"data": {"patch": 192}}, …},           optional: changes for one scale
     "sources": "data.tsv"}                                  list of volumes beside the recipe

Paths in the list of volumes are relative to a data folder (see `data.sources.read_sources`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.card import DEVICE_KINDS
from MRISuperResLib.core.options import SCALES
from MRISuperResLib.core.validation import (
    Rule,
    Validated,
    invalid,
    json_object,
    one_of,
    optional,
    setting,
    text,
)

from .settings import BETWEEN_SLICES, THROUGH_PLANE, THROUGH_PLANE_SCALE, Settings

RRDB_23 = {"network": "rrdb", "blocks": 23, "features": 64, "growth": 32}

PRESETS: dict[str, dict[str, Any]] = {
    # The settings of the bachelor thesis on GAN super-resolution of fetal and brain MRI with a
    # two-stage ESRGAN, which states no number of steps. Its high-resolution slices have 128×128
    # pixels; here, whole slices are downsampled to that size.
    "thesis": {
        "generator": RRDB_23 | {"first_kernel": 9},
        "data": {"patch": 128, "patches": "resample", "degradation": "bicubic"},
        "psnr": {"steps": 200_000, "learning_rate": 2e-4},
        "gan": {
            "steps": 100_000,
            "learning_rate": 2e-4,
            "discriminator_learning_rate": 2e-4,
            "adversarial_weight": 5e-3,
            "content_weight": 1e-2,
            "discriminator": "thesis",
            "adversarial_terms": "fake",
        },
    },
    # The same network with the training practice since 2018. Best started from the next smaller
    # scale (start_from).
    "modern": {
        "generator": RRDB_23 | {"first_kernel": 3},
        "data": {"patch": 128, "degradation": "mixture", "noise": 5.0},
        "psnr": {"steps": 200_000, "learning_rate": 2e-4, "schedule": "cosine", "fft_weight": 0.05},
        "gan": {
            "steps": 100_000,
            "learning_rate": 5e-5,
            "discriminator_learning_rate": 1e-4,
            "schedule": "halving",
            "discriminator": "official",
            "adversarial_terms": "both",
        },
        "precision": "bfloat16",
        "ema": 0.999,
        "clip_norm": 1.0,
    },
    # A demonstration: minutes on two CPU cores, without the weights of VGG19.
    "quick": {
        "generator": {"network": "compact", "blocks": 4, "features": 32},
        "data": {"patch": 48},
        "psnr": {"steps": 500, "learning_rate": 3e-3, "schedule": "cosine"},
        "gan": {
            "steps": 50,
            "learning_rate": 1e-4,
            "discriminator_learning_rate": 1e-4,
            "content_weight": 1.0,
            "perceptual_weight": 0.0,
            "adversarial_terms": "both",
        },
        "batch": 8,
        "ema": 0.99,
        "clip_norm": 1.0,
        "checkpoint_every": 50,
        "validate_every": 100,
    },
    # One network for all slice spacings, which upsamples between slices.
    THROUGH_PLANE: {
        "scale": THROUGH_PLANE_SCALE,
        "generator": {"network": THROUGH_PLANE, "blocks": 16, "features": 32},
        "data": {"patch": 96, "degradation": BETWEEN_SLICES, "noise": 1.0},
        "psnr": {"steps": 20_000, "learning_rate": 5e-4, "schedule": "cosine"},
        "batch": 8,
        "ema": 0.999,
        "clip_norm": 1.0,
    },
}


def preset(name: str, scale: int | None = None, **changes: Any) -> Settings:
    """Return the settings of a preset.

    Args:
        name: A key of `PRESETS`: "thesis", "modern", "quick" or "through-plane".
        scale: 2, 4 or 8; None: that of the preset "through-plane".
        **changes: Fields of `Settings` that differ; for `data`, `psnr` and `gan` a dict of the
            fields that differ.

    Raises:
        SuperResolutionError: The preset is unknown, or a value is invalid (kind "settings").
    """
    if name not in PRESETS:
        raise invalid(f"Unknown preset “{name}”: choose one of {', '.join(PRESETS)}.")
    values = PRESETS[name] | {"preset": name} | _scale(scale)
    return Settings.from_dict(Settings.merged(values, changes))


def _scale(scale: int | None) -> dict[str, int]:
    return {} if scale is None else {"scale": scale}


def _by_scale() -> Rule:
    def accepts(value: Any) -> bool:
        return isinstance(value, dict) and all(
            scale in map(str, SCALES) and isinstance(changes, dict)
            for scale, changes in value.items()
        )

    return Rule(accepts, 'an object with settings for "2", "4" or "8"')


@dataclass(frozen=True)
class Recipe(Validated):
    """A recipe.

    Attributes:
        title, limits, license, made_for: Fields of the model cards.
        sources: File name of the list of volumes, beside the recipe.
        preset: Name of the preset to start from; None: `settings` are complete.
        settings: Fields of `Settings` for all scales.
        scales: Changes for single scales.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    title: str = setting(text())
    limits: str = setting(text())
    license: str = setting(text())
    sources: str = setting(text())
    made_for: str = setting(one_of(*DEVICE_KINDS), DEVICE_KINDS[0])
    preset: str | None = setting(optional(text()), None)
    settings: dict[str, Any] = setting(json_object(), {})
    scales: dict[str, Any] = setting(_by_scale(), {})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a recipe.

        Raises:
            SuperResolutionError: The file is not a recipe (kind "settings").
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, SuperResolutionError) as e:
            raise invalid(
                f"{path} is not a recipe ({e}): compare it with Recipes/fast.json."
            ) from e

    def settings_for(self, scale: int | None = None) -> Settings:
        """Return the settings of a scale; None: that of the recipe.

        Raises:
            SuperResolutionError: The settings are invalid (kind "settings").
        """
        changes = Settings.merged(self.settings, self.scales.get(str(scale), {}))
        if self.preset:
            return preset(self.preset, scale, **changes)
        return Settings.from_dict(changes | _scale(scale))

    def card(self) -> dict[str, str]:
        """Return the fields of the model cards that the recipe sets."""
        return {
            "title": self.title,
            "limits": self.limits,
            "license": self.license,
            "made_for": self.made_for,
        }
