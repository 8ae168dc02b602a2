"""Audit of one volume: methods restore the same degraded slices, with and without lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import provenance, resampling
from ..comparison.compare import SharedMethods
from ..comparison.lesions import SyntheticLesions, scattered_lesions
from ..comparison.scores import SliceScores, csv_text
from ..comparison.stack import SliceStack
from ..errors import SuperResolutionError, translate_device_errors
from ..geometry import SliceAxis
from ..messages import Message
from ..methods.registry import MethodRegistry
from ..metrics.full_reference import foreground
from ..options import AuditOptions
from ..progress import CancelCheck, ProgressCallback
from ..slices import batches
from ..volume import Volume
from .findings import LESION_CONTRAST, AuditedLesion, Findings
from .sfrc import SIDE, ReferenceSlice

MIN_FULLNESS = 0.25
"""Minimum foreground of a sampled slice, as a fraction of the largest one of the volume."""


@dataclass(frozen=True)
class AuditedSlice:
    """Slice restored by a method.

    Attributes:
        number: Number of the slice.
        reference: (h, w), normalized.
        image: (h, w), normalized like the reference.
        crossing: (h, w), fraction of the Nyquist frequency, 0 where nothing was judged.
        unfaithful: (h, w), boolean.
        share: Fraction of the judged patches that are unfaithful.
    """

    number: int
    reference: np.ndarray
    image: np.ndarray
    crossing: np.ndarray
    unfaithful: np.ndarray
    share: float


@dataclass(frozen=True)
class MethodAudit:
    """The audit of a method on one volume.

    Attributes:
        model: See `provenance.model_record`.
        findings: Its figures.
        crossing: (k, j, i), float32: frequency up to which patches agree with the reference, as a
            fraction of Nyquist, 0 where nothing was judged.
        worst: The slice with the largest share of unfaithful patches; of several, the one that
            agrees least.
    """

    model: dict[str, Any]
    findings: Findings
    crossing: np.ndarray
    worst: AuditedSlice


@dataclass(frozen=True)
class VolumeAudit:
    """The audit of several methods on one volume.

    Attributes:
        methods: {name: MethodAudit}.
        ijk_to_ras: (4, 4), mm, of the maps and of the cropped reference.
        axis: Slice direction.
        numbers: Numbers of the audited slices.
        messages: Messages of the volume and of the audit.
    """

    methods: dict[str, MethodAudit]
    ijk_to_ras: np.ndarray
    axis: SliceAxis
    numbers: list[int]
    messages: tuple[Message, ...]

    def to_csv(self, path: str | Path) -> None:
        """Write the figures, a line per method, as a CSV file."""
        figures = {name: audit.findings.figures() for name, audit in self.methods.items()}
        header = next(iter(figures.values()))
        lines = [(name, *values.values()) for name, values in figures.items()]
        text = csv_text(("method", *header), lines)
        Path(path).write_text(text, encoding="utf-8", newline="")


def audit_tasks(
    models: Sequence[str], scale: int | None, registry: MethodRegistry, **options: Any
) -> list[AuditOptions]:
    """Return the options of an audit, one for every scale.

    Args:
        models: Names of models or methods.
        scale: Upsampling factor of all models; None: every model at its own.
        registry: Knows the scales of the models.
        **options: The other fields of `AuditOptions`.

    Raises:
        SuperResolutionError: An option is invalid, or a model is unknown.
    """
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
    stack = SliceStack(volume, options)
    if min(stack.low_shape) < SIDE:
        side = SIDE * options.scale
        raise SuperResolutionError(
            f"Slices of {stack.shape[1]}×{stack.shape[0]} pixels are too small for patches of "
            f"{side}×{side}: choose another slice direction, a smaller scale or a larger volume."
        )
    shared = SharedMethods(options, registry or MethodRegistry())
    numbers = sample_slices(stack.foreground_sizes, options.slices, options.seed)
    records = {name: _Record(stack) for name in options.methods}
    size = max(1, shared.batch_size(*stack.low_shape) // 2)
    for part in batches(len(numbers), size, on_progress, is_cancelled):
        trials = [_Trial(stack, options, number) for number in numbers[part]]
        low = np.stack([low for trial in trials for low in (trial.low, trial.lesions.image)])
        for name, images in shared(low):
            for trial, plain, with_lesions in zip(trials, images[::2], images[1::2]):
                records[name].add(trial, plain, with_lesions, name)
    if not any(record.patches for record in records.values()):
        raise SuperResolutionError(
            "No patch can be judged: in no slice does the foreground fill half of a patch. "
            "Choose another volume or slice direction."
        )
    models = {
        name: provenance.model_record(method) | {"name": name}
        for name, method in shared.methods.items()
    }
    return VolumeAudit(
        {name: record.audit(models[name], len(numbers)) for name, record in records.items()},
        stack.ijk_to_ras,
        stack.axis,
        numbers,
        (*volume.messages, *stack.messages, *shared.messages(stack)),
    )


def sample_slices(foreground_sizes: np.ndarray, count: int | None, seed: int) -> list[int]:
    """Draw slices with enough foreground, one from each of `count` parts of the volume.

    Args:
        foreground_sizes: Foreground pixels of every slice.
        count: Number of slices; None: all slices.
        seed: Seed for numpy's default_rng.

    Returns:
        Slice numbers, ascending.
    """
    if count is None:
        return list(range(len(foreground_sizes)))
    is_full = foreground_sizes >= MIN_FULLNESS * max(foreground_sizes.max(), 1)
    numbers = np.flatnonzero(is_full)
    parts = np.array_split(numbers, min(count, len(numbers))) if len(numbers) else []
    rng = np.random.default_rng(seed)
    return [int(rng.choice(part)) for part in parts]


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


class _Record:
    """Results of one method."""

    def __init__(self, stack: SliceStack) -> None:
        self._stack = stack
        self._map = np.zeros(stack.output_shape, dtype=np.float32)
        self._slices = np.moveaxis(self._map, stack.axis.numpy_axis, 0)
        self._crossings: list[np.ndarray] = []
        self._inconsistencies: list[float] = []
        self._lesions: list[AuditedLesion] = []
        self._unfaithful, self._hallucinated, self._detail = 0, 0.0, 0.0
        self._worst: AuditedSlice
        self._rank = (-1.0, 0.0)  # below the rank of any slice

    @property
    def patches(self) -> int:
        return sum(map(len, self._crossings))

    def add(self, trial: _Trial, plain: np.ndarray, with_lesions: np.ndarray, name: str) -> None:
        """Add the results (scale·h, scale·w) for a slice without and with lesions."""
        image = self._stack.to_reference_scale(plain)
        found = trial.patches.agreement(image)
        self._crossings.append(found.crossing[found.judged])
        self._unfaithful += int(found.unfaithful.sum())
        self._hallucinated += found.hallucinated
        self._detail += found.detail
        self._inconsistencies.append(trial.scores.of(image)["inconsistency"] or 0.0)
        scores = trial.lesions.scores(name, with_lesions, plain)
        self._lesions += [
            AuditedLesion(trial.number, lesion, score)
            for lesion, score in zip(trial.lesions.lesions, scores)
        ]
        crossing = trial.patches.expand(np.where(found.judged, found.crossing, 0))
        self._slices[trial.number] = crossing
        if found.judged.any():
            share = float(found.unfaithful.sum() / found.judged.sum())
            rank = share, -float(found.crossing[found.judged].mean())
            if rank > self._rank:
                self._rank = rank
                unfaithful = trial.patches.expand(found.unfaithful)
                self._worst = AuditedSlice(
                    trial.number, trial.reference, image, crossing, unfaithful, share
                )

    def audit(self, model: dict[str, Any], slices: int) -> MethodAudit:
        crossings = np.concatenate(self._crossings)
        findings = Findings(
            slices,
            len(crossings),
            100 * self._unfaithful / len(crossings),
            float(crossings.mean()),
            100 * self._hallucinated / self._detail,
            float(np.mean(self._inconsistencies)),
            tuple(self._lesions),
        )
        return MethodAudit(model, findings, self._map, self._worst)
