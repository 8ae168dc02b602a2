"""Scanning Fourier ring correlation (sFRC): up to which frequency a rebuilt slice agrees with the truth, patch by patch.

P. Kc, R. Zeng, N. Soni and A. Badano 2026, "sFRC for assessing hallucinations in medical image restoration", arXiv:2603.04673, of the
FDA; code: DIDSR/sfrc. A patch whose curve falls too early shows something else than the truth. Here:

- Patches have a side of 8 low-resolution pixels, and overlap by half. The paper's have 16 (64 pixels at ×4, 48 at ×3), side by side; but small ones find
  small inventions better, and the window hides what lies at the edges of a patch.
- A patch loses its mean (weighted by the window) and is multiplied by a Hann window.
- FRC(r) = Re Σ F·G* / √(Σ|F|²·Σ|G|²), the sums over the ring of frequencies that round to r cycles per side, r = 1 … side/2 (Nyquist). It
  has a sign, where the paper's code drops it: an inverted contrast is no agreement.
- The crossing is the lowest frequency at which the curve falls below THRESHOLD, the paper's 0.75 for MRI; straight lines between the rings;
  as a part of the Nyquist frequency of the truth, 1 where it never does.
- A patch is unfaithful where its crossing lies below LIMIT times the Nyquist frequency of the input: it contradicts what was acquired. The paper sets the
  limit by hallucinations that experts have marked. Here planted discs took their place, of 2–5 low-resolution pixels and 20 % of the intensity
  range, in an output whose truth has none: in five volumes 84 %, 76 % and 73 % of their patches are unfaithful at ×2, ×4 and ×8, of those of bicubic interpolation,
  which cannot invent, 2 %.

FRC says nothing about strength: a blurred patch agrees with the truth. How much is added is told by the invented energy: beyond
the input's Nyquist frequency, where every method guesses, the part of the rebuilt energy that has no counterpart in the truth.
"""

from dataclasses import dataclass

import numpy as np

SIDE = 8  # low-resolution pixels
THRESHOLD = 0.75
LIMIT = 0.75
LEAST_BODY = 0.5
"""Part of a patch that must show the body for it to be judged."""
NEGLIGIBLE = 1e-10
"""Energy of a ring, as a part of that of a mean patch, below which there is nothing but rounding."""


@dataclass(frozen=True)
class Agreement:
    """crossing: (rows, columns) of patches, parts of the Nyquist frequency; unfaithful, judged: the same, boolean; only judged ones can be unfaithful.

    invented, detail: energies beyond the input's Nyquist frequency, over the judged patches: what the rebuilt slice has without a
    counterpart, and what the truth has.
    """

    crossing: np.ndarray
    unfaithful: np.ndarray
    judged: np.ndarray
    invented: float
    detail: float


