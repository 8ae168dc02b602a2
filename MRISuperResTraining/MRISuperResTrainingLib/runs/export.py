"""Export of a finished run: models with their cards.

A pair has the names NAME-psnr and NAME-gan, a network between slices NAME.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.inference.device import resolve_device
from MRISuperResLib.core.io.atomic import translate_os_errors
from MRISuperResLib.core.messages import Message
from MRISuperResLib.core.methods.between_slices import ThroughPlaneNetwork
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.models.card import DEVICE_KINDS, STAGES, ModelCard, is_model_name
from MRISuperResLib.core.models.store import write_model
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback
from MRISuperResLib.core.validation import invalid

from ..evaluation.quality import quality, quality_between_slices
from ..evaluation.speed import cpu_speed, cpu_speed_between_slices
from ..options.settings import Settings
from .events import EventReader
from .folder import RunFolder, training_data


def export(
    run: str | Path,
    name: str,
    folder: str | Path,
    measure: bool = True,
    alpha: float = 1.0,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> tuple[list[ModelCard], list[Message]]:
    """Write the best models of a run in half precision.

    Args:
        run: Folder of the run.
        name: Name of the pair NAME-psnr and NAME-gan, which can be blended. Without a second
            stage, NAME-psnr alone is written. Name of a model between slices.
        folder: Folder of the models; created if needed.
        measure: Measure the speed on this computer's CPU, and the quality on the unseen subjects
            whose volumes exist, which takes minutes.
        alpha: Blend of the generators of both stages in the GAN model; 1: stage 2 alone (network
            interpolation, Wang et al. 2018, section 3.4, arXiv:1809.00219).
        on_progress: Called with the number of measured volumes.
        is_cancelled: Called between slices.

    Returns:
        The model cards, and messages on volumes that cannot be measured.

    Raises:
        SuperResolutionError: The run is not finished, or an argument is invalid (kind
            "settings").
        Cancelled: `is_cancelled` returned True.
    """
    if not is_model_name(name):
        raise invalid(f"Invalid model name “{name}”: use letters, digits and . _ -")
    if not 0 < alpha <= 1:
        raise invalid(f"The blend must be above 0 and at most 1, not {alpha:g}.")
    run_folder = RunFolder(run)
    description = run_folder.description()
    _check_finished(run_folder)
    generators = _generators(run_folder, description, alpha)
    pair = name if len(generators) > 1 else ""
    is_between = Settings.from_dict(description["settings"]).is_between_slices
    models = {
        stage: (
            _card_values(
                *(run_folder, description, stage, alpha),
                name if is_between else f"{name}-{stage}",
                pair,
            ),
            safetensors.torch.save(
                {key: value.half().contiguous() for key, value in generator.items()}
            ),
        )
        for stage, generator in generators.items()
    }
    rows: dict[str, list[dict[str, Any]]] = {}
    messages: list[Message] = []
    if measure:
        for values, weights in models.values():
            values["cpu_speed"] = _speed(values, weights, is_between)
        if sources := run_folder.unseen_sources():
            measured = quality_between_slices if is_between else quality
            rows, messages = measured(
                [_card_and_weights(values, weights) for values, weights in models.values()],
                sources,
                description["settings"]["data"]["slice_axis"],
                on_progress,
                is_cancelled,
            )
    with translate_os_errors(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    cards = [
        write_model(folder, weights, **values, metrics=rows.get(values["name"], []))
        for values, weights in models.values()
    ]
    return cards, messages


def _generators(
    run: RunFolder, description: dict[str, Any], alpha: float
) -> dict[str, dict[str, Tensor]]:
    """Best weights by stage; those of stage 2 are blended with those of stage 1."""
    stages = [stage for stage in STAGES if stage == "psnr" or description["settings"]["gan"]]
    generators = {stage: run.weights(f"{stage}-best") for stage in stages}
    if "gan" in generators:
        generators["gan"] = {
            key: generators["psnr"][key].lerp(value, alpha)
            for key, value in generators["gan"].items()
        }
    return generators


def _card_and_weights(values: dict[str, Any], weights: bytes) -> tuple[ModelCard, bytes]:
    return ModelCard(**values, sha256=hashlib.sha256(weights).hexdigest()), weights


def _speed(values: dict[str, Any], weights: bytes, is_between: bool) -> dict[str, Any]:
    card, _ = _card_and_weights(values, weights)
    cpu = resolve_device("cpu")
    if is_between:
        return cpu_speed_between_slices(ThroughPlaneNetwork(card, weights, cpu))
    return cpu_speed(NetworkMethod([card], [weights], cpu))


def _check_finished(run: RunFolder) -> None:
    reader = EventReader(run.path)
    reader.read()
    if reader.events and reader.events[-1]["event"] == "end":
        return
    steps = [event for event in reader.events if event["event"] in ("step", "checkpoint")]
    last = steps[-1] if steps else {"stage": "psnr", "step": 0}
    raise SuperResolutionError(
        f"The run {run.path} is not finished (step {last['step']} of the stage {last['stage']}): "
        "resume it first (“resume”).",
        "settings",
    )


def _card_values(
    run: RunFolder, description: dict[str, Any], stage: str, alpha: float, name: str, pair: str
) -> dict[str, Any]:
    """Fields of a ModelCard except sha256 and metrics."""
    settings, card = description["settings"], description["card"]
    data = training_data(description)
    # the slices that a model upsamples in-plane have the spacing of the degraded ones
    is_between = Settings.from_dict(settings).is_between_slices
    factor = 1 if is_between else settings["scale"]
    spacings = [factor * side for volume in data for side in volume["spacing"]]
    return {
        "name": name,
        "pair": pair,
        "stage": stage,
        "scale": settings["scale"],
        "architecture": settings["generator"],
        "title": card.get("title") or f"Trained in {run.path.name}",
        "limits": card.get("limits", ""),
        "license": card.get("license", ""),
        "made_for": card.get("made_for", DEVICE_KINDS[0]),
        "anatomy": sorted({volume["anatomy"] for volume in data}),
        "contrasts": sorted({volume["contrast"] for volume in data} - {""}),
        "spacing_range": [round(min(spacings), 3), round(max(spacings), 3)],
        "training": {
            "degradation": settings["data"]["degradation"],
            "loss": _loss(settings, stage, alpha),
            "steps": run.card(f"{stage}-best").training["steps"],
            "settings": _without_folders(settings),
            "versions": description["versions"],
            "data": data,
            **_started_from(description, data),
        },
    }


def _started_from(description: dict[str, Any], data: list[dict[str, Any]]) -> dict[str, Any]:
    """The models that the run continued, each with the training volumes not in `data`."""
    own = {volume["sha256"] for volume in data}
    ancestors = [
        ancestor
        | {"data": [volume for volume in ancestor["data"] if volume.get("sha256") not in own]}
        for ancestor in description.get("started_from", [])
    ]
    return {"started_from": ancestors} if ancestors else {}


def _without_folders(settings: dict[str, Any]) -> dict[str, Any]:
    start_from, gan = settings["start_from"], settings["gan"]
    values = settings | {"start_from": start_from and Path(start_from).name}
    if gan:
        values["gan"] = gan | {"vgg": gan["vgg"] and Path(gan["vgg"]).name}
    return values


def _loss(settings: dict[str, Any], stage: str, alpha: float) -> str:
    """Formula of the loss for the model card."""
    weights = settings[stage]
    if stage == "psnr":
        terms = [(1, "L1"), (weights["fft_weight"], "|FFT|")]
    else:
        terms = [
            (weights["perceptual_weight"], "perceptual"),
            (weights["adversarial_weight"], "adversarial"),
            (weights["content_weight"], "L1"),
            (weights.get("artifact_weight", 0), "artifacts"),
            (weights.get("mesh_weight", 0), "mesh"),
        ]
    formula = " + ".join(
        name if weight == 1 else f"{weight:g}·{name}" for weight, name in terms if weight
    )
    is_blend = stage == "gan" and alpha < 1
    return f"{formula}; blended with stage 1 at {alpha:g}" if is_blend else formula
