"""Comparison: every method upsamples the same slices and is scored by the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import provenance
from ..errors import translate_device_errors
from ..messages import Message
from ..method_name import MethodName
from ..methods.registry import MethodRegistry
from ..options import ComparisonOptions
from ..progress import CancelCheck, ProgressCallback
from ..resampling import back_project, degrade
from ..slices import batches
from ..upsampling import spacing_messages
from ..volume import Volume
from .between_slices import compare_between_slices
from .lesions import LesionScore
from .results import AllocateOutput, Comparison, MethodOutput, allocate_output
from .sampled import MetricFunction, SampledMetrics
from .scores import Metric, ScoreTable, SliceScores, Values, metrics_of
from .stack import SliceStack

if TYPE_CHECKING:
    from ..methods.interpolation import Method


@translate_device_errors
def compare_methods(
    volume: Volume,
    options: ComparisonOptions,
    *,
    low: Volume | None = None,
    registry: MethodRegistry | None = None,
    allocate: AllocateOutput = allocate_output,
    further: Iterable[tuple[Metric, MetricFunction]] = (),
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Comparison:
    """Upsample a volume, or its degraded version, with every method and score the results.

    Every method gets the same low-resolution volume, normalized by its own percentiles as in
    `upsample_volume`. Scores are on the 0–255 scale of the reference. With a slice spacing,
    methods between slices are compared, see `compare_between_slices`.

    Args:
        volume: The reference, which is degraded; or the input, if `options.reference` is False.
        options: Options of the comparison.
        low: A low-resolution acquisition of the reference, which replaces the degraded one; see
            `SliceStack`. In-plane only.
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
    if options.is_between_slices:
        return compare_between_slices(
            volume,
            options,
            registry=registry,
            allocate=allocate,
            further=further,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
        )
    stack = SliceStack(volume, options, low)
    shared = SharedMethods(options, registry or MethodRegistry())
    outputs = {
        name: allocate(name, stack.output_shape, volume.array.dtype) for name in options.methods
    }
    sampled = SampledMetrics(options, stack.shape, stack.scored, further)
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


class _Record:
    """Results of the methods: volumes, scores of every slice, lesions."""

    def __init__(
        self,
        stack: SliceStack,
        options: ComparisonOptions,
        outputs: dict[str, np.ndarray],
        sampled: SampledMetrics,
        metrics: Sequence[Metric],
    ) -> None:
        self._stack, self._options, self._sampled = stack, options, sampled
        self._degrade = partial(degrade, scale=options.scale, kernel=options.degradation)
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
        stack = self._stack
        for number, (low, reference) in zip(numbers, slices):
            if number < len(stack):
                mask = None if reference is None else stack.mask(number)
                given = stack.to_reference_scale(low)
                self._references[number] = reference
                self._slice_scores[number] = SliceScores(reference, mask, given, self._degrade)

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
