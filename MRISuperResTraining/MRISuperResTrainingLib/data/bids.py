"""The anatomical images of a BIDS tree (https://bids-specification.readthedocs.io, "Magnetic Resonance Imaging")."""

import os
import re
from pathlib import Path

from .source import Source

SUFFIXES = ("T1w", "T2w", "PDw", "T2starw", "FLAIR", "inplaneT1", "inplaneT2", "UNIT1")
"""Grey images for the eye. Masks, segmentations, phases, quantitative maps and what holds several images have others."""

NAME = re.compile(
    rf"(?P<subject>sub-[A-Za-z0-9]+)_(?:[a-z]+-[A-Za-z0-9]+_)*(?P<suffix>{'|'.join(SUFFIXES)})\.nii(?:\.gz)?"
)
NO_MAGNITUDE = re.compile(r"_part-(?!mag_)")


def is_bids(folder):
    return any(
        next(Path(folder).glob(pattern), None) for pattern in ("sub-*/anat", "sub-*/ses-*/anat")
    )


def from_bids(root, anatomy):
    """([Source], [(path, sentence)]): sub-*/anat/* and sub-*/ses-*/anat/*; the subject is the entity sub-, over all sessions; the contrast the suffix.

    derivatives/, sourcedata/ and whatever else lies beside the subjects are passed over.
    """
    root = Path(os.path.abspath(root))
    sources, skipped = [], []
    for path in sorted([*root.glob("sub-*/anat/*"), *root.glob("sub-*/ses-*/anat/*")]):
        match = NAME.fullmatch(path.name)
        if not match or NO_MAGNITUDE.search(path.name):
            continue
        if match["subject"] != path.relative_to(root).parts[0]:
            skipped.append(
                (
                    str(path),
                    f"it lies in the folder of {path.relative_to(root).parts[0]}, and its name says {match['subject']}.",
                )
            )
        else:
            sources.append(Source(str(path), match["subject"], anatomy, contrast=match["suffix"]))
    return sources, skipped
