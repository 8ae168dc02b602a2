"""Volumes to train on: found in folders, BIDS trees, lists and recipes.

A list is a text file. In a .txt file, every line is a path. In a .tsv or .csv file (separated by
commas or semicolons), the first line names the columns. Empty lines and lines that start with #
are ignored.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io.discovery import find_volumes
from MRISuperResLib.core.io.formats import strip_extension
from MRISuperResLib.core.validation import Rule, Validated, invalid, one_of, setting, text

from ..options.presets import Recipe

USES = ("auto", "train", "validation", "test")
UNSPECIFIED, FETAL, BRAIN = ANATOMIES = "unspecified", "fetal", "brain"
"""Anatomies that `guess_anatomy` returns; a list or a user may state others."""

Skipped = list[tuple[str, str]]
"""Paths that cannot be used, each with the reason."""

BIDS_SUFFIXES = ("T1w", "T2w", "PDw", "T2starw", "FLAIR", "inplaneT1", "inplaneT2", "UNIT1")
"""Suffixes of gray-scale images. Masks, segmentations, phases, quantitative maps and files with
several images have others."""
BIDS_NAME = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)_(?:[a-z]+-[A-Za-z0-9]+_)*"
    rf"(?P<suffix>{'|'.join(BIDS_SUFFIXES)})\.nii(?:\.gz)?"
)
NOT_MAGNITUDE = re.compile(r"_part-(?!mag_)")

DELIMITERS: dict[str, str | None] = {".txt": None, ".tsv": "\t", ".csv": ","}
"""Delimiters of lists by extension."""
PATH, LOW = "path", "low"
"""Columns of files."""

FETAL_WORDS = frozenset(
    "fetal fetus fetuses foetal foetus feta uterus uterine intrauterine".split()
)
BRAIN_WORDS = frozenset("brain brains head cerebral cerebrum".split())
OTHER_WORDS = frozenset(
    "neck spine cervical hip femoral humeral shoulder knee ankle heart cardiac breast liver "
    "pancreas abdomen abdominal pelvis prostate phantom coil".split()
)
"""Words that make a word for the brain doubtful, as in “femoral head” and “head coil”."""
ANATOMY_FOLDERS = 4
"""Folders above a file that may name its anatomy: DATASET/sub-…/ses-…/anat in a BIDS tree."""


def _name() -> Rule:
    return Rule(lambda v: isinstance(v, str) and bool(v.strip()), "a non-empty text")


@dataclass(frozen=True)
class Source(Validated):
    """A volume file and its subject.

    Attributes:
        path: Volume file, or folder of a DICOM series.
        subject: Subject. All volumes of a subject are on the same side of the split.
        anatomy: Anatomy. Every anatomy gets an equal share of the samples.
        contrast: Contrast for the model card ("T1w", "T2w", …).
        license: License of the volume, for the model card.
        source: Origin of the volume, for the model card.
        use: "train", "validation" (held out and monitored during the training), "test" (not used
            by the training), or "auto": decided by the split.
        series: Series Instance UID if the folder holds several series, else empty.
        low: Low-resolution volume file of the same field of view, which replaces the degraded
            volume; or empty (see `data.pairs`).

    Raises:
        SuperResolutionError: A value is invalid (kind "settings").
    """

    path: str = setting(_name())
    subject: str = setting(_name())
    anatomy: str = setting(_name(), UNSPECIFIED)
    contrast: str = setting(text(), "")
    license: str = setting(text(), "")
    source: str = setting(text(), "")
    use: str = setting(one_of(*USES), "auto")
    series: str = setting(text(), "")
    low: str = setting(text(), "")

    @property
    def label(self) -> str:
        """The path, with the series if the folder holds several."""
        return f"{self.path} ({self.series})" if self.series else self.path


COLUMNS = tuple(field.name for field in dataclasses.fields(Source))
"""Columns of a list of volumes."""


def one_use_per_subject(sources: Iterable[Source]) -> list[Source]:
    """Give all volumes of a subject the use that one of them has.

    Raises:
        SuperResolutionError: A subject has two uses (kind "settings"): a model must not be tested
            on its training data.
    """
    sources = list(sources)
    decided: dict[str, str] = {}
    for source in sources:
        if source.use == "auto":
            continue
        if (use := decided.setdefault(source.subject, source.use)) != source.use:
            raise invalid(
                f"“{source.subject}” has the uses “{use}” and “{source.use}”: "
                "give all volumes of a subject one use."
            )
    return [
        dataclasses.replace(source, use=decided.get(source.subject, "auto")) for source in sources
    ]


def read_sources(
    paths: Sequence[str | Path], anatomy: str = UNSPECIFIED, data: str | Path | None = None
) -> tuple[list[Source], Skipped]:
    """Find volumes.

    Args:
        paths: Folders, BIDS trees (https://bids-specification.readthedocs.io), lists (.txt, .tsv,
            .csv), recipes (.json) and volume files.
        anatomy: Anatomy of volumes without one; "unspecified": as `guess_anatomy` guesses.
        data: Folder to which the paths in the list of a recipe are relative; None: the folder of
            that list.

    Returns:
        The volumes, each file once, in the order of the paths, and the files that cannot be used.

    Raises:
        SuperResolutionError: A path does not exist, or a list or recipe is invalid (kind
            "settings").
    """
    sources: dict[str, Source] = {}
    skipped: Skipped = []
    for path in map(Path, paths):
        if not path.exists():
            raise invalid(f"No such file or folder: {path}. Check the path.")
        found, unusable = _read(path, anatomy, data)
        skipped += unusable
        for source in found:
            if source.label in sources:
                skipped.append((source.label, "Listed twice; used once."))
            else:
                sources[source.label] = source
    return list(sources.values()), skipped


def subject_of(path: str | Path) -> str:
    """Return the subject that a file name states: its entity sub-…, else the name itself."""
    name = Path(path).name
    entity = re.match(r"(sub-[A-Za-z0-9]+)(?=[_.])", name)
    return entity[1] if entity else strip_extension(name)


def guess_anatomy(path: str | Path, *descriptions: str) -> str:
    """Guess the anatomy of a volume from words in names; "unspecified" without convincing ones.

    A BIDS name such as sub-01_T1w is not convincing: spines and knees have such names, too. The
    fetal brain is "fetal".

    Args:
        path: File or folder of the volume; its name counts before those of the folders above.
        descriptions: Further names, which count before the path: node, body part, study.
    """
    names = (*descriptions, *reversed(Path(path).parts[-1 - ANATOMY_FOLDERS :]))
    words = [_words(name) for name in names]
    if any(found & FETAL_WORDS for found in words):
        return FETAL
    nearest = next((found for found in words if found & (BRAIN_WORDS | OTHER_WORDS)), set())
    return BRAIN if nearest and not nearest & OTHER_WORDS else UNSPECIFIED


def _words(name: str) -> set[str]:
    """The words of a name in lower case: “acq-fetalT2_MRIBrain” has acq, fetal, t, mri, brain."""
    runs = re.findall(r"[^\W\d_]+", name)
    border = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    parts = [part for run in runs for part in re.split(border, run)]
    return {word.lower() for word in (*runs, *parts)}


def _anatomy(stated: str, path: str | Path, *descriptions: str) -> str:
    return stated if stated != UNSPECIFIED else guess_anatomy(path, *descriptions)


def _read(path: Path, anatomy: str, data: str | Path | None) -> tuple[list[Source], Skipped]:
    extension = path.suffix.lower()
    if path.is_dir():
        if any(next(path.glob(tree), None) for tree in ("sub-*/anat", "sub-*/ses-*/anat")):
            return _from_bids(path, anatomy)
        return _from_folder(path, anatomy)
    if extension == ".json":
        return _from_list(path.parent / Recipe.read(path).sources, anatomy, data)
    if extension in DELIMITERS:
        return _from_list(path, anatomy)
    file = os.path.abspath(path)
    return [Source(file, subject_of(path), _anatomy(anatomy, file))], []


def _from_folder(folder: Path, anatomy: str) -> tuple[list[Source], Skipped]:
    """The subject is the subfolder; for names sub-… and files without a subfolder, the name.

    All series of a DICOM folder belong to one subject.
    """
    root = Path(os.path.abspath(folder))
    found = find_volumes(root)
    sources = []
    for volume in found.volumes:
        path = volume.path
        inner = path.relative_to(root).parts
        is_named = len(inner) < 2 or path.name.startswith("sub-")
        subject = subject_of(path) if is_named else inner[0]
        stated = _anatomy(anatomy, path, volume.description)
        sources.append(Source(str(path), subject, stated, series=volume.series or ""))
    return sources, [(str(path), reason) for path, reason in found.left_out]


def _from_bids(folder: Path, anatomy: str) -> tuple[list[Source], Skipped]:
    """The anatomical images of all sessions; derivatives/ and sourcedata/ are ignored."""
    root = Path(os.path.abspath(folder))
    sources: list[Source] = []
    skipped: Skipped = []
    for path in sorted([*root.glob("sub-*/anat/*"), *root.glob("sub-*/ses-*/anat/*")]):
        match = BIDS_NAME.fullmatch(path.name)
        if not match or NOT_MAGNITUDE.search(path.name):
            continue
        subject = path.relative_to(root).parts[0]
        if match["subject"] != subject:
            reason = f"Its folder belongs to {subject}, but its name states {match['subject']}."
            skipped.append((str(path), reason))
        else:
            stated = _anatomy(anatomy, path)
            sources.append(Source(str(path), subject, stated, contrast=match["suffix"]))
    return sources, skipped


def _from_list(
    path: Path, anatomy: str, base: str | Path | None = None
) -> tuple[list[Source], Skipped]:
    """Paths are relative to `base`, else to the folder of the list."""
    sources: list[Source] = []
    skipped: Skipped = []
    lines: dict[tuple[str, str], int] = {}
    for number, values in _rows(path):
        files = {
            column: os.path.abspath(Path(base or path.parent, values[column]))
            for column in (PATH, LOW)
            if column in values
        }
        file = files[PATH]
        series = (file, values.get("series", ""))
        if series in lines:
            raise invalid(
                f"Line {number} of {path} lists the same file as line {lines[series]}: "
                f"{values[PATH]}."
            )
        lines[series] = number
        defaults = {"subject": subject_of(file), "anatomy": _anatomy(anatomy, file)}
        try:
            source = Source.from_dict(defaults | values | files)
        except SuperResolutionError as e:
            raise invalid(f"Line {number} of {path}: {e}") from e
        missing = [file for file in files.values() if not os.path.exists(file)]
        if missing:
            skipped.append((missing[0], f"The file of line {number} of {path} does not exist."))
        else:
            sources.append(source)
    return sources, skipped


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number, from 1, and values by column of every volume in a list; no empty values."""
    lines = _lines(path)
    names = [PATH]
    if path.suffix.lower() != ".txt":
        number, header = next(lines, (1, []))
        names = _checked_columns(path, number, header)
    rows = []
    for number, cells in lines:
        if len(cells) != len(names):
            raise invalid(
                f"Line {number} of {path} has {len(cells)} columns, but the first line names "
                f"{len(names)}: {', '.join(names)}."
            )
        values = {name: cell.strip() for name, cell in zip(names, cells) if cell.strip()}
        if PATH not in values:
            raise invalid(f"Line {number} of {path} has no path.")
        rows.append((number, values))
    if not rows:
        raise invalid(f"{path} lists no volume: add one per line.")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and cells of every line with content."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Excel writes a byte order mark
    except UnicodeDecodeError as e:
        raise invalid(f"{path} is not UTF-8 text (byte {e.start}): save it as UTF-8.") from e
    except OSError as e:
        raise invalid(f"Cannot read {path} ({e.strerror}): check its permissions.") from e
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    delimiter = DELIMITERS[path.suffix.lower()]
    if delimiter == "," and lines and "," not in lines[0][1]:
        delimiter = ";"  # Excel, in languages with a decimal comma
    for number, line in lines:
        if delimiter is None:
            yield number, [line]
            continue
        try:
            yield number, next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as e:
            raise invalid(f"Cannot parse line {number} of {path} ({e}).") from e


def _checked_columns(path: Path, number: int, header: list[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    others = ", ".join(column for column in COLUMNS if column != PATH)
    if PATH not in names:
        raise invalid(
            f"Line {number} of {path} must name the columns: {PATH}, and any of {others}."
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise invalid(
            f"Line {number} of {path} names unknown columns: {', '.join(unknown)}. "
            f"Known columns: {', '.join(COLUMNS)}."
        )
    if len(set(names)) != len(names):
        raise invalid(f"Line {number} of {path} names a column twice: {', '.join(names)}.")
    return names
