"""Header of a DICOM file with one image."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.errors import BytesLengthException

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

DAMAGED = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError, EOFError),
    *(struct.error, zlib.error, BytesLengthException),
)
"""Exceptions that pydicom raises for damaged files and elements."""
FUNCTIONAL_GROUPS = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")


@dataclass(frozen=True, eq=False)
class Slice:
    """Header of a DICOM file with one image.

    Attributes:
        path: The file.
        dataset: Its elements; pixels are read on demand.
    """

    path: Path
    dataset: FileDataset

    @property
    def size(self) -> tuple[int, int]:
        """Pixel counts (ni, nj)."""
        columns, rows = self.numbers("Columns", 1), self.numbers("Rows", 1)
        return (
            0 if columns is None else int(columns[0]),
            0 if rows is None else int(rows[0]),
        )

    def text(self, keyword: str) -> str:
        """Return an element as text; "" if it is missing or damaged."""
        try:
            value = self._value(keyword)
        except DAMAGED:
            return ""
        return _joined(value)

    def _value(self, keyword: str) -> Any:
        if keyword in self.dataset:
            return self.dataset.get(keyword)
        for groups in FUNCTIONAL_GROUPS:  # of enhanced images
            for item in self.dataset.get(groups, ())[:1]:
                for group in item:
                    for inner in group.value[:1] if group.VR == "SQ" else ():
                        if keyword in inner:
                            return inner.get(keyword)
        return None

    def private_text(self, group: int, creator: str, element: int) -> str:
        """Return a private element as text; "" if it is missing or damaged."""
        try:
            value = self.dataset.private_block(group, creator)[element].value
            if isinstance(value, bytes):  # of unknown type, as in files with implicit types
                value = value.decode("ascii")
        except DAMAGED:
            return ""
        return _joined(value)

    def numbers(self, keyword: str, count: int) -> np.ndarray | None:
        """Return `count` finite numbers; None if the element does not hold them."""
        try:
            numbers = np.array([float(part) for part in self.text(keyword).split("\\")])
        except ValueError:
            return None
        return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _joined(value: Any) -> str:
    """Return the values of an element as text."""
    is_single = value is None or isinstance(value, str) or not isinstance(value, Iterable)
    parts = [value] if is_single else list(value)
    return "\\".join(str(part) for part in parts if part is not None).strip(" \0")