class ReferenceSlice:
    """A true slice, against which what several methods have made of it is held; what depends on it alone is computed once.

    truth: (h, w), any intensities; both sides at least SIDE·scale. mask: (h, w), boolean, its body.
    """

    def __init__(self, truth: np.ndarray, mask: np.ndarray, scale: int):
        self._side = scale * SIDE
        self._scale, self._shape = scale, truth.shape
        self._starts = [_starts(length, self._side) for length in truth.shape]
        self._rings = _Rings(self._side)
        self._spectra = self._spectra_of(truth)
        self._power = self._rings.sums(np.abs(self._spectra) ** 2)
        self.judged = self._patches(mask.astype(float)).mean(axis=(-2, -1)) >= LEAST_BODY

    def curves(self, image: np.ndarray) -> np.ndarray:
        """FRC of every patch with that of an image (h, w): (rows, columns, 1 + side/2), first for frequency 0, where it is 1."""
        return self._curves(self._spectra_of(image))[0]

    def agreement(self, image: np.ndarray) -> Agreement:
        """An Agreement of an image (h, w)."""
        curves, power = self._curves(self._spectra_of(image))
        crossing = crossings(curves)
        beyond = np.arange(curves.shape[-1])[1:] * self._scale > curves.shape[-1] - 1
        invented = (power * (1 - np.maximum(curves[..., 1:], 0) ** 2))[self.judged][:, beyond]
        return Agreement(
            crossing,
            self.judged & (crossing < LIMIT / self._scale),
            self.judged,
            float(invented.sum()),
            float(self._power[self.judged][:, beyond].sum()),
        )

    def expand(self, values: np.ndarray) -> np.ndarray:
        """A value per patch (rows, columns) as one per pixel (h, w): each pixel has that of the patch whose center is nearest."""
        rows, columns = (
            _nearest(length, starts, self._side)
            for length, starts in zip(self._shape, self._starts)
        )
        return values[np.ix_(rows, columns)]

    def _patches(self, image):
        """(rows, columns, side, side)"""
        return np.lib.stride_tricks.sliding_window_view(image, (self._side, self._side))[
            np.ix_(*self._starts)
        ]

    def _spectra_of(self, image):
        """(rows, columns, side²)"""
        window = np.sin(np.pi * (np.arange(self._side) + 0.5) / self._side) ** 2
        window = np.outer(window, window)
        patches = self._patches(np.asarray(image, dtype=float))
        means = (patches * window).sum(axis=(-2, -1), keepdims=True) / window.sum()
        return np.fft.fft2((patches - means) * window).reshape(*patches.shape[:2], -1)

    def _curves(self, spectra):
        """(FRC, energy in every ring)"""
        power = self._rings.sums(np.abs(spectra) ** 2)
        product = self._rings.sums((self._spectra * spectra.conj()).real)
        is_empty = _is_negligible(power) | _is_negligible(self._power)
        curves = np.where(
            is_empty, 0.0, product / np.sqrt(np.where(is_empty, 1, power * self._power))
        )
        curves[_is_negligible(power) & _is_negligible(self._power)] = 1
        return np.concatenate([np.ones((*curves.shape[:2], 1)), curves], axis=-1), power


class _Rings:
    """The rings of the spectrum of a patch: frequencies that round to 1 … side/2 cycles per side."""

    def __init__(self, side):
        cycles = np.fft.fftfreq(side, 1 / side)
        radius = np.rint(np.hypot(*np.meshgrid(cycles, cycles))).astype(int).ravel()
        order = np.argsort(radius, kind="stable")
        self._order = order[(radius[order] >= 1) & (radius[order] <= side // 2)]
        self._first = np.searchsorted(radius[self._order], np.arange(1, side // 2 + 1))

    def sums(self, values):
        """(..., side²) to (..., side/2)"""
        return np.add.reduceat(values[..., self._order], self._first, axis=-1)


def crossings(curves: np.ndarray) -> np.ndarray:
    """Where curves (..., n), from frequency 0 to Nyquist, first fall below THRESHOLD, as parts of Nyquist: (...); 1 where they do not."""
    last = curves.shape[-1] - 1
    below = curves < THRESHOLD
    first = np.argmax(below, axis=-1)
    before, after = (
        np.take_along_axis(curves, np.maximum(first - step, 0)[..., None], -1)[..., 0]
        for step in (1, 0)
    )
    between = (before - THRESHOLD) / np.where(below.any(axis=-1), before - after, 1)
    return np.where(below.any(axis=-1), (first - 1 + between) / last, 1.0)


def _is_negligible(power):
    return power <= NEGLIGIBLE * power.sum(axis=-1).mean()


def _starts(length, side):
    """First pixels of patches that overlap by half; the last ends where the slice ends."""
    return np.unique([*range(0, length - side + 1, side // 2), length - side])


def _nearest(length, starts, side):
    """The number of the patch whose center is nearest, for every pixel along a side."""
    return np.abs(np.arange(length)[:, None] - (starts + (side - 1) / 2)).argmin(axis=1)
