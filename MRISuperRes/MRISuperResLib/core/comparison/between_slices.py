"""Comparison between slices: methods restore a reference from thick slices.

The slices of the tables are reformats, which contain the slice direction.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from .. import provenance
from ..intensity import Intensity
from ..masking import ImageVoxels
from ..messages import Message, info
from ..methods.between_slices import ThroughPlaneMethod
from ..methods.registry import MethodRegistry
from ..metrics.full_reference import PEAK, foreground, rmse
from ..options import ComparisonOptions, UpsamplingOptions
from ..progress import CancelCheck, PartsProgress, Progress, ProgressCallback
from ..resampling import add_rician_noise
from ..slices import batches
from ..through_plane.thick_slices import ThickSlices
from ..upsampling import upsample_volume
from ..volume import Volume
from .results import AllocateOutput, Comparison, MethodOutput, allocate_output
from .sampled import MetricFunction, SampledMetrics
from .scores import Metric, ScoreTable, SliceScores, Values, metrics_of
from .stack import scored_slices

BATCH = 8
"""Reformats that are scored at a time, between two checks for cancellation."""


class ThickReference:
    """A reference, and the thick slices from which methods restore it.

    Attributes:
        volume: The reference.
        thick: Its thick slices.
        array: Its voxels (k, j, i); those without image have the lowest value of the image.
        low: The degraded volume, float32, in the intensities of the reference.
        intensity: Intensity map of the reference.
        axis: Normal of the reformats.
        slice_axis: Axis of the slice direction in a reformat, 0 or 1.
        messages: Messages about slice direction, degradation and voxels without image.
    """

    def __init__(self, volume: Volume, options: ComparisonOptions) -> None:
        """Degrade a reference.

        Args:
            volume: The reference.
            options: Options with `slice_spacing`.

        Raises:
            SuperResolutionError: See `ThickSlices.of`; or no voxel is image.
        """
        self.volume, self._options = volume, options
        self.thick = ThickSlices.of(volume, options)
        voxels = ImageVoxels.of(volume)
        self.intensity = Intensity.of(voxels.values)
        self.axis = self.thick.reformat_axis(volume)
        self.array: np.ndarray = voxels.array
        along = [a for a in range(3) if a != self.axis.numpy_axis]
        self.slice_axis = along.index(self.thick.axis.numpy_axis)
        self.low = Volume(
            self._degraded(voxels.array), self.thick.ijk_to_ras(volume), header=volume.header
        )
        self.messages: list[Message] = [
            info("slice-axis", f"{self.thick.axis.description(volume.ijk_to_ras)}."),
            info(
                "through-plane",
                f"Degraded to {self.thick.count} slices: {self.thick.text()}.",
            ),
            *voxels.messages,
        ]

    def __len__(self) -> int:
        """Return the number of reformats."""
        return self.array.shape[self.axis.numpy_axis]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of a reformat."""
        rows, columns = np.delete(self.array.shape, self.axis.numpy_axis).tolist()
        return rows, columns

    @property
    def reformats(self) -> int:
        """Number of reformats in both orientations, which a method upsamples."""
        return int(np.delete(self.array.shape, self.thick.axis.numpy_axis).sum())

    def reformat(self, array: np.ndarray, number: int) -> np.ndarray:
        """Return a reformat of an array (k, j, i), normalized: (rows, columns) float64."""
        return self.intensity.normalize(np.take(array, number, self.axis.numpy_axis))

    def reference(self, number: int) -> np.ndarray:
        """Return a reformat of the reference, normalized: (rows, columns) float64."""
        return self.reformat(self.array, number)

    def scores(self, number: int) -> SliceScores:
        """Return the function that scores a reformat of a result."""
        image = self.reference(number)
        degrade = partial(self.thick.degrade, axis=self.slice_axis)
        return SliceScores(image, foreground(image), self.reformat(self.low.array, number), degrade)

    def inconsistency(self, number: int, image: np.ndarray) -> float:
        """Return the RMSE, of 255, of a degraded result against the thick slices in a reformat."""
        low = self.reformat(self.low.array, number)
        return rmse(self.thick.degrade(image, self.slice_axis) * PEAK, low * PEAK)

    def scored(self) -> list[int]:
        """Return the numbers of the reformats over which scores are averaged."""
        images = [self.reference(number) for number in range(len(self))]
        sizes = np.array([foreground(image).sum() for image in images])
        return scored_slices(sizes, np.array([image.min() == image.max() for image in images]))

    def upsampling_options(self, method: str) -> UpsamplingOptions:
        """Return the options with which a method restores the reference."""
        return UpsamplingOptions(
            slice_axis=self.thick.axis.name,
            device=self._options.device,
            precision=self._options.precision,
            spacing=self.volume.spacing,
            between_slices=method,
            slice_thickness=self.thick.thickness,
        )

    def _degraded(self, array: np.ndarray) -> np.ndarray:
        """Return the thick slices (k, j, i), with noise, in the intensities of the reference."""
        low = self.thick.degrade(array)
        noise, seed = self._options.noise / 100, self._options.seed
        if noise:
            gain = self.intensity.high - self.intensity.low
            for number, image in enumerate(np.moveaxis(low, self.thick.axis.numpy_axis, 0)):
                normalized = self.intensity.normalize(image)
                noisy = add_rician_noise(normalized, noise, (seed, number))
                image[...] = noisy * gain + self.intensity.low
        return low


