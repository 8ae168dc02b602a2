"""The option --uncertainty of the command upsample."""

import json
import unittest
from pathlib import Path

import numpy as np

from MRISuperResLib import upsample
from MRISuperResLib.core.io.formats import read_volume, write_volume
from MRISuperResLib.core.uncertainty import MAP
from MRISuperResLib.core.volume import Frames, Volume

from made_files import FolderTest, array, grid, run

MODEL = ("--model", "fast-x2-psnr", "--device", "cpu")


class UncertaintyCommandTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "in.nii.gz", self.folder / "out.nrrd"
        self.map = self.folder / "map.nii.gz"
        write_volume(self.input, Volume(array(shape=(2, 8, 9)), grid()))

    def assert_refused(self, pattern, *words):
        before = sorted(self.folder.iterdir())
        code, out, err = run("upsample", self.input, self.output, *words)
        self.assertEqual((code, out), (2, ""), err)
        self.assertRegex(err, pattern)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_the_map_is_written_beside_the_volume_and_is_that_of_python(self):
        code, out, err = run("upsample", self.input, self.output, *MODEL, "--uncertainty", self.map)
        self.assertEqual(code, 0, err)
        self.assertIn(f"; uncertainty: {self.map}", out)
        found, volume = read_volume(self.map), read_volume(self.output)
        self.assertTrue(found.is_aligned_with(volume))
        expected = upsample(self.input, model="fast-x2-psnr", device="cpu", uncertainty=True)
        np.testing.assert_array_equal(found.array, expected.uncertainty.array)
        np.testing.assert_array_equal(volume.array, expected.array)
        self.assertGreater(found.array.max(), 0)
        record, main = (
            json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
            for path in (self.map, self.output)
        )
        self.assertEqual((record["map"], record["input"]["file"]), (MAP, "in.nii.gz"))
        self.assertNotIn("map", main)

    def test_what_cannot_be_written_or_computed_is_refused_before_the_work(self):
        for pattern, *words in (
            ("would replace the file .*out.nrrd", *MODEL, "--uncertainty", self.output),
            ("would replace the file .*in.nii.gz", *MODEL, "--uncertainty", self.input),
            ("which format to write", *MODEL, "--uncertainty", "map.txt"),
            ("Choose a model", "--model", "bicubic", "--uncertainty", self.map),
            ("Leave out [+]bp", "--model", "fast-x2-psnr+bp", "--uncertainty", self.map),
        ):
            with self.subTest(pattern):
                self.assert_refused(pattern, *words)

    def test_the_map_of_several_frames_is_refused_and_that_of_one_is_written(self):
        volumes = [Volume(array(shape=(2, 8, 9)) + number, grid()) for number in range(2)]
        write_volume(self.input, Frames(2, lambda number: volumes[number]))
        words = (*MODEL, "--uncertainty", self.map)
        self.assert_refused("holds 2 frames, .*--frame", *words)
        code, _, err = run("upsample", self.input, self.output, *words, "--frame", 1)
        self.assertEqual(code, 0, err)
        self.assertTrue(read_volume(self.map).is_aligned_with(read_volume(self.output)))


if __name__ == "__main__":
    unittest.main()
