"""Synthetic lesions: discs added to a low-resolution slice, and their response in each result.

The response to a lesion is the difference between the results with and without it, so that no
other structure of the slice is mistaken for the lesion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

DIAMETERS = (2, 3, 4, 5)
"""Diameters, low-resolution pixels."""
CONTRAST = 0.5
"""Contrast of the lesions of a comparison, as a fraction of the intensity range."""
DISTANCE = 16
"""Low-resolution pixels between two lesions, and twice those between a lesion and the edge."""
LOST, WEAKENED, EXAGGERATED = 0.25, 0.75, 1.25
"""Limits of the remaining contrast."""
OUTCOMES = ("preserved", "weakened", "lost", "exaggerated")


@dataclass(frozen=True)
class Lesion:
    """A disc in a slice.

    Attributes:
        row: Row of its center, low-resolution pixels.
        column: Column of its center, low-resolution pixels.
        diameter: Low-resolution pixels.
        contrast: Intensity above the surroundings, as a fraction of the intensity range; negative
            for a dark lesion.
    """

    row: int
    column: int
    diameter: int
    contrast: float = CONTRAST


@dataclass(frozen=True)
class LesionScore:
    """Response of a method to a lesion, as fractions of the lesion that was added.

    Attributes:
        method: Name of the method.
        diameter: Diameter of the lesion, low-resolution pixels.
        brightness: Sum of the response around the lesion.
        contrast: Maximum at the input's resolution (mean over each input pixel).
        peak: Maximum in the result; above 1 if the method sharpens the lesion.
    """

    method: str
    diameter: int
    brightness: float
    contrast: float
    peak: float

    @property
    def outcome(self) -> str:
        """One of OUTCOMES, from the remaining contrast."""
        if self.contrast < LOST:
            return "lost"
        if self.contrast < WEAKENED:
            return "weakened"
        return "exaggerated" if self.contrast > EXAGGERATED else "preserved"

    def text(self) -> str:
        """Describe the outcome in one sentence."""
        return (
            f"{self.method}: lesion of {self.diameter} voxels {self.outcome} "
            f"({self.contrast:.0%} of its contrast at the input's resolution, "
            f"{self.brightness:.0%} of its brightness, peak {self.peak:.0%})."
        )


class SyntheticLesions:
    """A low-resolution slice with lesions added.

    Attributes:
        lesions: The lesions.
        image: The slice (h, w) with the lesions.
    """

    def __init__(self, low: np.ndarray, lesions: Iterable[Lesion], scale: int) -> None:
        """Add lesions to a slice.

        Args:
            low: Slice (h, w), normalized.
            lesions: Lesions, more than DISTANCE apart.
            scale: Upsampling factor of the results.
        """
        self.lesions: tuple[Lesion, ...] = tuple(lesions)
        self._scale = scale
        self._added: np.ndarray = np.zeros(low.shape)
        for lesion in self.lesions:
            self._added += _disc(low.shape, lesion)
        self.image: np.ndarray = low + self._added

    def scores(
        self, method: str, with_lesions: np.ndarray, without: np.ndarray
    ) -> list[LesionScore]:
        """Measure the response of a method to every lesion.

        Args:
            method: Name of the method.
            with_lesions: Its result (scale·h, scale·w) for the slice with the lesions.
            without: Its result (scale·h, scale·w) for the slice without them.
        """
        response: np.ndarray = np.asarray(with_lesions, dtype=float) - without
        rows, columns = self._added.shape
        degraded = response.reshape(rows, self._scale, columns, self._scale).mean(axis=(1, 3))
        scores = []
        for lesion in self.lesions:
            added, seen, result = (
                image[_window(lesion, scale)] / lesion.contrast
                for image, scale in ((self._added, 1), (degraded, 1), (response, self._scale))
            )
            brightness = result.sum() / (added.sum() * self._scale**2)
            values = float(brightness), float(seen.max()), float(result.max())
            scores.append(LesionScore(method, lesion.diameter, *values))
        return scores


def evenly_spaced_lesions(low: np.ndarray, foreground: np.ndarray) -> list[Lesion]:
    """Place bright lesions of 2, 3, 4 and 5 pixels where a slice is homogeneous and not bright.

    The smallest lesion lies where the slice is most homogeneous. Lesions that do not fit are left
    out.

    Args:
        low: Slice (h, w), normalized.
        foreground: Boolean mask (h, w).

    Returns:
        Up to four lesions, the same ones for the same slice.
    """
    # Imported here, as below, because the panel imports this module and must not wait for scipy.
    from scipy.ndimage import uniform_filter

    size = DISTANCE // 2
    mean = uniform_filter(low, size)
    deviation = np.sqrt(np.maximum(uniform_filter(low**2, size) - mean**2, 0))
    cost = deviation + np.maximum(mean + CONTRAST - 1, 0)
    return [
        Lesion(row, column, diameter)
        for diameter, (row, column) in zip(DIAMETERS, _places(foreground, cost))
    ]


def scattered_lesions(
    low: np.ndarray, foreground: np.ndarray, contrast: float, seed: int | Sequence[int]
) -> list[Lesion]:
    """Place as many lesions as fit, alternately bright and dark, of 2 to 5 pixels.

    Bright and dark lesions lie where their intensity stays within 0 and 1.

    Args:
        low: Slice (h, w), normalized.
        foreground: Boolean mask (h, w).
        contrast: Magnitude, as a fraction of the intensity range.
        seed: Seed of the positions, for numpy's default_rng.
    """
    from scipy.ndimage import uniform_filter

    rng = np.random.default_rng(seed)
    mean, diameters = uniform_filter(low, max(DIAMETERS)), rng.permutation(DIAMETERS).tolist()
    # The first sign is random, too, since a single lesion may fit.
    lesions: dict[int, list[Lesion]] = {int(sign): [] for sign in rng.permutation((1, -1))}
    for row, column in _places(foreground, rng.random(low.shape)):
        possible = [sign for sign in lesions if 0 <= mean[row, column] + sign * contrast <= 1]
        if possible:
            same_sign = lesions[sign := min(possible, key=lambda sign: len(lesions[sign]))]
            diameter = diameters[len(same_sign) % len(diameters)]
            same_sign.append(Lesion(row, column, diameter, sign * contrast))
    return [lesion for same_sign in lesions.values() for lesion in same_sign]


def _disc(shape: tuple[int, ...], lesion: Lesion) -> np.ndarray:
    """Return the disc of a lesion; for an even diameter its center is a corner of four pixels."""
    shift = 0.5 if lesion.diameter % 2 == 0 else 0.0
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - lesion.row - shift, columns - lesion.column - shift)
    disc: np.ndarray = lesion.contrast * (distance <= lesion.diameter / 2)
    return disc


def _window(lesion: Lesion, scale: int) -> tuple[slice, slice]:
    """Return the surroundings of a lesion, which contain no other lesion."""
    half = DISTANCE // 2
    rows, columns = (
        slice((center - half) * scale, (center + half) * scale)
        for center in (lesion.row, lesion.column)
    )
    return rows, columns


def _places(foreground: np.ndarray, cost: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (row, column) by cost, DISTANCE apart and inside the foreground, until none is free."""
    from scipy.ndimage import binary_erosion

    half = DISTANCE // 2
    free = np.zeros(cost.shape, bool)
    inner = binary_erosion(foreground, iterations=max(DIAMETERS) // 2 + 1)
    free[half:-half, half:-half] = inner[half:-half, half:-half]
    while free.any():
        row, column = np.unravel_index(np.argmin(np.where(free, cost, np.inf)), cost.shape)
        yield int(row), int(column)
        rows, columns = (
            slice(max(center - DISTANCE, 0), center + DISTANCE + 1) for center in (row, column)
        )
        free[rows, columns] = False
