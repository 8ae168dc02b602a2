"""Figure of a comparison: a whole slice, and a zoomed area of it for every method."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import uniform_filter

from .. import geometry
from ..errors import SuperResolutionError
from ..intensity import Intensity
from ..metrics.full_reference import foreground
from ..provenance import NOTICE

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from .results import Comparison

AREA_SHARE, MIN_AREA = 0.2, 16
"""Side of the zoomed area: fraction of the shorter side of the slice, and its minimum in
low-resolution pixels."""
CELL, LABEL, GAP, HEAD, FOOT = 1.9, 0.42, 0.1, 0.32, 0.28
"""Inches: a zoomed area, the two lines below it, gaps, header and footer."""
RATIOS = 0.5, 1.4
"""Width-to-height ratios that the whole slice may fill; others are drawn smaller."""
RESOLUTION = 200
"""Dots per inch."""
FRAME = "#ffd400"


@dataclass(frozen=True)
class Area:
    """A rectangle in a slice, in low-resolution pixels.

    Attributes:
        number: Number of the slice.
        row: First row.
        column: First column.
        height: Number of rows.
        width: Number of columns.
    """

    number: int
    row: int
    column: int
    height: int
    width: int

    def within(self, scale: int) -> tuple[int, slice, slice]:
        """Return the index of the area in slices (n, rows, columns) of `scale` times the size."""
        rows, columns = (
            slice(first * scale, (first + side) * scale)
            for first, side in ((self.row, self.height), (self.column, self.width))
        )
        return self.number, rows, columns


def import_matplotlib() -> tuple[type[Figure], type[Rectangle]]:
    """Import matplotlib's Figure and Rectangle.

    Raises:
        SuperResolutionError: matplotlib is missing (kind "environment").
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as e:
        raise SuperResolutionError(
            f"The figure needs the package matplotlib, which cannot be imported ({e}): install it "
            "(pip install matplotlib).",
            "environment",
        ) from e
    return Figure, Rectangle


