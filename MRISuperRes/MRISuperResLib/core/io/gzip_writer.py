"""Writing .gz files on all cores: compressing is by far the longest part of writing a volume.

As pigz does it (https://zlib.net/pigz): pieces are compressed by themselves and ended at a byte boundary (Z_SYNC_FLUSH), so that all together are one ordinary
stream. Python's gzip has one thread only.
"""

import collections
import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

PIECE = 2**20
"""Bytes that are compressed together; less would find less to abbreviate."""
HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
"""Deflate, no name, no time, unknown system: the same volume gives the same file."""


class GzipWriter(io.RawIOBase):
    """Compresses what is written, in order, into an open binary file, which stays open. level: 1 to 9."""

    def __init__(self, file, level):
        self._file, self._level = file, level
        self._pool = ThreadPoolExecutor(os.cpu_count())
        self._most = 2 * (
            os.cpu_count() or 1
        )  # pieces on their way: memory does not grow with the file
        self._pieces, self._rest = collections.deque(), bytearray()
        self._size = self._sum = 0
        file.write(HEADER)

    def writable(self):
        return True

    def tell(self):
        return self._size

    def seek(self, place, whence=io.SEEK_SET):
        """Only forward, over zeros."""
        if whence != io.SEEK_SET or place < self._size:
            raise io.UnsupportedOperation("what is written can't be changed")
        self.write(bytes(place - self._size))
        return self._size

    def write(self, data):
        data = memoryview(data).cast("B")
        self._size += len(data)
        self._sum = zlib.crc32(data, self._sum)
        for start in range(0, len(data), PIECE):
            self._rest += data[start : start + PIECE]
            if len(self._rest) >= PIECE:
                self._send(bytes(self._rest[:PIECE]), zlib.Z_SYNC_FLUSH)
                del self._rest[:PIECE]
        return len(data)

    def close(self):
        """Writes the end; after an exception of `write` only the threads are ended."""
        if not self.closed:
            try:
                self._send(bytes(self._rest), zlib.Z_FINISH)
                while self._pieces:
                    self._take()
                self._file.write(struct.pack("<II", self._sum, self._size % 2**32))
            finally:
                self._pool.shutdown(cancel_futures=True)
                super().close()

    def _send(self, piece, flush):
        self._pieces.append(self._pool.submit(_compressed, piece, self._level, flush))
        if len(self._pieces) >= self._most:
            self._take()

    def _take(self):
        self._file.write(self._pieces.popleft().result())


def _compressed(piece, level, flush):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(piece) + compressor.flush(flush)
