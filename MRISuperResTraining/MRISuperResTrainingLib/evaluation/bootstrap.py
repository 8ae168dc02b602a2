"""How far a mean over a few subjects can be trusted."""

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES, SEED = 10_000, 0
LEVEL = 0.95


def interval(values: ArrayLike) -> tuple[float, float] | None:
    """(low, high) of the mean of one value per subject: the percentile bootstrap, 95 %. None for fewer than two subjects.

    Subjects are drawn, never slices: slices of one subject are alike, and would make the interval far too narrow.
    Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13. The same values give the same interval.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
