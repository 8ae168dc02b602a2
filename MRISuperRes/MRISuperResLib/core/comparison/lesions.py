"""How each method keeps small spots: dots are planted into a low-resolution slice and looked for in the result.

What a method makes of a dot is the difference between its results with and without it, so that nothing else in the slice
is taken for the dot.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, uniform_filter

DIAMETERS = (2, 3, 4, 5)  # low-resolution pixels
HEIGHT = 0.5  # part of the intensity range
DISTANCE = 16  # low-resolution pixels between two dots, and half of it to the edge
LOST, WEAKENED, EXAGGERATED = 0.25, 0.75, 1.25  # limits of the height
WORDS = ("kept", "weakened", "lost", "exaggerated")


@dataclass(frozen=True)
class Dot:
    """row, column, diameter: low-resolution pixels. height: above what is around it, a part of the intensity range; of a dark dot below 0."""

    row: int
    column: int
    diameter: int
    height: float = HEIGHT


@dataclass(frozen=True)
class LesionScore:
    """What is left of a dot of so many low-resolution pixels, as parts of what was planted.

    brightness: the sum over the dot. height: its maximum, seen at the resolution of the input (the mean over each of its
    pixels). peak: its maximum in the result, which rises above 1 where the method makes the dot sharper.
    """

    method: str
    diameter: int
    brightness: float
    height: float
    peak: float

    @property
    def word(self) -> str:
        """One of WORDS."""
        if self.height < LOST:
            return "lost"
        return (
            "weakened"
            if self.height < WEAKENED
            else "exaggerated"
            if self.height > EXAGGERATED
            else "kept"
        )

    def text(self) -> str:
        return (
            f"{self.method}: a dot of {self.diameter} voxels is {self.word} ({self.height:.0%} of its height at the input's resolution, "
            f"{self.brightness:.0%} of its brightness, peak {self.peak:.0%})"
        )


class SyntheticLesions:
    """low: a slice (h, w), normalized; dots: Dots, DISTANCE apart; scale: of the results. planted: the slice with the dots."""

    def __init__(self, low: np.ndarray, dots: Iterable[Dot], scale: int):
        self.dots, self._scale = tuple(dots), scale
        self._planted = sum((_disc(low.shape, dot) for dot in self.dots), np.zeros(low.shape))
        self.planted = low + self._planted

    def scores(self, method: str, with_dots: np.ndarray, without: np.ndarray) -> list[LesionScore]:
        """A LesionScore per dot; with_dots, without: a method's results (scale·h, scale·w) for the planted slice and the plain one."""
        response = np.asarray(with_dots, dtype=float) - without
        rows, columns = self._planted.shape
        shrunk = response.reshape(rows, self._scale, columns, self._scale).mean(axis=(1, 3))
        scores = []
        for dot in self.dots:
            planted, seen, made = (
                image[_window(dot, scale)] / dot.height
                for image, scale in ((self._planted, 1), (shrunk, 1), (response, self._scale))
            )
            brightness = made.sum() / (planted.sum() * self._scale**2)
            scores.append(
                LesionScore(
                    method, dot.diameter, float(brightness), float(seen.max()), float(made.max())
                )
            )
        return scores


def evenly_spaced_lesions(low: np.ndarray, foreground: np.ndarray) -> list[Dot]:
    """Bright Dots of 2, 3, 4 and 5 pixels where the foreground of a slice is even and not bright, the smallest where it is evenest.

    Those without a place are left out. The same for the same slice.
    """
    size = DISTANCE // 2
    mean = uniform_filter(low, size)
    unevenness = np.sqrt(np.maximum(uniform_filter(low**2, size) - mean**2, 0)) + np.maximum(
        mean + HEIGHT - 1, 0
    )
    return [
        Dot(row, column, diameter)
        for diameter, (row, column) in zip(DIAMETERS, _places(foreground, unevenness))
    ]


def scattered_lesions(low: np.ndarray, foreground: np.ndarray, height: float, seed) -> list[Dot]:
    """As many Dots as there is room for in the foreground of a slice, bright and dark ones by turns, of 2, 3, 4 and 5 pixels by turns.

    height: see Dot. Bright ones lie where the slice has room above, dark ones where it has room below. seed: of the places, for numpy's default_rng.
    """
    rng = np.random.default_rng(seed)
    mean, diameters = uniform_filter(low, max(DIAMETERS)), rng.permutation(DIAMETERS).tolist()
    dots = {
        int(sign): [] for sign in rng.permutation((1, -1))
    }  # which begins is drawn, too: there may be room for a single one
    for row, column in _places(foreground, rng.random(low.shape)):
        possible = [sign for sign in dots if 0 <= mean[row, column] + sign * height <= 1]
        if possible:
            sign = min(possible, key=lambda sign: len(dots[sign]))
            dots[sign].append(
                Dot(row, column, diameters[len(dots[sign]) % len(diameters)], sign * height)
            )
    return [dot for of_sign in dots.values() for dot in of_sign]


def _disc(shape, dot):
    """Its center lies on a pixel or, of an even diameter, on a corner of pixels."""
    row, column = (place + (0.5 if dot.diameter % 2 == 0 else 0) for place in (dot.row, dot.column))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return dot.height * (np.hypot(rows - row, columns - column) <= dot.diameter / 2)


def _window(dot, scale):
    """The surroundings of a dot, which it shares with no other."""
    half = DISTANCE // 2
    return tuple(
        slice((center - half) * scale, (center + half) * scale) for center in (dot.row, dot.column)
    )


def _places(foreground, cost):
    """(row, column), the cheapest first, DISTANCE apart and inside the foreground, until there is no room."""
    half = DISTANCE // 2
    free = np.zeros(cost.shape, bool)
    free[half:-half, half:-half] = binary_erosion(foreground, iterations=max(DIAMETERS) // 2 + 1)[
        half:-half, half:-half
    ]
    while free.any():
        row, column = np.unravel_index(np.argmin(np.where(free, cost, np.inf)), cost.shape)
        yield int(row), int(column)
        free[
            max(row - DISTANCE, 0) : row + DISTANCE + 1,
            max(column - DISTANCE, 0) : column + DISTANCE + 1,
        ] = False
