"""Audit of one volume: methods restore the same degraded slices, with and without lesions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import provenance, resampling
from ..comparison.compare import SharedMethods
from ..comparison.lesions import SyntheticLesions, scattered_lesions
from ..comparison.scores import SliceScores
from ..comparison.stack import SliceStack
from ..errors import SuperResolutionError, translate_device_errors
from ..methods.registry import MethodRegistry
from ..metrics.full_reference import foreground
from ..options import AuditOptions
from ..progress import CancelCheck, ProgressCallback
from ..slices import batches
from ..volume import Volume
from .between_slices import audit_between_slices
from .findings import AuditedLesion
from .legends import LESION_CONTRAST
from .results import Record, VolumeAudit, check_patches, sample_slices
from .sfrc import SIDE, ReferenceSlice


def audit_tasks(
    models: Sequence[str], scale: int | None, registry: MethodRegistry, **options: Any
) -> list[AuditOptions]:
    """Return the options of an audit, one for every scale; a single one between slices.

    Args:
        models: Names of models or methods.
        scale: Upsampling factor of all models; None: every model at its own.
        registry: Knows the scales of the models.
        **options: The other fields of `AuditOptions`.

    Raises:
        SuperResolutionError: An option is invalid, or a model is unknown.
    """
    if options.get("slice_spacing") is not None:
        if scale is not None:
            raise SuperResolutionError(
                "Choose a scale for an audit in-plane, or a slice spacing for an audit between "
                "slices, not both.",
                "settings",
            )
        return [AuditOptions(tuple(models), **options)]
    by_scale: dict[int, list[str]] = {} if scale is None else {scale: list(models)}
    if scale is None:
        for name in models:
            by_scale.setdefault(registry.scale_of(name), []).append(name)
    return [AuditOptions(tuple(names), each, **options) for each, names in sorted(by_scale.items())]


@translate_device_errors
def audit_volume(
    volume: Volume,
    options: AuditOptions,
    *,
    registry: MethodRegistry | None = None,
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> VolumeAudit:
    """Audit methods on a volume, which is the reference.

    With a slice spacing, methods between slices are audited, see `audit_between_slices`.

    Args:
        volume: The reference.
        options: Options of the audit.
        registry: Registry that keeps networks loaded between tasks; None: a new one.
        on_progress: Called with the progress in slices, first with none done.
        is_cancelled: Called before every batch; the audit stops when it returns True.

    Raises:
        SuperResolutionError: No patch can be judged, or another error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    if options.is_between_slices:
        return audit_between_slices(volume, options, registry, on_progress, is_cancelled)
    stack = SliceStack(volume, options)
    if min(stack.low_shape) < SIDE:
        side = SIDE * options.scale
        raise SuperResolutionError(
            f"Slices of {stack.shape[1]}×{stack.shape[0]} pixels are too small for patches of "
            f"{side}×{side}: choose another slice direction, a smaller scale or a larger volume."
        )
    shared = SharedMethods(options, registry or MethodRegistry())
    numbers = sample_slices(stack.foreground_sizes, options.slices, options.seed)
    records = {name: Record(stack.output_shape, stack.axis) for name in options.methods}
    lesions: dict[str, list[AuditedLesion]] = {name: [] for name in options.methods}
    size = max(1, shared.batch_size(*stack.low_shape) // 2)
    for part in batches(len(numbers), size, on_progress, is_cancelled):
        trials = [_Trial(stack, options, number) for number in numbers[part]]
        low = np.stack([low for trial in trials for low in (trial.low, trial.lesions.image)])
        for name, images in shared(low):
            for trial, plain, with_lesions in zip(trials, images[::2], images[1::2]):
                image = stack.to_reference_scale(plain)
                inconsistency = trial.scores.of(image)["inconsistency"] or 0.0
                records[name].add(
                    trial.number, image, trial.reference, trial.patches, inconsistency
                )
                lesions[name] += trial.responses(name, with_lesions, plain)
    check_patches(records.values())
    models = {
        name: provenance.model_record(method) | {"name": name}
        for name, method in shared.methods.items()
    }
    return VolumeAudit(
        {name: record.audit(models[name], lesions[name]) for name, record in records.items()},
        stack.ijk_to_ras,
        stack.axis,
        numbers,
        (*volume.messages, *stack.messages, *shared.messages(stack)),
        options.scale,
    )


class _Trial:
    """Degraded slice with and without lesions, and the reference data that all methods share."""

    def __init__(self, stack: SliceStack, options: AuditOptions, number: int) -> None:
        self.number = number
        self.low, reference = stack.read(number)
        assert reference is not None
        self.reference = reference
        seed = options.seed, number
        placed = scattered_lesions(self.low, foreground(self.low), LESION_CONTRAST, seed)
        self.lesions = SyntheticLesions(self.low, placed, options.scale)
        self.patches = ReferenceSlice(reference, stack.mask(number), options.scale)
        given = stack.to_reference_scale(self.low)
        degrade = partial(resampling.degrade, scale=options.scale, kernel=options.degradation)
        self.scores = SliceScores(None, None, given, degrade)

    def responses(
        self, name: str, with_lesions: np.ndarray, without: np.ndarray
    ) -> list[AuditedLesion]:
        """Return the response of a method to every lesion; see `SyntheticLesions.scores`."""
        scores = self.lesions.scores(name, with_lesions, without)
        return [
            AuditedLesion(self.number, lesion, score)
            for lesion, score in zip(self.lesions.lesions, scores)
        ]
