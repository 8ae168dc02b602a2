"""Installed models: NAME.safetensors (weights) and NAME.json (card) in one or more folders.

`ModelStore` finds them; `user_models` installs and removes those of the user.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SuperResolutionError
from ..io.atomic import atomic_file, translate_os_errors, write_json
from ..options import DEFAULT_SCALE, SCALES
from .card import STAGES, ModelCard

SHIPPED = Path(__file__).resolve().parents[2] / "shipped_models"
WEIGHTS, CARD = ".safetensors", ".json"
FOLDERS_VARIABLE = "MRISUPERRES_MODELS"
"""Environment variable with more model folders, separated as in PATH."""


def user_models_folder() -> Path:
    """Return the folder of this user's models; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "MRISuperRes" / "models"


def user_model_folders() -> list[Path]:
    """Return the folders of the environment variable, then that of the user."""
    return [
        *map(Path, filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep))),
        user_models_folder(),
    ]


@dataclass(frozen=True)
class Model:
    """An installed model: its card and the path of its weights."""

    card: ModelCard
    path: Path

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.card.name

    def read_weights(self) -> bytes:
        """Read the weights file and verify its SHA-256.

        Raises:
            SuperResolutionError: The file cannot be read, or its SHA-256 differs from that of
                the card (kind "model").
        """
        try:
            data = self.path.read_bytes()
        except OSError as e:
            raise SuperResolutionError(
                f"The weights of the model {self.name} cannot be read ({e.strerror}). "
                "Install the model again.",
                "model",
            ) from e
        if hashlib.sha256(data).hexdigest() != self.card.sha256:
            raise SuperResolutionError(
                f"The weights of the model {self.name} do not match its card: the SHA-256 differs. "
                "Install the model again.",
                "model",
            )
        return data


