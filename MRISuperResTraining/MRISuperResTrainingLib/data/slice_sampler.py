"""Samples for the network between slices: rows of in-plane slices, averaged to thick slices.

The high resolution of the slices is known in-plane only. Therefore the network learns there, and is
used along the slice direction (Zhao et al. 2021, SMORE, IEEE Trans Med Imaging 40).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from MRISuperResLib.core import resampling
from MRISuperResLib.core.networks.through_plane import SUB_SLICES, with_geometry
from MRISuperResLib.core.slice_profile import (
    BASELINE,
    interpolation_weights,
    profile_weights,
    slice_centers,
    thick_patch,
)

from ..options.settings import Settings
from .pairs import draw_degradation
from .preparation import PreparedVolume
from .sampler import Pair, PatchSampler, Sampler, SlicePairs, turned

ASPECTS = (2, 3, 4, 5, 6, 8)
"""Slice spacings of the validation, in in-plane pixels."""
CONTIGUOUS_SHARE = 0.5
"""Share of the steps whose slices have neither gaps nor overlaps."""
COVERAGES = 0.5, 1.25
"""Range of the slice thickness in the other steps, as a part of the slice spacing."""
GEOMETRY_STREAM = 2**32 - 1
"""Third number of the seed of a step's geometry; samples have their index there."""


def make_sampler(volumes: Sequence[PreparedVolume], settings: Settings) -> Sampler:
    """Return the sampler of the training volumes that the settings need.

    Raises:
        SuperResolutionError: There is no volume (kind "settings").
    """
    kind = SliceSampler if settings.is_between_slices else PatchSampler
    return kind(volumes, settings)


def make_pairs(volumes: Sequence[PreparedVolume], settings: Settings) -> SlicePairs:
    """Return the slices of held-out volumes, degraded as the settings need."""
    kind = ThickSlicePairs if settings.is_between_slices else SlicePairs
    return kind(volumes, settings)


class SliceGeometry(NamedTuple):
    """Geometry of thick slices.

    Attributes:
        slices: Number of slices.
        aspect: Slice spacing, in in-plane pixels, 1 to 8.
        coverage: Slice thickness, as a part of the slice spacing.
    """

    slices: int
    aspect: float
    coverage: float


class SliceSampler(Sampler):
    """Sampler of patches whose rows are averaged to thick slices.

    All samples of a step have one geometry, since they are one tensor. It depends on the seed and
    the step only. The slice is turned and mirrored first, then degraded along its rows.
    """

    def geometry(self, step: int) -> SliceGeometry:
        """Return the geometry of a step: the slice spacing is log-uniform in 1 to 8 pixels."""
        rng = np.random.default_rng((self._settings.seed, step, GEOMETRY_STREAM))
        patch = self._data.patch
        slices = round(patch / math.exp(rng.uniform(0, math.log(SUB_SLICES))))
        return SliceGeometry(slices, patch / slices, _draw_coverage(rng))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Pair:
        """Return the batch of a step, or one of its equal, contiguous parts.

        Args:
            step: Step, from 0.
            part: Number of the part, from 0.
            parts: Number of parts.

        Returns:
            (n, 3, slices, patch), see `with_geometry`, and (n, 1, patch, patch), float32; n is
            batch / parts.

        Raises:
            ValueError: The batch cannot be divided like this.
        """
        low, high = super().batch(step, part, parts)
        return _with_geometry(low, self.geometry(step)), high

    def sample(self, step: int, index: int) -> Pair:
        """Return one sample: (slices, patch) and (patch, patch), float32.

        Args:
            step: Step, from 0.
            index: Index in the batch.
        """
        rng = np.random.default_rng((self._settings.seed, step, index))
        side = self._data.patch
        volume, number, position = self._draw_position(rng, 1)
        noise = _draw_noise(self._data.noise, rng)
        symmetry = self._draw_symmetry(rng)
        image = volume.slices[number]
        row, column = _turned_position(position, image.shape, side, *symmetry)
        image = turned(image, *symmetry)
        slices, _, coverage = self.geometry(step)
        low = thick_patch(image, (row, column), side, slices, coverage)
        return noise.added(low), image[row : row + side, column : column + side]


class ThickSlicePairs(SlicePairs):
    """Whole held-out slices whose rows are averaged to thick slices.

    Pairs (3, slices, w), see `with_geometry`, and (h, w), float32; h is a multiple of 8. The
    geometry of a slice is drawn from the seed and its number.
    """

    def _degraded(
        self, volume: PreparedVolume, number: int, high: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        slices = round(len(high) / ASPECTS[rng.integers(len(ASPECTS))])
        aspect, coverage = len(high) / slices, _draw_coverage(rng)
        weights = profile_weights(len(high), slice_centers(len(high), slices), coverage * aspect)
        low = _draw_noise(self._settings.data.noise, rng).added(weights.astype(np.float32) @ high)
        geometry = SliceGeometry(slices, aspect, coverage)
        return _with_geometry(low[None, None], geometry)[0]


def interpolated(low: np.ndarray) -> np.ndarray:
    """Interpolate a slice of `ThickSlicePairs` between its thick slices, by cubic B-splines.

    Args:
        low: (3, slices, w), see `with_geometry`.

    Returns:
        (h, w), the shape of the high-resolution slice.
    """
    slices = low.shape[1]
    count = round(float(low[1, 0, 0]) * SUB_SLICES * slices)
    image: np.ndarray = interpolation_weights(slices, count, BASELINE) @ low[0]
    return image


class _Noise(NamedTuple):
    sigma: float
    seed: int

    def added(self, image: np.ndarray) -> np.ndarray:
        """Add Rician noise; float32."""
        if not self.sigma:
            return image
        return resampling.add_rician_noise(image, self.sigma, self.seed).astype(np.float32)


def _draw_noise(noise: float, rng: np.random.Generator) -> _Noise:
    degradation = draw_degradation("slices", noise, rng)
    return _Noise(degradation.noise, degradation.seed)


def _draw_coverage(rng: np.random.Generator) -> float:
    """Draw a slice thickness; the number of draws does not depend on the result."""
    share, coverage = rng.random(), rng.uniform(*COVERAGES)
    return 1.0 if share < CONTIGUOUS_SHARE else coverage


def _with_geometry(low: np.ndarray, geometry: SliceGeometry) -> np.ndarray:
    images = torch.from_numpy(np.ascontiguousarray(low, np.float32))
    array: np.ndarray = with_geometry(images, geometry.aspect, geometry.coverage).numpy()
    return array


def _turned_position(
    position: tuple[int, int], shape: tuple[int, ...], side: int, turns: int, is_mirrored: bool
) -> tuple[int, int]:
    """Position in `turned(image)` of the square that is at a position of the image (h, w)."""
    row, column = position
    height, width = shape
    if is_mirrored:
        column = width - side - column
    for _ in range(turns):
        row, column = width - side - column, row
        height, width = width, height
    return row, column
