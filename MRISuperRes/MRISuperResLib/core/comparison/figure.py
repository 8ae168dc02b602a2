"""One picture of a comparison, as theses and papers show it: a whole slice, and an area of it as every method has made it."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from .. import geometry, slice_axis
from ..errors import SuperResolutionError
from ..intensity import Intensity
from ..metrics import foreground
from ..provenance import NOTICE

PART, LEAST = 0.2, 16
"""Side of the enlarged area: a part of the slice's shorter side, but so many low-resolution pixels at least."""
CELL, LABEL, GAP, HEAD, FOOT = (
    1.9,
    0.42,
    0.1,
    0.32,
    0.28,
)  # inches: an enlarged area, the two lines below it, what is between and around
RATIOS = 0.5, 1.4  # of the whole slice, width to height; a slice beyond is drawn smaller
RESOLUTION = 200  # dots per inch
FRAME = "#ffd400"


@dataclass(frozen=True)
class Area:
    """A rectangle in a slice. number: of the slice; row, column: the first, height, width: in pixels of the low-resolution slices."""

    number: int
    row: int
    column: int
    height: int
    width: int

    def within(self, scale):
        """Index of slices (n, rows, columns) whose pixels are 1/scale as large as those of the low-resolution ones."""
        return self.number, *(
            slice(first * scale, (first + side) * scale)
            for first, side in ((self.row, self.height), (self.column, self.width))
        )


