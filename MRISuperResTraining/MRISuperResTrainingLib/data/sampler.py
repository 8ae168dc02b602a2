"""Samples: batches of patches for the training, whole slices for the validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MRISuperResLib.core import resampling
from MRISuperResLib.core.validation import invalid

from ..options.settings import Settings
from .pairs import degrade, draw_degradation
from .preparation import PreparedVolume

MIN_PATCH_CONTRAST = 0.02
"""Standard deviation below which a patch counts as plain background."""
MAX_DRAWS = 4
"""Number of draws until a patch of plain background is accepted."""

Pair = tuple[np.ndarray, np.ndarray]
"""A low-resolution and a high-resolution array."""


class Sampler:
    """Base of the samplers: draws volumes, slices and positions, and collects batches.

    A sample depends on the seed, the step and its index in the batch only. Therefore a run can be
    resumed, and the number of processes that share a batch does not matter. The anatomy is drawn
    first, so that a large data set does not outweigh a small one; then volume, slice, position and
    one of the eight symmetries of the square. Calls from several threads are safe.
    """

    def __init__(self, volumes: Sequence[PreparedVolume], settings: Settings) -> None:
        """Group the volumes by anatomy.

        Args:
            volumes: Training volumes, in any order.
            settings: Settings of the run.

        Raises:
            SuperResolutionError: There is no volume (kind "settings").
        """
        if not volumes:
            raise invalid("No training volumes: add some.")
        self._settings, self._data = settings, settings.data
        anatomies = sorted({volume.source.anatomy for volume in volumes})
        volumes = sorted(volumes, key=lambda volume: volume.sha256)
        self._groups = [
            [volume for volume in volumes if volume.source.anatomy == anatomy]
            for anatomy in anatomies
        ]

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Pair:
        """Return the batch of a step, or one of its equal, contiguous parts.

        Args:
            step: Step, from 0.
            part: Number of the part, from 0.
            parts: Number of parts.

        Returns:
            The network's input (n, channels, h, w) and (n, 1, patch, patch), float32; n is
            batch / parts.

        Raises:
            ValueError: The batch cannot be divided like this.
        """
        count, rest = divmod(self._settings.batch, parts)
        if rest or not 0 <= part < parts:
            raise ValueError(f"part {part} of {parts} of a batch of {self._settings.batch}")
        low, high = zip(
            *(self.sample(step, index) for index in range(part * count, (part + 1) * count))
        )
        return np.stack(low)[:, None], np.stack(high)[:, None]

    def sample(self, step: int, index: int) -> Pair:
        """Return one sample: two patches, float32.

        Args:
            step: Step, from 0.
            index: Index in the batch.
        """
        raise NotImplementedError

    def _draw_position(
        self, rng: np.random.Generator, scale: int
    ) -> tuple[PreparedVolume, int, tuple[int, int]]:
        """Draw a volume, a slice, and the position of a patch in pixels of 1/scale."""
        group = self._groups[rng.integers(len(self._groups))]
        volume = group[rng.integers(len(group))]
        side = self._data.patch // scale
        for _ in range(MAX_DRAWS):
            number = volume.kept[rng.integers(len(volume.kept))]
            image = _cropped(volume, number, scale)
            height, width = image.shape
            position = (
                int(rng.integers(height // scale - side + 1)),
                int(rng.integers(width // scale - side + 1)),
            )
            if _patch(image, position, side, scale).std() >= MIN_PATCH_CONTRAST:
                break
        return volume, number, position

    def _draw_symmetry(self, rng: np.random.Generator) -> tuple[int, bool]:
        """Draw a number of turns by 90°, and whether to mirror before."""
        turns = int(rng.integers(4)) * self._data.rotations
        return turns, bool(rng.integers(2) * self._data.flips)


class PatchSampler(Sampler):
    """Sampler of pairs of patches: both acquired, or the low-resolution one degraded.

    The low-resolution patches are (n, 1, patch/scale, patch/scale).
    """

    def sample(self, step: int, index: int) -> Pair:
        """Return one sample: two patches, float32.

        Args:
            step: Step, from 0.
            index: Index in the batch.
        """
        rng = np.random.default_rng((self._settings.seed, step, index))
        scale = self._settings.scale
        side = self._data.patch // scale
        volume, number, position = self._draw_position(rng, scale)
        image = _cropped(volume, number, scale)
        degradation = draw_degradation(self._data.degradation, self._data.noise, rng)
        if volume.low_slices is None:
            low = degrade(image, scale, degradation, position, (side, side))
        else:
            low = _patch(volume.low_slices[number], position, side, 1)
        high = _patch(image, position, side, scale)
        symmetry = self._draw_symmetry(rng)
        return turned(low, *symmetry), turned(high, *symmetry)


class SlicePairs:
    """Whole slices as pairs (low, high), float32, cropped to multiples of the scale.

    The low-resolution slice is that of an own pair, or the slice is degraded, always in the same
    way, drawn from the seed and its number.
    """

    def __init__(self, volumes: Sequence[PreparedVolume], settings: Settings) -> None:
        """List the slices.

        Args:
            volumes: Held-out volumes, in any order.
            settings: Settings of the run.
        """
        self._settings = settings
        self._slices = [
            (volume, number)
            for volume in sorted(volumes, key=lambda volume: volume.sha256)
            for number in volume.kept
        ]

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, n: int) -> Pair:
        volume, number = self._slices[n]
        settings = self._settings
        rng = np.random.default_rng((settings.seed, int(volume.sha256[:8], 16), number))
        high = np.array(_cropped(volume, number, settings.scale))
        return self._degraded(volume, number, high, rng), high

    def _degraded(
        self, volume: PreparedVolume, number: int, high: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the network's input for a high-resolution slice."""
        data = self._settings.data
        degradation = draw_degradation(data.degradation, data.noise, rng)
        if volume.low_slices is not None:
            return np.array(volume.low_slices[number])
        return degrade(high, self._settings.scale, degradation)


def _cropped(volume: PreparedVolume, number: int, scale: int) -> np.ndarray:
    """A high-resolution slice, whose sides are multiples of the scale."""
    return resampling.crop_to_multiple(volume.slices[number], scale)


def _patch(image: np.ndarray, position: tuple[int, int], side: int, scale: int) -> np.ndarray:
    """The high-resolution patch at a position in low-resolution pixels."""
    row, column = (first * scale for first in position)
    return image[row : row + side * scale, column : column + side * scale]


def turned(image: np.ndarray, turns: int, is_mirrored: bool) -> np.ndarray:
    """Return a view of an image (h, w), mirrored first if requested, then turned by 90° each."""
    return np.rot90(image[:, ::-1] if is_mirrored else image, turns)
