"""The command line with isotropic outputs and requested spacings."""

import csv
import json
import re
import unittest
from unittest import mock

import numpy as np

from MRISuperResLib.cli import upsample
from MRISuperResLib.core.io.formats import read_frames, read_volume, write_volume
from MRISuperResLib.core.volume import Frames, Volume

from made_files import FolderTest, array, grid, run

BASELINE = ("--between-slices", "bspline")
SPACING = (1.0, 1.0, 3.3)


class OutputGridCommandTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "in.nii.gz", self.folder / "out.nrrd"
        write_volume(self.input, Volume(array(shape=(5, 8, 9)), grid(spacing=SPACING)))

    def record(self):
        return json.loads((self.folder / "out.nrrd.json").read_text(encoding="utf-8"))

    def assert_refused(self, pattern, *words):
        code, out, err = run(*words)
        self.assertEqual((code, out), (2, ""), err)
        self.assertRegex(err, pattern)
        self.assert_files("in.nii.gz")

    def test_an_isotropic_output_fills_the_space_of_the_input(self):
        code, out, err = run("upsample", self.input, self.output, "--isotropic", *BASELINE)
        self.assertEqual(code, 0, err)
        self.assertRegex(
            out,
            rf"^Done in \d+\.\d s: {re.escape(str(self.output))}, 9×8×16 voxels of "
            r"1×1×1\.031 mm \(int16\), bspline between slices\n$",
        )
        low, high = read_volume(self.input), read_volume(self.output)
        self.assert_same_place(low.ijk_to_ras, low.array.shape, high.ijk_to_ras, high.array.shape)

    def test_size_and_memory_are_told_before_the_work_and_once(self):
        _, _, err = run("upsample", self.input, self.output, "--isotropic", *BASELINE)
        told = "note: Output: 9×8×16 voxels of 1×1×1.031 mm, 1 MiB; memory: about 1 MiB."
        self.assertEqual(err.count("mm, 1 MiB"), 1)
        self.assertTrue(err.startswith(told), err)
        self.assertNotIn("Output voxels", err)
        self.assertNotIn("warning", err)

    def test_every_option_reaches_the_record(self):
        words = ("--spacing", 0.5, 0.5, 1.1, "--between-slices", "linear", "--model", "bicubic")
        code, out, err = run("upsample", self.input, self.output, *words, "--slice-thickness", 2.5)
        self.assertEqual(code, 0, err)
        self.assertIn("18×16×15 voxels", out)
        self.assertIn("bicubic ×2, linear between slices", out)
        record = self.record()
        self.assertEqual(record["options"]["spacing"], [0.5, 0.5, 1.1])
        self.assertEqual(record["model"]["name"], "linear")
        self.assertEqual(record["in_plane_model"]["name"], "bicubic")
        self.assertEqual(record["slice_thickness"], 2.5)
        np.testing.assert_allclose(record["factors"], (2, 2, 3))

    def test_labels_come_along_to_the_grid(self):
        stored = np.zeros((5, 8, 9), np.uint8)
        stored[1:3, 2:6, 3:7] = 4
        labels, target = self.folder / "labels.nii.gz", self.folder / "labels_iso.nii.gz"
        write_volume(labels, Volume(stored, grid(spacing=SPACING), is_labels=True))
        words = ("--isotropic", *BASELINE, "--labels", labels, target)
        code, out, err = run("upsample", self.input, self.output, *words)
        self.assertEqual(code, 0, err)
        self.assertIn(f"; labels: {target}", out)
        result = read_volume(target, labels=True)
        self.assertTrue(result.is_aligned_with(read_volume(self.output)))
        # 3.2 new slices per slice
        expected = [4 if 3.2 <= k + 0.5 < 9.6 else 0 for k in range(16)]
        self.assertEqual(result.array[:, 4, 4].tolist(), expected)

    def test_a_coarser_spacing_needs_no_model(self):
        with mock.patch("MRISuperResLib.core.methods.registry._resolve_device") as torch:
            code, out, err = run("upsample", self.input, self.output, "--spacing", 2, 2, 3.3)
        self.assertEqual(code, 0, err)
        self.assertIn("4×4×5 voxels", out)
        self.assertIn(", resampled\n", out)
        torch.assert_not_called()

    def test_options_that_exclude_each_other_are_refused(self):
        for words in (("--isotropic", "--scale", 2), ("--isotropic", "--spacing", 1, 1, 1)):
            self.assert_refused(
                "Choose one output: a scale, isotropic, or a spacing",
                *("upsample", self.input, self.output, *words),
            )

    def test_options_between_slices_need_an_output_grid(self):
        for words in (BASELINE, ("--slice-thickness", 3)):
            self.assert_refused(
                "applies to upsampling between slices",
                *("upsample", self.input, self.output, *words),
            )

    def test_a_method_that_is_missing_is_refused_before_the_volume_is_read(self):
        with mock.patch.object(upsample, "read_frames") as read:
            for words in (
                ("--isotropic", "--between-slices", "nothing"),
                ("--spacing", 1, 1, 1, "--model", "nothing"),
            ):
                self.assert_refused("nothing", "upsample", self.input, self.output, *words)
        read.assert_not_called()

    def test_the_space_on_the_disk_is_checked_for_the_whole_grid(self):
        for words, factor in ((("--isotropic",), 16 / 5), (("--spacing", 2, 2, 3.3), 4 * 4 / 72)):
            output = self.folder / "out.nii"
            with mock.patch.object(upsample.Output, "check_space") as check:
                code, _, err = run("upsample", self.input, output, *words, *BASELINE)
            self.assertEqual(code, 0, err)
            (size,) = check.call_args.args
            self.assertEqual(size, round(5 * 8 * 9 * 2 * factor))
            self.assertEqual(size, read_volume(output).array.nbytes)

    def test_frames_are_written_to_one_grid_with_progress_up_to_the_end(self):
        volume = read_volume(self.input)
        fmri, output = self.folder / "fmri.nii.gz", self.folder / "out.nii.gz"
        write_volume(fmri, Frames(3, lambda number: volume))
        code, out, err = run("upsample", fmri, output, "--isotropic", *BASELINE)
        self.assertEqual(code, 0, err)
        self.assertIn("9×8×16 voxels of 1×1×1.031 mm, 3 frames", out)
        self.assertIn("Output: 3 frames of 9×8×16 voxels", err)
        self.assertEqual(len(read_frames(output)), 3)
        self.assertRegex(err, r"51/51 slices")  # 9 + 8 reformats of each frame
        self.assertLessEqual(set(re.findall(r"\d+/(\d+) slices", err)), {"51"})


class BatchTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input = self.folder / "in.nii.gz"
        write_volume(self.input, Volume(array(shape=(5, 8, 9)), grid(spacing=SPACING)))

    def batch(self, *words):
        code, out, err = run("batch", self.input, "--out", self.folder / "out", *words)
        self.assertEqual(code, 0, err)
        return out

    def written(self):
        with open(self.folder / "out" / "report.csv", encoding="utf-8") as file:
            return [row["output"].rpartition("/")[2] for row in csv.DictReader(file)]

    def test_names_tell_the_resolution(self):
        self.batch("--isotropic", *BASELINE)
        self.assertEqual(self.written(), ["in_isotropic.nii.gz"])
        self.batch("--spacing", 0.9, 1, 1.1, *BASELINE)
        self.assertEqual(self.written(), ["in_0.9x1x1.1mm.nii.gz"])

    def test_outputs_of_the_same_options_are_up_to_date(self):
        words = ("--spacing", 0.5, 0.5, 1.1, "--model", "bicubic")
        self.assertIn("1 written", self.batch(*words, *BASELINE))
        self.assertIn("1 up to date", self.batch(*words, *BASELINE))
        self.assertIn("1 written", self.batch(*words, "--between-slices", "linear"))

    def test_outputs_of_another_model_between_slices_are_repeated(self):
        self.batch("--isotropic", *BASELINE)
        path = self.folder / "out" / "in_isotropic.nii.gz.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        record["model"]["sha256"] = 64 * "0"
        path.write_text(json.dumps(record), encoding="utf-8")
        self.assertIn("1 written", self.batch("--isotropic", *BASELINE))

    def test_a_missing_model_between_slices_fails_before_any_volume_is_read(self):
        with mock.patch.object(upsample, "read_frames") as read:
            code, _, err = run(
                *("batch", self.input, "--out", self.folder / "out", "--isotropic"),
                *("--between-slices", "nothing"),
            )
        self.assertEqual(code, 2)
        self.assertIn("nothing", err)
        read.assert_not_called()


if __name__ == "__main__":
    unittest.main()
