"""The command line that adapts the network between slices to the volume."""

import json
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

from MRISuperResLib.cli.parser import parse
from MRISuperResLib.cli.upsample import options_of
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.volume import Volume

from made_files import FolderTest, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "Core"))
from made_models import write_model

ARCHITECTURE = {"network": "through-plane", "blocks": 1, "features": 8}
METHOD = ("--between-slices", "tiny-through-plane", "--device", "cpu")


class AdaptCommandTest(FolderTest):
    def setUp(self):
        super().setUp()
        models = self.folder / "models"
        models.mkdir()
        write_model(models, "tiny-through-plane", scale=8, architecture=ARCHITECTURE)
        self.enterContext(mock.patch.dict(os.environ, MRISUPERRES_MODELS=str(models)))
        self.input, self.output = self.folder / "in.nii.gz", self.folder / "out.nii.gz"
        array = np.random.default_rng(0).integers(0, 1000, (6, 40, 36), np.int16)
        write_volume(self.input, Volume(array, np.diag([1.0, 1.0, 4.0, 1.0])))

    def upsample(self, *words):
        return run("upsample", self.input, self.output, "--isotropic", *words)

    def test_the_gain_is_told_and_recorded(self):
        code, _, err = self.upsample(*METHOD, "--seed", 3, "--adapt", 2)
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"in 2 steps.* dB PSNR")
        record = json.loads((self.folder / "out.nii.gz.json").read_text(encoding="utf-8"))
        self.assertEqual(record["adaptation"]["steps"], 2)
        self.assertEqual(record["adaptation"]["seed"], 3)
        self.assertRegex(err, "78/78 slices")  # 2 steps and 36 + 40 reformats

    def test_without_a_number_it_takes_300_steps(self):
        for words in (["upsample", "in.nii", "out.nii"], ["batch", "in", "--out", "out"]):
            for more, expected in (([], 0), (["--adapt"], 300), (["--adapt", "20"], 20)):
                arguments = parse([*words, "--isotropic", *more])
                self.assertEqual(options_of(arguments).adapt, expected)

    def test_a_file_in_place_of_the_steps_is_refused(self):
        code, out, err = run("upsample", "--isotropic", "--adapt", self.input, self.output)
        self.assertEqual((code, out), (2, ""))
        self.assertIn("is not a number of steps: give one, or write --adapt as the last", err)

    def test_it_needs_a_network_between_slices(self):
        for words, reason in (
            (("--scale", 2), "choose an isotropic output or a spacing"),
            (("--isotropic", "--between-slices", "linear"), "linear cannot be adapted"),
        ):
            code, out, err = run("upsample", self.input, self.output, *words, "--adapt", 2)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(reason, err)
        self.assertFalse(self.output.exists())

    def test_slices_that_are_too_small_leave_no_output(self):
        write_volume(self.input, Volume(np.ones((6, 8, 8)), np.diag([1.0, 1.0, 4.0, 1.0])))
        code, _, err = self.upsample(*METHOD, "--adapt", 2)
        self.assertEqual(code, 2)
        self.assertIn("cannot be adapted to slices of 8×8 pixels", err)
        self.assertFalse(self.output.exists())


if __name__ == "__main__":
    unittest.main()
