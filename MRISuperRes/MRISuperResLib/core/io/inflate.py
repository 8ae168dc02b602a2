"""gzip and zlib streams whose checksums are verified.

Python's `gzip` refuses a complete stream that other bytes follow. ITK does not verify checksums.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from ..errors import SuperResolutionError

CHUNK = 2**18
MEANINGLESS = (AttributeError, TypeError, IndexError, AssertionError)
"""Exceptions whose texts speak of the program instead of the file."""
GZIP_MAGIC = b"\x1f\x8b"
LARGEST_RATIO = 1032
"""Bytes that a byte of a deflate stream can become (zlib.net/zlib_tech.html)."""

IGZIP: Any
try:  # several times as fast as zlib; 3D Slicer does not bring it
    IGZIP = importlib.import_module("isal.isal_zlib")
except ImportError:
    IGZIP = None


class DamagedStreamError(Exception):
    """Compressed data that are damaged or incomplete."""


@contextlib.contextmanager
def damage(name: str, *header_errors: type[Exception]) -> Iterator[None]:
    """Translate the errors of damaged and incomplete files to SuperResolutionError.

    Args:
        name: Name of the file, for errors.
        header_errors: Exceptions that a library raises for a damaged header.
    """
    try:
        yield
    except (EOFError, DamagedStreamError) as e:
        raise SuperResolutionError(
            f"{name} is damaged or cut short ({e}). Copy or export it again."
        ) from e
    except header_errors as e:
        reason = "" if isinstance(e, MEANINGLESS) else "".join(str(e).splitlines()[:1])
        detail = f" ({reason})" if reason else ""
        raise SuperResolutionError(
            f"The header of {name} is damaged{detail}. Export it again."
        ) from e


def is_packed(path: Path) -> bool:
    """Return True for a gzip file."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP_MAGIC


def open_file(path: Path) -> IO[bytes]:
    """Open a file, decompressed if it is a gzip file."""
    file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    return io.BufferedReader(InflatedFile(file), 2**20) if is_packed(path) else file


def read_head(path: Path, size: int) -> bytes:
    """Return the first bytes of a file, decompressed; b"" for a damaged gzip file."""
    with open(path, "rb") as file:
        head = file.read(size)
    if not head.startswith(GZIP_MAGIC):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, size)
    except zlib.error:
        return b""


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Provide a file for libraries that do not read gzip files: itself, or a decompressed copy."""
    with tempfile.TemporaryDirectory() as folder:
        yield decompressed(path, Path(folder)) if is_packed(path) else path


def open_voxels(path: Path) -> IO[bytes]:
    """Open the voxels of a pair; only the name tells whether they must be compressed.

    Raises:
        DamagedStreamError: They are not.
    """
    file = open_file(path)
    if path.suffix.lower() == ".gz" and not isinstance(getattr(file, "raw", None), InflatedFile):
        file.close()
        raise DamagedStreamError("it is not a gzip file")
    return file


def verify_checksum(file: IO[bytes]) -> None:
    """Read a gzip file to its end, where its checksum is verified."""
    if isinstance(getattr(file, "raw", None), InflatedFile):
        while file.read(2**20):
            pass


def check_length(file: IO[bytes] | InflatedFile, needed: int) -> None:
    """Check, before memory is allocated, that a file may hold so many bytes, decompressed.

    Raises:
        EOFError: It cannot.
    """
    stream = getattr(file, "raw", file)
    if isinstance(stream, InflatedFile):
        longest = stream.longest
    else:
        longest = os.fstat(file.fileno()).st_size
    if needed > longest:
        raise EOFError("voxels are missing")


class InflatedFile(io.RawIOBase):
    """Decompressed view of a gzip file of one or more members, or of one zlib stream.

    Attributes:
        has_trailing_bytes: True if bytes other than zeros follow the last gzip member; valid once
            the view was read to its end.
        longest: Bytes that the view has at most.
    """

    def __init__(self, file: IO[bytes], start: int = 0) -> None:
        """Open a stream in a seekable file, which is closed with the view.

        Args:
            file: File that holds the compressed data.
            start: Position of the first compressed byte.
        """
        self.has_trailing_bytes = False
        self.longest = file.seek(0, io.SEEK_END) * LARGEST_RATIO
        self._file, self._start, self._codec = file, start, IGZIP or zlib
        self._rewind()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True; backward seeks decompress the stream again."""
        return True

    def tell(self) -> int:
        """Return the position in the decompressed data."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position counted from the start or from the current position."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the length is unknown")
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        if target < self._position:
            self._rewind()
        while self._position < target and self._read(min(CHUNK, target - self._position)):
            pass
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with decompressed bytes; return their number, 0 at the end.

        Raises:
            DamagedStreamError: The stream is damaged or ends too early.
        """
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the view and its file."""
        self._file.close()
        super().close()

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._input = self._file.read(CHUNK)
        self._position, self._is_finished = 0, False
        self._is_gzip = self._input.startswith(GZIP_MAGIC)
        self._begin()

    def _begin(self) -> None:
        self._stream = self._codec.decompressobj(wbits=31 if self._is_gzip else 15)

    def _read(self, size: int) -> bytes:
        while size and not self._is_finished:
            compressed = self._input or self._file.read(CHUNK)
            try:
                data = cast(bytes, self._stream.decompress(compressed, size))
            except Exception as e:
                if not isinstance(e, (zlib.error, getattr(self._codec, "error", zlib.error))):
                    raise
                raise DamagedStreamError("the compressed data are damaged") from e
            self._input = self._stream.unconsumed_tail
            if self._stream.eof:
                self._end_member(self._stream.unused_data)
            elif not compressed and not data:
                raise DamagedStreamError("the compressed data end too early")
            if data:
                self._position += len(data)
                return data
        return b""

    def _end_member(self, rest: bytes) -> None:
        """Continue with the next gzip member, or end; zeros between members are padding."""
        if self._is_gzip:
            rest = rest.lstrip(b"\0")
            while len(rest) < 2 and (more := self._file.read(CHUNK)):
                rest = (rest + more).lstrip(b"\0")
            if rest.startswith(GZIP_MAGIC):
                self._input = rest
                self._begin()
                return
            self.has_trailing_bytes = bool(rest)
        self._is_finished = True


def decompressed(path: Path, folder: Path) -> Path:
    """Decompress a gzip file into a folder, so that all its parts can be read quickly.

    Returns:
        The copy, or the file itself if it cannot be copied or other bytes follow its data.
    """
    copy = folder / path.name
    try:
        with open(path, "rb") as file, open(copy, "wb") as output:
            stream = InflatedFile(file)
            shutil.copyfileobj(stream, output, CHUNK)
    except (OSError, EOFError, DamagedStreamError):  # as on a full disk; readers name damage
        return path
    return path if stream.has_trailing_bytes else copy
