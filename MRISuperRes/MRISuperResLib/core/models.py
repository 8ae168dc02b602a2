"""Installed models: pairs NAME.safetensors (weights) and NAME.json (the card) in one or more folders."""

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from .errors import MRISuperResError
from .job import DEFAULT_SCALE, SCALES

SHIPPED = Path(__file__).resolve().parents[2] / "Resources" / "Models"
FOLDERS_VARIABLE = "MRISUPERRES_MODELS"
"""Environment variable: further model folders, separated as in PATH."""


def user_folder():
    """Where the models of this user are, for instance those that he has trained; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "MRISuperRes" / "models"


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
STAGES = ("psnr", "gan")


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model. Its weights are the file beside the card; a card holds no paths.

    architecture: of the network, without the scale: see generators.make_generator. stage: "psnr" or "gan". anatomy: what it was trained
    on. spacing_range: the smallest and largest pixel of the low-resolution slices that it was trained on, mm. metrics: a list of
    {"data", "anatomy", "psnr" dB, "ssim", "rmse" 0–255, "bicubic_psnr" dB} on volumes of subjects that were not trained on.
    training: data, licences, settings. sha256: of the weights file. pair: a name that a PSNR model shares with the GAN model
    that was made from it, of the same scale and architecture; empty where there is none.
    """

    name: str
    title: str
    scale: int
    stage: str
    sha256: str
    architecture: dict
    anatomy: list = field(default_factory=list)
    spacing_range: list = field(default_factory=list)
    metrics: list = field(default_factory=list)
    training: dict = field(default_factory=dict)
    licence: str = ""
    limits: str = ""
    pair: str = ""

    def __post_init__(self):
        wrong = [
            (not NAME.fullmatch(str(self.name)), f"the name {self.name!r} is not made of letters, digits and . _ -"),
            (type(self.scale) is not int or self.scale not in SCALES, f"the scale must be 2, 4 or 8, not {self.scale!r}"),
            (self.pair != "" and not NAME.fullmatch(str(self.pair)), f"the pair {self.pair!r} is not made of letters, digits and . _ -"),
            (self.stage not in STAGES, f"the stage must be psnr or gan, not {self.stage!r}"),
            (not re.fullmatch("[0-9a-f]{64}", str(self.sha256)), "sha256 must be 64 hexadecimal digits"),
            (not isinstance(self.architecture, dict), "the architecture must be a JSON object"),
            (not _are_metrics(self.metrics), "metrics must be a list of objects with data, anatomy, psnr and bicubic_psnr"),
            (not _is_range(self.spacing_range), "spacing_range must be empty or [smallest, largest] in mm"),
        ]
        for is_wrong, reason in wrong:
            if is_wrong:
                raise ValueError(reason)

    @classmethod
    def read(cls, path):
        """Raises MRISuperResError (kind "model") for a file that is no model card."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("not a JSON object")
            known = {f.name for f in fields(cls)}
            card = cls(**{key: value for key, value in values.items() if key in known})
            if card.name != Path(path).stem:
                raise ValueError(f"it names the model {card.name!r}")
            return card
        except (OSError, ValueError, TypeError) as e:
            raise MRISuperResError(f"The model card {path} can't be used ({e}): install the model again.", "model") from e

    def to_dict(self):
        return asdict(self)

    def summary(self):
        """A few lines for a panel."""
        lines = [self.title]
        kind = "PSNR-oriented: faithful, smooth" if self.stage == "psnr" else "GAN: sharp, may invent detail"
        lines.append(f"×{self.scale}, {kind}" + (f"; trained on {', '.join(self.anatomy)} MRI" if self.anatomy else ""))
        if self.spacing_range:
            lines.append("Trained on pixels of {:.3g}–{:.3g} mm".format(*self.spacing_range))
        for anatomy in sorted({m["anatomy"] for m in self.metrics}):
            gains = [m["psnr"] - m["bicubic_psnr"] for m in self.metrics if m["anatomy"] == anatomy]
            lines.append(f"Held-out {anatomy} volumes ({len(gains)}): PSNR {min(gains):+.1f} to {max(gains):+.1f} dB against bicubic")
        return "\n".join(lines + ([self.limits] if self.limits else []))


def _is_range(value):
    return isinstance(value, list) and (not value or (len(value) == 2 and all(isinstance(v, (int, float)) for v in value) and 0 < value[0] <= value[1]))


def _are_metrics(value):
    return isinstance(value, list) and all(
        isinstance(m, dict) and isinstance(m.get("data"), str) and isinstance(m.get("anatomy"), str)
        and all(isinstance(m.get(key), (int, float)) for key in ("psnr", "bicubic_psnr")) for m in value)


class ModelStore:
    """The models of some folders; of two with the same name the first counts.

    folders: default, the folder of the extension, those of the environment variable MRISUPERRES_MODELS, and that of the user.
    """

    def __init__(self, folders=None):
        if folders is None:
            further = os.environ.get(FOLDERS_VARIABLE, "")
            folders = [SHIPPED, *filter(None, further.split(os.pathsep)), user_folder()]
        self.folders = [Path(folder) for folder in folders]

    def _card_files(self):
        files = {}
        for folder in self.folders:
            for weights in sorted(folder.glob("*.safetensors")):
                files.setdefault(weights.stem, weights.with_suffix(".json"))
        return files

    def cards(self, scale=None):
        """The cards of all models, or of those of one scale, PSNR before GAN, then by name.

        A model whose card can't be used is left out; asking for it by name says why.
        """
        cards = []
        for path in self._card_files().values():
            try:
                cards.append(ModelCard.read(path))
            except MRISuperResError:
                continue
        return sorted((c for c in cards if scale in (None, c.scale)), key=lambda c: (c.scale, STAGES.index(c.stage), c.name))

    def card(self, name):
        """Raises MRISuperResError (kind "model") where there is no such model, or its card can't be used."""
        files = self._card_files()
        if name not in files:
            raise MRISuperResError(f"There is no model “{name}”. Installed: {', '.join(sorted(files)) or 'none'}.", "model")
        return ModelCard.read(files[name])

    def pairs(self, scale):
        """{pair: (PSNR card, GAN card)} of a scale: the models that can be blended."""
        cards = [card for card in self.cards(scale) if card.pair]
        pairs = {}
        for psnr in (card for card in cards if card.stage == "psnr"):
            for gan in (card for card in cards if card.stage == "gan"):
                if gan.pair == psnr.pair and gan.architecture == psnr.architecture:
                    pairs.setdefault(psnr.pair, (psnr, gan))
        return pairs

    def pair(self, name, scale=None):
        """(PSNR card, GAN card). Raises MRISuperResError (kind "model") where the two are not both installed."""
        pairs = {pair: cards for known in SCALES if scale in (None, known) for pair, cards in self.pairs(known).items()}
        if name not in pairs:
            raise MRISuperResError(f"There is no pair of models “{name}”" + (f" for ×{scale}" if scale else "") + f". Installed: {', '.join(sorted(pairs)) or 'none'}.", "model")
        return pairs[name]

    def default_name(self, scale=DEFAULT_SCALE):
        """The model that is taken where none is named: the first of the scale, in the first folder that has one, so that a model of the user
        does not replace one that came with the extension. Raises MRISuperResError (kind "model")."""
        cards = self.cards(scale)
        if not cards:
            others = ", ".join(f"{c.name} (×{c.scale})" for c in self.cards()) or "none"
            raise MRISuperResError(f"No model for ×{scale} is installed. Take another scale, a baseline such as bicubic, "
                                   f"or one of the installed models: {others}.", "model")
        files = self._card_files()
        return min(cards, key=lambda card: self.folders.index(files[card.name].parent)).name

    def weights_file(self, card):
        return self._card_files()[card.name].with_suffix(".safetensors")

    def weights(self, card):
        """The bytes of the weights file, after its SHA-256 was compared with the card's.

        Raises MRISuperResError (kind "model") where the file can't be read or is another one.
        """
        path = self.weights_file(card)
        try:
            data = path.read_bytes()
        except OSError as e:
            raise MRISuperResError(f"The weights of the model {card.name} can't be read ({e.strerror}): install it again.", "model") from e
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise MRISuperResError(f"The weights of the model {card.name} are not those that its card describes "
                                   "(the SHA-256 differs): install it again.", "model")
        return data
