"""From a finished run to a model that MRISuperRes can use: NAME.safetensors and NAME.json."""

import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch

from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.models import ModelCard
from MRISuperResLib.core.network import NetworkMethod

from . import evaluation
from .psnr_stage import checkpoint
from .recipe import Recipe
from .run_folder import read_description, write_whole


def export(run, name, folder, data):
    """Writes the averaged weights of a run (half precision) and their card; returns the ModelCard.

    run: a folder that “train” made. folder: where the pair goes. data: the data folder, for the figures on held-out
    subjects. Raises MRISuperResError where the run is not finished.
    """
    description = read_description(run)
    recipe, scale = Recipe.from_dict(description["recipe"]), description["scale"]
    state = _finished_state(run, recipe)
    weights = safetensors.torch.save({key: value.half().contiguous() for key, value in state["average"].items()})
    sources = {source.path: source for source in recipe.sources}
    used = [file | {key: getattr(sources[file["path"]], key) for key in ("subject", "anatomy", "licence", "source")} for file in description["data"]]
    values = dict(
        name=name, title=recipe.title, scale=scale, stage="psnr", sha256=hashlib.sha256(weights).hexdigest(),
        architecture=recipe.architecture, anatomy=sorted({file["anatomy"] for file in used}),
        # the slices that a model is given have the pixels of the degraded ones
        spacing_range=[round(scale * pixel, 3) for pixel in (min(file["pixel"][0] for file in used), max(file["pixel"][1] for file in used))],
        training={
            "degradation": "MATLAB bicubic", "loss": "L1", "steps": state["step"], "seconds": round(state["seconds"]),
            "started_from": description["start_from"], "settings": description["recipe"]["training"], "versions": description["versions"], "data": used,
        },
        licence=recipe.licence, limits=recipe.limits)
    method = NetworkMethod([ModelCard(**values)], [weights], torch.device("cpu"))
    card = ModelCard(**values, metrics=evaluation.evaluate(method, recipe.of("test"), data))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # the weights last: a pair counts from the moment that its weights are there
    write_whole(folder / f"{name}.json", (json.dumps(card.to_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    write_whole(folder / f"{name}.safetensors", weights)
    return card


def _finished_state(run, recipe):
    state = checkpoint(run) or {"step": 0}
    if state["step"] < recipe.training.steps:
        raise MRISuperResError(f"The run {run} has done {state['step']} of {recipe.training.steps} steps: "
                               "let it finish (run “train” again with the same folder).", "settings")
    return state
