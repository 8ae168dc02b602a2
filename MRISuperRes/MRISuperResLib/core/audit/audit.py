"""The audit of one volume: every method rebuilds the same degraded slices, plain and with lesions, and is held against the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import geometry, provenance, slice_axis
from ..comparison.lesions import SyntheticLesions, scattered_lesions
from ..comparison.shared_methods import SharedMethods
from ..comparison.slice_scores import SliceScores
from ..comparison.stack import SliceStack
from ..errors import SuperResolutionError
from ..inference.errors import translate_device_errors
from ..intensity import check_type
from ..methods.registry import MethodRegistry
from ..metrics import foreground
from ..options import AuditOptions
from ..upsampling import batches, spacing_warnings
from .findings import Findings, Lesion
from .sample import sample
from .sfrc import SIDE, ReferenceSlice

CONTRAST = 0.2
"""Of a lesion against what is around it, a part of the intensity range."""


@dataclass(frozen=True)
class Slice:
    """One slice as a method has rebuilt it. number: its index along the axis. truth, image: (h, w), normalized. crossing: (h, w), 0 where
    nothing was judged. unfaithful: (h, w), boolean. share: part of the judged patches that are unfaithful."""

    number: int
    truth: np.ndarray
    image: np.ndarray
    crossing: np.ndarray
    unfaithful: np.ndarray
    share: float


@dataclass(frozen=True)
class MethodAudit:
    """model: see provenance.model. crossing: (k, j, i), float32, where the patches agree up to which frequency, parts of Nyquist, 0 where nothing was
    judged. worst: the Slice with the largest part of unfaithful patches, of several that which agrees least."""

    model: dict
    findings: Findings
    crossing: np.ndarray
    worst: Slice


@dataclass(frozen=True)
class VolumeAudit:
    """methods: {name: MethodAudit}. ijk_to_ras: (4, 4), mm, of the maps and of the truth, cropped to multiples of the scale. axis:
    slice_axis.SliceAxis. numbers: of the slices that were looked at. messages: sentences for the user."""

    methods: dict[str, MethodAudit]
    ijk_to_ras: np.ndarray
    axis: slice_axis.SliceAxis
    numbers: list[int]
    messages: list[str]


@translate_device_errors
def audit(
    volume: np.ndarray,
    ijk_to_ras: ArrayLike,
    job: AuditOptions,
    methods: MethodRegistry | None = None,
    progress=None,
    cancelled=None,
) -> VolumeAudit:
    """Audits the methods of an AuditOptions on a volume, which is the truth.

    volume: (k, j, i), integer or real. ijk_to_ras: (4, 4), mm. methods: a MethodRegistry to keep networks loaded. progress(done, total): slices.
    cancelled(): asked before every batch. Returns a VolumeAudit. Raises SuperResolutionError where there is nothing to judge, and for whatever else
    the user can mend, Cancelled.
    """
    check_type(volume)
    stack = SliceStack(volume, geometry.check_ijk_to_ras(ijk_to_ras), job)
    if min(stack.low_size) < SIDE:
        side = SIDE * job.scale
        raise SuperResolutionError(
            f"The slices have {stack.shape[1]}×{stack.shape[0]} pixels, which is too little for patches of {side}×{side}: choose another "
            "slice direction, a smaller scale or a larger volume."
        )
    enlargers = SharedMethods(job, methods or MethodRegistry())
    numbers = sample(stack.fullness, job.slices, job.seed)
    records = {name: _Record(stack) for name in job.methods}
    for part in batches(
        len(numbers), max(1, enlargers.batch_size(*stack.low_size) // 2), progress, cancelled
    ):
        trials = [_Trial(stack, job, number) for number in numbers[part]]
        enlarged = enlargers(
            np.stack([low for trial in trials for low in (trial.low, trial.dots.planted)])
        )
        for name, images in enlarged:
            for trial, plain, planted in zip(trials, images[::2], images[1::2]):
                records[name].take(trial, np.asarray(plain, dtype=float), planted, name)
    if not any(record.patches for record in records.values()):
        raise SuperResolutionError(
            "There is nothing to judge: in none of the slices does the body fill half of a patch; choose another volume or slice direction."
        )
    axis = stack.axis
    warnings = [
        warning
        for method in dict.fromkeys(enlargers.methods.values())
        for warning in (
            *spacing_warnings(stack.low_ijk_to_ras, axis, method.cards),
            *method.messages,
        )
    ]
    models = {
        name: provenance.model(method) | {"name": name}
        for name, method in enlargers.methods.items()
    }
    return VolumeAudit(
        {name: record.audit(models[name], len(numbers)) for name, record in records.items()},
        stack.ijk_to_ras,
        axis,
        numbers,
        stack.messages + warnings,
    )


class _Trial:
    """A slice of the stack, degraded, with and without lesions, and what all methods are held against."""

    def __init__(self, stack, job, number):
        self.number = number
        self.low, self.truth = stack.read(number)
        self.dots = SyntheticLesions(
            self.low,
            scattered_lesions(self.low, foreground(self.low), CONTRAST, (job.seed, number)),
            job.scale,
        )
        self.rings = ReferenceSlice(self.truth, foreground(self.truth), job.scale)
        self.consistency = SliceScores(None, None, self.low, job.scale, job.degradation)


class _Record:
    """Takes down what one method has made of the slices."""

    def __init__(self, stack):
        self._stack = stack
        self._map = np.zeros(stack.output_shape, dtype=np.float32)
        self._slices = np.moveaxis(self._map, stack.axis.numpy_axis, 0)
        self._crossings, self._inconsistencies, self._lesions = [], [], []
        self._unfaithful, self._invented, self._detail = 0, 0.0, 0.0
        self._worst: Slice
        self._rank = (-1.0, 0.0)  # below that of any slice

    @property
    def patches(self):
        return sum(map(len, self._crossings))

    def take(self, trial, plain, planted, name):
        """plain, planted: (scale·h, scale·w), what the method has made of a _Trial without and with lesions."""
        found = trial.rings.agreement(plain)
        self._crossings.append(found.crossing[found.judged])
        self._unfaithful += int(found.unfaithful.sum())
        self._invented += found.invented
        self._detail += found.detail
        self._inconsistencies.append(trial.consistency.of(plain)["consistency"])
        self._lesions += [
            Lesion(trial.number, dot, score)
            for dot, score in zip(trial.dots.dots, trial.dots.scores(name, planted, plain))
        ]
        crossing = trial.rings.expand(np.where(found.judged, found.crossing, 0))
        self._slices[trial.number] = crossing
        if found.judged.any():
            share = found.unfaithful.sum() / found.judged.sum()
            rank = (share, -found.crossing[found.judged].mean())
            if rank > self._rank:
                self._rank = rank
                self._worst = Slice(
                    trial.number,
                    trial.truth,
                    plain,
                    crossing,
                    trial.rings.expand(found.unfaithful),
                    float(share),
                )

    def audit(self, model, slices):
        crossings = np.concatenate(self._crossings)
        findings = Findings(
            slices,
            len(crossings),
            100 * self._unfaithful / len(crossings),
            float(crossings.mean()),
            100 * self._invented / self._detail if self._detail else 0.0,
            float(np.mean(self._inconsistencies)),
            tuple(self._lesions),
        )
        return MethodAudit(model, findings, self._map, self._worst)