def compare_between_slices(
    volume: Volume,
    options: ComparisonOptions,
    *,
    registry: MethodRegistry | None = None,
    allocate: AllocateOutput = allocate_output,
    further: Iterable[tuple[Metric, MetricFunction]] = (),
    on_progress: ProgressCallback | None = None,
    is_cancelled: CancelCheck | None = None,
) -> Comparison:
    """Degrade a reference to thick slices, restore it with every method, and score the results.

    The whole reference is compared, on its own grid and on its 0–255 scale. The scores of the table
    are those of reformats; `ScoreTable.volume_psnr` and `volume_rmse` are over all voxels.

    Peak memory: the reference, its thick slices, and every result in single precision and in the
    type of the reference.

    Args:
        volume: The reference, nearly isotropic.
        options: Options with `slice_spacing`.
        registry: Registry that keeps networks loaded between tasks; None: a new one.
        allocate: Allocates the output of a method; by default in memory.
        further: Additional metrics, computed on a few scored reformats.
        on_progress: Called with the progress in reformats, first with none done.
        is_cancelled: Called before every batch; the comparison stops when it returns True.

    Raises:
        SuperResolutionError: An error that the user can fix.
        Cancelled: `is_cancelled` returned True.
    """
    registry = registry or MethodRegistry()
    given = ThickReference(volume, options)
    methods = {
        name: registry.between_slices(given.upsampling_options(name)) for name in options.methods
    }
    parts = PartsProgress([*(given.reformats for _ in methods), len(given)])

    def report(progress: Progress) -> None:
        if on_progress:
            on_progress(parts.whole(progress))

    restored: dict[str, Volume] = {}
    for parts.number, name in enumerate(methods):
        restored[name] = upsample_volume(
            given.low,
            given.upsampling_options(name),
            registry=registry,
            on_progress=report,
            is_cancelled=is_cancelled,
        )
    scored = given.scored()
    sampled = SampledMetrics(options, given.shape, scored, further)
    metrics = (*metrics_of(options), *sampled.metrics)
    values: Values = {
        name: {metric.key: [None] * len(given) for metric in metrics} for name in methods
    }
    arrays = {name: allocate(name, volume.array.shape, volume.array.dtype) for name in methods}
    parts.number = len(methods)
    for part in batches(len(given), BATCH, report, is_cancelled):
        for number in range(len(given))[part]:
            scores, reference = given.scores(number), given.reference(number)
            for name, result in restored.items():
                image = given.reformat(result.array, number)
                found = scores.of(image) | sampled.of(number, image, reference)
                for key, value in found.items():
                    values[name][key][number] = value
                target = np.moveaxis(arrays[name], given.axis.numpy_axis, 0)
                target[number] = given.intensity.restore(image)
    return Comparison(
        options,
        [
            MethodOutput(
                name,
                method.stage,
                Volume(
                    arrays[name],
                    volume.ijk_to_ras,
                    provenance=_describe(given, options, method, restored[name]),
                    header=volume.header,
                ),
            )
            for name, method in methods.items()
        ],
        Volume(given.array, volume.ijk_to_ras, header=volume.header),
        given.low,
        given.axis,
        ScoreTable(metrics, values, scored),
        [],
        (*volume.messages, *given.messages, *_method_messages(methods.values())),
        given.thick,
    )


def _method_messages(methods: Iterable[ThroughPlaneMethod]) -> list[Message]:
    return [message for method in methods for message in method.messages]


def _describe(
    given: ThickReference,
    options: ComparisonOptions,
    method: ThroughPlaneMethod,
    restored: Volume,
) -> dict[str, Any]:
    """Return the provenance of an output, whose input is the reference."""
    record = restored.provenance or {}
    described = provenance.describe_upsampling(
        given.volume, options, method, 1, given.thick.axis, given.intensity
    )
    kept = {key: record[key] for key in ("intensity", "factors", "slice_thickness")}
    return described | kept | {"slice_spacing": given.thick.spacing}
