"""A recipe: all that a model is made of, in one JSON file, so that it can be made again.

    {"name": …, "title": …, "limits": …, "licence": …,           as in a model card
     "preset": "modern",                                         optional: what the settings begin with
     "settings": {"psnr": {"steps": 5000}, …},                   fields of Settings, for all scales
     "scales": {"8": {"data": {"patch": 192}}, …},               optional: what is different for a scale
     "sources": [{"path": …, "subject": …, …}, …]}               fields of data.source.Source; paths start from a data folder
"""

import json
from dataclasses import dataclass
from pathlib import Path

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.job import SCALES

from .checked import Checked, Rule, json_object, optional, setting, text, wrong
from .presets import preset
from .settings import Settings


def _objects():
    return Rule(lambda v: isinstance(v, tuple) and bool(v) and all(isinstance(entry, dict) for entry in v), "a list of JSON objects")


def _by_scale():
    return Rule(lambda v: isinstance(v, dict) and all(scale in map(str, SCALES) and isinstance(changes, dict) for scale, changes in v.items()),
                'an object with settings for "2", "4" or "8"')


@dataclass(frozen=True)
class Recipe(Checked):
    """title, limits: for the model card. sources: JSON objects, see data.sources.from_recipe."""

    name: str = setting(text())
    title: str = setting(text())
    limits: str = setting(text())
    licence: str = setting(text())
    sources: tuple = setting(_objects())
    preset: str | None = setting(optional(text()), None)
    settings: dict = setting(json_object(), {})
    scales: dict = setting(_by_scale(), {})

    @classmethod
    def read(cls, path):
        """Raises MRISuperResError (kind "settings") for a file that is no recipe."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, MRISuperResError) as e:
            raise wrong(f"{path} is not a recipe ({e}): compare it with Recipes/starter.json.") from e

    def settings_for(self, scale):
        """The Settings of a scale. Raises MRISuperResError (kind "settings")."""
        changes = Settings.merged(self.settings, self.scales.get(str(scale), {}))
        return preset(self.preset, scale, **changes) if self.preset else Settings.from_dict(changes | {"scale": scale})
