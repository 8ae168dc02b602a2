"""Figure of an audit: for every method the worst slice, its restoration and their agreement."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import geometry
from ..comparison.figure import import_matplotlib
from ..provenance import NOTICE
from .results import AuditedSlice, VolumeAudit
from .sfrc import LIMIT

CELL, LABEL, GAP, HEAD, FOOT, BAR, BAR_WIDTH = 2.4, 0.3, 0.1, 0.32, 0.3, 0.5, 0.12
"""Inches."""
MIN_RATIO = 0.3
"""Smallest height-to-width ratio of a row; a slice beyond it is drawn smaller."""
RESOLUTION = 150
"""Dots per inch."""
MARK = "#ff2a2a"
TITLES = ("reference", "restored", "FRC crossing, of Nyquist")
FOOTER = f"worst slice of every method; red: unfaithful patches, and their limit; {NOTICE}"


class WorstSlices:
    """Worst slices of all volumes, one per method and scale."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str], _Row] = {}

    def add(self, scale: int, volume: str, found: VolumeAudit) -> None:
        """Add the audit of a volume, given its name."""
        for name, method in found.methods.items():
            old = self._rows.get((scale, name))
            if old is None or method.worst.share > old.worst.share:
                self._rows[scale, name] = _Row(scale, name, volume, found, method.worst)

    def draw(self, path: str | Path | IO[bytes]) -> None:
        """Draw a PNG file: a row per scale and method.

        Raises:
            SuperResolutionError: matplotlib is missing (kind "environment").
        """
        figure_class, _ = import_matplotlib()
        rows = sorted(self._rows.values(), key=lambda row: row.scale)
        tops = HEAD + np.cumsum([0, *(row.height + LABEL for row in rows)])
        size = np.array((len(TITLES) * (GAP + CELL) + GAP + BAR, tops[-1] + FOOT))
        figure = figure_class(figsize=(size[0], size[1]), dpi=RESOLUTION)

        def place(left: float, top: float, width: float, height: float) -> Any:
            box = (*((left, size[1] - top - height) / size), *((width, height) / size))
            return figure.add_axes(box)

        for row, top in zip(rows, tops):
            lefts = [GAP + column * (CELL + GAP) for column in range(len(TITLES) + 1)]
            cells = [place(left, top, CELL, row.height) for left in lefts[:-1]]
            color_axes = place(lefts[-1], top, BAR_WIDTH, row.height)
            bar = figure.colorbar(row.show(*cells), cax=color_axes)
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
        corner = 1 - GAP / size[0], FOOT / 2 / size[1]
        figure.text(*corner, FOOTER, fontsize=7, color="0.35", ha="right", va="center")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fonts may lack characters of a file name
            figure.savefig(path, format="png")


class _Row:
    """Worst slice of a method in radiological orientation, to scale.

    Attributes:
        scale: Upsampling factor.
        worst: The slice.
        limit: Crossing below which a patch is unfaithful.
        label: Text below the row.
        height: Height of the row, inches.
    """

    def __init__(
        self, scale: int, name: str, volume: str, found: VolumeAudit, worst: AuditedSlice
    ) -> None:
        self.scale, self.worst, self.limit = scale, worst, LIMIT / found.factor
        self._highest = min(1, 2 / found.factor)
        # no reference to `found`, whose maps are large
        self._matrix, self._axis = found.ijk_to_ras, found.axis
        self.label = (
            f"{name} ×{found.factor:.3g}: {volume}, slice {worst.number + 1} ({self._axis.plane}), "
            f"{worst.share:.0%} of its patches unfaithful"
        )
        # mm, along rows and columns of the array
        pixel = np.delete(geometry.spacing(self._matrix), self._axis.index)[::-1]
        rows = self._oriented(np.array([[0, 0], [1, 1]]))
        ratio = pixel[0] / pixel[1]
        self._aspect = float(ratio if rows[0, 0] == rows[0, 1] else 1 / ratio)
        height, width = self._oriented(worst.reference).shape
        self.height = CELL * min(max(height * self._aspect / width, MIN_RATIO), 1)

    def show(self, reference: Any, restored: Any, agreement: Any) -> Any:
        """Draw into three axes; return the image that a color bar describes."""
        common: Any = {"interpolation": "nearest", "aspect": self._aspect}
        for axes, image in ((reference, self.worst.reference), (restored, self.worst.image)):
            axes.imshow(self._oriented(image), cmap="gray", vmin=0, vmax=1, **common)
        if self.worst.unfaithful.any():
            mask = self._oriented(self.worst.unfaithful)
            restored.contour(mask, levels=[0.5], colors=MARK, linewidths=0.8)
        crossing = np.ma.masked_equal(self._oriented(self.worst.crossing), 0)
        shown = agreement.imshow(crossing, cmap="viridis", vmin=0, vmax=self._highest, **common)
        for axes in (reference, restored, agreement):
            axes.set(xticks=[], yticks=[])
        return shown

    def _oriented(self, image: np.ndarray) -> np.ndarray:
        return geometry.to_radiological(image, self._matrix, self._axis)
