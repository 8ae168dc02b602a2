"""Export of a finished run: the pair of models NAME-psnr and NAME-gan, with their cards."""

from __future__ import annotations

import hashlib
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from MRISuperResLib.core.comparison.scores import ScoreTable
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.inference.device import resolve_device
from MRISuperResLib.core.io.atomic import translate_os_errors
from MRISuperResLib.core.messages import Message, warning
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.card import DEVICE_KINDS, STAGES, ModelCard, is_model_name
from MRISuperResLib.core.models.store import write_model
from MRISuperResLib.core.options import FLOOR, ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.validation import invalid

from ..data.sources import Source
from ..evaluation.evaluate import (
    PERCEPTUAL_METRICS,
    VolumeScores,
    evaluate,
    perceptual_metrics,
)
from .events import EventReader
from .folder import RunFolder, training_data

SIDE = 256
"""Side of the slice for measuring the CPU speed, pixels: a typical MRI slice."""
REPEATS = 5


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
            stage, NAME-psnr alone is written.
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
    models = {
        stage: (
            _card_values(run_folder, description, stage, alpha, f"{name}-{stage}", pair),
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
            values["cpu_speed"] = cpu_speed(_method(values, weights, "cpu"))
        if sources := run_folder.unseen_sources():
            methods = [_method(values, weights, "auto") for values, weights in models.values()]
            slice_axis = description["settings"]["data"]["slice_axis"]
            rows, messages = quality(methods, sources, slice_axis, on_progress, is_cancelled)
    with translate_os_errors(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    cards = [
        write_model(folder, weights, **values, metrics=rows.get(values["name"], []))
        for values, weights in models.values()
    ]
    return cards, messages


def quality(
    methods: list[NetworkMethod],
    sources: list[Source],
    slice_axis: str = "auto",
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> tuple[dict[str, list[dict[str, Any]]], list[Message]]:
    """Measure models on volumes of unseen subjects.

    PSNR (dB) and RMSE are those of whole volumes, degraded with MATLAB's bicubic. SSIM is the mean
    over the slices, as are LPIPS and the VGG19 distance of some slices, if their weights are
    available.

    Args:
        methods: Models of one scale.
        sources: Volume files.
        slice_axis: Slice direction.
        on_progress: Called with the number of measured volumes.
        is_cancelled: Called between slices.

    Returns:
        `ModelCard.metrics` by name, and messages on volumes that cannot be used.

    Raises:
        Cancelled: `is_cancelled` returned True.
    """
    names = [method.name for method in methods]
    evaluation = evaluate(
        sources,
        names,
        (methods[0].scale,),
        MethodRegistry(given=methods),
        ComparisonOptions(INTERPOLATIONS, slice_axis=slice_axis),
        perceptual_metrics(),
        on_progress,
        is_cancelled,
    )
    rows = {name: [_row(scores, name) for scores in evaluation.volumes] for name in names}
    return rows, [warning("data", sentence) for sentence in evaluation.skipped]


def _row(scores: VolumeScores, name: str) -> dict[str, Any]:
    baselines = (*INTERPOLATIONS, FLOOR)
    return {
        "data": scores.volume.split(".")[0],
        "anatomy": scores.anatomy,
        **_scores(scores.table, name),
        "baselines": {baseline: _scores(scores.table, baseline) for baseline in baselines},
    }


def _scores(table: ScoreTable, name: str) -> dict[str, float]:
    values = {
        "psnr": (table.volume_psnr(name), 3),
        "ssim": (table.mean(name, "ssim_wang"), 4),
        "rmse": (table.volume_rmse(name), 3),
    }
    values |= {
        metric.key: (table.mean(name, metric.key), 4)
        for metric in PERCEPTUAL_METRICS
        if metric in table.metrics
    }
    return {key: round(value, digits) for key, (value, digits) in values.items() if value}


def cpu_speed(method: NetworkMethod) -> dict[str, Any]:
    """Measure a method on the CPU for `ModelCard.cpu_speed`.

    The fastest of several runs counts, since other programs can only slow a run down.
    """
    images = np.random.default_rng(0).random((1, SIDE, SIDE), dtype=np.float32)
    method(images)  # the first run also prepares the convolutions
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        method(images)
        seconds.append(time.perf_counter() - start)
    megapixels = (SIDE * method.scale) ** 2 / 1e6
    return {
        "seconds_per_megapixel": round(min(seconds) / megapixels, 3),
        "threads": torch.get_num_threads(),
        "processor": processor(),
    }


def processor() -> str:
    """Return the name of the processor."""
    try:  # on Linux, platform returns the architecture only
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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


def _method(values: dict[str, Any], weights: bytes, device: str) -> NetworkMethod:
    card = ModelCard(**values, sha256=hashlib.sha256(weights).hexdigest())
    return NetworkMethod([card], [weights], resolve_device(device))


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
    # the slices that a model upsamples have the spacing of the degraded ones
    spacings = [settings["scale"] * side for volume in data for side in volume["spacing"]]
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
