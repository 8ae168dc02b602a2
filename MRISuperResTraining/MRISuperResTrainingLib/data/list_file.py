"""Lists of volumes as text.

.txt: a path a line. .tsv, .csv (commas or semicolons): the first line names the columns: path, and any of subject, anatomy, contrast,
license, source, use. Paths start from the list's folder, or another one that is named. Empty lines and lines that begin with # are passed over.
"""

import csv
import dataclasses
import os
from pathlib import Path

from MRISuperResLib.core.errors import SuperResolutionError

from ..options.checked import wrong
from .source import Source

DELIMITERS = {".txt": None, ".tsv": "\t", ".csv": ","}
COLUMNS = tuple(field.name for field in dataclasses.fields(Source))


def from_list(path, anatomy, subject_of, base=None):
    """([Source], [(path, sentence)] of files that are not there).

    anatomy, subject_of(path): for lines that say none. base: the folder from which paths start; default: the list's.
    Raises SuperResolutionError (kind "settings") that names the line which is wrong.
    """
    path = Path(path)
    lines = _lines(path)
    columns = ["path"]
    if path.suffix.lower() != ".txt":
        number, columns = next(lines, (1, []))
        _check_columns(path, number, columns)
    sources, skipped, seen = [], [], {}
    for number, cells in lines:
        if len(cells) != len(columns):
            raise wrong(
                f"Line {number} of {path} has {len(cells)} columns, the first line names {len(columns)}: {', '.join(columns)}."
            )
        values = {column: cell.strip() for column, cell in zip(columns, cells) if cell.strip()}
        if "path" not in values:
            raise wrong(f"Line {number} of {path} has no path.")
        file = os.path.abspath(Path(base or path.parent, values["path"]))
        if file in seen:
            raise wrong(
                f"Line {number} of {path} names the same file as line {seen[file]}: {values['path']}."
            )
        seen[file] = number
        try:
            source = Source.from_dict(
                {"subject": subject_of(file), "anatomy": anatomy} | values | {"path": file}
            )
        except SuperResolutionError as e:
            raise wrong(f"Line {number} of {path}: {e}") from e
        if os.path.exists(file):
            sources.append(source)
        else:
            skipped.append((file, f"line {number} of {path} names it, but it is not there."))
    if not seen:
        raise wrong(f"{path} names no volume: give each a line.")
    return sources, skipped


def _lines(path):
    """(number from 1, cells) of every line that says something."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Excel begins its files with a mark
    except UnicodeDecodeError as e:
        raise wrong(f"{path} is not a text in UTF-8 (byte {e.start}): save it as UTF-8.") from e
    except OSError as e:
        raise wrong(f"{path} can't be read ({e.strerror}): check that you may open it.") from e
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    delimiter = DELIMITERS[path.suffix.lower()]
    if delimiter == "," and lines and "," not in lines[0][1]:
        delimiter = ";"  # Excel where the comma is the decimal sign
    for number, line in lines:
        if delimiter is None:
            yield number, [line]
            continue
        try:
            yield number, next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as e:
            raise wrong(f"Line {number} of {path} can't be understood ({e}).") from e


def _check_columns(path, number, columns):
    columns[:] = [column.strip().lower() for column in columns]
    unknown = [column for column in columns if column not in COLUMNS]
    if "path" not in columns:
        raise wrong(
            f"Line {number} of {path} must name the columns: path, and any of {', '.join(COLUMNS[1:])}."
        )
    if unknown or len(set(columns)) != len(columns):
        raise wrong(
            f"Line {number} of {path} names columns that there are not, or twice: {', '.join(unknown or columns)}. "
            f"There are {', '.join(COLUMNS)}."
        )
