"""One picture of an audit: for every method the worst slice, as it is and as it was rebuilt, and where the two agree."""

import warnings

import numpy as np

from .. import geometry, slice_axis
from ..comparison.figure import import_matplotlib
from ..provenance import NOTICE
from .audit import VolumeAudit
from .sfrc import LIMIT

CELL, LABEL, GAP, HEAD, FOOT, BAR, BAR_WIDTH = 2.4, 0.3, 0.1, 0.32, 0.3, 0.5, 0.12  # inches
LEAST_RATIO = 0.3  # of a row, height to width; a slice beyond is drawn smaller
RESOLUTION = 150  # dots per inch
MARK = "#ff2a2a"
TITLES = ("truth", "rebuilt", "agreement up to, of Nyquist")


class WorstSlices:
    """Keeps of every method and scale the worst slice of all volumes."""

    def __init__(self):
        self._rows = {}

    def add(self, scale: int, volume: str, found: VolumeAudit):
        """volume: its name; found: VolumeAudit."""
        for name, method in found.methods.items():
            old = self._rows.get((scale, name))
            if old is None or method.worst.share > old.worst.share:
                self._rows[scale, name] = _Row(scale, name, volume, found, method.worst)

    def draw(self, path):
        """Writes a PNG file: a row per scale and method. Raises SuperResolutionError (kind "environment") where matplotlib is missing."""
        figure_class, _ = import_matplotlib()
        rows = sorted(self._rows.values(), key=lambda row: row.scale)
        tops = HEAD + np.cumsum([0, *(row.height + LABEL for row in rows)])
        size = np.array((len(TITLES) * (GAP + CELL) + GAP + BAR, tops[-1] + FOOT))
        figure = figure_class(figsize=size, dpi=RESOLUTION)

        def place(left, top, width, height):
            return figure.add_axes(
                (*((left, size[1] - top - height) / size), *((width, height) / size))
            )

        for row, top in zip(rows, tops):
            cells = [
                place(GAP + column * (CELL + GAP), top, CELL, row.height)
                for column in range(len(TITLES))
            ]
            bar = figure.colorbar(
                row.show(*cells),
                cax=place(GAP + len(TITLES) * (CELL + GAP), top, BAR_WIDTH, row.height),
            )
            bar.ax.axhline(row.limit, color=MARK, linewidth=1.2)
            bar.ax.tick_params(labelsize=6)
            figure.text(
                GAP / size[0],
                1 - (top + row.height + LABEL / 2) / size[1],
                row.label,
                fontsize=min(8, 8 * 100 / len(row.label)),
                va="center",
                parse_math=False,
            )
            if top == HEAD:
                for axes, title in zip(cells, TITLES):
                    axes.set_title(title, fontsize=8, pad=4)
        figure.text(
            1 - GAP / size[0],
            FOOT / 2 / size[1],
            f"the worst slice of every method; red: unfaithful patches, and the limit below which a patch is one; {NOTICE}",
            fontsize=7,
            color="0.35",
            ha="right",
            va="center",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of letters in a file's name that the font lacks
            figure.savefig(path, format="png")


class _Row:
    """The Slice `worst` of a VolumeAudit, turned as a radiologist expects it, to scale. limit: of a patch; height: inches."""

    def __init__(self, scale, name, volume, found, worst):
        self.scale, self.worst, self.limit = scale, worst, LIMIT / scale
        matrix, axis = found.ijk_to_ras, found.axis  # not all of it, whose maps are large
        self.label = f"{name} ×{scale}: {volume}, slice {worst.number + 1} ({axis.plane}), {worst.share:.0%} of its patches unfaithful"
        self._turned = lambda image: slice_axis.to_radiological(image, matrix, axis)
        pixel = np.delete(geometry.spacing(matrix), axis.axis)[
            ::-1
        ]  # mm, along rows and columns of the array
        rows = self._turned(np.array([[0, 0], [1, 1]]))
        self._aspect = pixel[0] / pixel[1] if rows[0, 0] == rows[0, 1] else pixel[1] / pixel[0]
        height, width = self._turned(worst.truth).shape
        self.height = CELL * min(max(height * self._aspect / width, LEAST_RATIO), 1)

    def show(self, truth, rebuilt, agreement):
        """Draws into three axes; returns what a color bar needs."""
        for axes, image in ((truth, self.worst.truth), (rebuilt, self.worst.image)):
            axes.imshow(
                self._turned(image),
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
                aspect=self._aspect,
            )
        if self.worst.unfaithful.any():
            rebuilt.contour(
                self._turned(self.worst.unfaithful), levels=[0.5], colors=MARK, linewidths=0.8
            )
        crossing = self._turned(self.worst.crossing)
        shown = agreement.imshow(
            np.ma.masked_equal(crossing, 0),
            cmap="viridis",
            vmin=0,
            vmax=min(1, 2 / self.scale),
            interpolation="nearest",
            aspect=self._aspect,
        )
        for axes in (truth, rebuilt, agreement):
            axes.set(xticks=[], yticks=[])
        return shown
