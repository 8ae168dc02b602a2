"""Installed models: pairs NAME.safetensors (weights) and NAME.json (the card) in one or more folders."""

import hashlib
import os
import sys
from pathlib import Path

from ..errors import SuperResolutionError
from ..options import DEFAULT_SCALE, SCALES
from .card import STAGES, ModelCard

SHIPPED = Path(__file__).resolve().parents[3] / "Resources" / "Models"
WEIGHTS, CARD = ".safetensors", ".json"
FOLDERS_VARIABLE = "MRISUPERRES_MODELS"
"""Environment variable: further model folders, separated as in PATH."""


def user_models_folder():
    """Where the models of this user are, for instance those that he has trained; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "MRISuperRes" / "models"


def user_model_folders() -> list[Path]:
    """Those that the environment variable names, and that of the user."""
    return [
        *map(Path, filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep))),
        user_models_folder(),
    ]


class ModelStore:
    """The models of some folders; of two with the same name the first counts.

    folders: default, the folder of the extension, those of the environment variable MRISUPERRES_MODELS, and that of the user.
    """

    def __init__(self, folders=None):
        self.folders = (
            [SHIPPED, *user_model_folders()]
            if folders is None
            else [Path(folder) for folder in folders]
        )

    def _card_files(self):
        files = {}
        for folder in self.folders:
            for weights in sorted(folder.glob("*" + WEIGHTS)):
                files.setdefault(weights.stem, weights.with_suffix(CARD))
        return files

    def names(self):
        """Of all models, usable or not."""
        return set(self._card_files())

    def cards(self, scale=None):
        """The cards of all models, or of those of one scale, PSNR before GAN, then by name.

        A model whose card can't be used is left out; asking for it by name says why.
        """
        cards = []
        for path in self._card_files().values():
            try:
                cards.append(ModelCard.read(path))
            except SuperResolutionError:
                continue
        return sorted(
            (c for c in cards if scale in (None, c.scale)),
            key=lambda c: (c.scale, STAGES.index(c.stage), c.name),
        )

    def card(self, name):
        """Raises SuperResolutionError (kind "model") where there is no such model, or its card can't be used."""
        return ModelCard.read(self._card_file(name))

    def _card_file(self, name):
        files = self._card_files()
        if name not in files:
            raise SuperResolutionError(
                f"There is no model “{name}”. Installed: {', '.join(sorted(files)) or 'none'}.",
                "model",
            )
        return files[name]

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
        """(PSNR card, GAN card). Raises SuperResolutionError (kind "model") where the two are not both installed."""
        pairs = {
            pair: cards
            for known in SCALES
            if scale in (None, known)
            for pair, cards in self.pairs(known).items()
        }
        if name not in pairs:
            raise SuperResolutionError(
                f"There is no pair of models “{name}”"
                + (f" for ×{scale}" if scale else "")
                + f". Installed: {', '.join(sorted(pairs)) or 'none'}.",
                "model",
            )
        return pairs[name]

    def default_name(self, scale=DEFAULT_SCALE, machine="cpu"):
        """The model that is taken where none is named: the one that is made for the machine ("cpu" or "gpu"), PSNR before GAN.

        It is looked for in the first folder that has models of the scale, so that a model of the user does not replace one that
        came with the extension. Raises SuperResolutionError (kind "model").
        """
        cards = self.cards(scale)
        if not cards:
            others = ", ".join(f"{c.name} (×{c.scale})" for c in self.cards()) or "none"
            raise SuperResolutionError(
                f"No model for ×{scale} is installed. Take another scale, a baseline such as bicubic, "
                f"or one of the installed models: {others}.",
                "model",
            )
        files = self._card_files()
        return min(
            cards,
            key=lambda card: (
                self.folders.index(files[card.name].parent),
                card.made_for != machine,
            ),
        ).name

    def weights_file(self, name):
        """Raises SuperResolutionError (kind "model") where there is no such model."""
        return self._card_file(name).with_suffix(WEIGHTS)

    def weights(self, card):
        """The bytes of the weights file, after its SHA-256 was compared with the card's.

        Raises SuperResolutionError (kind "model") where the file can't be read or is another one.
        """
        path = self.weights_file(card.name)
        try:
            data = path.read_bytes()
        except OSError as e:
            raise SuperResolutionError(
                f"The weights of the model {card.name} can't be read ({e.strerror}): install it again.",
                "model",
            ) from e
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise SuperResolutionError(
                f"The weights of the model {card.name} are not those that its card describes "
                "(the SHA-256 differs): install it again.",
                "model",
            )
        return data
