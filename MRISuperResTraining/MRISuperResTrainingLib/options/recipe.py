"""A recipe: all that a model is made of, in one JSON file, so that it can be made again.

{"title": …, "limits": …, "license": …, "made_for": …,       as in a model card
 "preset": "modern",                                         optional: what the settings begin with
 "settings": {"psnr": {"steps": 5000}, …},                   fields of Settings, for all scales
 "scales": {"8": {"data": {"patch": 192}}, …},               optional: what is different for a scale
 "sources": "data.tsv"}                                      the list of volumes, a file beside the recipe (data.list_file); paths start from a data folder
"""

import json
from dataclasses import dataclass
from pathlib import Path

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.models.card import DEVICE_KINDS
from MRISuperResLib.core.options import SCALES

from .checked import Checked, Rule, json_object, one_of, optional, setting, text, wrong
from .presets import preset
from .settings import Settings


def _by_scale():
    return Rule(
        lambda v: (
            isinstance(v, dict)
            and all(
                scale in map(str, SCALES) and isinstance(changes, dict)
                for scale, changes in v.items()
            )
        ),
        'an object with settings for "2", "4" or "8"',
    )


@dataclass(frozen=True)
class Recipe(Checked):
    """title, limits, license, made_for: for the model card. sources: the name of a list of volumes."""

    title: str = setting(text())
    limits: str = setting(text())
    license: str = setting(text())
    sources: str = setting(text())
    made_for: str = setting(one_of(*DEVICE_KINDS), DEVICE_KINDS[0])
    preset: str | None = setting(optional(text()), None)
    settings: dict = setting(json_object(), {})
    scales: dict = setting(_by_scale(), {})

    @classmethod
    def read(cls, path):
        """Raises SuperResolutionError (kind "settings") for a file that is no recipe."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, SuperResolutionError) as e:
            raise wrong(f"{path} is not a recipe ({e}): compare it with Recipes/fast.json.") from e

    def settings_for(self, scale):
        """The Settings of a scale. Raises SuperResolutionError (kind "settings")."""
        changes = Settings.merged(self.settings, self.scales.get(str(scale), {}))
        return (
            preset(self.preset, scale, **changes)
            if self.preset
            else Settings.from_dict(changes | {"scale": scale})
        )

    def card(self):
        """What the recipe says for the model cards."""
        return {
            "title": self.title,
            "limits": self.limits,
            "license": self.license,
            "made_for": self.made_for,
        }
