"""Slices of a comparison or audit: input of the methods, and reference if there is one."""

from __future__ import annotations

import numpy as np

from .. import geometry, resampling
from ..errors import SuperResolutionError
from ..geometry import SliceAxis, choose_slice_axis
from ..intensity import Intensity
from ..masking import ImageVoxels
from ..messages import Message, info
from ..metrics.full_reference import foreground
from ..options import ComparisonOptions
from ..volume import Volume
from .lesions import SyntheticLesions, evenly_spaced_lesions
from .scores import SCORED_SHARE

MIN_SIDE = 4
"""Low-resolution pixels per side below which nothing can be compared."""


class SliceStack:
    """Numbered slices of a volume, followed by a copy of the fullest one with synthetic lesions.

    The low-resolution volume is normalized by its own percentiles, as in `upsample_volume`. Scores
    are on the scale of the reference, where its 0.1 and 99.9 percentiles are 0 and 1;
    `to_reference_scale` converts. A reference is cropped to multiples
    of the scale at the ends of its rows and columns.

    Attributes:
        axis: Slice direction.
        intensity: Intensity map of the reference; without one, of the input.
        low: Input of the methods: the degraded (float32) or acquired one, or the volume itself.
        low_intensity: Intensity map of `low`.
        low_shape: (rows, columns) of the low-resolution slices.
        shape: (rows, columns) of the upsampled slices.
        output_shape: (k, j, i) of the upsampled volumes.
        ijk_to_ras: (4, 4), mm, of the upsampled volumes and of the reference.
        foreground_sizes: Foreground pixels of every slice of the reference (or input).
        scored: Numbers of the slices over which scores are averaged, see `scored_slices`.
        fullest: Number of the slice with the largest foreground.
        lesions: The fullest slice with synthetic lesions.
        messages: Messages about slice direction, crop and voxels without image.
    """

    def __init__(
        self, volume: Volume, options: ComparisonOptions, low: Volume | None = None
    ) -> None:
        """Degrade a volume, unless the options say to upsample it directly.

        Args:
            volume: The reference; the input if `options.reference` is False.
            options: Options of the comparison or audit.
            low: A low-resolution acquisition of the reference, which replaces the degraded one:
                its sides in the plane are those of the reference, divided by the scale.

        Raises:
            SuperResolutionError: The slices are too small, or no voxel is image.
        """
        self._options = options
        voxels = ImageVoxels.of(volume)
        array = voxels.array
        self.axis: SliceAxis = choose_slice_axis(volume.ijk_to_ras, options.slice_axis, volume.size)
        self.intensity = Intensity.of(voxels.values)
        whole = np.moveaxis(array, self.axis.numpy_axis, 0)
        self._source = (
            resampling.crop_to_multiple(whole, options.scale) if options.reference else whole
        )
        self.low_shape, self.shape = self._sides(whole.shape[1:])
        slices = np.broadcast_to(False, (len(self), *self.shape))
        self.output_shape: tuple[int, ...] = self._to_volume(slices).shape
        self.messages: list[Message] = self._describe(volume, whole.shape[1:])
        self.messages += voxels.messages
        if options.reference:
            matrix = volume.ijk_to_ras
            factors = np.divide(1, self.axis.factors(options.scale))
            low_matrix = geometry.upsampled_ijk_to_ras(matrix, factors)
            acquired = low or Volume(self._degrade_all(), low_matrix)
            low_voxels = ImageVoxels.of(acquired)
            self.low = Volume(low_voxels.array, low_matrix, header=volume.header)
            self.low_intensity = Intensity.of(low_voxels.values)
        else:
            factors = np.array(self.axis.factors(options.scale))
            matrix = geometry.upsampled_ijk_to_ras(volume.ijk_to_ras, factors)
            self.low = Volume(array, volume.ijk_to_ras, header=volume.header)
            self.low_intensity = self.intensity
        # two acquisitions have different gains: each has the same range after normalization
        self._result_intensity = self.low_intensity if low is None else self.intensity
        self.ijk_to_ras: np.ndarray = matrix
        self._low = np.moveaxis(self.low.array, self.axis.numpy_axis, 0)
        self._find_foreground()

    def __len__(self) -> int:
        """Return the number of slices, without the copy with lesions."""
        return len(self._source)

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a slice as (input of the methods, reference).

        Args:
            number: Number of the slice; `len(self)` for the one with the lesions.

        Returns:
            The input (h, w), normalized by `low_intensity`; and the reference
            (scale·h, scale·w), normalized by `intensity`, or None without a reference and for the
            slice with the lesions.
        """
        if number == len(self):
            return self.lesions.image, None
        low = self.low_intensity.normalize(self._low[number])
        if not self._options.reference:
            return low, None
        return low, self.intensity.normalize(self._source[number])

    def mask(self, number: int) -> np.ndarray:
        """Return the foreground of a slice of the reference, or else of the input."""
        height, width = self._source.shape[1:]
        return np.unpackbits(self._masks[number], count=height * width).reshape(height, width) > 0

    def to_reference_scale(self, image: np.ndarray) -> np.ndarray:
        """Convert a result, or an input of the methods, to the scale of the reference."""
        image = np.asarray(image, dtype=float)
        if not self._options.reference:
            return image
        result = self._result_intensity
        return self.intensity.normalize(image * (result.high - result.low) + result.low)

    def restore(self, image: np.ndarray) -> np.ndarray:
        """Convert a result of a method to the stored type of the volume."""
        result = self._result_intensity
        return Intensity(result.low, result.high, self._source.dtype).restore(image)

    def reference_volume(self) -> Volume | None:
        """Return the cropped reference in the type of the volume; None without a reference."""
        if not self._options.reference:
            return None
        array = np.ascontiguousarray(self._to_volume(self._source))
        return Volume(array, self.ijk_to_ras, header=self.low.header)

    def _sides(self, whole: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (rows, columns) of the low-resolution and of the upsampled slices."""
        scale = self._options.scale
        rows, columns = (side // scale if self._options.reference else side for side in whole)
        if min(rows, columns) < MIN_SIDE:
            raise SuperResolutionError(
                f"Slices of {whole[1]}×{whole[0]} pixels are too small for a comparison "
                f"×{scale}: choose another slice direction, a smaller scale or a larger volume."
            )
        return (rows, columns), (rows * scale, columns * scale)

    def _describe(self, volume: Volume, whole: tuple[int, ...]) -> list[Message]:
        messages = [info("slice-axis", f"{self.axis.description(volume.ijk_to_ras)}.")]
        if whole != self._source.shape[1:]:
            messages.append(
                info(
                    "crop",
                    f"Cropped from {whole[1]}×{whole[0]} to {self.shape[1]}×{self.shape[0]} "
                    f"pixels, multiples of {self._options.scale}.",
                )
            )
        return messages

    def _degrade_all(self) -> np.ndarray:
        """Return the degraded reference (k, j, i), float32, in its intensities."""
        options, gain = self._options, self.intensity.high - self.intensity.low
        low = np.empty((len(self), *self.low_shape), np.float32)
        for number, image in enumerate(self._source):
            normalized = self.intensity.normalize(image)
            degraded = resampling.degrade(normalized, options.scale, options.degradation)
            if options.noise:
                seed = (options.seed, number)
                degraded = resampling.add_rician_noise(degraded, options.noise / 100, seed)
            low[number] = degraded * gain + self.intensity.low
        return np.ascontiguousarray(self._to_volume(low))

    def _find_foreground(self) -> None:
        masks = [foreground(self.intensity.normalize(image)) for image in self._source]
        self._masks = [np.packbits(mask) for mask in masks]
        self.foreground_sizes: np.ndarray = np.array([mask.sum() for mask in masks])
        is_constant = np.array([image.min() == image.max() for image in self._source])
        self.scored: list[int] = scored_slices(self.foreground_sizes, is_constant)
        self.fullest = int(np.argmax(self.foreground_sizes))
        plain, _ = self.read(self.fullest)
        placed = evenly_spaced_lesions(plain, foreground(plain))
        self.lesions = SyntheticLesions(plain, placed, self._options.scale)

    def _to_volume(self, images: np.ndarray) -> np.ndarray:
        """Return slices (n, rows, columns) as an array (k, j, i), a view."""
        return np.moveaxis(images, 0, self.axis.numpy_axis)


def scored_slices(foreground_sizes: np.ndarray, is_constant: np.ndarray) -> list[int]:
    """Choose the slices over which the scores of every method are averaged.

    A slice is scored if it is not constant and its foreground has at least SCORED_SHARE of the
    pixels of the largest one. If no slice is, all are.

    Args:
        foreground_sizes: Foreground pixels of every slice of the reference.
        is_constant: Boolean, True for slices of a single gray level.

    Returns:
        Slice numbers, ascending.
    """
    largest = foreground_sizes.max()
    is_scored = (foreground_sizes >= max(SCORED_SHARE * largest, 1)) & ~is_constant
    numbers: list[int] = np.flatnonzero(is_scored).tolist()
    return numbers or list(range(len(foreground_sizes)))
