"""Audit between slices: methods restore thick slices, with and without synthetic lesions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import provenance
from ..comparison.between_slices import ThickReference
from ..errors import SuperResolutionError
from ..intensity import Intensity
from ..methods.registry import MethodRegistry
from ..metrics.full_reference import foreground
from ..options import AuditOptions
from ..progress import CancelCheck, PartsProgress, Progress, ProgressCallback
from ..slices import batches
from ..upsampling import upsample_volume
from ..volume import Volume
from .findings import AuditedLesion
from .legends import LESION_CONTRAST
from .results import Record, VolumeAudit, check_patches, sample_slices
from .sfrc import SIDE, ReferenceSlice, patch_side
from .spheres import SPHERE_DIAMETERS, Spheres, scattered_spheres


def audit_between_slices(
    volume: Volume,
    options: AuditOptions,
    registry: MethodRegistry | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> VolumeAudit:
    """Audit methods between slices on a nearly isotropic volume, which is the reference.

    Patches are judged in some of the reformats. Peak memory: that of a comparison of one method,
    two results in single precision, and the maps.

    Args:
        volume: The reference.
        options: Options with `slice_spacing`; `slices` is the number of reformats.
        registry: Registry that keeps networks loaded between tasks; None: a new one.
        on_progress: Called with the progress in reformats, first with none done.
        is_cancelled: Called before every batch; the audit stops when it returns True.

    Raises:
        SuperResolutionError: No patch can be judged, or another error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    registry = registry or MethodRegistry()
    given = ThickReference(volume, options)
    factor = given.thick.size / given.thick.count
    if min(given.shape) < patch_side(factor):
        raise SuperResolutionError(
            f"Reformats of {given.shape[1]}×{given.shape[0]} pixels are too small for patches of "
            f"{SIDE} slices, {patch_side(factor)} pixels: choose another slice direction, a "
            "smaller slice spacing or a larger volume."
        )
    methods = {
        name: registry.between_slices(given.upsampling_options(name)) for name in options.methods
    }
    masks = np.stack([foreground(given.reference(number)) for number in range(len(given))])
    numbers = sample_slices(masks.sum(axis=(1, 2)), options.slices, options.seed)
    patches = {
        number: ReferenceSlice(given.reference(number), masks[number], factor, given.slice_axis)
        for number in numbers
    }
    spheres = _spheres(given, masks, options.seed)
    with_lesions = _with_lesions(given, spheres)
    parts = PartsProgress([given.reformats, given.reformats, len(numbers)] * len(methods))

    def report(progress: Progress) -> None:
        if on_progress:
            on_progress(parts.whole(progress))

    records: dict[str, Record] = {}
    lesions: dict[str, list[AuditedLesion]] = {}
    for place, name in enumerate(methods):
        restored = []
        for parts.number, low in enumerate((given.low, with_lesions), 3 * place):
            chosen = replace(given.upsampling_options(name), intensity_range=_range(given))
            result = upsample_volume(
                low, chosen, registry=registry, on_progress=report, is_cancelled=is_cancelled
            )
            restored.append(given.intensity.normalize(result.array))
        plain, changed = restored
        lesions[name] = spheres.scores(name, changed, plain)
        records[name] = Record(volume.array.shape, given.axis)
        parts.number = 3 * place + 2
        slices = np.moveaxis(plain, given.axis.numpy_axis, 0)
        for part in batches(len(numbers), 1, report, is_cancelled):
            for number in numbers[part]:
                image = slices[number]
                inconsistency = given.inconsistency(number, image)
                records[name].add(
                    number, image, given.reference(number), patches[number], inconsistency
                )
    check_patches(records.values())
    return VolumeAudit(
        {
            name: record.audit(
                provenance.model_record(methods[name]), lesions[name], SPHERE_DIAMETERS, "slices"
            )
            for name, record in records.items()
        },
        volume.ijk_to_ras,
        given.axis,
        numbers,
        (
            *volume.messages,
            *given.messages,
            *(message for method in methods.values() for message in method.messages),
        ),
        factor,
    )


def _range(given: ThickReference) -> tuple[float, float]:
    """Return the intensity range of the thick slices, which lesions must not change."""
    intensity = Intensity.of(given.low.array)
    return intensity.low, intensity.high


def _spheres(given: ThickReference, masks: np.ndarray, seed: int) -> Spheres:
    """Place spheres in the foreground (reformats, rows, columns)."""
    inside = np.moveaxis(masks, 0, given.axis.numpy_axis)
    spacing = np.array(given.volume.spacing[::-1])
    image = given.intensity.normalize(given.array)
    placed = scattered_spheres(image, inside, spacing, given.thick, LESION_CONTRAST, seed)
    return Spheres(placed, given.array.shape, spacing, given.thick)


def _with_lesions(given: ThickReference, spheres: Spheres) -> Volume:
    """Return the thick slices with the spheres; noise, if there is any, stays the same."""
    gain = given.intensity.high - given.intensity.low
    return replace(given.low, array=(given.low.array + gain * spheres.added).astype(np.float32))
