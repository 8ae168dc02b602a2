"""Synthetic lesions between slices: spheres added to a reference before it is degraded.

A sphere has a diameter of 1 to 3 slice thicknesses and lies at any place between slices. What the
thick slices show of it is measured, so that methods answer for their own losses only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..comparison.lesions import Lesion, LesionScore
from ..through_plane.thick_slices import ThickSlices
from .findings import AuditedLesion

SPHERE_DIAMETERS = (1, 2, 3)
"""Diameters, slice thicknesses."""
MARGIN = 2
"""Slice spacings around a sphere in which its response is measured."""


@dataclass(frozen=True)
class Sphere:
    """A sphere in a volume.

    Attributes:
        center: (k, j, i) in voxels of the reference.
        diameter: Slice thicknesses.
        contrast: Intensity above the surroundings, as a fraction of the intensity range; negative
            for a dark lesion.
    """

    center: tuple[float, float, float]
    diameter: int
    contrast: float


class Spheres:
    """Spheres in the voxel grid of a reference, and what its thick slices show of them.

    Attributes:
        spheres: The spheres.
        added: (k, j, i) on the grid of the thick slices, normalized, float32: what they add there.
    """

    def __init__(
        self,
        spheres: Sequence[Sphere],
        shape: Sequence[int],
        spacing: np.ndarray,
        thick: ThickSlices,
    ) -> None:
        """Add the spheres to an empty volume, and degrade it.

        Args:
            spheres: The spheres, whose windows do not overlap.
            shape: (k, j, i) of the reference.
            spacing: Its voxel size (sk, sj, si), mm.
            thick: The thick slices.
        """
        self.spheres, self._thick = tuple(spheres), thick
        self._spacing, self._shape = np.asarray(spacing), tuple(shape)
        volume = np.zeros(self._shape, np.float32)
        for sphere in self.spheres:
            window = self._window(sphere)
            volume[window] += sphere.contrast * self._ball(sphere, window)
        self.added: np.ndarray = thick.degrade(volume)

    def scores(
        self, method: str, with_lesions: np.ndarray, without: np.ndarray
    ) -> list[AuditedLesion]:
        """Measure the response of a method to every sphere.

        Args:
            method: Name of the method.
            with_lesions: Its result (k, j, i) for the thick slices with the spheres, normalized.
            without: Its result for those without them.
        """
        response = with_lesions - without
        seen = self._thick.degrade(response)
        factor = self._thick.size / self._thick.count
        lesions = []
        for sphere in self.spheres:
            fine, coarse = self._window(sphere), self._window(sphere, of_thick=True)
            added, degraded, result = (
                array[window] / sphere.contrast
                for array, window in ((self.added, coarse), (seen, coarse), (response, fine))
            )
            score = LesionScore(
                method,
                sphere.diameter,
                float(result.sum() / (added.sum() * factor)),
                float(degraded.max() / added.max()),
                float(result.max()),
            )
            number, row, column = self._place(sphere)
            lesion = Lesion(row, column, sphere.diameter, sphere.contrast)
            lesions.append(AuditedLesion(number, lesion, score))
        return lesions

    def _place(self, sphere: Sphere) -> tuple[int, int, int]:
        """Return (slice, row, column) of the center, in voxels of the thick slices."""
        axis = self._thick.axis.numpy_axis
        center = list(sphere.center)
        along = center.pop(axis)
        number = int((along + 0.5) * self._thick.count / self._thick.size)
        return number, round(center[0]), round(center[1])

    def _window(self, sphere: Sphere, of_thick: bool = False) -> tuple[slice, ...]:
        """Return the surroundings of a sphere in the reference or in the thick slices."""
        half = reach(sphere.diameter, self._thick) / self._spacing
        slices = []
        for axis, (center, side) in enumerate(zip(sphere.center, self._shape)):
            first, last = max(0.0, center - half[axis]), min(side - 1.0, center + half[axis])
            if of_thick and axis == self._thick.axis.numpy_axis:
                part = self._thick.count / self._thick.size
                first, last = first * part, min(last * part, self._thick.count - 1.0)
            slices.append(slice(int(first), int(np.ceil(last)) + 1))
        return tuple(slices)

    def _ball(self, sphere: Sphere, window: tuple[slice, ...]) -> np.ndarray:
        """Return the sphere in a window: 1 inside, with an edge of a voxel."""
        grids = np.ogrid[window]
        squares = [
            ((grid - center) * side) ** 2
            for grid, center, side in zip(grids, sphere.center, self._spacing)
        ]
        distance = np.sqrt(squares[0] + squares[1] + squares[2])
        radius, edge = sphere.diameter * self._thick.thickness / 2, self._spacing.min()
        ball: np.ndarray = np.clip((radius - distance) / edge + 0.5, 0, 1)
        return ball


def reach(diameter: int, thick: ThickSlices) -> float:
    """Return half the side of the window of a sphere, mm."""
    return diameter * thick.thickness / 2 + MARGIN * thick.spacing


def scattered_spheres(
    image: np.ndarray,
    foreground: np.ndarray,
    spacing: np.ndarray,
    thick: ThickSlices,
    contrast: float,
    seed: int,
) -> list[Sphere]:
    """Place as many spheres as fit, alternately bright and dark, of 1 to 3 slice thicknesses.

    Bright and dark spheres lie where their intensity stays within 0 and 1.

    Args:
        image: The reference (k, j, i), normalized.
        foreground: Boolean mask (k, j, i).
        spacing: Voxel size (sk, sj, si), mm.
        thick: The thick slices.
        contrast: Magnitude, as a fraction of the intensity range.
        seed: Seed of the positions, for numpy's default_rng.
    """
    from scipy.ndimage import distance_transform_edt, uniform_filter

    rng = np.random.default_rng(seed)
    diameters = rng.permutation(SPHERE_DIAMETERS).tolist()
    largest = max(SPHERE_DIAMETERS)
    # background beyond the volume, so that no sphere is cut by its faces
    depth = distance_transform_edt(np.pad(foreground, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    free = depth > largest * thick.thickness / 2
    distance = 2 * reach(largest, thick) / spacing
    mean = uniform_filter(image, np.maximum(1, np.rint(thick.thickness / spacing)).astype(int))
    spheres: dict[int, list[Sphere]] = {int(sign): [] for sign in rng.permutation((1, -1))}
    candidates = np.flatnonzero(free)
    for place in rng.permutation(candidates):
        voxel = np.unravel_index(place, free.shape)
        if not free[voxel]:
            continue
        possible = [sign for sign in spheres if 0 <= mean[voxel] + sign * contrast <= 1]
        if possible:
            same_sign = spheres[sign := min(possible, key=lambda sign: len(spheres[sign]))]
            diameter = diameters[len(same_sign) % len(diameters)]
            k, j, i = (float(part) for part in np.array(voxel) + rng.uniform(-0.5, 0.5, 3))
            same_sign.append(Sphere((k, j, i), diameter, sign * contrast))
            free[
                tuple(
                    slice(max(0, int(center - gap - 1)), int(center + gap) + 2)
                    for center, gap in zip(voxel, distance)
                )
            ] = False
    return [sphere for same_sign in spheres.values() for sphere in same_sign]
