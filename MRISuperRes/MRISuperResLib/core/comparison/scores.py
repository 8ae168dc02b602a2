"""Scores of a comparison: metrics of every slice and method, and their means."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ..metrics.full_reference import PEAK, StructuralSimilarity, decibels, rmse
from ..options import ComparisonOptions

MIN_FOREGROUND = 100
"""Foreground pixels below which a slice has no foreground metrics."""
MIN_ERROR = 1e-4
"""RMSE (of 255) below which errors count as rounding: PSNR is capped at 128.13 dB."""
SCORED_SHARE = 0.1
"""Minimum foreground of a scored slice, as a fraction of the largest one of the volume."""
SCORING_RULE = (
    f"slices whose reference is not constant and has at least {SCORED_SHARE:.0%} of the foreground "
    "pixels of the fullest slice"
)
"""Slices over which every method is averaged. Only the reference decides, so that all methods have
the same slices. Empty slices would raise the means: interpolations restore them without an error,
networks at up to 90 dB."""

Values = dict[str, dict[str, list[float | None]]]
"""{method: {metric key: a value per slice, None where the metric is undefined}}"""


@dataclass(frozen=True)
class Metric:
    """A metric of a slice.

    Attributes:
        key: Name in tables and files.
        title: Name to show.
        unit: Unit or variant to show, or "".
        better: "higher" or "lower".
        region: "image", "foreground", or "" where it makes no difference.
        digits: Decimals to show.
    """

    key: str
    title: str
    unit: str
    better: str
    region: str
    digits: int

    @property
    def heading(self) -> str:
        """Title, unit and region."""
        unit = f" ({self.unit})" if self.unit else ""
        return self.title + unit + (", foreground" if self.region == "foreground" else "")

    def text(self, value: float | None) -> str:
        """Return a value as text; "–" for None."""
        return "–" if value is None else f"{value:.{self.digits}f}"


FULL_REFERENCE = (
    ("psnr", "PSNR", "dB", "higher", 2),
    ("ssim_wang", "SSIM", "Wang", "higher", 4),
    ("ssim_matlab", "SSIM", "MATLAB", "higher", 4),
    ("rmse", "RMSE", "of 255", "lower", 2),
)
INCONSISTENCY = Metric("inconsistency", "Inconsistency", "of 255", "lower", "", 2)
PERCEPTUAL = {
    "niqe": Metric("niqe", "NIQE", "", "lower", "", 2),
    "pi": Metric("pi", "PI", "", "lower", "", 2),
}


def metrics_of(options: ComparisonOptions) -> tuple[Metric, ...]:
    """List the metrics of every slice, in the order of the columns of the table."""
    regions = (("", "image"), ("_foreground", "foreground")) if options.reference else ()
    full_reference = [
        Metric(key + suffix, title, unit, better, region, digits)
        for suffix, region in regions
        for key, title, unit, better, digits in FULL_REFERENCE
    ]
    return (*full_reference, INCONSISTENCY)


class SliceScores:
    """Metrics of one slice for many results; statistics of the reference are computed once.

    PSNR and RMSE over whole image and foreground, both SSIM variants (see
    `metrics.full_reference`), and data inconsistency: the RMSE of the degraded result against the
    input, the residual that back-projection minimizes (Irani and Peleg 1991, "Improving
    resolution by image registration", doi:10.1016/1049-9652(91)90045-L).
    """

    def __init__(
        self,
        reference: np.ndarray | None,
        mask: np.ndarray | None,
        low: np.ndarray,
        degrade: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Compute the statistics of the reference.

        Args:
            reference: Slice (H, W), normalized; None: data inconsistency only.
            mask: Foreground of the reference, boolean.
            low: Input of the methods (h, w), on the same scale.
            degrade: Degrades a slice (H, W) to (h, w).
        """
        self._low, self._degrade = low, degrade
        self._reference = None if reference is None else reference * PEAK
        self._mask = mask if mask is not None and mask.sum() >= MIN_FOREGROUND else None
        self._ssim = (
            StructuralSimilarity(self._reference)
            if self._reference is not None and min(self._reference.shape) > 10
            else None
        )

    def of(self, image: np.ndarray) -> dict[str, float | None]:
        """Compute the metrics of a result.

        Args:
            image: Slice (H, W), normalized like the reference.

        Returns:
            {metric key: value, None where the metric is undefined}.
        """
        degraded = self._degrade(image)
        scores: dict[str, float | None] = {"inconsistency": rmse(degraded * PEAK, self._low * PEAK)}
        if self._reference is not None:
            scores |= self._errors(image * PEAK, self._reference)
            scores |= self._similarities(image * PEAK)
        return scores

    def _errors(self, image: np.ndarray, reference: np.ndarray) -> dict[str, float | None]:
        masked = None if self._mask is None else rmse(image, reference, self._mask)
        scores: dict[str, float | None] = {}
        for suffix, error in (("", rmse(image, reference)), ("_foreground", masked)):
            scores["rmse" + suffix] = error
            scores["psnr" + suffix] = None if error is None else decibels(max(error, MIN_ERROR))
        return scores

    def _similarities(self, image: np.ndarray) -> dict[str, float | None]:
        """Average both SSIM variants over the image and its foreground, wang without the border."""
        keys = [
            f"ssim_{kind}{suffix}" for kind in ("wang", "matlab") for suffix in ("", "_foreground")
        ]
        if self._ssim is None:
            return dict.fromkeys(keys)
        whole = self._ssim.map(image)
        scores: list[float | None] = []
        for part in (self._ssim.inside, np.asarray):
            similarity, mask = part(whole), None if self._mask is None else part(self._mask)
            is_defined = mask is not None and mask.any()
            scores.append(float(similarity.mean()))
            scores.append(float(similarity[mask].mean()) if is_defined else None)
        return dict(zip(keys, scores))


class ScoreTable:
    """Metrics of every slice and method.

    Means and standard deviations of every method are over the same slices, the scored ones (see
    SCORING_RULE); `volume_psnr` and `volume_rmse` are over all voxels.

    Attributes:
        metrics: Metrics, in the order of the columns.
        scored: Numbers of the scored slices.
    """

    def __init__(
        self,
        metrics: Iterable[Metric],
        values: Values,
        scored: Sequence[int] | None = None,
    ) -> None:
        """Build a table from the values of a comparison.

        Args:
            metrics: Metrics of the values.
            values: A value per slice (indices along the slice axis), method and metric.
            scored: Numbers of the scored slices; None: all.
        """
        self.metrics: tuple[Metric, ...] = tuple(metrics)
        self._values = values
        self.scored: tuple[int, ...] = tuple(range(self.slice_count) if scored is None else scored)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods."""
        return tuple(self._values)

    @property
    def slice_count(self) -> int:
        """Number of slices, scored or not."""
        return max((len(v) for row in self._values.values() for v in row.values()), default=0)

    def metric(self, key: str) -> Metric:
        """Return the metric of a key."""
        return next(metric for metric in self.metrics if metric.key == key)

    def values(self, method: str, key: str) -> list[float | None]:
        """Return a value per slice, None where the metric is undefined."""
        return self._values[method][key]

    def slices(self, key: str) -> list[int]:
        """List the slices over which a metric is averaged: scored, and defined for every method."""
        columns = [row[key] for row in self._values.values()]
        return [n for n in self.scored if all(column[n] is not None for column in columns)]

    def averaged(self, method: str, key: str) -> np.ndarray:
        """Return the values over which a metric is averaged."""
        values = self.values(method, key)
        return np.array([values[number] for number in self.slices(key)], dtype=float)

    def mean(self, method: str, key: str) -> float | None:
        """Return the mean over the scored slices; None if the metric is defined on none."""
        values = self.averaged(method, key)
        return float(values.mean()) if len(values) else None

    def spread(self, method: str, key: str) -> float | None:
        """Return the sample standard deviation over the scored slices; None for fewer than two."""
        values = self.averaged(method, key)
        return float(values.std(ddof=1)) if len(values) > 1 else None

    def volume_rmse(self, method: str) -> float:
        """Return the RMSE (of 255) over all voxels of the volume."""
        errors = [error for error in self.values(method, "rmse") if error is not None]
        return math.sqrt(float(np.mean(np.square(errors))))

    def volume_psnr(self, method: str) -> float | None:
        """Return the PSNR in dB over all voxels, as in model cards; None for equal volumes."""
        error = self.volume_rmse(method)
        return decibels(error) if error else None

    def best(self, key: str) -> set[str]:
        """Return the methods whose mean, with the decimals to show, is the best."""
        metric = self.metric(key)
        shown = {
            method: float(metric.text(mean))
            for method in self.methods
            if (mean := self.mean(method, key)) is not None
        }
        if not shown:
            return set()
        best = (max if metric.better == "higher" else min)(shown.values())
        return {method for method, value in shown.items() if value == best}

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """Return (header, rows) of texts: "mean ± spread", with a star for the best."""
        best = {metric.key: self.best(metric.key) for metric in self.metrics}
        rows = []
        for method in self.methods:
            cells = []
            for metric in self.metrics:
                spread = self.spread(method, metric.key)
                text = metric.text(self.mean(method, metric.key))
                text += f" ± {metric.text(spread)}" if spread is not None else ""
                cells.append(text + (" *" if method in best[metric.key] else ""))
            rows.append([method, *cells])
        return ["Method", *(metric.heading for metric in self.metrics)], rows

    def csv(self) -> str:
        """Return the table as CSV, a line per method.

        For every metric: mean, standard deviation and number of slices (the scored ones); and
        `psnr_volume`, the PSNR over all voxels.
        """
        has_reference = any(metric.key == "rmse" for metric in self.metrics)
        header = ["method", *(["psnr_volume"] if has_reference else [])]
        header += [
            f"{metric.key}_{name}" for metric in self.metrics for name in ("mean", "sd", "n")
        ]
        lines: list[list[Any]] = []
        for method in self.methods:
            line: list[Any] = [method, *([self.volume_psnr(method)] if has_reference else [])]
            for metric in self.metrics:
                line.append(self.mean(method, metric.key))
                line.append(self.spread(method, metric.key))
                line.append(len(self.slices(metric.key)))
            lines.append(line)
        return csv_text(header, lines)

    def slice_csv(self) -> str:
        """Return a line per method and slice as CSV; `scored` is 1 for the scored slices."""
        keys = [metric.key for metric in self.metrics]
        scored = set(self.scored)
        lines = [
            [method, number, int(number in scored), *numbers]
            for method in self.methods
            for number, numbers in enumerate(zip(*(self.values(method, key) for key in keys)))
        ]
        return csv_text(["method", "slice", "scored", *keys], lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        metrics = [asdict(metric) for metric in self.metrics]
        return {"metrics": metrics, "values": self._values, "scored": list(self.scored)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the table that `to_dict` described."""
        metrics = [Metric(**metric) for metric in values["metrics"]]
        return cls(metrics, values["values"], values["scored"])


def csv_text(header: Iterable[str], lines: Iterable[Iterable[Any]]) -> str:
    """Return a table as CSV: numbers with 6 decimals, an empty cell for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_cell(cell) for cell in line] for line in lines])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else value
