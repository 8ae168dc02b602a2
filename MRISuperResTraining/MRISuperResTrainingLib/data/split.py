"""Who is learnt from and who is held back: by subject, never by slice, as neighboring slices show nearly the same."""

import hashlib
import math
from dataclasses import dataclass

from ..options.checked import Checked, Rule, below, setting, truth, whole, wrong
from .preparation import restricted

GAP = 10.0
"""mm between the blocks where one subject's slices have to be split: nearer ones are too much alike."""


def _texts():
    return Rule(
        lambda v: isinstance(v, tuple) and all(isinstance(text, str) for text in v),
        "a list of texts",
    )


@dataclass(frozen=True)
class Split(Checked):
    """train, validation: names of subjects. by_slices: the one subject is on both sides, with different slices.

    messages: what the user should know about it. to_dict and from_dict write it down and read it again.
    """

    train: tuple[str, ...] = setting(_texts())
    validation: tuple[str, ...] = setting(_texts())
    seed: int = setting(whole(0))
    share: float = setting(below(0, 1))
    by_slices: bool = setting(truth(), False)
    messages: tuple[str, ...] = setting(_texts(), ())

    def training(self, volumes):
        """Those of the PreparedVolumes to learn from."""
        return self._side(volumes, self.train, 0)

    def validating(self, volumes):
        """Those of the PreparedVolumes that are held back; none where nobody is."""
        return self._side(volumes, self.validation, 1)

    def _side(self, volumes, subjects, side):
        chosen = [volume for volume in volumes if volume.source.subject in subjects]
        if self.by_slices:
            chosen = [_blocks(volume, self.share)[side] for volume in chosen]
        return [volume for volume in chosen if volume.kept]


def split_subjects(volumes, share, seed):
    """The Split of PreparedVolumes. share: of the subjects that are held back, of each anatomy, at least one where it has two.

    Subjects whose use is decided stay where they are; what falls on the others depends on the seed and their names only, so that
    more or fewer volumes of the same people change nothing, and a new subject moves few.
    Raises SuperResolutionError (kind "settings") where there is nothing to learn from.
    """
    uses, anatomies = _by_subject(volumes)
    train = {subject for subject, use in uses.items() if use == "train"}
    held = {subject for subject, use in uses.items() if use == "validation"}
    free = sorted(
        {subject for subject, use in uses.items() if use == "auto"},
        key=lambda subject: _draw(seed, subject),
    )
    messages, by_slices = [], False
    if share and free:
        drawn = {
            subject
            for anatomy in set(anatomies.values())
            for subject in _drawn(anatomy, anatomies, free, train, held, share)
        }
        if not drawn and not held and not train:
            if len(free) == 1:
                by_slices, held = True, set(free)
                messages.append(
                    f"There is only one subject, {free[0]}: some of its slices are held back, which says little about other people. "
                    "Add at least one subject."
                )
            else:
                drawn = set(free[:1])
                messages.append(
                    f"No anatomy has two subjects: {free[0]} is held back, and nothing is learnt from its anatomy "
                    f"({anatomies[free[0]]}). Add subjects, or decide their use."
                )
        held |= drawn
    train |= set(free) if by_slices else set(free) - held
    if not train:
        raise wrong("There is no volume to learn from: add some, or let fewer be held back.")
    if not held:
        messages.append(
            "No subject is held back: nothing says how good the model is on people whom it has not seen."
        )
    elif not by_slices:
        watched = {anatomies[subject] for subject in held}
        messages += [
            f"No subject with the anatomy “{anatomy}” is held back: the validation says nothing about it."
            for anatomy in sorted({anatomies[subject] for subject in train} - watched)
        ]
    return Split(tuple(sorted(train)), tuple(sorted(held)), seed, share, by_slices, tuple(messages))


def _by_subject(volumes):
    """({subject: use}, {subject: anatomy}); of several anatomies the first in the alphabet."""
    uses, anatomies = {}, {}
    for volume in volumes:
        subject = volume.source.subject
        uses[subject] = volume.source.use
        anatomies[subject] = min(
            anatomies.get(subject, volume.source.anatomy), volume.source.anatomy
        )
    return uses, anatomies


def _draw(seed, subject):
    """A number that is the same everywhere and for ever."""
    return hashlib.sha256(f"{seed} {subject}".encode()).digest()


def _drawn(anatomy, anatomies, free, train, held, share):
    """The subjects of one anatomy that are held back, of those that are free; one is always left to learn from."""
    of_anatomy = [subject for subject in free if anatomies[subject] == anatomy]
    others, already = (
        sum(anatomies[subject] == anatomy for subject in side) for side in (train, held)
    )
    total = len(of_anatomy) + others + already
    if total < 2:
        return []
    wanted = max(1, round(share * total)) - already
    return of_anatomy[: max(0, min(wanted, len(of_anatomy) - (not others)))]


def _blocks(volume, share):
    """(volume with its first slices, volume with its last): contiguous blocks with a gap between; less than three slices are not split."""
    kept = volume.kept
    if len(kept) < 3:
        return volume, restricted(volume, (), {})
    held = max(1, round(share * len(kept)))
    gap = max(1, min(math.ceil(GAP / volume.distance), (len(kept) - held) // 2))
    first, last = kept[: max(0, len(kept) - held - gap)], kept[len(kept) - held :]
    between = {
        number: "too near to the slices that are held back"
        for number in kept
        if number not in first + last
    }
    return (
        restricted(volume, first, between | dict.fromkeys(last, "held back for validation")),
        restricted(volume, last, between | dict.fromkeys(first, "used for training")),
    )
