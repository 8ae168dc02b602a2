"""From volumes to pairs of patches: slices of the training volumes, degraded once, cut at random."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MRISuperResLib.core import geometry, intensity, resample, slices
from MRISuperResLib.core.errors import MRISuperResError
from MRISuperResLib.core.files import read_volume

from .recipe import Source

LEAST_CONTRAST = 0.05
"""Slices whose normalised intensities vary less than this (standard deviation) show nothing to learn from."""

PATCH_CONTRAST = 0.02
PATCH_TRIES = 4  # a patch of plain background is drawn again, at most this often


@dataclass(frozen=True)
class SlicePairs:
    """The slices of one volume: high (n, scale·h, scale·w) and low (n, h, w), float32, normalised.

    pixel: (smallest, largest) side of a high-resolution pixel, mm. left_out: how many slices were empty.
    """

    source: Source
    pixel: tuple
    high: np.ndarray
    low: np.ndarray
    left_out: int


def load(data, source, scale):
    """SlicePairs of a recipe.Source below the folder `data`, along the automatic slice axis, degraded as the thesis does.

    Sides are cropped to multiples of the scale.
    """
    volume = read_volume(Path(data) / source.path)
    voxels, _ = intensity.mask_non_finite(volume.array)
    axis = slices.choose(volume.ijk_to_ras)
    stack = intensity.Intensity.of(voxels).normalise(np.moveaxis(voxels, axis.numpy_axis, 0)).astype(np.float32)
    stack = resample.crop_to_multiple(stack, scale)
    useful = stack.std(axis=(1, 2)) >= LEAST_CONTRAST
    high = np.ascontiguousarray(stack[useful])
    pixel = np.delete(geometry.spacing(volume.ijk_to_ras), axis.axis)
    return SlicePairs(source, (float(pixel.min()), float(pixel.max())), high, resample.degrade(high, scale), int((~useful).sum()))


class PatchSampler:
    """Batches of patch pairs; the batch of a step depends on the seed and the step only, so that a run can be resumed.

    A patch is drawn anatomy first, then volume, slice, place and one of the eight symmetries of the square: a large
    data set does not drown a small one.
    """

    def __init__(self, volumes, scale, patch, batch, seed):
        """volumes: SlicePairs; patch: side of a high-resolution patch in pixels.

        used: the volumes that are large enough. Raises MRISuperResError where none is.
        """
        self.scale, self.patch, self.batch, self.seed = scale, patch // scale, batch, seed
        self.used = [v for v in volumes if len(v.low) and min(v.low.shape[1:]) >= self.patch]
        if not self.used:
            raise MRISuperResError(f"No training volume has slices of {patch}×{patch} pixels: choose a smaller patch.", "settings")
        anatomies = sorted({v.source.anatomy for v in self.used})
        self._groups = [[v for v in self.used if v.source.anatomy == anatomy] for anatomy in anatomies]

    def __call__(self, step):
        """(low, high): (batch, 1, patch, patch) and (batch, 1, scale·patch, scale·patch), float32."""
        rng = np.random.default_rng((self.seed, step))
        low, high = zip(*(self._pair(rng) for _ in range(self.batch)))
        return np.stack(low)[:, None], np.stack(high)[:, None]

    def _pair(self, rng):
        group = self._groups[rng.integers(len(self._groups))]
        volume = group[rng.integers(len(group))]
        p, s = self.patch, self.scale
        for _ in range(PATCH_TRIES):
            n = rng.integers(len(volume.low))
            y, x = (rng.integers(side - p + 1) for side in volume.low.shape[1:])
            low = volume.low[n, y:y + p, x:x + p]
            if low.std() >= PATCH_CONTRAST:
                break
        high = volume.high[n, y * s:(y + p) * s, x * s:(x + p) * s]
        turns, flip = rng.integers(4), rng.integers(2)
        return tuple(np.ascontiguousarray(np.rot90(a[:, ::-1] if flip else a, turns)) for a in (low, high))
