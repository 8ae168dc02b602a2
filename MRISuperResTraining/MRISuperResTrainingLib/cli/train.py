"""train DATA --run RUN, resume RUN"""

import json
import os
from pathlib import Path

from MRISuperResLib.core.errors import Cancelled, SuperResolutionError

from ..data.sources import read_sources
from ..options.presets import preset
from ..options.recipe import Recipe
from ..options.settings import Settings
from .report import Report


def run(arguments, console, cancelled):
    """Returns the line that tells where the models are. Raises SuperResolutionError, Cancelled."""
    report = Report(console)
    _warn_of_one_process(console)
    try:
        if arguments.command == "resume":
            from ..training.trainer import resume

            folder = resume(arguments.run, report, cancelled)
        else:
            folder = _train(arguments, console, report, cancelled)
    except (KeyboardInterrupt, Cancelled) as e:
        raise Cancelled(
            f"stopped. “resume {arguments.run}” goes on from the last checkpoint."
        ) from e
    return (
        f"Done: the models are in {folder.models}; “export {folder.path} --name NAME --to FOLDER” makes a pair of them."
        if folder.is_writer
        else ""
    )


def _train(arguments, console, report, cancelled):
    recipe, settings = settings_of(arguments)
    sources, skipped = read_sources(arguments.data, arguments.anatomy, arguments.base)
    for path, reason in skipped:
        console.message(f"{path}: {reason}")
    from ..training.trainer import train  # loads torch

    return train(
        settings,
        sources,
        arguments.run,
        recipe and recipe.card(),
        arguments.cache,
        report,
        cancelled,
    )


def settings_of(arguments):
    """(Recipe or None, Settings) of what was typed. Raises SuperResolutionError (kind "settings")."""
    recipe = next(
        (Recipe.read(path) for path in arguments.data if path.lower().endswith(".json")), None
    )
    file = _read(arguments.settings) if arguments.settings else {}
    scale = arguments.scale or file.get("scale")
    if scale is None:
        raise SuperResolutionError("The scale is not given: add --scale 2, 4 or 8.", "settings")
    if arguments.preset:
        values = preset(arguments.preset, scale).to_dict()
    elif recipe:
        values = recipe.settings_for(scale).to_dict()
    elif file:
        values = {}
    else:
        raise SuperResolutionError(
            "The settings are not given: add --preset, --settings, or train with a recipe.",
            "settings",
        )
    values = Settings.merged(values, file | {"scale": scale})
    for name, value in [
        *arguments.changes,
        *([("start_from", arguments.start_from)] if arguments.start_from else []),
    ]:
        for key in reversed(name.split(".")):
            value = {key: value}
        values = Settings.merged(values, value)
    if values.get("start_from"):
        values["start_from"] = os.path.abspath(values["start_from"])
    return recipe, Settings.from_dict(values)


def _read(path):
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
        return values
    except (OSError, ValueError) as e:
        raise SuperResolutionError(
            f"{path} holds no settings ({e}): give a JSON object of settings, such as “settings” in the run.json of a run.",
            "settings",
        ) from e


def _warn_of_one_process(console):
    """accelerate launch --cpu without MPI starts one process, and tells it where it would find others, not who it is."""
    environment = os.environ
    if (
        environment.get("ACCELERATE_USE_CPU") == "True"
        and "MASTER_PORT" in environment
        and not {"RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"} & set(environment)
    ):
        console.message(
            "accelerate has started one process only, as it does on CPUs without MPI; the result is the same. "
            "For more: torchrun --nproc-per-node N -m -- MRISuperResTrainingLib …"
        )
