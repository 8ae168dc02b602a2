"""User models: installation and removal."""

from __future__ import annotations

from pathlib import Path

from ..errors import SuperResolutionError
from ..io.atomic import translate_os_errors
from .card import ModelCard
from .store import (
    CARD,
    WEIGHTS,
    ModelStore,
    user_model_folders,
    user_models_folder,
    write_model,
)


def check_name_is_free(name: str, store: ModelStore | None = None) -> None:
    """Check that no installed model has this name, since records identify models by name.

    The case of letters is ignored, as by many file systems.

    Raises:
        SuperResolutionError: The name is taken (kind "model").
    """
    if name.casefold() in map(str.casefold, (store or ModelStore()).names()):
        raise SuperResolutionError(
            f"There is already a model “{name}”. Choose another name, or remove that model first.",
            "model",
        )


def install_model(
    path: str | Path, folder: str | Path | None = None, store: ModelStore | None = None
) -> ModelCard:
    """Copy a model into the user's folder, after checking that it can be used.

    Args:
        path: The card or the weights, with the other file beside it.
        folder: Default: the user's folder.
        store: The installed models, whose names are taken.

    Returns:
        The card.

    Raises:
        SuperResolutionError: A file is missing or damaged, weights and card do not match, or the
            name is taken (kind "model").
    """
    path = Path(path)
    if path.suffix not in (WEIGHTS, CARD):
        raise SuperResolutionError(
            f"{path} is not a model. Choose a file NAME{WEIGHTS} or NAME{CARD}, or import other "
            "checkpoints.",
            "model",
        )
    model = ModelStore([path.parent]).model(path.stem)
    check_name_is_free(model.name, store)
    weights = model.read_weights()
    from ..networks import load_generator  # needs PyTorch

    load_generator(model.name, model.card.architecture, model.card.scale, weights)
    values = model.card.to_dict()
    del values["sha256"]
    return write_model(folder or user_models_folder(), weights, **values)


def user_weights_path(
    name: str, folder: str | Path | None = None, store: ModelStore | None = None
) -> Path:
    """Return the weights file of a model in the user's folder, usable or not.

    Raises:
        SuperResolutionError: The model is not installed, or in another folder (kind "model").
    """
    folder = Path(folder or user_models_folder())
    path = (store or ModelStore()).weights_path(name)
    if path.parent != folder:
        raise SuperResolutionError(
            f"The model {name} is in {path.parent}. Only models in {folder} can be removed here.",
            "model",
        )
    return path


def remove_model(
    name: str, folder: str | Path | None = None, store: ModelStore | None = None
) -> None:
    """Delete a model from the user's folder.

    Raises:
        SuperResolutionError: See `user_weights_path`.
    """
    path = user_weights_path(name, folder, store)
    with translate_os_errors(path):
        path.unlink()  # the weights first, since a card without weights is ignored
        path.with_suffix(CARD).unlink(missing_ok=True)


def user_card_path(name: str, store: ModelStore | None = None) -> Path:
    """Return the card file of a model in one of `user_model_folders`.

    Raises:
        SuperResolutionError: The model is not installed, or was shipped with the extension (kind
            "model").
    """
    path = (store or ModelStore()).weights_path(name).with_suffix(CARD)
    if path.parent.resolve() not in [folder.resolve() for folder in user_model_folders()]:
        raise SuperResolutionError(
            f"The model {name} is part of the extension: its card cannot be changed. "
            "Choose user models.",
            "model",
        )
    return path
