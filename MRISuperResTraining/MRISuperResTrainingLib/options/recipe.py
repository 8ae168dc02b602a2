"""Recipes: everything that a model is made of in one JSON file, so that it can be reproduced.

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

from .presets import preset
from .settings import Settings


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

    def settings_for(self, scale: int) -> Settings:
        """Return the settings of a scale.

        Raises:
            SuperResolutionError: The settings are invalid (kind "settings").
        """
        changes = Settings.merged(self.settings, self.scales.get(str(scale), {}))
        if self.preset:
            return preset(self.preset, scale, **changes)
        return Settings.from_dict(changes | {"scale": scale})

    def card(self) -> dict[str, str]:
        """Return the fields of the model cards that the recipe sets."""
        return {
            "title": self.title,
            "limits": self.limits,
            "license": self.license,
            "made_for": self.made_for,
        }
