"""A .gz file that several threads compress is an ordinary one."""

import errno
import gzip
import io
import os
import threading
import unittest
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from MRISuperResLib.core.io import gzip_writer
from MRISuperResLib.core.io.gzip_writer import GzipWriter


def written(parts, level=1):
    file = io.BytesIO()
    with GzipWriter(file, level) as packed:
        for part in parts:
            packed.write(part)
    return file.getvalue()


class GzipWriterTest(unittest.TestCase):
    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 9))
    def test_what_is_written_is_read_whatever_the_pieces(self, parts, level):
        with mock.patch.object(gzip_writer, "PIECE", 64):
            packed = written(parts, level)
        self.assertEqual(gzip.decompress(packed), b"".join(parts))
        self.assertEqual(
            len(gzip.GzipFile(fileobj=io.BytesIO(packed)).read()), sum(map(len, parts))
        )

    def test_it_is_one_member_as_simple_readers_expect(self):
        data = os.urandom(3 * gzip_writer.PIECE)
        unpacker = __import__("zlib").decompressobj(wbits=31)
        self.assertEqual(unpacker.decompress(written([data])), data)
        self.assertTrue(unpacker.eof)
        self.assertEqual(unpacker.unused_data, b"")

    def test_the_same_bytes_give_the_same_file(self):
        parts = [os.urandom(gzip_writer.PIECE), bytes(gzip_writer.PIECE), b"end"]
        self.assertEqual(written(parts), written([b"".join(parts)]))

    def test_arrays_are_counted_in_bytes(self):
        import numpy as np

        file = io.BytesIO()
        with GzipWriter(file, 1) as packed:
            self.assertEqual(packed.write(np.arange(10, dtype=np.int16).data), 20)
            self.assertEqual(packed.tell(), 20)

    def test_places_that_are_left_out_are_zeros_and_what_is_written_stays(self):
        file = io.BytesIO()
        with GzipWriter(file, 1) as packed:
            packed.write(b"ab")
            packed.seek(5)
            packed.write(b"c")
            with self.assertRaises(OSError):
                packed.seek(0)
        self.assertEqual(gzip.decompress(file.getvalue()), b"ab\0\0\0c")

    def test_no_more_than_some_pieces_wait_in_memory(self):
        with mock.patch.object(gzip_writer, "PIECE", 16), GzipWriter(io.BytesIO(), 1) as packed:
            for _ in range(200):
                packed.write(bytes(16))
                self.assertLessEqual(len(packed._pieces), packed._most)

    def test_a_full_disk_is_told_and_no_thread_is_left(self):
        before = threading.active_count()
        file = mock.Mock(write=mock.Mock(side_effect=[10] + [OSError(errno.ENOSPC, "full")] * 9))
        with self.assertRaises(OSError) as caught, GzipWriter(file, 1) as packed:
            packed.write(bytes(100))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.assertEqual(threading.active_count(), before)


if __name__ == "__main__":
    unittest.main()