class ModelStore:
    """Installed models; of several with the same name, the first one counts.

    Args:
        folders: Model folders. None: the shipped models, the folders that MRISUPERRES_MODELS
            lists, and the user's folder.
    """

    def __init__(self, folders: Iterable[str | Path] | None = None) -> None:
        self.folders: list[Path] = (
            [SHIPPED, *user_model_folders()] if folders is None else [Path(f) for f in folders]
        )

    def _weights_paths(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for folder in self.folders:
            for path in sorted(folder.glob("*" + WEIGHTS)):
                paths.setdefault(path.stem, path)
        return paths

    def names(self) -> set[str]:
        """Return the names of all models, usable or not."""
        return set(self._weights_paths())

    def models(self, scale: int | None = None) -> list[Model]:
        """Return all models, or the in-plane models of one scale: PSNR before GAN, by name.

        Models with an unusable card are left out; `model` raises the reason.
        """
        models = []
        for path in self._weights_paths().values():
            try:
                models.append(Model(ModelCard.read(path.with_suffix(CARD)), path))
            except SuperResolutionError:
                continue
        return sorted(
            (
                m
                for m in models
                if scale is None or (scale == m.card.scale and not m.card.is_through_plane)
            ),
            key=lambda m: (
                m.card.is_through_plane,
                m.card.scale,
                STAGES.index(m.card.stage),
                m.name,
            ),
        )

    def cards(self, scale: int | None = None) -> list[ModelCard]:
        """Return the cards of `models`."""
        return [model.card for model in self.models(scale)]

    def model(self, name: str) -> Model:
        """Return a model by its name.

        Raises:
            SuperResolutionError: The model is not installed or its card is unusable (kind
                "model").
        """
        path = self.weights_path(name)
        return Model(ModelCard.read(path.with_suffix(CARD)), path)

    def weights_path(self, name: str) -> Path:
        """Return the weights file of a model, usable or not.

        Raises:
            SuperResolutionError: The model is not installed (kind "model").
        """
        paths = self._weights_paths()
        if name not in paths:
            raise SuperResolutionError(
                f"There is no model “{name}”. Installed: {', '.join(sorted(paths)) or 'none'}.",
                "model",
            )
        return paths[name]

    def _pairs(self, scale: int | None) -> dict[str, tuple[Model, Model]]:
        pairs: dict[str, tuple[Model, Model]] = {}
        models = [model for model in self.models(scale) if model.card.pair]
        for psnr in (model for model in models if model.card.stage == "psnr"):
            for gan in (model for model in models if model.card.stage == "gan"):
                if all(
                    getattr(gan.card, key) == getattr(psnr.card, key)
                    for key in ("pair", "scale", "architecture")
                ):
                    pairs.setdefault(psnr.card.pair, (psnr, gan))
        return pairs

    def pairs(self, scale: int) -> dict[str, tuple[ModelCard, ModelCard]]:
        """Return {pair: (PSNR card, GAN card)}: the models of a scale that can be blended."""
        return {pair: (psnr.card, gan.card) for pair, (psnr, gan) in self._pairs(scale).items()}

    def pair(self, name: str, scale: int | None = None) -> tuple[Model, Model]:
        """Return the PSNR and the GAN model of a pair.

        Raises:
            SuperResolutionError: They are not both installed (kind "model").
        """
        pairs: dict[str, tuple[Model, Model]] = {}
        for known in SCALES if scale is None else (scale,):
            pairs |= self._pairs(known)
        if name not in pairs:
            where = f" for ×{scale}" if scale else ""
            raise SuperResolutionError(
                f"There is no pair of models “{name}”{where}. "
                f"Installed: {', '.join(sorted(pairs)) or 'none'}.",
                "model",
            )
        return pairs[name]

    def default_model(self, scale: int = DEFAULT_SCALE, device_kind: str = "cpu") -> Model:
        """Return the model that is used if none is named.

        The first folder with models of the scale decides, so that a user's model never replaces
        a shipped one. Models made for the device come first, PSNR before GAN.

        Args:
            scale: 2, 4 or 8.
            device_kind: "cpu" or "gpu".

        Raises:
            SuperResolutionError: No model of the scale is installed (kind "model").
        """
        models = self.models(scale)
        if not models:
            others = ", ".join(f"{c.name} ({c.factor})" for c in self.cards()) or "none"
            raise SuperResolutionError(
                f"No model for ×{scale} is installed. Choose another scale, an interpolation such "
                f"as bicubic, or another model. Installed: {others}.",
                "model",
            )
        return min(
            models,
            key=lambda model: (
                self.folders.index(model.path.parent),
                model.card.made_for != device_kind,
            ),
        )

    def through_plane_model(self, name: str | None = None) -> Model:
        """Return a model that upsamples between slices.

        Args:
            name: Its name; None: the first one, shipped models before those of the user.

        Raises:
            SuperResolutionError: It is not installed or upsamples in-plane (kind "model").
        """
        models = [model for model in self.models() if model.card.is_through_plane]
        models.sort(key=lambda model: self.folders.index(model.path.parent))
        chosen = [model for model in models if name in (None, model.name)]
        if not chosen:
            installed = ", ".join(model.name for model in models) or "none"
            subject = (
                "no through-plane model" if name is None else f"no through-plane model “{name}”"
            )
            raise SuperResolutionError(
                f"There is {subject}. Installed: {installed}. Or choose an interpolation: linear, "
                "bspline or fourier.",
                "model",
            )
        return chosen[0]


def write_model(folder: str | Path, weights: bytes, **values: Any) -> ModelCard:
    """Write NAME.safetensors and NAME.json.

    Args:
        folder: Created if needed.
        weights: The content of the weights file.
        **values: The fields of the card except sha256.

    Returns:
        The card.

    Raises:
        SuperResolutionError: The folder or the files cannot be written (kind "environment").
    """
    card = ModelCard(**values, sha256=hashlib.sha256(weights).hexdigest())
    with translate_os_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(folder, card.name + WEIGHTS), len(weights)) as temporary:
        temporary.write_bytes(weights)
        # the weights are replaced last, since a card without weights is ignored
        write_json(Path(folder, card.name + CARD), card.to_dict())
    return card
