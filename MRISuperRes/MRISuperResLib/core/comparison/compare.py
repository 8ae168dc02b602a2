"""Comparison: every method upsamples the same slices and is scored by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import provenance
from ..errors import SuperResolutionError, translate_device_errors
from ..geometry import SliceAxis
from ..messages import Message
from ..methods.registry import MethodRegistry
from ..metrics.full_reference import PEAK
from ..options import ComparisonOptions, MethodName
from ..progress import CancelCheck, ProgressCallback
from ..resampling import back_project
from ..slices import batches
from ..upsampling import allocate_in_memory, spacing_messages
from ..volume import Volume
from .lesions import LesionScore
from .scores import PERCEPTUAL, Metric, ScoreTable, SliceScores, Values, metrics_of
from .stack import SliceStack

if TYPE_CHECKING:
    from ..methods.interpolation import Method

AllocateOutput = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]
"""Allocates the output of a method (name, shape, dtype), in memory or in a file."""
MetricFunction = Callable[[np.ndarray, np.ndarray], float]
"""Computes a metric of a slice and its reference, both (h, w), normalized."""

SAMPLED_SLICES = 5
"""Number of slices for slow metrics, evenly spaced over the middle of the scored ones."""


@dataclass(frozen=True)
class MethodOutput:
    """The result of a method.

    Attributes:
        name: Name of the method.
        stage: "interpolation", "psnr", "gan" or "blend".
        volume: The upsampled volume, in the type of the input, with its provenance.
    """

    name: str
    stage: str
    volume: Volume


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    Attributes:
        options: Options of the comparison.
        outputs: The result of every method, in the order of the options.
        reference: The reference, cropped to multiples of the scale; None without one.
        low: Input of the methods: the degraded reference (float32), or the volume itself.
        axis: Slice direction.
        table: Scores of every method and slice.
        lesions: Score of every method and synthetic lesion.
        messages: Messages of the volume and of the comparison.
    """

    options: ComparisonOptions
    outputs: list[MethodOutput]
    reference: Volume | None
    low: Volume
    axis: SliceAxis
    table: ScoreTable
    lesions: list[LesionScore]
    messages: tuple[Message, ...]

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """Voxel indices of outputs and reference to RAS, (4, 4), mm."""
        return self.outputs[0].volume.ijk_to_ras

    def to_csv(self, path: str | Path) -> None:
        """Write the mean scores, a line per method, as a CSV file."""
        Path(path).write_text(self.table.csv(), encoding="utf-8", newline="")


