"""From a finished run to models that MRISuperRes can use: the pair NAME-psnr and NAME-gan."""

import hashlib
from pathlib import Path

import safetensors.torch

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.writing import translate_os_errors
from MRISuperResLib.core.methods.network import NetworkMethod, resolve_device
from MRISuperResLib.core.models.card import DEVICE_KINDS, NAME, STAGES, ModelCard
from MRISuperResLib.core.models.user_models import write_model

from . import cpu_speed
from .event_reader import EventReader
from .folder import RunFolder
from .held_out import figures, never_seen


def export(run, name, folder, measure=True, alpha=1.0, progress=None, cancelled=None):
    """Writes the best models of a run, in half precision, with their cards. Returns ([ModelCard], sentences on volumes that can't be measured).

    run, folder: paths; name: NAME-psnr and NAME-gan are made, a pair that can be blended; of a run without second stage NAME-psnr.
    measure: whether the cards get the speed on this computer's CPU, and figures on the subjects that were not trained on, as far as their
    volumes are there, which takes its time. alpha: the GAN model is the blend of the generators of both stages, 1 for the second alone (network
    interpolation, ESRGAN, section 3.4: less noise and fewer artifacts of an adversarial training, which was not stopped at the right moment).
    progress(done, total): volumes. Raises SuperResolutionError (kind "settings") where the run is not finished, Cancelled.
    """
    if not NAME.fullmatch(name):
        raise SuperResolutionError(
            f"The name {name!r} is not made of letters, digits and . _ -", "settings"
        )
    if not 0 < alpha <= 1:
        raise SuperResolutionError(
            f"The blend must be above 0 and at most 1, not {alpha:g}.", "settings"
        )
    run = RunFolder(run)
    description = run.description()
    _check_finished(run)
    stages = [stage for stage in STAGES if stage == "psnr" or description["settings"]["gan"]]
    generators = {stage: run.weights(f"{stage}-best") for stage in stages}
    if "gan" in generators:
        generators["gan"] = {
            key: generators["psnr"][key].lerp(value, alpha)
            for key, value in generators["gan"].items()
        }
    weights = {
        stage: safetensors.torch.save(
            {key: value.half().contiguous() for key, value in generator.items()}
        )
        for stage, generator in generators.items()
    }
    values = {
        stage: _card_values(
            run, description, stage, alpha, f"{name}-{stage}", name if len(stages) > 1 else ""
        )
        for stage in stages
    }
    rows, skipped = {}, []
    if measure:
        for stage in stages:
            values[stage]["cpu_speed"] = cpu_speed.measure(
                _method(values[stage], weights[stage], "cpu")
            )
        if sources := never_seen(description):
            methods = [_method(values[stage], weights[stage], "auto") for stage in stages]
            rows, skipped = figures(
                methods, sources, description["settings"]["data"]["axis"], progress, cancelled
            )
    with translate_os_errors(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    return [
        write_model(
            folder, weights[stage], **values[stage], metrics=rows.get(f"{name}-{stage}", [])
        )
        for stage in stages
    ], skipped


def _method(values, weights, device):
    card = ModelCard(**values, sha256=hashlib.sha256(weights).hexdigest())
    return NetworkMethod([card], [weights], resolve_device(device))


def _check_finished(run):
    reader = EventReader(run.path)
    reader.read()
    if not reader.events or reader.events[-1]["event"] != "end":
        last = next(
            (
                event
                for event in reversed(reader.events)
                if event["event"] in ("step", "checkpoint")
            ),
            {"stage": "psnr", "step": 0},
        )
        raise SuperResolutionError(
            f"The run {run.path} is not finished (step {last['step']} of the stage {last['stage']}): let it go on to its end first (“resume”).",
            "settings",
        )


def _card_values(run, description, stage, alpha, name, pair):
    """The fields of a ModelCard but for sha256 and metrics. Folders of the user's computer are left out."""
    settings, split = description["settings"], description["split"]
    learnt = [volume for volume in description["volumes"] if volume["subject"] in split["train"]]
    # the slices that a model is given have the pixels of the degraded ones
    pixels = [settings["scale"] * side for volume in learnt for side in volume["pixel"]]
    data = [
        {
            key: volume[key]
            for key in (
                "subject",
                "anatomy",
                "contrast",
                "license",
                "source",
                "sha256",
                "slices",
                "pixel",
            )
        }
        | {"path": Path(volume["path"]).name}
        for volume in learnt
    ]
    own = settings | {"start_from": settings["start_from"] and Path(settings["start_from"]).name}
    if own["gan"]:
        own["gan"] = own["gan"] | {"vgg": own["gan"]["vgg"] and Path(own["gan"]["vgg"]).name}
    card = description["card"]
    return dict(
        name=name,
        pair=pair,
        stage=stage,
        scale=settings["scale"],
        architecture=settings["generator"],
        title=card.get("title") or f"Trained in {run.path.name}",
        limits=card.get("limits", ""),
        license=card.get("license", ""),
        made_for=card.get("made_for", DEVICE_KINDS[0]),
        anatomy=sorted({volume["anatomy"] for volume in learnt}),
        contrasts=sorted({volume["contrast"] for volume in learnt} - {""}),
        spacing_range=[round(min(pixels), 3), round(max(pixels), 3)],
        training={
            "degradation": settings["data"]["degradation"],
            "loss": _loss(settings, stage, alpha),
            "steps": run.card(f"{stage}-best").training["steps"],
            "settings": own,
            "versions": description["versions"],
            "data": data,
        },
    )


def _loss(settings, stage, alpha):
    """As a formula, for people."""
    numbers = settings[stage]
    if stage == "psnr":
        weighted = [(1, "L1"), (numbers["fft_weight"], "|FFT|")]
    else:
        weighted = [
            (numbers["perceptual_weight"], "perceptual"),
            (numbers["adversarial_weight"], "adversarial"),
            (numbers["content_weight"], "L1"),
        ]
    formula = " + ".join(
        name if weight == 1 else f"{weight:g}·{name}" for weight, name in weighted if weight
    )
    return (
        f"{formula}; blended with stage 1 at {alpha:g}" if stage == "gan" and alpha < 1 else formula
    )