def draw(
    comparison: Comparison, path: str | Path, title: str = "", area: Area | None = None
) -> None:
    """Draw a comparison as a PNG file.

    Slices are in radiological orientation, to scale, and share their gray levels; pixels are not
    smoothed.

    Args:
        comparison: The comparison.
        path: Output file.
        title: Title of the figure.
        area: Zoomed area; None: the one where the methods differ most.

    Raises:
        SuperResolutionError: matplotlib is missing (kind "environment").
    """
    figure_class, rectangle = import_matplotlib()
    view = _View(comparison)
    area = area or most_different_area(comparison)
    cells = _cells(view, area)
    rows = 2 if len(cells) <= 8 else 3
    columns = math.ceil(len(cells) / rows)
    high = rows * (CELL + LABEL) - LABEL
    wide = high * min(max(view.ratio, RATIOS[0]), RATIOS[1])
    size = np.array((GAP + wide + columns * (GAP + CELL) + GAP, HEAD + high + LABEL + FOOT))
    figure = figure_class(figsize=(size[0], size[1]), dpi=RESOLUTION)

    def show(image: np.ndarray, left: float, top: float, width: float, height: float) -> Any:
        box = (*((left, size[1] - top - height) / size), *((width, height) / size))
        axes = figure.add_axes(box)
        gray: Any = {"cmap": "gray", "vmin": view.gray.low, "vmax": view.gray.high}
        axes.imshow(image, **gray, interpolation="nearest", aspect=view.aspect)
        axes.set(xticks=[], yticks=[], anchor="N")
        return axes

    def label(axes: Any, text: str) -> None:
        size = min(8, 8 * 28 / max(map(len, text.split("\n"))))
        axes.set_xlabel(text, fontsize=size, labelpad=3, linespacing=1.3)

    whole = show(view.oriented(view.shown[area.number]), GAP, HEAD, wide, high)
    plane = comparison.axis.plane
    label(whole, f"slice {area.number + 1} of {len(view.shown)}, {plane}")
    corner, width, height = view.frame(area)
    whole.add_patch(rectangle(corner, width, height, fill=False, edgecolor=FRAME, linewidth=1.2))
    for n, (image, text) in enumerate(cells):
        left = GAP + wide + GAP + n % columns * (CELL + GAP)
        label(show(image, left, HEAD + n // columns * (CELL + LABEL), CELL, CELL), text)
    figure.text(
        GAP / size[0],
        1 - HEAD / 2 / size[1],
        title,
        fontsize=min(10, 90 * size[0] / max(1, len(title))),
        va="center",
        parse_math=False,
    )
    footer = f"{_conditions(comparison)}; {NOTICE}"
    place = 1 - GAP / size[0], FOOT / 2 / size[1]
    figure.text(*place, footer, fontsize=7, color="0.35", ha="right", va="center")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fonts may lack characters of a file name
        figure.savefig(path, format="png")


def most_different_area(comparison: Comparison) -> Area:
    """Find the area within the foreground where the methods differ most."""
    view = _View(comparison)
    scale = comparison.options.scale
    outputs = [view.stack(output.volume.array) for output in comparison.outputs]
    height, width = view.area_size
    _, rows, columns = view.low.shape
    largest, area = -1.0, Area(0, 0, 0, height, width)
    for number in range(len(view.low)):
        images = np.stack([view.gray.normalize(output[number]) for output in outputs])
        spread = images.std(axis=0) * foreground(images.mean(axis=0))
        spread = spread.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
        # The means over the rectangles that begin at each pixel and lie within the slice.
        means = uniform_filter(spread, (height, width), origin=(-(height // 2), -(width // 2)))
        means = means[: rows - height + 1, : columns - width + 1]
        row, column = np.unravel_index(means.argmax(), means.shape)
        if means[row, column] > largest:
            largest = float(means[row, column])
            area = Area(number, int(row), int(column), height, width)
    return area


def area_around(comparison: Comparison, voxel: Sequence[int]) -> Area:
    """Return the area around a voxel.

    Args:
        comparison: The comparison.
        voxel: (i, j, k) in the volume that was compared.

    Raises:
        SuperResolutionError: The voxel is outside the volume (kind "settings").
    """
    view = _View(comparison)
    index = comparison.axis.index
    place = (voxel[index], *(np.delete(voxel, index)[::-1] // view.part))
    if not all(0 <= p < length for p, length in zip(place, view.low.shape)):
        raise SuperResolutionError(
            f"The voxel {','.join(map(str, voxel))} is outside the compared volume: give i,j,k, "
            "counted from 0.",
            "settings",
        )
    row, column = (
        min(max(int(p) - side // 2, 0), length - side)
        for p, side, length in zip(place[1:], view.area_size, view.low.shape[1:])
    )
    return Area(int(place[0]), row, column, *view.area_size)


class _View:
    """Display of the slices of a comparison.

    Attributes:
        low: Low-resolution slices (n, rows, columns); between slices, those of the reference,
            whose pixels areas are counted in.
        shown: Slices to draw: the reference, or else `low`.
        part: Pixel size of `low` divided by that of `shown`.
        gray: Intensity map from black to white.
        area_size: (height, width) of an Area.
        aspect: Height of a displayed pixel divided by its width.
        ratio: Width of a displayed slice divided by its height.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        low = comparison.low
        if comparison.thick is not None and comparison.reference is not None:
            low = comparison.reference
        self.low = self.stack(low.array)
        self.shown, self.part = self.low, 1
        if comparison.reference is not None:
            self.shown = self.stack(comparison.reference.array)
            self.part = comparison.options.scale
        self.gray = Intensity.of(self.shown)
        # mm, along rows and columns of the array
        pixel, coarse = (
            np.delete(geometry.spacing(volume.ijk_to_ras), comparison.axis.index)[::-1]
            for volume in (low, comparison.low)
        )
        extent = pixel * self.low.shape[1:]
        side = min(max(AREA_SHARE * min(extent), MIN_AREA * max(coarse)), *extent)
        height, width = (max(1, round(side / length)) for length in pixel)
        self.area_size = height, width
        rows = self.oriented(np.array([[0, 0], [1, 1]]))
        if rows[0, 0] != rows[0, 1]:  # displayed as columns
            pixel, extent = pixel[::-1], extent[::-1]
        self.aspect, self.ratio = float(pixel[0] / pixel[1]), float(extent[1] / extent[0])

    def stack(self, array: np.ndarray) -> np.ndarray:
        """Return the slices (n, rows, columns) of an array (k, j, i)."""
        return np.moveaxis(array, self.comparison.axis.numpy_axis, 0)

    def oriented(self, image: np.ndarray) -> np.ndarray:
        """Return a slice in radiological orientation."""
        comparison = self.comparison
        return geometry.to_radiological(image, comparison.ijk_to_ras, comparison.axis)

    def frame(self, area: Area) -> tuple[tuple[float, float], int, int]:
        """Return ((x, y), width, height) of an area in the displayed slice, in pixels.

        Pixel centers have integer coordinates.
        """
        mask = np.zeros(self.shown.shape[1:], bool)
        mask[area.within(self.part)[1:]] = True
        rows, columns = (np.flatnonzero(self.oriented(mask).any(axis=axis)) for axis in (1, 0))
        return (columns[0] - 0.5, rows[0] - 0.5), len(columns), len(rows)


def _cells(view: _View, area: Area) -> list[tuple[np.ndarray, str]]:
    """Return (image, label) of the area in the reference, or else the input, and every output."""
    comparison, table = view.comparison, view.comparison.table
    has_reference = comparison.reference is not None
    keys = ("psnr", "ssim_wang") if has_reference else ("inconsistency",)
    metrics = [table.metric(key) for key in keys]
    headings = " / ".join(metric.heading for metric in metrics)
    first = view.oriented(view.shown[area.within(view.part)])
    cells = [(first, f"{'reference' if has_reference else 'input'}\n{headings}")]
    for output in comparison.outputs:
        values = [table.values(output.name, metric.key)[area.number] for metric in metrics]
        texts = " / ".join(metric.text(value) for metric, value in zip(metrics, values))
        index = area.within(comparison.options.scale)
        image = view.oriented(view.stack(output.volume.array)[index])
        cells.append((image, f"{output.name}\n{texts}"))
    return cells


def _conditions(comparison: Comparison) -> str:
    conditions = comparison.conditions()
    restored = " and restored" if comparison.reference is not None else ""
    return f"{conditions[0].lower()}{conditions[1:]}{restored}, scores of this slice"
