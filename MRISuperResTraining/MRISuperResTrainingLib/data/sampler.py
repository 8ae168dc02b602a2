"""Batches of patches to train on, whole slices to watch."""

import numpy as np

from MRISuperResLib.core import resampling

from ..options.checked import wrong
from . import degradations

PATCH_CONTRAST = 0.02
PATCH_TRIES = 4  # a patch of plain background is drawn again, at most this often


class PatchSampler:
    """Draws pairs of patches. A sample depends on the seed, the step and its index in the batch only: a run can be resumed, and
    processes that share a batch have exactly the samples of one that has it all.

    A sample is drawn anatomy first, then volume, slice, place and one of the eight symmetries of the square: a large data set does not
    drown a small one. Safe to be asked by several threads at once.
    """

    def __init__(self, volumes, settings):
        """volumes: PreparedVolumes, in any order; settings: Settings. Raises SuperResolutionError where there is no volume."""
        if not volumes:
            raise wrong("There is no volume to learn from: add some.")
        self._settings, self._data = settings, settings.data
        self._side = settings.data.patch // settings.scale
        anatomies = sorted({volume.source.anatomy for volume in volumes})
        volumes = sorted(volumes, key=lambda volume: volume.sha256)
        self._groups = [
            [volume for volume in volumes if volume.source.anatomy == anatomy]
            for anatomy in anatomies
        ]

    def batch(self, step, part=0, parts=1):
        """(low, high), float32, (n, 1, patch/scale, patch/scale) and (n, 1, patch, patch), where n is batch / parts.

        part, parts: the batch of a step is cut into equal, contiguous parts. Raises ValueError where that can't be done.
        """
        count, rest = divmod(self._settings.batch, parts)
        if rest or not 0 <= part < parts:
            raise ValueError(f"part {part} of {parts} of a batch of {self._settings.batch}")
        low, high = zip(
            *(self.sample(step, index) for index in range(part * count, (part + 1) * count))
        )
        return np.stack(low)[:, None], np.stack(high)[:, None]

    def sample(self, step, index):
        """(low, high), two-dimensional."""
        rng = np.random.default_rng((self._settings.seed, step, index))
        scale, side = self._settings.scale, self._side
        image, place = self._place(rng)
        degradation = degradations.draw(self._data.degradation, self._data.noise, rng)
        low = degradations.degrade(image, scale, degradation, place, (side, side))
        high = _part(image, place, side, scale)
        turns, mirrored = rng.integers(4), rng.integers(2)
        return tuple(
            _turned(patch, turns * self._data.rotations, mirrored * self._data.flips)
            for patch in (low, high)
        )

    def _place(self, rng):
        """(a whole slice, place of the patch in low-resolution pixels)"""
        group = self._groups[rng.integers(len(self._groups))]
        volume = group[rng.integers(len(group))]
        scale, side = self._settings.scale, self._side
        for _ in range(PATCH_TRIES):
            image = resampling.crop_to_multiple(
                volume.slices[volume.kept[rng.integers(len(volume.kept))]], scale
            )
            place = tuple(int(rng.integers(length // scale - side + 1)) for length in image.shape)
            if _part(image, place, side, scale).std() >= PATCH_CONTRAST:
                break
        return image, place


class SlicePairs:
    """The whole slices of PreparedVolumes as pairs (low, high), float32, cropped to multiples of the scale; made when they are asked for.

    A slice is always degraded in the same way, drawn from the seed and its number as for training.
    """

    def __init__(self, volumes, settings):
        """volumes: PreparedVolumes, in any order; settings: Settings."""
        self._settings = settings
        self._slices = [
            (volume, number)
            for volume in sorted(volumes, key=lambda volume: volume.sha256)
            for number in volume.kept
        ]

    def __len__(self):
        return len(self._slices)

    def __getitem__(self, n):
        volume, number = self._slices[n]
        settings = self._settings
        rng = np.random.default_rng((settings.seed, int(volume.sha256[:8], 16), number))
        high = np.array(resampling.crop_to_multiple(volume.slices[number], settings.scale))
        return degradations.degrade(
            high,
            settings.scale,
            degradations.draw(settings.data.degradation, settings.data.noise, rng),
        ), high


def _part(image, place, side, scale):
    """The high-resolution patch at a place in low-resolution pixels."""
    row, column = (first * scale for first in place)
    return image[row : row + side * scale, column : column + side * scale]


def _turned(patch, turns, mirrored):
    return np.rot90(patch[:, ::-1] if mirrored else patch, turns)
