"""Which slices of a volume an audit looks at."""

import numpy as np

LEAST_FULL = 0.25
"""Part of the bright pixels of the fullest slice that a slice must have to be among the sample."""


def sample(fullness: np.ndarray, count: int | None, seed: int) -> list[int]:
    """Slice numbers, ascending: `count` of the slices that show enough, one from each of as many parts of the volume; None for all slices.

    fullness: bright pixels of every slice. seed: for numpy's default_rng.
    """
    if count is None:
        return list(range(len(fullness)))
    numbers = np.flatnonzero(fullness >= LEAST_FULL * max(fullness.max(), 1))
    parts = np.array_split(numbers, min(count, len(numbers))) if len(numbers) else []
    rng = np.random.default_rng(seed)
    return [int(rng.choice(part)) for part in parts]
