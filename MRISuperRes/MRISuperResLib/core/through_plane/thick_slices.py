"""Degradation of a nearly isotropic volume to thick slices, as a reference between slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from .. import geometry
from ..errors import SuperResolutionError
from ..geometry import THICK_SLICE_RATIO, SliceAxis, choose_reformat_axis, choose_slice_axis
from ..options import ComparisonOptions
from ..slice_profile import profile_weights, slice_centers
from ..volume import Volume
from .grid import MAX_FACTOR

MIN_SLICES = 4
"""Thick slices below which nothing can be compared."""
TOLERANCE = 1e-4
"""Headers store single precision."""


@dataclass(frozen=True)
class ThickSlices:
    """Thick slices that divide the field of view of a reference evenly.

    Attributes:
        axis: Slice direction.
        size: Number of slices of the reference.
        count: Number of thick slices.
        spacing: Their slice spacing, mm.
        thickness: Their slice thickness, mm.
    """

    axis: SliceAxis
    size: int
    count: int
    spacing: float
    thickness: float

    @classmethod
    def of(cls, reference: Volume, options: ComparisonOptions) -> Self:
        """Plan the thick slices that the options request.

        Whole slices fill the field of view, so that their spacing is the nearest possible one.

        Args:
            reference: The reference.
            options: Options with `slice_spacing`.

        Raises:
            SuperResolutionError: The reference has thick slices itself, or the requested slices
                are too thin, too thick or too few.
        """
        assert options.slice_spacing is not None
        axis = choose_slice_axis(reference.ijk_to_ras, options.slice_axis, reference.size)
        step, size = reference.spacing[axis.index], reference.size[axis.index]
        in_plane = float(np.sqrt(np.delete(reference.spacing, axis.index).prod()))
        if step > THICK_SLICE_RATIO * in_plane * (1 + TOLERANCE):
            raise SuperResolutionError(
                f"The slice spacing of {step:.3g} mm is more than {THICK_SLICE_RATIO} times the "
                f"in-plane spacing of {in_plane:.3g} mm, so that there is no reference between "
                "slices. Choose a nearly isotropic volume or another slice direction."
            )
        requested = options.slice_spacing
        count = round(size * step / requested)
        if count >= size or count * MAX_FACTOR < size:
            raise SuperResolutionError(
                f"Slices {requested:.3g} mm apart cannot be compared with a reference whose slices "
                f"are {step:.3g} mm apart. Choose a slice spacing of more than {step:.3g} and at "
                f"most {MAX_FACTOR * step:.3g} mm."
            )
        if count < MIN_SLICES:
            raise SuperResolutionError(
                f"Only {count} slices, {requested:.3g} mm apart, fit into the volume. Choose a "
                f"smaller slice spacing or a larger volume; {MIN_SLICES} slices are required."
            )
        spacing = size * step / count
        return cls(axis, size, count, spacing, options.slice_thickness or spacing)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the reference's slices in every thick slice, (count, size) float64."""
        return profile_weights(
            self.size,
            slice_centers(self.size, self.count),
            self.thickness / self.spacing * self.size / self.count,
        )

    def degrade(self, array: np.ndarray, axis: int | None = None) -> np.ndarray:
        """Average slices to thick slices.

        Args:
            array: Any shape, in the intensities of the reference or normalized.
            axis: Axis of the slices; None: that of an array (k, j, i).

        Returns:
            The averages, float32, with `count` instead of `size` slices.
        """
        axis = self.axis.numpy_axis if axis is None else axis
        averaged = np.tensordot(self.weights, array, (1, axis))
        return np.ascontiguousarray(np.moveaxis(averaged, 0, axis), dtype=np.float32)

    def ijk_to_ras(self, reference: Volume) -> np.ndarray:
        """Return the (4, 4) matrix of the thick slices, mm."""
        factors = np.ones(3)
        factors[self.axis.index] = self.count / self.size
        return geometry.upsampled_ijk_to_ras(reference.ijk_to_ras, factors)

    def reformat_axis(self, reference: Volume) -> SliceAxis:
        """Return the normal of the reformats to show: coronal, or else sagittal ones."""
        return choose_reformat_axis(reference.ijk_to_ras, self.axis)

    def text(self) -> str:
        """Describe the slices, such as "4 mm slice spacing, 3 mm slice thickness"."""
        return f"{self.spacing:.3g} mm slice spacing, {self.thickness:.3g} mm slice thickness"
