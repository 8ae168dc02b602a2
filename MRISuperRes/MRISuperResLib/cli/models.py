"""models list, show NAME, install FILE, import FILE --name NAME, remove NAME"""

import sys

from ..core.methods.registry import INTERPOLATIONS
from ..core.models.card import AUDIT_LEGEND
from ..core.models.store import ModelStore, user_models_folder
from .columns import columns

BASELINE_TITLE = "interpolation as MATLAB's imresize does it; learns nothing, invents nothing"


def run(arguments):
    """The text that answers a command. Raises SuperResolutionError."""
    action = arguments.command.removeprefix("models ")
    if action == "list":
        return table()
    if action == "show":
        return description(arguments.name)
    from ..core.models import user_models

    if action == "remove":
        user_models.remove(arguments.name)
        return f"Removed: {arguments.name}"
    if action == "install":
        card = user_models.install(arguments.file)
    else:
        from ..core.models.convert import import_checkpoint

        card = import_checkpoint(
            arguments.file, arguments.name, arguments.title, arguments.stage, arguments.license
        )
    return f"{card.name}\n{card.summary()}\nInstalled in {user_models_folder()}"


def table(store=None):
    """All models and baselines, one line each."""
    store = store or ModelStore()
    rows = [("NAME", "SCALE", "STAGE", "ANATOMY", "MADE FOR", "SIZE", "TITLE")]
    for card in store.cards():
        size = store.weights_file(card.name).stat().st_size / 2**20
        rows.append(
            (
                card.name,
                f"×{card.scale}",
                card.stage,
                ", ".join(card.anatomy) or "–",
                card.made_for.upper(),
                f"{size:.1f} MiB",
                card.title,
            )
        )
    rows += [
        (name, "×2 ×4 ×8", "baseline", "any", "CPU", "–", BASELINE_TITLE) for name in INTERPOLATIONS
    ]
    return "\n".join(columns(rows, width=sys.maxsize))


def description(name, store=None):
    """The card of a model, as text. Raises SuperResolutionError (kind "model") for an unknown name."""
    if name in INTERPOLATIONS:
        return f"{name}: {BASELINE_TITLE}"
    store = store or ModelStore()
    card = store.card(name)
    values = card.to_dict() | {"file": str(store.weights_file(card.name))}
    del values["metrics"], values["audit"]
    text = [
        card.summary(),
        "",
        *_lines({key: value for key, value in values.items() if value not in ("", [], {})}),
    ]
    for heading, header, rows in card.figures():
        text += [
            "",
            f"{heading}, on volumes of subjects that it has not learnt from:",
            *columns([header, *rows], width=sys.maxsize),
        ]
    for heading, header, rows in card.audited():
        text += ["", f"{heading}:", *columns([header, *rows], width=sys.maxsize)]
    return "\n".join(text + (["", AUDIT_LEGEND] if card.audit else []))


def _lines(value, indent=""):
    """Nested JSON values: what holds no further objects is one line, so that a list of them is a table of sorts."""
    entries = value.items() if isinstance(value, dict) else (("-", entry) for entry in value)
    for key, entry in entries:
        label = f"{indent}{key}" + ("" if key == "-" else ":")
        parts = (
            entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
        )
        if any(isinstance(part, (dict, list)) for part in parts) and key != "-":
            yield label
            yield from _lines(entry, indent + "  ")
        else:
            yield f"{label} {_text(entry)}"


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.5g}" if isinstance(value, float) else "none" if value is None else str(value)
