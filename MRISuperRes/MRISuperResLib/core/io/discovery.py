"""Discovery of volumes in folders, for batches, audits and training.

Everything that may be a volume is found, or named with the reason why it is left out.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SuperResolutionError
from ..provenance import is_own_software, read_provenance
from .formats import (
    DATA_NAME,
    DICOM_NAME,
    HEADER_OF,
    VOLUME_NAME,
    strip_extension,
)

if TYPE_CHECKING:
    from .dicom_file import Slice

ARCHIVE = re.compile(r"(?i).*\.(zip|tar|tar\.gz|tgz|7z|rar|gz|bz2|xz)")
LISTED = 3
"""Names of unknown files that are listed."""


@dataclass(frozen=True)
class FoundVolume:
    """A volume in a folder.

    Attributes:
        path: Absolute path of the file, or of the folder with the DICOM series.
        name: Place below the searched folder, without extension; unique regardless of case.
        series: Series Instance UID if the folder holds several series, else None.
        description: Body part, study and series as a DICOM series states them; empty for files.
        software: Software with version that made a DICOM series, as it states; empty for files.
    """

    path: Path
    name: Path
    series: str | None = None
    description: str = ""
    software: str = ""

    @property
    def is_output(self) -> bool:
        """True if the volume says, or the provenance beside it, that MRISuperRes made it."""
        return is_own_software(self.software) or read_provenance(self.path) is not None

    def __str__(self) -> str:
        return str(self.path) if self.series is None else f"{self.path}, {self.name.name}"


@dataclass
class Discovery:
    """Result of a search.

    Attributes:
        volumes: The volumes, sorted folder by folder.
        left_out: Files and folders that may hold volumes, each with the reason to leave it out.
    """

    volumes: list[FoundVolume] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def find_volumes(folder: str | Path, exclude: Path | None = None) -> Discovery:
    """Find the volume files and the DICOM series below a folder.

    Content tells DICOM files, whatever their names. Symbolic links are followed, and each folder
    is searched once. Hidden files and folders are skipped.

    Args:
        folder: The folder.
        exclude: A folder that is not searched, such as that of the outputs.
    """
    root = Path(os.path.abspath(folder))
    found = Discovery()
    for here, names in _folders(root, exclude, found.left_out):
        place = here.relative_to(root)
        volumes = [name for name in names if VOLUME_NAME.fullmatch(name)]
        found.volumes += [
            FoundVolume(here / name, place / strip_extension(name)) for name in volumes
        ]
        _add_others(here, place, [name for name in names if name not in volumes], found)
    found.volumes = _uniquely_named(found.volumes)
    return found


def _folders(
    root: Path, exclude: Path | None, left_out: list[tuple[Path, str]]
) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder with the names of its files; the targets of links come last."""

    def on_error(error: OSError) -> None:
        reason = f"The folder cannot be opened ({error.strerror}). Check its permissions."
        left_out.append((Path(error.filename), reason))

    searched = {os.path.realpath(exclude): exclude} if exclude is not None else {}
    pending = [root]
    while pending:
        for here, folders, names in os.walk(pending.pop(0), onerror=on_error):
            real = os.path.realpath(here)
            if real in searched:
                if searched[real] != exclude:
                    text = f"A link to {searched[real]}, which was searched already."
                    left_out.append((Path(here), text))
                folders.clear()
                continue
            searched[real] = Path(here)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in folders if os.path.islink(os.path.join(here, name))]
            pending += [Path(here, name) for name in links]
            yield Path(here), sorted(name for name in names if not name.startswith("."))


def _add_others(here: Path, place: Path, names: list[str], found: Discovery) -> None:
    """Add the DICOM series among the other files of a folder, and name unknown files."""
    headers = {name.casefold().removesuffix(".gz") for name in os.listdir(here)}
    unknown: list[str] = []
    doubtful: list[str] = []  # in a folder with a series, they may be slices
    has_series = False
    for name in names:
        pair = DATA_NAME.fullmatch(name)
        if pair is not None:
            header = pair["stem"] + HEADER_OF[pair["extension"].lower()]
            if header.casefold() not in headers:
                unknown.append(name)
        elif ARCHIVE.fullmatch(name) and not DICOM_NAME.fullmatch(name):
            unknown.append(name)
        elif name != "DICOMDIR":  # it lists the files of the tree, which are found themselves
            is_dicom = _is_dicom(here / name)
            has_series = has_series or (is_dicom is not False and bool(DICOM_NAME.fullmatch(name)))
            has_series = has_series or bool(is_dicom)
            doubtful += [name] if is_dicom is None else []
    if has_series:
        _add_series(here, place, found)
    else:
        unknown = sorted(unknown + doubtful)
    if unknown:
        listed = ", ".join(unknown[:LISTED])
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        found.left_out.append((here, f"Not a volume that can be read: {listed}{more}."))


def _is_dicom(path: Path) -> bool | None:
    """Return True for a DICOM file, False for a file of another known kind, else None."""
    from .dicom_file import may_be_dicom  # loads pydicom

    try:
        return may_be_dicom(path) if path.is_file() else None
    except (OSError, SuperResolutionError):
        return None


def _add_series(here: Path, place: Path, found: Discovery) -> None:
    """Add the DICOM series of a folder; a folder that cannot be read fails when its turn comes."""
    from .dicom_read import series_in  # loads pydicom

    place = place if place.parts else Path(here.name)
    try:
        series = series_in(here)
    except SuperResolutionError:
        found.volumes.append(FoundVolume(here, place))
        return
    if not series:
        found.left_out.append((here, "Its DICOM files hold no images."))
    elif len(series) == 1:
        ((image, *_),) = series.values()
        found.volumes.append(FoundVolume(here, place, None, *_origin(image)))
    else:
        labels = {uid: _label(uid, images[0]) for uid, images in series.items()}
        counts = Counter(label.casefold() for label in labels.values())
        for uid, label in sorted(labels.items(), key=lambda item: item[::-1]):
            name = label if counts[label.casefold()] == 1 else f"{label}_{uid}"
            found.volumes.append(FoundVolume(here, place / name, uid, *_origin(series[uid][0])))


def _origin(image: Slice) -> tuple[str, str]:
    """Return description and software of a series."""
    keywords = "BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName"
    return ", ".join(filter(None, map(image.text, keywords))), image.text("SoftwareVersions")


def _label(uid: str, image: Slice) -> str:
    """Return the name of a series: number and description, else its UID."""
    parts = [image.text("SeriesNumber"), image.text("SeriesDescription")]
    text = re.sub(r"[^\w.+-]+", "_", "_".join(filter(None, parts))).strip("._")
    return text or uid or "series"


def _uniquely_named(volumes: list[FoundVolume]) -> list[FoundVolume]:
    """Keep the extension in the names of files that differ in nothing else."""
    counts = Counter(str(volume.name).casefold() for volume in volumes)
    return [
        replace(volume, name=volume.name.with_name(volume.path.name))
        if counts[str(volume.name).casefold()] > 1 and volume.path.is_file()
        else volume
        for volume in volumes
    ]
