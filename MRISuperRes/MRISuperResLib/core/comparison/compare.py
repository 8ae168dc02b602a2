"""The comparison: every method enlarges the same slices, and is measured by the same rules."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import geometry, provenance, slice_axis
from ..inference.errors import translate_device_errors
from ..methods.registry import MethodRegistry
from ..metrics import foreground
from ..options import ComparisonOptions
from ..upsampling import allocate_in_memory, batches, spacing_messages
from ..volume import Volume
from .lesions import LesionScore
from .sampled import SampledMetrics
from .scores import ScoreTable, metrics_of
from .shared_methods import SharedMethods
from .slice_scores import SliceScores
from .stack import SliceStack


@dataclass(frozen=True)
class MethodOutput:
    """volume: (k, j, i), in the type of the input; stage: "interpolation", "psnr", "gan" or "blend"; provenance: see provenance.describe."""

    name: str
    stage: str
    volume: np.ndarray
    provenance: dict


@dataclass(frozen=True)
class Comparison:
    """outputs: a MethodOutput per method, in the job's order; ijk_to_ras: (4, 4), mm, where they and the reference lie.

    reference: (k, j, i), the truth, in the type of the input; None without one. low: (k, j, i), what the methods were
    given, at low_ijk_to_ras: the degraded truth (float32), or the input itself. axis: slice_axis.SliceAxis. table: ScoreTable.
    dots: list of dots.LesionScore. messages: sentences for the user.
    """

    outputs: list[MethodOutput]
    ijk_to_ras: np.ndarray
    reference: np.ndarray | None
    low: np.ndarray
    low_ijk_to_ras: np.ndarray
    axis: slice_axis.SliceAxis
    table: ScoreTable
    dots: list[LesionScore]
    messages: list[str]


@translate_device_errors
def compare(
    volume: np.ndarray,
    ijk_to_ras: ArrayLike,
    job: ComparisonOptions,
    methods: MethodRegistry | None = None,
    allocate=None,
    further=(),
    progress=None,
    cancelled=None,
) -> Comparison:
    """Enlarges a volume, or what is left of it after degradation, by every method of a job.

    volume: (k, j, i), integer or real. ijk_to_ras: (4, 4), mm. job: ComparisonOptions. methods: a MethodRegistry to keep networks
    loaded between jobs. allocate(name, shape, dtype): makes the array of a method's output; default, in memory.
    further: metrics of the caller's own, see sampled.SampledMetrics.
    progress(done, total): slices through which all methods have gone; one of them, the last, has the planted dots.
    cancelled(): asked before every batch; the comparison ends where it answers True.
    Raises SuperResolutionError for whatever the user can mend, Cancelled.
    """
    stack = SliceStack(volume, geometry.check_ijk_to_ras(ijk_to_ras), job)
    enlargers = SharedMethods(job, methods or MethodRegistry())
    volumes = {
        name: (allocate or _allocate)(name, stack.output_shape, volume.dtype)
        for name in job.methods
    }
    sampled = SampledMetrics(job, stack, further)
    metrics = (*metrics_of(job), *sampled.metrics)
    record = _Record(job, stack, volumes, sampled, metrics)
    for part in batches(len(stack) + 1, enlargers.batch_size(*stack.low_size), progress, cancelled):
        numbers = range(len(stack) + 1)[part]
        low, truths = zip(*(stack.read(number) for number in numbers))
        low = np.stack(low)
        record.begin(numbers, low, truths)
        for name, enlarged in enlargers(low):
            record.take(name, numbers, enlarged)

    outputs = [
        MethodOutput(
            name, method.stage, volumes[name], _provenance(name, method, stack, ijk_to_ras, job)
        )
        for name, method in enlargers.methods.items()
    ]
    warnings = [
        warning
        for method in dict.fromkeys(enlargers.methods.values())
        for warning in spacing_messages(stack.low_ijk_to_ras, stack.axis, method.cards)
    ]
    shortages = [
        message
        for method in dict.fromkeys(enlargers.methods.values())
        for message in method.messages
    ]
    return Comparison(
        outputs,
        stack.ijk_to_ras,
        stack.reference_volume(),
        stack.low_volume(record.given),
        stack.low_ijk_to_ras,
        stack.axis,
        ScoreTable(metrics, record.scores),
        record.dots,
        stack.messages + warnings + shortages,
    )


class _Record:
    """Takes down what the methods have made: the volumes, the scores of every slice, the dots."""

    def __init__(self, job, stack, volumes, sampled, metrics):
        self._job, self._stack = job, stack
        self._targets = {
            name: np.moveaxis(volume, stack.axis.numpy_axis, 0) for name, volume in volumes.items()
        }
        self._sampled = sampled
        self.scores = {
            name: {metric.key: [None] * len(stack) for metric in metrics} for name in job.methods
        }
        self._plain, self._dots = {}, {}
        self.given = {}  # the degraded slices, by number
        self._referees, self._truths = {}, {}

    @property
    def dots(self):
        return [score for name in self._job.methods for score in self._dots[name]]

    def begin(self, numbers, low, truths):
        """A batch of slices; what all methods are measured against is made ready."""
        self._referees, self._truths = {}, {}
        for number, given, truth in zip(numbers, low, truths):
            if number < len(self._stack):
                mask = None if truth is None else foreground(truth)
                self._truths[number] = truth
                if truth is not None:
                    self.given[number] = given
                self._referees[number] = SliceScores(
                    truth, mask, given, self._job.scale, self._job.degradation
                )

    def take(self, name, numbers, enlarged):
        """enlarged: (n, scale·h, scale·w), what the method `name` has made of the slices of these numbers."""
        for number, image in zip(numbers, enlarged):
            if number == len(self._stack):
                self._dots[name] = self._stack.dots.scores(name, image, self._plain[name])
                continue
            if number == self._stack.fullest:
                self._plain[name] = np.array(image)
            self._targets[name][number] = self._stack.intensity.restore(image)
            found = self._referees[number].of(np.asarray(image, dtype=float))
            found |= self._sampled.of(number, image, self._truths[number])
            for key, value in found.items():
                self.scores[name][key][number] = value


def _provenance(name, method, stack, ijk_to_ras, job):
    record = provenance.describe_upsampling(
        Volume(stack.filled, ijk_to_ras), job, method, stack.axis, stack.intensity
    )
    return record | {"model": record["model"] | {"name": name}}


def _allocate(name, shape, dtype):
    return allocate_in_memory(shape, dtype)
