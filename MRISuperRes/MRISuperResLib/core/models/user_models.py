"""Pairs of files, weights and card: written, taken into the folder of a user's own models, and removed from it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from ..errors import SuperResolutionError
from ..io.atomic import write_bytes, write_json
from ..io.writing import translate_os_errors
from .card import ModelCard
from .store import CARD, WEIGHTS, ModelStore, user_model_folders, user_models_folder


def write_model(folder, weights, **values):
    """Writes NAME.safetensors, of the bytes `weights`, and NAME.json; values: fields of the card but for sha256. Returns the ModelCard."""
    card = ModelCard(**values, sha256=hashlib.sha256(weights).hexdigest())
    # the weights last: a pair counts from the moment that its weights are there
    write_json(Path(folder, card.name + CARD), card.to_dict())
    write_bytes(Path(folder, card.name + WEIGHTS), weights)
    return card


def check_name_is_free(name, store=None):
    """Raises SuperResolutionError (kind "model") where a model of that name is there already: outputs name the model that made them.

    Capital letters make no difference: on many disks the files of the two would be the same.
    """
    if name.casefold() in map(str.casefold, (store or ModelStore()).names()):
        raise SuperResolutionError(
            f"There is a model “{name}” already: give another name, or remove it first.", "model"
        )


def add(weights, folder=None, **values):
    """As write_model, into the folder of the user's models, which is made where it is not there. Raises SuperResolutionError."""
    folder = Path(folder or user_models_folder())
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return write_model(folder, weights, **values)


def install(path, folder=None, store=None):
    """Takes a pair into the folder of the user's models; returns its ModelCard.

    path: the card or the weights, the other file lies beside it. Nothing is taken that could not be used: raises SuperResolutionError (kind "model")
    where a file is missing or damaged, the weights are not those of the card, or a model of that name is there already.
    """
    path = Path(path)
    if path.suffix not in (WEIGHTS, CARD):
        raise SuperResolutionError(
            f"{path} is no model: name its file NAME{WEIGHTS} or NAME{CARD}; other checkpoints can be imported.",
            "model",
        )
    source = ModelStore([path.parent])
    card = source.card(path.stem)
    check_name_is_free(card.name, store)
    weights = source.weights(card)
    _check_that_it_runs(card, weights)
    return add(
        weights, folder, **{key: value for key, value in card.to_dict().items() if key != "sha256"}
    )


def user_weights_path(name, folder=None, store=None):
    """The weights file of a model of the user's, usable or not. Raises SuperResolutionError (kind "model") for one that is not there, or not his."""
    store, folder = store or ModelStore(), Path(folder or user_models_folder())
    file = store.weights_file(name)
    if file.parent != folder:
        raise SuperResolutionError(
            f"The model {name} lies in {file.parent}, not among your own ({folder}): only those can be removed here.",
            "model",
        )
    return file


def remove(name, folder=None, store=None):
    """Deletes a model of the user's. Raises SuperResolutionError, see `user_weights_path`."""
    file = user_weights_path(name, folder, store)
    with translate_os_errors(file):
        file.unlink()  # the weights first: without them the card counts for nothing
        file.with_suffix(CARD).unlink(missing_ok=True)


def user_card_path(name: str, store: ModelStore | None = None) -> Path:
    """The file of the card of a model from one of models.user_model_folders. Raises SuperResolutionError (kind "model") for any other."""
    path = (store or ModelStore()).weights_file(name).with_suffix(CARD)
    if path.parent.resolve() not in [folder.resolve() for folder in user_model_folders()]:
        raise SuperResolutionError(
            f"The model {name} came with the extension, and its card stays as it is: name models of your own.",
            "model",
        )
    return path


def update_audit(path: Path, entry: dict):
    """Puts an entry of ModelCard.audit into a card, in the place of that of the same anatomy; what else the card says stays. Raises SuperResolutionError."""
    card = ModelCard.read(path)
    entries = sorted(
        [entry, *(other for other in card.audit if other["anatomy"] != entry["anatomy"])],
        key=lambda audit: audit["anatomy"],
    )
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    write_json(path, values | {"audit": replace(card, audit=entries).audit})


def _check_that_it_runs(card, weights):
    from ..methods.network import NetworkMethod, resolve_device

    NetworkMethod([card], [weights], resolve_device("cpu"))
