"""How each method keeps small bright spots: dots are planted into one low-resolution slice and looked for in the result.

What a method makes of a dot is the difference between its results with and without it, so that nothing else in the slice
is taken for the dot.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, uniform_filter

DIAMETERS = (2, 3, 4, 5)  # low-resolution pixels
HEIGHT = 0.5  # part of the intensity range
DISTANCE = 16  # low-resolution pixels between two dots, and half of it to the edge
LOST, WEAKENED, EXAGGERATED = 0.25, 0.75, 1.25  # limits of the height


@dataclass(frozen=True)
class DotScore:
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
        if self.height < LOST:
            return "lost"
        return "weakened" if self.height < WEAKENED else "exaggerated" if self.height > EXAGGERATED else "kept"

    def text(self) -> str:
        return (f"{self.method}: a dot of {self.diameter} voxels is {self.word} ({self.height:.0%} of its height at the input's resolution, "
                f"{self.brightness:.0%} of its brightness, peak {self.peak:.0%})")


class PlantedDots:
    """low: a slice (h, w), normalised, and its foreground; planted: the slice with dots of 2, 3, 4 and 5 pixels.

    The dots lie where the foreground is even and not bright, DISTANCE apart; those without a place are left out.
    """

    def __init__(self, low: np.ndarray, foreground: np.ndarray, scale: int):
        self._scale = scale
        self._places = dict(zip(DIAMETERS, _even_places(low, foreground, len(DIAMETERS))))
        self._dots = sum((self._dot(low.shape, diameter) for diameter in self._places), np.zeros(low.shape))
        self.planted = low + self._dots

    def _dot(self, shape, diameter):
        """A disc; its centre lies on a pixel or, of an even diameter, on a corner of pixels."""
        row, column = (place + (0.5 if diameter % 2 == 0 else 0) for place in self._places[diameter])
        rows, columns = np.ogrid[:shape[0], :shape[1]]
        return HEIGHT * (np.hypot(rows - row, columns - column) <= diameter / 2)

    def scores(self, method: str, with_dots: np.ndarray, without: np.ndarray) -> list[DotScore]:
        """A DotScore per dot; with_dots, without: a method's results (scale·h, scale·w) for the planted slice and the plain one."""
        response = np.asarray(with_dots, dtype=float) - without
        rows, columns = self._dots.shape
        shrunk = response.reshape(rows, self._scale, columns, self._scale).mean(axis=(1, 3))
        scores = []
        for diameter, place in self._places.items():
            planted, seen, made = (image[_window(place, scale)] for image, scale in ((self._dots, 1), (shrunk, 1), (response, self._scale)))
            brightness = made.sum() / (planted.sum() * self._scale**2)
            scores.append(DotScore(method, diameter, float(brightness), float(seen.max() / HEIGHT), float(made.max() / HEIGHT)))
        return scores


def _window(place, scale):
    """The surroundings of a dot, which it shares with no other."""
    half = DISTANCE // 2
    return tuple(slice((centre - half) * scale, (centre + half) * scale) for centre in place)


def _even_places(low, foreground, count):
    """(row, column) of up to `count` places, the evenest first; the same for the same slice."""
    half = DISTANCE // 2
    mean = uniform_filter(low, DISTANCE // 2)
    unevenness = np.sqrt(np.maximum(uniform_filter(low**2, DISTANCE // 2) - mean**2, 0)) + np.maximum(mean + HEIGHT - 1, 0)
    free = np.zeros(low.shape, bool)
    free[half:-half, half:-half] = binary_erosion(foreground, iterations=max(DIAMETERS) // 2 + 1)[half:-half, half:-half]
    places = []
    while len(places) < count and free.any():
        row, column = np.unravel_index(np.argmin(np.where(free, unevenness, np.inf)), low.shape)
        places.append((int(row), int(column)))
        free[max(row - DISTANCE, 0):row + DISTANCE + 1, max(column - DISTANCE, 0):column + DISTANCE + 1] = False
    return places
