"""The numbers of a comparison: per slice and method, and what they come to."""

import csv
import io
import math
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from ..metrics import decibels


@dataclass(frozen=True)
class Metric:
    """better: "higher" or "lower". region: "image", "foreground", or "" where it makes no difference. digits: shown."""

    key: str
    title: str
    unit: str
    better: str
    region: str
    digits: int

    @property
    def heading(self) -> str:
        return (
            self.title
            + (f" ({self.unit})" if self.unit else "")
            + (", foreground" if self.region == "foreground" else "")
        )

    def text(self, value: float | None) -> str:
        return "–" if value is None else f"{value:.{self.digits}f}"


FULL_REFERENCE = (
    ("psnr", "PSNR", "dB", "higher", 2),
    ("ssim_wang", "SSIM", "Wang", "higher", 4),
    ("ssim_matlab", "SSIM", "MATLAB", "higher", 4),
    ("rmse", "RMSE", "of 255", "lower", 2),
)
CONSISTENCY = Metric("consistency", "Inconsistency", "of 255", "lower", "", 2)
PERCEPTUAL = {
    "niqe": Metric("niqe", "NIQE", "", "lower", "", 2),
    "pi": Metric("pi", "PI", "", "lower", "", 2),
}


def metrics_of(job):
    """The metrics of every slice, of a ComparisonOptions, in the order of the table's columns."""
    full = (
        [
            Metric(key + suffix, title, unit, better, region, digits)
            for suffix, region in (("", "image"), ("_foreground", "foreground"))
            for key, title, unit, better, digits in FULL_REFERENCE
        ]
        if job.reference
        else []
    )
    return (*full, CONSISTENCY)


class ScoreTable:
    """values: {method: {metric key: one number per slice, None where the metric is not defined there}}.

    Slice numbers are indices along the slice axis. PSNR is not defined on a slice without any error, nor a metric of the
    foreground on a slice of air.
    """

    def __init__(self, metrics, values):
        self.metrics, self._values = tuple(metrics), values

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self._values)

    def metric(self, key: str) -> Metric:
        return next(metric for metric in self.metrics if metric.key == key)

    def values(self, method: str, key: str) -> list[float | None]:
        return self._values[method][key]

    def defined(self, method: str, key: str) -> np.ndarray:
        return np.array([value for value in self.values(method, key) if value is not None])

    def mean(self, method: str, key: str) -> float | None:
        """Over the slices where it is defined; None where it is nowhere."""
        defined = self.defined(method, key)
        return float(defined.mean()) if len(defined) else None

    def spread(self, method: str, key: str) -> float | None:
        """Sample standard deviation over the slices; None for fewer than two."""
        defined = self.defined(method, key)
        return float(defined.std(ddof=1)) if len(defined) > 1 else None

    def volume_rmse(self, method: str) -> float:
        """From one mean square error over the whole volume, on the 0–255 scale."""
        return math.sqrt(np.mean(np.square(self.defined(method, "rmse"))))

    def volume_psnr(self, method: str) -> float | None:
        """dB, from one mean square error over the whole volume, as the model cards have it; None for equal volumes."""
        error = self.volume_rmse(method)
        return decibels(error) if error else None

    def best(self, key: str) -> set[str]:
        """The methods whose mean, as it is shown, no other surpasses."""
        metric = self.metric(key)
        shown = {
            method: float(metric.text(mean))
            for method in self.methods
            if (mean := self.mean(method, key)) is not None
        }
        if not shown:
            return set()
        champion = (max if metric.better == "higher" else min)(shown.values())
        return {method for method, value in shown.items() if value == champion}

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """(header, rows) of texts: "mean ± spread", the best of each column with a star."""
        best = {metric.key: self.best(metric.key) for metric in self.metrics}
        rows = []
        for method in self.methods:
            cells = []
            for metric in self.metrics:
                spread = self.spread(method, metric.key)
                text = metric.text(self.mean(method, metric.key)) + (
                    f" ± {metric.text(spread)}" if spread is not None else ""
                )
                cells.append(text + (" *" if method in best[metric.key] else ""))
            rows.append([method, *cells])
        return ["Method", *(metric.heading for metric in self.metrics)], rows

    def csv(self) -> str:
        """One line per method: mean, standard deviation and number of slices of every metric, and the PSNR of the whole volume."""
        has_reference = any(metric.key == "rmse" for metric in self.metrics)
        header = ["method", *(["psnr_volume"] if has_reference else [])]
        header += [
            f"{metric.key}_{what}" for metric in self.metrics for what in ("mean", "sd", "n")
        ]
        lines = []
        for method in self.methods:
            line = [method, *([self.volume_psnr(method)] if has_reference else [])]
            for metric in self.metrics:
                line += [
                    self.mean(method, metric.key),
                    self.spread(method, metric.key),
                    len(self.defined(method, metric.key)),
                ]
            lines.append(line)
        return csv_text(header, lines)

    def slice_csv(self) -> str:
        """One line per method and slice."""
        keys = [metric.key for metric in self.metrics]
        lines = [
            [method, n, *numbers]
            for method in self.methods
            for n, numbers in enumerate(zip(*(self.values(method, key) for key in keys)))
        ]
        return csv_text(["method", "slice", *keys], lines)

    def to_dict(self) -> dict:
        return {"metrics": [asdict(metric) for metric in self.metrics], "values": self._values}

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        return cls([Metric(**metric) for metric in values["metrics"]], values["values"])


def csv_text(header, lines):
    """A table as CSV: numbers with 6 decimals; an empty cell where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(
        [
            [
                "" if cell is None else f"{cell:.6f}" if isinstance(cell, float) else cell
                for cell in line
            ]
            for line in lines
        ]
    )
    return text.getvalue()