def import_matplotlib():
    """(Figure, Rectangle). Raises SuperResolutionError (kind "environment") where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as e:
        raise SuperResolutionError(
            f"The picture needs the package matplotlib, which can't be imported here ({e}): install it (pip install matplotlib).",
            "environment",
        ) from e
    return Figure, Rectangle


def draw(comparison, job, path, title="", area=None):
    """Writes the picture of a Comparison and its ComparisonOptions, a PNG file.

    title: above the picture. area: the Area to enlarge, default `most_different_area`. The slices lie as a radiologist
    expects them, to scale, in the same gray levels; pixels are not smoothed.
    """
    figure_class, rectangle = import_matplotlib()
    view = _View(comparison, job.scale)
    area = area or most_different_area(comparison, job.scale)
    cells = _cells(view, area)
    rows = 2 if len(cells) <= 8 else 3
    columns = math.ceil(len(cells) / rows)
    high = rows * (CELL + LABEL) - LABEL
    wide = high * min(max(view.ratio, RATIOS[0]), RATIOS[1])
    size = np.array((GAP + wide + columns * (GAP + CELL) + GAP, HEAD + high + LABEL + FOOT))
    figure = figure_class(figsize=size, dpi=RESOLUTION)

    def show(image, left, top, width, height, label):
        axes = figure.add_axes(
            (*((left, size[1] - top - height) / size), *((width, height) / size))
        )
        axes.imshow(
            image,
            cmap="gray",
            vmin=view.gray.low,
            vmax=view.gray.high,
            interpolation="nearest",
            aspect=view.aspect,
        )
        axes.set(xticks=[], yticks=[], anchor="N")
        axes.set_xlabel(
            label,
            fontsize=min(8, 8 * 28 / max(map(len, label.split("\n")))),
            labelpad=3,
            linespacing=1.3,
        )
        return axes

    whole = show(
        view.turned(view.shown[area.number]),
        GAP,
        HEAD,
        wide,
        high,
        f"slice {area.number + 1} of {len(view.shown)}, {comparison.axis.plane}",
    )
    whole.add_patch(rectangle(*view.frame(area), fill=False, edgecolor=FRAME, linewidth=1.2))
    for n, (image, label) in enumerate(cells):
        show(
            image,
            GAP + wide + GAP + n % columns * (CELL + GAP),
            HEAD + n // columns * (CELL + LABEL),
            CELL,
            CELL,
            label,
        )
    figure.text(
        GAP / size[0],
        1 - HEAD / 2 / size[1],
        title,
        fontsize=min(10, 90 * size[0] / max(1, len(title))),
        va="center",
        parse_math=False,
    )
    figure.text(
        1 - GAP / size[0],
        FOOT / 2 / size[1],
        f"{_conditions(job)}; {NOTICE}",
        fontsize=7,
        color="0.35",
        ha="right",
        va="center",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters in a file's name that the font lacks
        figure.savefig(path, format="png")


def most_different_area(comparison, scale):
    """The Area where the methods differ most from each other, within the body."""
    view = _View(comparison, scale)
    outputs = [view.stack(output.volume) for output in comparison.outputs]
    height, width = view.area_size
    _, rows, columns = view.low.shape
    best, area = -1.0, None
    for number in range(len(view.low)):
        images = np.stack([view.gray.normalize(output[number]) for output in outputs])
        unlike = images.std(axis=0) * foreground(images.mean(axis=0))
        unlike = unlike.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
        # the means over the rectangles that begin at each pixel and lie within the slice
        means = uniform_filter(unlike, (height, width), origin=(-(height // 2), -(width // 2)))[
            : rows - height + 1, : columns - width + 1
        ]
        row, column = np.unravel_index(means.argmax(), means.shape)
        if means[row, column] > best:
            best, area = means[row, column], Area(number, int(row), int(column), height, width)
    return area


def area_around(comparison, scale, voxel):
    """The Area in whose middle a voxel (i, j, k) of the volume that was compared lies. Raises SuperResolutionError (kind "settings")."""
    view = _View(comparison, scale)
    number, *center = [
        voxel[comparison.axis.axis],
        *np.delete(voxel, comparison.axis.axis)[::-1] // view.part,
    ]
    if not all(0 <= index < length for index, length in zip((number, *center), view.low.shape)):
        raise SuperResolutionError(
            f"The voxel {','.join(map(str, voxel))} lies outside of what is compared: give i,j,k, counted from 0.",
            "settings",
        )
    first = [
        min(max(index - side // 2, 0), length - side)
        for index, side, length in zip(center, view.area_size, view.low.shape[1:])
    ]
    return Area(int(number), *map(int, first), *view.area_size)


class _View:
    """How the slices of a comparison are shown.

    low: the low-resolution slices (n, rows, columns); shown: those of which a whole one is drawn, the truth or else low; part:
    by how much their pixels are smaller. gray: the Intensity that is black to white. area_size: (height, width) of an Area.
    aspect: height of a pixel by its width; ratio: width of a slice by its height, as they are drawn.
    """

    def __init__(self, comparison, scale):
        self.comparison, self.scale = comparison, scale
        self.low = self.stack(comparison.low)
        self.shown, self.part = (
            (self.low, 1)
            if comparison.reference is None
            else (self.stack(comparison.reference), scale)
        )
        self.gray = Intensity.of(self.shown)
        pixel = np.delete(geometry.spacing(comparison.low_ijk_to_ras), comparison.axis.axis)[
            ::-1
        ]  # mm, along rows and columns of the array
        extent = pixel * self.low.shape[1:]
        side = min(max(PART * min(extent), LEAST * max(pixel)), *extent)
        self.area_size = [max(1, round(side / length)) for length in pixel]
        rows = self.turned(np.array([[0, 0], [1, 1]]))
        if rows[0, 0] != rows[0, 1]:  # they have become columns
            pixel, extent = pixel[::-1], extent[::-1]
        self.aspect, self.ratio = pixel[0] / pixel[1], extent[1] / extent[0]

    def stack(self, volume):
        """Slices (n, rows, columns) of a volume (k, j, i)."""
        return np.moveaxis(volume, self.comparison.axis.numpy_axis, 0)

    def turned(self, image):
        return slice_axis.to_radiological(image, self.comparison.ijk_to_ras, self.comparison.axis)

    def frame(self, area):
        """((x, y), width, height) of an Area in the picture of its slice, in pixels of the picture; a pixel's center is a whole number."""
        mask = np.zeros(self.shown.shape[1:], bool)
        mask[area.within(self.part)[1:]] = True
        rows, columns = (np.flatnonzero(self.turned(mask).any(axis=axis)) for axis in (1, 0))
        return (columns[0] - 0.5, rows[0] - 0.5), len(columns), len(rows)


def _cells(view, area):
    """[(picture, label)]: the area in the truth, or else in the input, and in the output of every method."""
    comparison = view.comparison
    keys = [key for key in ("psnr", "ssim_wang") if comparison.reference is not None] or [
        "consistency"
    ]
    metrics = [comparison.table.metric(key) for key in keys]
    first = "input" if comparison.reference is None else "truth"
    cells = [
        (
            view.turned(view.shown[area.within(view.part)]),
            f"{first}\n{' / '.join(metric.heading for metric in metrics)}",
        )
    ]
    for output in comparison.outputs:
        values = [
            comparison.table.values(output.name, metric.key)[area.number] for metric in metrics
        ]
        picture = view.turned(view.stack(output.volume)[area.within(view.scale)])
        cells.append(
            (
                picture,
                f"{output.name}\n{' / '.join(metric.text(value) for metric, value in zip(metrics, values))}",
            )
        )
    return cells


def _conditions(job):
    if not job.reference:
        return f"enlarged ×{job.scale}, numbers of this slice"
    noise = f", noise {job.noise:g} %" if job.noise else ""
    return f"made smaller ÷{job.scale} ({job.degradation}{noise}) and enlarged again, numbers of this slice"
