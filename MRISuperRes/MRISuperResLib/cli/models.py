"""The commands `models list`, `show`, `install`, `import` and `remove`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from ..core.models.card import STAGES
from ..core.models.card_figures import AUDIT_LEGEND
from ..core.models.store import ModelStore, user_models_folder
from ..core.models.user_models import install_model, remove_model
from ..core.options import SCALES
from ..core.resampling import INTERPOLATIONS
from ..core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from ..core.system import check_address_space
from . import help_texts
from .console import format_columns

INTERPOLATION_TITLE = "Interpolation as in MATLAB's imresize, without learning"
THROUGH_PLANE_TITLE = "Interpolation between slices, without learning"


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed = actions.add_parser("list", help="list all models")
    listed.add_argument("--json", action="store_true", help="print the model cards as JSON")
    listed.set_defaults(command="models list")
    show = actions.add_parser("show", help="show a model card")
    show.add_argument("name", metavar="NAME", help="a model, see models list")
    show.set_defaults(command="models show")
    install = actions.add_parser(
        "install",
        help="install a user model",
        description="Install a model: NAME.safetensors with NAME.json beside it.",
    )
    install.add_argument("file", metavar="FILE", help="either of the two files")
    install.set_defaults(command="models install")
    imported = actions.add_parser(
        "import",
        help="convert a checkpoint of another tool",
        description=help_texts.IMPORT_DESCRIPTION,
    )
    imported.add_argument("file", metavar="FILE", help="the checkpoint")
    imported.add_argument("--name", required=True, help="name of the new model")
    imported.add_argument("--title", default="", help="title for lists; default: the file name")
    imported.add_argument(
        "--stage",
        choices=STAGES,
        default="gan",
        help="psnr for a faithful model, gan for one that may hallucinate (default: %(default)s)",
    )
    imported.add_argument("--license", default="", help="license of the checkpoint, for the card")
    imported.set_defaults(command="models import")
    remove = actions.add_parser("remove", help="remove a user model")
    remove.add_argument("name", metavar="NAME", help="a user model, see models list")
    remove.set_defaults(command="models remove")


def run(arguments: argparse.Namespace) -> str:
    """Run a command and return its text for standard output.

    Raises:
        SuperResolutionError: The model does not exist or cannot be used.
    """
    action = arguments.command.removeprefix("models ")
    if action == "list":
        return cards_as_json() if arguments.json else table()
    if action == "show":
        return description(arguments.name)
    if action == "remove":
        remove_model(arguments.name)
        return f"Removed: {arguments.name}"
    check_address_space()
    if action == "install":
        card = install_model(arguments.file)
    else:
        from ..core.models.convert import import_checkpoint

        card = import_checkpoint(
            arguments.file, arguments.name, arguments.title, arguments.stage, arguments.license
        )
    return f"{card.name}\n{card.summary()}\nInstalled in {user_models_folder()}"


def cards_as_json(store: ModelStore | None = None) -> str:
    """Return the cards of all models as a JSON list."""
    cards = [card.to_dict() for card in (store or ModelStore()).cards()]
    return json.dumps(cards, indent=2, ensure_ascii=False)


def table(store: ModelStore | None = None) -> str:
    """Return all models and interpolations, one line each."""
    store = store or ModelStore()
    rows = [("NAME", "SCALE", "STAGE", "PAIR", "ANATOMY", "DEVICE", "SIZE", "TITLE")]
    for model in store.models():
        card, size = model.card, model.path.stat().st_size / 2**20
        anatomy = ", ".join(card.anatomy) or "–"
        title = (card.made_for.upper(), f"{size:.1f} MiB", card.title)
        stage = "between slices" if card.is_through_plane else card.stage
        rows.append((card.name, card.factor, stage, card.pair or "–", anatomy, *title))
    for name in INTERPOLATIONS:
        rows.append((name, "×2 ×4 ×8", "baseline", "–", "any", "CPU", "–", INTERPOLATION_TITLE))
    factor = f"up to ×{max(SCALES)}"
    for name in THROUGH_PLANE_INTERPOLATIONS:
        rows.append((name, factor, "baseline", "–", "any", "CPU", "–", THROUGH_PLANE_TITLE))
    return "\n".join(format_columns(rows, width=sys.maxsize))


def description(name: str, store: ModelStore | None = None) -> str:
    """Return the card of a model as text.

    Raises:
        SuperResolutionError: The model is unknown (kind "model").
    """
    if name in INTERPOLATIONS:
        return f"{name}: {INTERPOLATION_TITLE}"
    if name in THROUGH_PLANE_INTERPOLATIONS:
        return f"{name}: {THROUGH_PLANE_TITLE}"
    model = (store or ModelStore()).model(name)
    card = model.card
    values = card.to_dict() | {"file": str(model.path)}
    del values["metrics"], values["audit"]
    lines = [card.summary(), ""]
    lines += _lines(values)
    for heading, header, rows in card.metric_tables():
        lines += ["", f"{heading}, on volumes of held-out subjects:"]
        lines += format_columns([header, *rows], width=sys.maxsize)
    for heading, header, rows in card.audit_tables():
        lines += ["", f"{heading}:", *format_columns([header, *rows], width=sys.maxsize)]
    return "\n".join(lines + (["", AUDIT_LEGEND] if card.audit else []))


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """Yield nested JSON values but empty ones; a value without nested objects takes one line."""
    entries = value.items() if isinstance(value, dict) else (("-", entry) for entry in value)
    for key, entry in entries:
        if entry in ("", [], {}):
            continue
        label = f"{indent}{key}" + ("" if key == "-" else ":")
        parts = (
            entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
        )
        if any(isinstance(part, (dict, list)) for part in parts) and key != "-":
            yield label
            yield from _lines(entry, indent + "  ")
        else:
            yield f"{label} {_text(entry)}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} ({_text(entry)})" if isinstance(entry, list) else f"{key} {_text(entry)}"
            for key, entry in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.5g}" if isinstance(value, float) else "none" if value is None else str(value)