@translate_device_errors
def compare_methods(
    volume: Volume,
    options: ComparisonOptions,
    *,
    low: Volume | None = None,
    registry: MethodRegistry | None = None,
    allocate: AllocateOutput | None = None,
    further: Iterable[tuple[Metric, MetricFunction]] = (),
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Comparison:
    """Upsample a volume, or its degraded version, with every method and score the results.

    Every method gets the same low-resolution volume, normalized by its own percentiles as in
    `upsample_volume`. Scores are on the 0–255 scale of the reference.

    Args:
        volume: The reference, which is degraded; or the input, if `options.reference` is False.
        options: Options of the comparison.
        low: A low-resolution acquisition of the reference, which replaces the degraded one; see
            `SliceStack`.
        registry: Registry that keeps networks loaded between tasks; None: a new one.
        allocate: Allocates the output of a method; by default in memory.
        further: Additional metrics, computed on up to SAMPLED_SLICES scored slices.
        on_progress: Called with the progress in slices, first with none done. The last slice is
            the one with the synthetic lesions.
        is_cancelled: Called before every batch; the comparison stops when it returns True.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    stack = SliceStack(volume, options, low)
    shared = SharedMethods(options, registry or MethodRegistry())
    outputs = {
        name: _allocate(name, stack.output_shape, volume.array.dtype)
        if allocate is None
        else allocate(name, stack.output_shape, volume.array.dtype)
        for name in options.methods
    }
    sampled = _SampledMetrics(options, stack, further)
    metrics = (*metrics_of(options), *sampled.metrics)
    record = _Record(stack, options, outputs, sampled, metrics)
    count = len(stack) + 1
    for part in batches(count, shared.batch_size(*stack.low_shape), on_progress, is_cancelled):
        numbers = range(count)[part]
        slices = [stack.read(number) for number in numbers]
        record.begin(numbers, slices)
        for name, upsampled in shared(np.stack([low for low, _ in slices])):
            record.add(name, numbers, upsampled)

    return Comparison(
        options,
        [
            MethodOutput(
                name,
                method.stage,
                Volume(
                    outputs[name],
                    stack.ijk_to_ras,
                    provenance=_describe(name, method, volume, stack, options),
                    header=volume.header,
                ),
            )
            for name, method in shared.methods.items()
        ],
        stack.reference_volume(),
        stack.low,
        stack.axis,
        ScoreTable(metrics, record.scores, stack.scored),
        record.lesions,
        (*volume.messages, *stack.messages, *shared.messages(stack)),
    )


class SharedMethods:
    """Methods of a comparison, which share uploads and upsampled slices.

    A method and its back-projection upsample once; all networks of a device upload once.

    Attributes:
        methods: {name: the method, without back-projection}.
    """

    def __init__(self, options: ComparisonOptions, registry: MethodRegistry) -> None:
        """Load the methods.

        Args:
            options: Options of the comparison.
            registry: Finds and loads the methods.

        Raises:
            SuperResolutionError: See `MethodRegistry.get`.
        """
        self._scale, self._degradation = options.scale, options.degradation
        self.methods: dict[str, Method] = {}
        self._variants: dict[str, list[tuple[str, bool]]] = {}
        for name in options.methods:
            parsed = MethodName.parse(name)
            plain = parsed.without_back_projection
            self.methods[name] = registry.get(options.upsampling_options(plain))
            self._variants.setdefault(plain, []).append((name, parsed.back_projected))

    def batch_size(self, height: int, width: int) -> int:
        """Return the smallest batch size of all methods, for slices (height, width)."""
        return min(method.batch_size(height, width) for method in self.methods.values())

    def messages(self, stack: SliceStack) -> list[Message]:
        """Collect the messages of the methods about spacing, precision and memory."""
        methods = list(dict.fromkeys(self.methods.values()))
        cards = [card for method in methods for card in method.cards]
        spacing = spacing_messages(stack.low.ijk_to_ras, stack.axis, cards)
        return [*spacing, *(message for method in methods for message in method.messages)]

    def __call__(self, low: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Upsample slices by every method.

        Args:
            low: Slices (n, h, w), normalized.

        Yields:
            (name of a method, upsampled slices (n, scale·h, scale·w), normalized).
        """
        uploaded: dict[Any, Any] = {}
        for variants in self._variants.values():
            method = self.methods[variants[0][0]]
            if method.device not in uploaded:
                uploaded[method.device] = method.upload(low)
            upsampled = method(uploaded[method.device])
            for name, back_projected in variants:
                yield (
                    name,
                    back_project(upsampled, low, self._scale, self._degradation)
                    if back_projected
                    else upsampled,
                )


class _SampledMetrics:
    """Slow metrics, computed on a few of the scored slices."""

    def __init__(
        self,
        options: ComparisonOptions,
        stack: SliceStack,
        further: Iterable[tuple[Metric, MetricFunction]],
    ) -> None:
        self._functions = dict(further)
        if options.perceptual != "none":
            function = _perceptual_function(options.perceptual, stack.shape)
            self._functions[PERCEPTUAL[options.perceptual]] = function
        self.metrics = tuple(self._functions)
        places = np.linspace(0.2, 0.8, SAMPLED_SLICES) * (len(stack.scored) - 1)
        self._numbers = {stack.scored[place] for place in np.rint(places).astype(int)}

    def of(
        self, number: int, image: np.ndarray, reference: np.ndarray | None
    ) -> dict[str, float | None]:
        """Return {metric key: value, or None for too little content}; {} for an unsampled slice."""
        if number not in self._numbers:
            return {}
        values: dict[str, float | None] = {}
        for metric, function in self._functions.items():
            try:
                values[metric.key] = function(image, image if reference is None else reference)
            except SuperResolutionError as e:
                if e.kind != "input":
                    raise
                values[metric.key] = None
        return values


def _perceptual_function(name: str, shape: tuple[int, int]) -> MetricFunction:
    from ..metrics.perceptual import PerceptualMetric

    metric = PerceptualMetric(name)
    metric.check_size(*shape)
    return lambda image, reference: metric(image * PEAK)


class _Record:
    """Results of the methods: volumes, scores of every slice, lesions."""

    def __init__(
        self,
        stack: SliceStack,
        options: ComparisonOptions,
        outputs: dict[str, np.ndarray],
        sampled: _SampledMetrics,
        metrics: Sequence[Metric],
    ) -> None:
        self._stack, self._options, self._sampled = stack, options, sampled
        self._targets = {
            name: np.moveaxis(output, stack.axis.numpy_axis, 0) for name, output in outputs.items()
        }
        self.scores: Values = {
            name: {metric.key: [None] * len(stack) for metric in metrics}
            for name in options.methods
        }
        self._plain: dict[str, np.ndarray] = {}
        self._lesions: dict[str, list[LesionScore]] = {}
        self._slice_scores: dict[int, SliceScores] = {}
        self._references: dict[int, np.ndarray | None] = {}

    @property
    def lesions(self) -> list[LesionScore]:
        return [score for name in self._options.methods for score in self._lesions[name]]

    def begin(
        self, numbers: Sequence[int], slices: Sequence[tuple[np.ndarray, np.ndarray | None]]
    ) -> None:
        """Prepare the scores of a batch of slices, which all methods share."""
        self._slice_scores, self._references = {}, {}
        options, stack = self._options, self._stack
        for number, (low, reference) in zip(numbers, slices):
            if number < len(stack):
                mask = None if reference is None else stack.mask(number)
                given = stack.to_reference_scale(low)
                self._references[number] = reference
                self._slice_scores[number] = SliceScores(
                    reference, mask, given, options.scale, options.degradation
                )

    def add(self, name: str, numbers: Sequence[int], upsampled: np.ndarray) -> None:
        """Score and store the slices (n, scale·h, scale·w) that a method has upsampled."""
        stack = self._stack
        for number, image in zip(numbers, upsampled):
            if number == len(stack):
                self._lesions[name] = stack.lesions.scores(name, image, self._plain[name])
                continue
            if number == stack.fullest:
                self._plain[name] = np.array(image)
            self._targets[name][number] = stack.restore(image)
            scaled = stack.to_reference_scale(image)
            found = self._slice_scores[number].of(scaled)
            found |= self._sampled.of(number, scaled, self._references[number])
            for key, value in found.items():
                self.scores[name][key][number] = value


def _describe(
    name: str, method: Method, volume: Volume, stack: SliceStack, options: ComparisonOptions
) -> dict[str, Any]:
    record = provenance.describe_upsampling(
        volume, options, method, options.scale, stack.axis, stack.low_intensity
    )
    return record | {"model": record["model"] | {"name": name}}


def _allocate(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return allocate_in_memory(shape, dtype)
