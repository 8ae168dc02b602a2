"""Results of an audit: what it finds about every method on one volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..comparison.lesions import DIAMETERS
from ..comparison.scores import csv_text
from ..errors import SuperResolutionError
from ..geometry import SliceAxis
from ..messages import Message
from .findings import AuditedLesion, Findings
from .sfrc import ReferenceSlice

MIN_FULLNESS = 0.25
"""Minimum foreground of a sampled slice, as a fraction of the largest one of the volume."""


@dataclass(frozen=True)
class AuditedSlice:
    """Slice restored by a method.

    Attributes:
        number: Number of the slice.
        reference: (h, w), normalized.
        image: (h, w), normalized like the reference.
        crossing: (h, w), fraction of the Nyquist frequency, 0 where nothing was judged.
        unfaithful: (h, w), boolean.
        share: Fraction of the judged patches that are unfaithful.
    """

    number: int
    reference: np.ndarray
    image: np.ndarray
    crossing: np.ndarray
    unfaithful: np.ndarray
    share: float


@dataclass(frozen=True)
class MethodAudit:
    """The audit of a method on one volume.

    Attributes:
        model: See `provenance.model_record`.
        findings: Its figures.
        crossing: (k, j, i), float32: frequency up to which patches agree with the reference, as a
            fraction of Nyquist, 0 where nothing was judged.
        worst: The slice with the largest share of unfaithful patches; of several, the one that
            agrees least.
    """

    model: dict[str, Any]
    findings: Findings
    crossing: np.ndarray
    worst: AuditedSlice


@dataclass(frozen=True)
class VolumeAudit:
    """The audit of several methods on one volume.

    Attributes:
        methods: {name: MethodAudit}.
        ijk_to_ras: (4, 4), mm, of the maps and of the cropped reference.
        axis: Direction of the audited slices; between slices, the normal of the reformats.
        numbers: Numbers of the audited slices.
        messages: Messages of the volume and of the audit.
        factor: Upsampling factor, in-plane or between slices.
    """

    methods: dict[str, MethodAudit]
    ijk_to_ras: np.ndarray
    axis: SliceAxis
    numbers: list[int]
    messages: tuple[Message, ...]
    factor: float

    def to_csv(self, path: str | Path) -> None:
        """Write the figures, a line per method, as a CSV file."""
        figures = {name: audit.findings.figures() for name, audit in self.methods.items()}
        header = next(iter(figures.values()))
        lines = [(name, *values.values()) for name, values in figures.items()]
        text = csv_text(("method", *header), lines)
        Path(path).write_text(text, encoding="utf-8", newline="")


def sample_slices(foreground_sizes: np.ndarray, count: int | None, seed: int) -> list[int]:
    """Draw slices with enough foreground, one from each of `count` parts of the volume.

    Args:
        foreground_sizes: Foreground pixels of every slice.
        count: Number of slices; None: all slices.
        seed: Seed for numpy's default_rng.

    Returns:
        Slice numbers, ascending.
    """
    if count is None:
        return list(range(len(foreground_sizes)))
    is_full = foreground_sizes >= MIN_FULLNESS * max(foreground_sizes.max(), 1)
    numbers = np.flatnonzero(is_full)
    parts = np.array_split(numbers, min(count, len(numbers))) if len(numbers) else []
    rng = np.random.default_rng(seed)
    return [int(rng.choice(part)) for part in parts]


class Record:
    """Results of one method, slice by slice."""

    def __init__(self, shape: tuple[int, ...], axis: SliceAxis) -> None:
        """Begin with an empty map.

        Args:
            shape: (k, j, i) of the map.
            axis: Direction of the audited slices.
        """
        self._map = np.zeros(shape, dtype=np.float32)
        self._slices = np.moveaxis(self._map, axis.numpy_axis, 0)
        self._crossings: list[np.ndarray] = []
        self._inconsistencies: list[float] = []
        self._unfaithful, self._hallucinated, self._detail = 0, 0.0, 0.0
        self._worst: AuditedSlice
        self._rank = (-1.0, 0.0)  # below the rank of any slice

    @property
    def patches(self) -> int:
        """Number of judged patches."""
        return sum(map(len, self._crossings))

    def add(
        self,
        number: int,
        image: np.ndarray,
        reference: np.ndarray,
        patches: ReferenceSlice,
        inconsistency: float,
    ) -> None:
        """Judge a slice that the method restored.

        Args:
            number: Number of the slice.
            image: The result (h, w), normalized like the reference.
            reference: The reference (h, w).
            patches: Its spectra.
            inconsistency: RMSE of the degraded result against the input, 0–255.
        """
        found = patches.agreement(image)
        self._crossings.append(found.crossing[found.judged])
        self._unfaithful += int(found.unfaithful.sum())
        self._hallucinated += found.hallucinated
        self._detail += found.detail
        self._inconsistencies.append(inconsistency)
        crossing = patches.expand(np.where(found.judged, found.crossing, 0))
        self._slices[number] = crossing
        if found.judged.any():
            share = float(found.unfaithful.sum() / found.judged.sum())
            rank = share, -float(found.crossing[found.judged].mean())
            if rank > self._rank:
                self._rank = rank
                unfaithful = patches.expand(found.unfaithful)
                self._worst = AuditedSlice(number, reference, image, crossing, unfaithful, share)

    def audit(
        self,
        model: dict[str, Any],
        lesions: Sequence[AuditedLesion],
        diameters: tuple[int, ...] = DIAMETERS,
        unit: str = "px",
    ) -> MethodAudit:
        """Return the audit of the method.

        Args:
            model: See `provenance.model_record`.
            lesions: Its responses to synthetic lesions.
            diameters: See `Findings`.
            unit: See `Findings`.
        """
        crossings = np.concatenate(self._crossings)
        findings = Findings(
            len(self._crossings),
            len(crossings),
            100 * self._unfaithful / len(crossings),
            float(crossings.mean()),
            100 * self._hallucinated / self._detail,
            float(np.mean(self._inconsistencies)),
            tuple(lesions),
            diameters,
            unit,
        )
        return MethodAudit(model, findings, self._map, self._worst)


def check_patches(records: Iterable[Record]) -> None:
    """Check that at least one patch was judged.

    Raises:
        SuperResolutionError: There is none.
    """
    if not any(record.patches for record in records):
        raise SuperResolutionError(
            "No patch can be judged: in no slice does the foreground fill half of a patch. "
            "Choose another volume or slice direction."
        )
