"""Scores of new models on volumes of unseen subjects, for their cards."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MRISuperResLib.core.comparison.between_slices import compare_between_slices
from MRISuperResLib.core.comparison.scores import ScoreTable
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.geometry import THICK_SLICE_RATIO
from MRISuperResLib.core.inference.device import resolve_device
from MRISuperResLib.core.io.formats import read_first_frame
from MRISuperResLib.core.messages import Message, info, warning
from MRISuperResLib.core.methods.network import NetworkMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.models.card import ModelCard
from MRISuperResLib.core.models.card_figures import format_count
from MRISuperResLib.core.models.store import ModelStore, write_model
from MRISuperResLib.core.options import FLOOR, ComparisonOptions
from MRISuperResLib.core.progress import CancelCheck, ProgressCallback, ProgressMeter
from MRISuperResLib.core.resampling import INTERPOLATIONS
from MRISuperResLib.core.slice_profile import INTERPOLATIONS as THROUGH_PLANE_INTERPOLATIONS
from MRISuperResLib.core.volume import Volume

from ..data.sources import Source
from .evaluate import PERCEPTUAL_METRICS, evaluate, perceptual_metrics
from .scales import SLICE_SPACING

Rows = dict[str, list[dict[str, Any]]]
"""`ModelCard.metrics` by name."""
Models = Sequence[tuple[ModelCard, bytes]]
"""Cards and weights of models that are not installed."""


def quality(
    models: Models,
    sources: Sequence[Source],
    slice_axis: str = "auto",
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> tuple[Rows, list[Message]]:
    """Measure models on volumes of unseen subjects.

    PSNR (dB) and RMSE are those of whole volumes, degraded with MATLAB's bicubic. SSIM is the mean
    over the slices, as are LPIPS and the VGG19 distance of some slices, if their weights are
    available.

    Args:
        models: Models of one scale.
        sources: Volume files.
        slice_axis: Slice direction.
        on_progress: Called with the number of measured volumes.
        is_cancelled: Called between slices.

    Returns:
        `ModelCard.metrics` by name, and messages on volumes that cannot be used.

    Raises:
        Cancelled: `is_cancelled` returned True.
    """
    device = resolve_device("auto")
    methods = [NetworkMethod([card], [weights], device) for card, weights in models]
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
    baselines = (*INTERPOLATIONS, FLOOR)
    rows = {
        name: [
            {
                "data": scores.volume.split(".")[0],
                "anatomy": scores.anatomy,
                **_compared(scores.table, name, baselines),
            }
            for scores in evaluation.volumes
        ]
        for name in names
    }
    return rows, [warning("data", sentence) for sentence in evaluation.skipped]


def quality_between_slices(
    models: Models,
    sources: Sequence[Source],
    slice_axis: str = "auto",
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> tuple[Rows, list[Message]]:
    """Measure models between slices on nearly isotropic volumes of unseen subjects.

    The references are degraded to thick slices. PSNR (dB) and RMSE are those of whole volumes. SSIM
    is the mean over reformats.

    Args:
        models: Models between slices.
        sources: Volume files; those with thick slices are left out.
        slice_axis: Slice direction.
        on_progress: Called with the number of examined volumes.
        is_cancelled: Called between slices.

    Returns:
        `ModelCard.metrics` by name, and messages on volumes that cannot be used.

    Raises:
        Cancelled: `is_cancelled` returned True.
    """
    names = [card.name for card, _ in models]
    rows: Rows = {name: [] for name in names}
    messages: list[Message] = []
    meter, thick = ProgressMeter(), 0
    options = ComparisonOptions(
        (*THROUGH_PLANE_INTERPOLATIONS, *names),
        scale=1,
        slice_axis=slice_axis,
        slice_spacing=SLICE_SPACING,
    )
    with tempfile.TemporaryDirectory() as folder:
        for card, weights in models:
            values = card.to_dict()
            del values["sha256"]
            write_model(folder, weights, **values)
        registry = MethodRegistry(ModelStore([folder]))
        for done, source in enumerate(sources):
            if on_progress:
                on_progress(meter.update(done, len(sources)))
            try:
                volume = read_first_frame(source.path, source.series or None)
                if not _is_nearly_isotropic(volume):
                    thick += 1
                    continue
                comparison = compare_between_slices(
                    volume, options, registry=registry, is_cancelled=is_cancelled
                )
            except SuperResolutionError as error:
                if error.kind not in ("input", "settings"):
                    raise
                messages.append(warning("data", f"{source.label}: {error}"))
                continue
            assert comparison.thick is not None
            for name in names:
                rows[name].append(
                    {
                        "data": Path(source.label).name.split(".")[0],
                        "anatomy": source.anatomy,
                        "slice_spacing": round(comparison.thick.spacing, 3),
                        **_compared(comparison.table, name, THROUGH_PLANE_INTERPOLATIONS),
                    }
                )
    if on_progress:
        on_progress(meter.update(len(sources), len(sources)))
    if thick:
        volumes = format_count(thick, "held-out volume")
        text = f"Not measured: {volumes} with thick slices, without a reference between slices."
        messages.append(info("data", text))
    return rows, messages


def _is_nearly_isotropic(volume: Volume) -> bool:
    return max(volume.spacing) <= THICK_SLICE_RATIO * min(volume.spacing)


def _compared(table: ScoreTable, name: str, baselines: Sequence[str]) -> dict[str, Any]:
    """The scores of a model, and those of the baselines."""
    return {
        **_scores(table, name),
        "baselines": {baseline: _scores(table, baseline) for baseline in baselines},
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
