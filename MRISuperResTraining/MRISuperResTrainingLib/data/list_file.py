"""Lists of volumes as text files.

.txt: one path per line. .tsv, .csv (comma or semicolon): the first line names the columns. Empty
lines and lines that start with # are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from MRISuperResLib.core.validation import invalid

DELIMITERS: dict[str, str | None] = {".txt": None, ".tsv": "\t", ".csv": ","}
"""Delimiter by extension."""
PATH = "path"


def read_list(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a list.

    Args:
        path: The list; its extension is one of `DELIMITERS`.
        columns: Names of the columns that a table may have; `PATH` is required.

    Returns:
        For every volume the number of its line, from 1, and its values by column; without empty
        values.

    Raises:
        SuperResolutionError: A line is wrong; the message states which one (kind "settings").
    """
    lines = _lines(path)
    names = [PATH]
    if path.suffix.lower() != ".txt":
        number, header = next(lines, (1, []))
        names = _checked_columns(path, number, header, columns)
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
        text = path.read_text(encoding="utf-8-sig")  # Excel starts its files with a mark
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
        delimiter = ";"  # Excel where the comma is the decimal sign
    for number, line in lines:
        if delimiter is None:
            yield number, [line]
            continue
        try:
            yield number, next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as e:
            raise invalid(f"Cannot parse line {number} of {path} ({e}).") from e


def _checked_columns(
    path: Path, number: int, header: list[str], columns: Sequence[str]
) -> list[str]:
    names = [name.strip().lower() for name in header]
    others = ", ".join(column for column in columns if column != PATH)
    if PATH not in names:
        raise invalid(
            f"Line {number} of {path} must name the columns: {PATH}, and any of {others}."
        )
    if unknown := [name for name in names if name not in columns]:
        raise invalid(
            f"Line {number} of {path} names unknown columns: {', '.join(unknown)}. "
            f"Known columns: {', '.join(columns)}."
        )
    if len(set(names)) != len(names):
        raise invalid(f"Line {number} of {path} names a column twice: {', '.join(names)}.")
    return names
