"""Compressed NIfTI files: an ordinary gzip stream, with igzip or with Python's gzip."""

import errno
import gzip
import os
import tempfile
import threading
import unittest
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.io import inflate, nifti
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.volume import Volume

NOISE = np.random.default_rng(0).integers(-999, 9999, (9, 301, 400)).astype(np.int16)
"""2 MiB that hardly get smaller: several blocks of igzip."""


class CompressionTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.folder / "a.nii.gz"

    def write(self, array=NOISE):
        write_volume(self.path, Volume(array, np.eye(4), provenance={"notice": "test"}))
        return self.path.read_bytes()

    def with_and_without_igzip(self):
        for module in {None, inflate.IGZIP}:
            threaded = nifti.IGZIP_THREADED if module else None
            with (
                self.subTest(igzip=module is not None),
                mock.patch.object(inflate, "IGZIP", module),
                mock.patch.object(nifti, "IGZIP_THREADED", threaded),
            ):
                yield module is not None

    def test_the_file_is_one_gzip_member_that_every_reader_understands(self):
        for _ in self.with_and_without_igzip():
            packed = self.write()
            unpacker = zlib.decompressobj(wbits=31)
            plain = unpacker.decompress(packed)
            self.assertTrue(unpacker.eof)
            self.assertEqual(unpacker.unused_data, b"")
            self.assertEqual(gzip.decompress(packed), plain)
            self.assertEqual(plain[-NOISE.nbytes :], NOISE.tobytes())
            np.testing.assert_array_equal(read_volume(self.path).array, NOISE)

    def test_the_same_volume_gives_the_same_file(self):
        for _ in self.with_and_without_igzip():
            self.assertEqual(self.write(), self.write())

    def test_smooth_volumes_become_smaller(self):
        smooth = np.tile(np.arange(400, dtype=np.int16), (9, 301, 1))
        for _ in self.with_and_without_igzip():
            self.assertLess(len(self.write(smooth)), smooth.nbytes / 5)

    def test_a_wrong_checksum_and_a_missing_end_are_noticed(self):
        for _ in self.with_and_without_igzip():
            packed = self.write()
            for damaged in (packed[:-8] + bytes(4) + packed[-4:], packed[:-4], packed[:-9]):
                self.path.write_bytes(damaged)
                with self.assertRaisesRegex(SuperResolutionError, "damaged or cut short"):
                    read_volume(self.path)

    def test_a_full_disk_is_reported_and_no_thread_is_left(self):
        open_file = open

        class Full:
            def __init__(self, *arguments):
                self.file = open_file(*arguments)

            def write(self, data):
                if self.file.tell() > 2**20:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return self.file.write(data)

            def __enter__(self):
                return self

            def __exit__(self, *error):
                self.file.close()

            def __getattr__(self, name):
                return getattr(self.file, name)

        before = threading.active_count()
        for _ in self.with_and_without_igzip():
            with (
                mock.patch.object(nifti, "open", Full, create=True),
                self.assertRaisesRegex(SuperResolutionError, "the disk is full"),
            ):
                self.write()
            self.assertEqual(threading.active_count(), before)
            self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
