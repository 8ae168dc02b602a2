"""One picture of a comparison, as theses and papers show it: a whole slice, and a part of it as every method has made it."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from ... import __version__
from .. import geometry, slices
from ..errors import MRISuperResError
from ..intensity import Intensity
from ..metrics import PEAK, foreground
from ..provenance import NOTICE

PART = 0.2
"""Side of the enlarged area, as a part of the slice's shorter side."""
ROWS = 2  # of enlarged areas
CELL, TEXT, GAP = 1.75, 0.42, 0.08  # inches: an enlarged area's side, the two lines below it, the space between
RESOLUTION = 200  # dots per inch
FRAME = "#ffd400"


@dataclass(frozen=True)
class Area:
    """A square of a slice: number of the slice, first row and column, side; pixels of the volume of the outputs."""

    slice: int
    row: int
    column: int
    side: int


def import_matplotlib():
    """Raises MRISuperResError (kind "environment") where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as e:
        raise MRISuperResError(f"The picture needs the package matplotlib, which can't be imported here ({e}): install it (pip install matplotlib).",
                               "environment") from e
    return Figure, Rectangle


def most_different_area(comparison):
    """The Area where the methods differ most from each other, within the body."""
    stacks = [_slices_of(comparison, output.volume) for output in comparison.outputs]
    intensity = Intensity.of(_shown(comparison)[0])
    best, area = -1.0, None
    for number in range(len(stacks[0])):
        images = np.stack([intensity.normalise(stack[number]) for stack in stacks])
        side = max(1, round(PART * min(images.shape[1:])))
        unlike = images.std(axis=0) * foreground(images.mean(axis=0)[None])[0]
        margin = side // 2
        inside = uniform_filter(unlike, side, mode="constant")[margin:margin + unlike.shape[0] - side + 1, margin:margin + unlike.shape[1] - side + 1]
        row, column = np.unravel_index(inside.argmax(), inside.shape)
        if inside[row, column] > best:
            best, area = inside[row, column], Area(number, int(row), int(column), side)
    return area


def draw(comparison, path, title="", area=None):
    """Writes the picture (PNG) of a Comparison.

    title: above the picture. area: what to enlarge, default `most_different_area`. The slices lie as a radiologist expects
    them, in square millimetres, in the same grey levels; no pixel is smoothed.
    """
    figure_class, rectangle = import_matplotlib()
    area = area or most_different_area(comparison)
    images = _pictures(comparison, area)
    columns = math.ceil(len(images) / ROWS)
    height = ROWS * (CELL + TEXT) + 0.75
    whole, aspect = _oriented(comparison, _shown(comparison)[0], area.slice)
    wide = (height - 0.75) * whole.shape[1] / (whole.shape[0] * aspect)
    width = wide + columns * (CELL + GAP) + 4 * GAP
    figure = figure_class(figsize=(width, height), dpi=RESOLUTION)

    def place(x, y, w, h, image, label):
        axes = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
        axes.imshow(image, cmap="gray", vmin=limits.low, vmax=limits.high, interpolation="nearest", aspect=aspect)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(label, fontsize=8, labelpad=3)
        return axes
