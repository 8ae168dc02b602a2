"""DICOM files: which files of a folder may be DICOM, and the header of an image."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.uid import UID

from ..errors import SuperResolutionError
from .inflate import read_head

DAMAGED = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError, EOFError),
    *(struct.error, zlib.error, BytesLengthException),
)
"""Exceptions that pydicom raises for damaged files and elements."""
PIXEL_DATA = 0x7FE00010
PER_FRAME = "PerFrameFunctionalGroupsSequence"
"""Element with the description of each frame of an enhanced image."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Header of an image in a DICOM file.

    Attributes:
        path: The file.
        dataset: Its elements; pixels are read on demand.
        whole: The image file as a whole, if it holds several slices.
        index: Number of the slice in such a file, counted from 0.
    """

    path: Path
    dataset: Dataset
    whole: Slice | None = None
    index: int = 0

    @property
    def name(self) -> str:
        """Name for messages."""
        return self.path.name if self.whole is None else f"{self.path.name} ({self.index + 1})"

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
            value = self.dataset.get(keyword)
        except DAMAGED:
            return ""
        return _joined(value)

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


def separation_advice(slices: Sequence[Slice]) -> str:
    """Return what to do if slices are not those of one volume."""
    if slices[0].whole is not None:
        return "Export each volume by itself, or convert the file with dcm2niix."
    return "Keep only the slices of one volume in the folder."


class BoundedFile(io.BufferedReader):
    """File whose reads are bounded by its size; pydicom allocates what an element claims."""

    def __init__(self, path: Path) -> None:
        """Open a file."""
        super().__init__(io.FileIO(str(path)))  # pydicom reopens it by this name
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes."""
        if size is not None and size > LONGEST_FIRST:
            size = max(min(size, self._size - self.tell()), 0)
        return super().read(size)


OTHER_FILES = re.compile(
    r"(?i).*\.(txt|md|rst|log|json|ya?ml|xml|html?|csv|tsv|pdf|rtf|docx?|xlsx?|pptx?|png|jpe?g|gif|"
    r"bmp|tiff?|svg|nii|nii\.gz|nrrd|nhdr|mha|mhd|raw|img|hdr|mgz|mat|npy|bvals?|bvecs?|py|m|sh|bat|"
    r"exe|dll|jar|ini|inf|cfg|toml|db|sqlite|lock|md5|sha\d+|zip|tar|tar\.gz|tgz|7z)|thumbs\.db"
)
"""Names of files that may lie beside a series."""
IMAGE_NAME = re.compile(r"(?i).*\.(dcm|ima|dicom|dcm30)(\.gz)?")
SHORT_TYPES = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OF OW PN SH SL SQ SS ST TM UI UL UN US UT".split()
)
"""Value representations of an element, PS3.5 section 7.1.2."""
LONGEST_FIRST = 1 << 16
"""Bytes that a first element can have: it is short in every DICOM object."""
_HEAD = 1024


def may_be_dicom(path: Path) -> bool:
    """Return True for a DICOM file, False for a file of another kind.

    Raises:
        SuperResolutionError: The file is empty or damaged and may have been an image.
    """
    head = read_head(path, _HEAD)
    if head[128:132] == b"DICM" or _begins_with_element(head):
        return True
    if OTHER_FILES.fullmatch(path.name):
        return False
    if not head:
        raise SuperResolutionError(
            f"{path.name} is empty or damaged and may be a slice of the series. Copy or export it "
            "again, or delete it."
        )
    if _is_text(head) and not IMAGE_NAME.fullmatch(path.name):
        return False
    raise SuperResolutionError(
        f"{path.name} is not a DICOM file, or its beginning is damaged. Copy or export it again, "
        "or move it out of the folder."
    )


def _begins_with_element(head: bytes) -> bool:
    """Return True if the first bytes are an element of group 2 or 8, as without a preamble."""
    for order, groups in (("little", (b"\x02\0", b"\x08\0")), ("big", (b"\0\x02", b"\0\x08"))):
        if len(head) < 8 or head[:2] not in groups:
            continue
        element = int.from_bytes(head[2:4], "little" if order == "little" else "big")
        is_explicit = head[4:6] in SHORT_TYPES
        length = int.from_bytes(head[4:8], "little" if order == "little" else "big")
        if element < 0x3000 and (is_explicit or length < LONGEST_FIRST):
            return True
    return False


def save_file(dataset: Dataset, path: Path, syntax: str) -> None:
    """Write a DICOM file with a little-endian transfer syntax."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if pydicom.__version__.startswith("2."):  # as in 3D Slicer 5.10
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
        dataset.save_as(path, write_like_original=False)
    else:
        dataset.save_as(path, enforce_file_format=True)


def _is_text(head: bytes) -> bool:
    """Return True for text in ASCII or UTF-8."""
    try:
        text = head[: head.rfind(b"\n") + 1 or None].decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
