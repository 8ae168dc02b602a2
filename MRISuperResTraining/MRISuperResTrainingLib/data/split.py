"""Division of the subjects into training and held-out ones.

The split is by subject, never by slice, since neighboring slices show nearly the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from MRISuperResLib.core.messages import Message, warning
from MRISuperResLib.core.validation import (
    Rule,
    Validated,
    below,
    boolean,
    integer,
    invalid,
    setting,
)

from .preparation import Exclusion, PreparedVolume

GAP = 10.0
"""Distance between training and held-out slices of one subject, mm: closer slices are similar."""

MIN_SLICES = 3
"""Slices of a volume that can be divided: one for training, a gap, and one to hold out."""


def _names() -> Rule:
    return Rule(
        lambda v: isinstance(v, tuple) and all(isinstance(name, str) for name in v),
        "a list of names",
    )


def _messages() -> Rule:
    return Rule(
        lambda v: isinstance(v, tuple) and all(isinstance(message, Message) for message in v),
        "a list of messages",
    )


@dataclass(frozen=True)
class Split(Validated):
    """A division of subjects.

    Attributes:
        train: Training subjects.
        validation: Held-out subjects.
        seed: Seed of the split.
        share: Requested share of held-out subjects.
        by_slices: True if the only subject is on both sides, with different slices.
        messages: Messages about the split.

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    train: tuple[str, ...] = setting(_names())
    validation: tuple[str, ...] = setting(_names())
    seed: int = setting(integer(0))
    share: float = setting(below(0, 1))
    by_slices: bool = setting(boolean(), False)
    messages: tuple[Message, ...] = setting(_messages(), ())

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the split that `to_dict` described."""
        messages = tuple(Message.from_dict(message) for message in values.get("messages", ()))
        return super().from_dict(values | {"messages": messages})

    def training(self, volumes: Iterable[PreparedVolume]) -> list[PreparedVolume]:
        """Return the training volumes."""
        return self._side(volumes, self.train, 0)

    def validating(self, volumes: Iterable[PreparedVolume]) -> list[PreparedVolume]:
        """Return the held-out volumes."""
        return self._side(volumes, self.validation, 1)

    def _side(
        self, volumes: Iterable[PreparedVolume], subjects: Sequence[str], side: int
    ) -> list[PreparedVolume]:
        chosen = [volume for volume in volumes if volume.source.subject in subjects]
        if self.by_slices:
            chosen = [_blocks(volume, self.share)[side] for volume in chosen]
        return [volume for volume in chosen if volume.kept]


def split_subjects(volumes: Iterable[PreparedVolume], share: float, seed: int) -> Split:
    """Divide the subjects of some volumes.

    Subjects with a fixed use keep it. The others depend on the seed and their names only: more or
    fewer volumes of the same subjects change nothing, and a new subject moves few others.

    Args:
        volumes: Prepared volumes.
        share: Share of the subjects of each anatomy to hold out; at least one of two subjects.
        seed: Seed of the split.

    Raises:
        SuperResolutionError: No training volume is left (kind "settings").
    """
    volumes = list(volumes)
    uses, anatomies = _by_subject(volumes)
    train = {subject for subject, use in uses.items() if use == "train"}
    held_out = {subject for subject, use in uses.items() if use == "validation"}
    free = sorted(
        (subject for subject, use in uses.items() if use == "auto"),
        key=lambda subject: _rank(seed, subject),
    )
    messages: list[Message] = []
    by_slices = False
    if share and free:
        drawn = {
            subject
            for anatomy in set(anatomies.values())
            for subject in _drawn(anatomy, anatomies, free, train, held_out, share)
        }
        if not drawn and not held_out and not train:
            if len(free) == 1:
                by_slices = any(len(volume.kept) >= MIN_SLICES for volume in volumes)
                held_out = set(free) if by_slices else set()
                messages.append(_one_subject(free[0], by_slices))
            else:
                drawn = {free[0]}
                messages.append(_one_subject_per_anatomy(free[0], anatomies[free[0]]))
        held_out |= drawn
    train |= set(free) if by_slices else set(free) - held_out
    if not train:
        raise invalid("No training volumes are left: add some, or hold out fewer.")
    if not held_out:
        text = "No subject is held out: the quality on unseen subjects remains unknown."
        messages = messages or [warning("split", text)]
    elif not by_slices:
        validated = {anatomies[subject] for subject in held_out}
        messages += [
            warning(
                "split",
                f"No subject with the anatomy “{anatomy}” is held out: "
                "the validation does not cover it.",
            )
            for anatomy in sorted({anatomies[subject] for subject in train} - validated)
        ]
    return Split(
        tuple(sorted(train)), tuple(sorted(held_out)), seed, share, by_slices, tuple(messages)
    )


def _one_subject(subject: str, by_slices: bool) -> Message:
    consequence = (
        "some of its slices are held out, which says little about other subjects"
        if by_slices
        else f"it has fewer than {MIN_SLICES} slices, so none is held out and the quality remains "
        "unknown"
    )
    return warning(
        "split",
        f"There is only one subject, {subject}: {consequence}. Add at least one subject.",
    )


def _one_subject_per_anatomy(subject: str, anatomy: str) -> Message:
    return warning(
        "split",
        f"No anatomy has two subjects: {subject} is held out, and its anatomy ({anatomy}) is not "
        "in the training data. Add subjects, or set their use.",
    )


def _by_subject(volumes: Iterable[PreparedVolume]) -> tuple[dict[str, str], dict[str, str]]:
    """Use and anatomy by subject; several anatomies count as the alphabetically first."""
    uses: dict[str, str] = {}
    anatomies: dict[str, str] = {}
    for volume in volumes:
        source = volume.source
        uses[source.subject] = source.use
        anatomies[source.subject] = min(
            anatomies.get(source.subject, source.anatomy), source.anatomy
        )
    return uses, anatomies


def _rank(seed: int, subject: str) -> bytes:
    """A pseudo-random rank that is the same on every machine."""
    return hashlib.sha256(f"{seed} {subject}".encode()).digest()


def _drawn(
    anatomy: str,
    anatomies: dict[str, str],
    free: list[str],
    train: set[str],
    held_out: set[str],
    share: float,
) -> list[str]:
    """The free subjects of an anatomy to hold out; one subject is always left for training."""
    of_anatomy = [subject for subject in free if anatomies[subject] == anatomy]
    in_training, already = (
        sum(anatomies[subject] == anatomy for subject in side) for side in (train, held_out)
    )
    total = len(of_anatomy) + in_training + already
    if total < 2:
        return []
    missing = max(1, round(share * total)) - already
    return of_anatomy[: max(0, min(missing, len(of_anatomy) - (not in_training)))]


def _blocks(volume: PreparedVolume, share: float) -> tuple[PreparedVolume, PreparedVolume]:
    """Divide a volume into its first and its last slices, with a gap between them.

    Fewer than `MIN_SLICES` slices are not divided.
    """
    kept = volume.kept
    if len(kept) < MIN_SLICES:
        return volume, volume.restricted((), {})
    count = max(1, round(share * len(kept)))
    gap = max(1, min(math.ceil(GAP / volume.slice_spacing), (len(kept) - count) // 2))
    first, last = kept[: max(0, len(kept) - count - gap)], kept[len(kept) - count :]
    between: dict[int, Exclusion] = {number: "gap" for number in kept if number not in first + last}
    held_out: dict[int, Exclusion] = dict.fromkeys(last, "validation")
    trained: dict[int, Exclusion] = dict.fromkeys(first, "training")
    return (
        volume.restricted(first, between | held_out),
        volume.restricted(last, between | trained),
    )
