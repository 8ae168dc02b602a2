"""A recipe: all that a model is made of, in one JSON file, so that it can be made again."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.job import SCALES


@dataclass(frozen=True)
class Source:
    """A volume: its path below the data folder, whose it is, and whether the model may learn from it."""

    path: str
    subject: str
    anatomy: str
    licence: str
    source: str
    use: str  # "train" or "test": decided per subject, never per slice

    def __post_init__(self):
        if self.use not in ("train", "test"):
            raise MRISuperResError(f"{self.path}: “use” must be “train” or “test”, not “{self.use}”.", "settings")


@dataclass(frozen=True)
class Training:
    """The numbers of the PSNR stage. patch: per scale, the side of a high-resolution training patch in pixels."""

    steps: int = 10000
    batch: int = 16
    patch: dict = field(default_factory=lambda: {scale: 128 for scale in SCALES})
    learning_rate: float = 2e-4
    betas: tuple = (0.9, 0.999)
    ema: float = 0.999
    precision: str = "float32"  # or "bfloat16": mixed precision
    seed: int = 1


@dataclass(frozen=True)
class Recipe:
    """title, limits: for the model card. architecture: parameters of RRDBNet, without the scale.

    Raises MRISuperResError (kind "settings") where a subject is on both sides.
    """

    name: str
    title: str
    limits: str
    licence: str
    architecture: dict
    training: Training
    sources: tuple

    def __post_init__(self):
        leaking = self.subjects("train") & self.subjects("test")
        if leaking:
            raise MRISuperResError(f"{', '.join(sorted(leaking))} would be trained on and tested on: "
                                   "put all volumes of a subject on one side.", "settings")

    @classmethod
    def from_dict(cls, values):
        """The inverse of dataclasses.asdict, also after a way through JSON."""
        training = dict(values["training"])
        training["betas"] = tuple(training.get("betas", Training.betas))
        if "patch" in training:
            training["patch"] = {int(scale): side for scale, side in training["patch"].items()}
        return cls(**values | {"training": Training(**training), "sources": tuple(Source(**source) for source in values["sources"])})

    @classmethod
    def read(cls, path):
        """Raises MRISuperResError (kind "settings") for a file that is no recipe."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except KeyError as e:
            raise MRISuperResError(f"{path} is not a recipe ({e} is missing): compare it with Recipes/starter.json.", "settings") from e
        except (OSError, ValueError, TypeError) as e:
            raise MRISuperResError(f"{path} is not a recipe ({e}): compare it with Recipes/starter.json.", "settings") from e

    def of(self, use):
        return [source for source in self.sources if source.use == use]

    def subjects(self, use):
        return {source.subject for source in self.of(use)}
