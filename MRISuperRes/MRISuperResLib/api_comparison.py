"""Public Python API: compare methods and audit models on volumes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import SuperResolutionError
from .core.messages import Message
from .core.methods.registry import (
    MethodRegistry,
    default_comparison_methods,
    default_methods_between_slices,
)
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
    scale: int | None = None,
    reference: bool = True,
    slice_axis: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    degradation: str = "bicubic",
    noise: float = 0.0,
    seed: int = 0,
    perceptual: str = "none",
    slice_spacing: float | None = None,
    slice_thickness: float | None = None,
    frame: int | None = None,
    series: str | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Comparison:
    """Compare methods on a volume.

    Args:
        source: See `upsample`.
        methods: Two to eight method names. None: interpolations, back-projected bicubic, and the
            installed models of the scale; with a slice spacing, "linear", "bspline", "fourier"
            and the installed through-plane models.
        scale: Upsampling factor 2, 4 or 8. None: 2 in-plane; there is none between slices.
        reference: True: the volume is the reference; it is degraded and restored by every method.
            False: the volume itself is upsampled, and only its data consistency is measured.
        slice_axis: See `upsample`.
        device: See `upsample`.
        precision: See `upsample`.
        degradation: "bicubic" or "kspace".
        noise: Rician noise of the degraded reference, percent of the intensity range, 0 to 20.
        seed: Seed of the noise.
        perceptual: No-reference metric: "none", "niqe" or "pi"; the latter two need pyiqa.
        slice_spacing: Slice spacing, mm. The reference, a nearly isotropic volume, is degraded to
            slices this far apart, and methods between slices restore it.
        slice_thickness: Thickness of these slices, mm. None: the slice spacing, without a gap.
        frame: See `upsample`.
        series: See `upsample`.
        on_progress: See `upsample`.
        is_cancelled: See `upsample`.

    Returns:
        Outputs, scores and (in-plane) synthetic lesions of all methods; `to_csv(path)` writes the
        scores.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    # imported here because scipy loads slowly
    from .core.comparison.compare import compare_methods

    registry = MethodRegistry()
    if slice_spacing is not None and scale is not None:
        raise SuperResolutionError(
            "Choose a scale for a comparison in-plane, or a slice spacing for a comparison between "
            "slices, not both.",
            "settings",
        )
    scale = scale or DEFAULT_SCALE
    if methods is not None:
        names = tuple(methods)
    elif slice_spacing is None:
        names = default_comparison_methods(scale, registry.store)
    else:
        names = default_methods_between_slices(registry.store)
    options = ComparisonOptions(
        names,
        scale,
        reference,
        slice_axis,
        device,
        precision,
        degradation,
        noise,
        seed,
        perceptual,
        slice_spacing,
        slice_thickness,
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
    slice_spacing: float | None = None,
    slice_thickness: float | None = None,
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
        slices: Slices per volume; None: all. Between slices, reformats.
        slice_spacing: Slice spacing, mm. Nearly isotropic volumes are degraded to slices this far
            apart, and models between slices are audited; the findings have the scale 1.
        slice_thickness: Thickness of these slices, mm. None: the slice spacing, without a gap.
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
        slice_spacing=slice_spacing,
        slice_thickness=slice_thickness,
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
