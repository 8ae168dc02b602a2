"""Public Python API: compare methods and audit models on volumes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .core.messages import Message
from .core.methods.registry import MethodRegistry, default_comparison_methods
from .core.options import AUDITED_SLICES, DEFAULT_SCALE, ComparisonOptions
from .core.progress import CancelCheck, ProgressCallback
from .sources import sources_of, volume_of

if TYPE_CHECKING:
    from .core.audit.findings import AuditReport, Findings
    from .core.comparison.results import Comparison
    from .sources import Source


def compare(
    source: Source,
    methods: Sequence[str] | None = None,
    *,
    scale: int = DEFAULT_SCALE,
    reference: bool = True,
    slice_axis: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    degradation: str = "bicubic",
    noise: float = 0.0,
    seed: int = 0,
    perceptual: str = "none",
    frame: int | None = None,
    series: str | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Comparison:
    """Compare methods on a volume.

    Args:
        source: See `upsample`.
        methods: Two to eight method names. None: interpolations, back-projected bicubic, and the
            installed models of the scale.
        scale: Upsampling factor 2, 4 or 8.
        reference: True: the volume is the reference; it is degraded and restored by every method.
            False: the volume itself is upsampled, and only its data consistency is measured.
        slice_axis: See `upsample`.
        device: See `upsample`.
        precision: See `upsample`.
        degradation: "bicubic" or "kspace".
        noise: Rician noise of the degraded reference, percent of the intensity range, 0 to 20.
        seed: Seed of the noise.
        perceptual: No-reference metric: "none", "niqe" or "pi"; the latter two need pyiqa.
        frame: See `upsample`.
        series: See `upsample`.
        on_progress: See `upsample`.
        is_cancelled: See `upsample`.

    Returns:
        Outputs, scores and synthetic lesions of all methods; `to_csv(path)` writes the scores.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    # imported here because scipy loads slowly
    from .core.comparison.compare import compare_methods

    registry = MethodRegistry()
    names = methods if methods is not None else default_comparison_methods(scale, registry.store)
    options = ComparisonOptions(
        tuple(names),
        scale,
        reference,
        slice_axis,
        device,
        precision,
        degradation,
        noise,
        seed,
        perceptual,
    )
    return compare_methods(
        volume_of(source, frame, series),
        options,
        registry=registry,
        on_progress=on_progress,
        is_cancelled=is_cancelled,
    )


def audit(
    sources: Source | Iterable[Source],
    models: Sequence[str],
    *,
    scale: int | None = None,
    slice_axis: str = "auto",
    device: str = "auto",
    precision: str = "float32",
    degradation: str = "bicubic",
    noise: float = 0.0,
    seed: int = 0,
    slices: int | None = AUDITED_SLICES,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> AuditReport:
    """Measure hallucinated, lost and inconsistent detail of models.

    Args:
        sources: One reference volume or a list of them, see `upsample`. A tuple is always one
            volume, (array, ijk_to_ras). Of a 4D file, the first frame is audited.
        models: Names of models or methods.
        scale: Upsampling factor. None: every model at its own.
        slice_axis: See `upsample`.
        device: See `upsample`.
        precision: See `upsample`; float32 by default, so that figures do not depend on the device.
        degradation: "bicubic" or "kspace".
        noise: Rician noise of the degraded reference, percent of the intensity range, 0 to 20.
        seed: Seed of the noise, the choice of slices and the positions of synthetic lesions.
        slices: Slices per volume; None: all.
        on_progress: Called with the progress of every volume and scale in turn.
        is_cancelled: See `upsample`.

    Returns:
        Findings per scale, volume and method; `to_csv(path)` writes them.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    # imported here because scipy loads slowly
    from .core.audit.audit import audit_tasks, audit_volume
    from .core.audit.findings import AuditReport

    registry = MethodRegistry()
    tasks = audit_tasks(
        models,
        scale,
        registry,
        slice_axis=slice_axis,
        device=device,
        precision=precision,
        degradation=degradation,
        noise=noise,
        seed=seed,
        slices=slices,
    )
    findings: dict[int, dict[str, dict[str, Findings]]] = {options.scale: {} for options in tasks}
    messages: list[Message] = []
    for number, source in enumerate(sources_of(sources), 1):
        volume = volume_of(source, first=True)
        name = Path(source).name if isinstance(source, (str, os.PathLike)) else f"volume {number}"
        if any(name in volumes for volumes in findings.values()):
            name = f"{name} ({number})"
        for options in tasks:
            result = audit_volume(
                volume,
                options,
                registry=registry,
                on_progress=on_progress,
                is_cancelled=is_cancelled,
            )
            findings[options.scale][name] = {
                method: found.findings for method, found in result.methods.items()
            }
            messages += result.messages
    return AuditReport(findings, tuple(messages))
