"""Own pairs: a low- and a high-resolution file of the same field of view."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from MRISuperResLib.core import resampling
from MRISuperResLib.core.geometry import upsampled_ijk_to_ras
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.io.formats import read_volume
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResTrainingLib.__main__ import main
from MRISuperResTrainingLib.data.preparation import prepare
from MRISuperResTrainingLib.data.sampler import PatchSampler, SlicePairs
from MRISuperResTrainingLib.data.sources import Source, read_sources
from MRISuperResTrainingLib.evaluation.evaluate import evaluate
from MRISuperResTrainingLib.evaluation.report import markdown
from MRISuperResTrainingLib.options.presets import preset
from MRISuperResTrainingLib.runs.folder import RunFolder

from made_runs import TINY
from made_volumes import grid, tissue, write


def acquired_low(high, scale=2, gain=3.0):
    """A low-resolution scan (k, j, i) of slices along k: another gain, offset and noise."""
    slices = [resampling.degrade(image.astype(float), scale, "kspace") for image in high]
    noise = np.random.default_rng(5).normal(0, 5 * gain, np.shape(slices))
    return (np.array(slices) * gain + 40 + noise).astype(np.float32)


def low_grid(scale=2, ijk_to_ras=None):
    """IJKToRAS of slices along k with larger pixels."""
    return upsampled_ijk_to_ras(
        grid() if ijk_to_ras is None else ijk_to_ras, (1 / scale, 1 / scale, 1)
    )


class PairTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.settings = preset("quick", 2, batch=4, gan=None, data={"patch": 16, "noise": 5.0})

    def pair(self, name="a", high=None, low=None, matrix=None, low_matrix=None, **values):
        high = tissue(1) if high is None else high
        return Source(
            write(self.folder / f"{name}.nii.gz", high, matrix),
            name,
            low=write(
                self.folder / f"{name}_low.nii.gz",
                acquired_low(high) if low is None else low,
                low_grid() if low_matrix is None else low_matrix,
            ),
            **values,
        )

    def prepare(self, *sources, scale=2, **data):
        settings = preset("quick", scale, gan=None, data={"patch": 16} | data).data
        return prepare(sources, settings, self.folder / "cache", scale=scale)

    def assert_refused(self, pattern, source, **options):
        volumes, unusable = self.prepare(source, **options)
        self.assertEqual(volumes, [])
        self.assertEqual([path for path, _ in unusable], [source.path])
        self.assertRegex(unusable[0][1], pattern)


class SlicesTest(PairTest):
    def test_both_volumes_are_normalized_to_their_own_percentiles(self):
        source = self.pair()
        (volume,), unusable = self.prepare(source)
        self.assertEqual(unusable, [])
        for path, slices in ((source.path, volume.slices), (source.low, volume.low_slices)):
            array = read_volume(path).array
            expected = Intensity.of(array).normalize(array)
            np.testing.assert_allclose(slices, expected, atol=1e-6)

    def test_patches_come_from_the_same_place_of_both_files(self):
        # every low-resolution pixel holds the mean of its high-resolution pixels
        high = tissue(1).astype(np.float32)
        low = high.reshape(8, 24, 2, 28, 2).mean((2, 4))
        (volume,), _ = self.prepare(self.pair(high=high, low=low))
        to_high, to_low = Intensity.of(high), Intensity.of(low)
        sampler = PatchSampler([volume], self.settings)
        for step in range(5):
            for low_patch, high_patch in zip(*(part[:, 0] for part in sampler.batch(step))):
                means = high_patch.reshape(8, 2, 8, 2).mean((1, 3)).astype(float)
                stored = means * (to_high.high - to_high.low) + to_high.low
                np.testing.assert_allclose(low_patch, to_low.normalize(stored), atol=1e-4)

    def test_a_pair_beside_a_degraded_volume_changes_no_sample_of_that_volume(self):
        (pair, plain), _ = self.prepare(
            self.pair(), Source(write(self.folder / "b.nii.gz", tissue(2)), "b")
        )
        self.assertIsNone(plain.low_slices)
        both = PatchSampler([pair, plain], self.settings)
        images = {id(v): v.slices for v in (pair, plain)}
        self.assertEqual(len(images), 2)
        low, high = both.batch(0)
        self.assertEqual((low.shape, high.shape), ((4, 1, 8, 8), (4, 1, 16, 16)))

    def test_validation_slices_are_the_acquired_ones_without_added_noise(self):
        (volume,), _ = self.prepare(self.pair())
        pairs = SlicePairs([volume], self.settings)
        for number in range(len(pairs)):
            low, high = pairs[number]
            np.testing.assert_array_equal(low, volume.low_slices[number])
            np.testing.assert_array_equal(high, volume.slices[number])

    def test_other_slice_directions_are_followed_by_both_files(self):
        high = np.ascontiguousarray(np.moveaxis(tissue(1), 0, 2))
        low = np.ascontiguousarray(np.moveaxis(acquired_low(tissue(1)), 0, 2))
        matrix = grid(4.0, 1.0, 1.0)
        (volume,), unusable = self.prepare(
            self.pair(
                high=high,
                low=low,
                matrix=matrix,
                low_matrix=upsampled_ijk_to_ras(matrix, (1, 1 / 2, 1 / 2)),
            )
        )
        self.assertEqual(unusable, [])
        self.assertEqual((volume.slices.shape, volume.low_slices.shape), ((8, 48, 56), (8, 24, 28)))

    def test_prepared_pairs_are_reused_until_a_file_changes(self):
        source = self.pair()
        (first,), _ = self.prepare(source)
        (again,), _ = self.prepare(source)
        self.assertEqual((again.file, again.low_sha256), (first.file, first.low_sha256))
        write(source.low, acquired_low(tissue(1), gain=2.0), low_grid())
        (changed,), _ = self.prepare(source)
        self.assertEqual(changed.sha256, first.sha256)  # that of the high-resolution file
        self.assertNotIn(changed.low_sha256, ("", first.low_sha256))
        self.assertNotEqual(changed.file, first.file)
        changed.low_file.write_bytes(b"damaged")
        (repaired,), _ = self.prepare(source)
        self.assertEqual(repaired.low_slices.shape, (8, 24, 28))


class GeometryTest(PairTest):
    def test_headers_may_be_rounded(self):
        matrix = low_grid()
        matrix[:3] += 1e-4
        self.assertEqual(self.prepare(self.pair(low_matrix=matrix))[1], [])

    def test_another_ratio_of_pixels_is_refused(self):
        self.assert_refused(
            r"has 28×24×8 voxels instead of 14×12×8, which is 1/4 of 56×48×8",
            self.pair(),
            scale=4,
        )
        self.assert_refused(
            r"has 28×24×7 voxels instead of 28×24×8", self.pair(low=acquired_low(tissue(1))[:7])
        )

    def test_another_field_of_view_is_refused(self):
        shifted, scaled, turned = low_grid(), low_grid(), low_grid()
        shifted[0, 3] += 0.5
        scaled[:3, :3] *= 1.02
        turned[:3, :3] = np.diag([1, 1, -1]) @ turned[:3, :3]
        angle = np.deg2rad(1)
        rotated = low_grid()
        rotation = np.array(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
        )
        rotated[:3, :3] = rotation @ rotated[:3, :3]
        for matrix in (shifted, scaled, turned, rotated):
            with self.subTest(matrix=matrix.tolist()):
                self.assert_refused(
                    r"different fields of view: corners are up to .* mm apart",
                    self.pair(low_matrix=matrix),
                )

    def test_different_images_are_refused(self):
        self.assert_refused(
            r"show different images: their voxels correlate by -?0\.\d\d",
            self.pair(low=acquired_low(tissue(9))),
        )
        self.assert_refused(
            "it contains no image", self.pair("z", low=np.zeros((8, 24, 28), np.float32))
        )

    def test_slices_of_a_pair_are_not_resampled(self):
        self.assert_refused("set data.patches to crop", self.pair(), patches="resample")


class ListTest(PairTest):
    def test_a_list_names_the_low_resolution_file_beside_the_path(self):
        self.pair()
        write(self.folder / "b.nii.gz", tissue(2))
        path = self.folder / "pairs.tsv"
        path.write_text("path\tlow\tsubject\na.nii.gz\ta_low.nii.gz\tone\nb.nii.gz\t\ttwo\n")
        sources, skipped = read_sources([path])
        self.assertEqual(skipped, [])
        self.assertEqual(
            [source.low for source in sources], [str(self.folder / "a_low.nii.gz"), ""]
        )

    def test_a_missing_low_resolution_file_is_named_with_its_line(self):
        self.pair()
        path = self.folder / "pairs.tsv"
        path.write_text("path\tlow\na.nii.gz\tgone.nii.gz\n")
        sources, ((file, reason),) = read_sources([path])
        self.assertEqual((sources, file), ([], str(self.folder / "gone.nii.gz")))
        self.assertRegex(reason, "line 2 .*does not exist")


class RunTest(PairTest):
    def test_evaluation_upsamples_the_acquired_slices(self):
        high = tissue(1)
        same = self.pair("a", high, acquired_low(high, gain=0.01))
        evaluation = evaluate([same], [], [2, 4], MethodRegistry())
        self.assertEqual([scores.scale for scores in evaluation.volumes], [2])
        self.assertIn(
            "Upsampled from a low-resolution file, not degraded:\n\n- a.nii.gz: a_low.nii.gz\n",
            markdown(evaluation),
        )
        self.assertRegex(evaluation.skipped[0], r"×4: Its low-resolution file has 28×24×8")
        # the gain of a scan costs nothing
        table = evaluation.volumes[0].table
        other = self.pair("b", high, acquired_low(high, gain=100.0))
        again = evaluate([other], [], [2], MethodRegistry()).volumes[0].table
        self.assertGreater(table.mean("bicubic", "psnr"), 15)
        self.assertAlmostEqual(
            table.mean("bicubic", "psnr"), again.mean("bicubic", "psnr"), delta=0.5
        )

    def test_a_run_trains_validates_and_exports_with_pairs(self):
        for name, seed in (("a", 1), ("b", 2)):
            self.pair(name, tissue(seed))
        (self.folder / "pairs.tsv").write_text(
            "path\tlow\tsubject\n"
            + "".join(f"{name}.nii.gz\t{name}_low.nii.gz\t{name}\n" for name in "ab")
        )
        (self.folder / "settings.json").write_text(json.dumps(TINY))
        words = [
            ["train", str(self.folder / "pairs.tsv"), "--preset", "quick", "--scale", "2"]
            + ["--run", str(self.folder / "run"), "--cache", str(self.folder / "cache")]
            + ["--settings", str(self.folder / "settings.json")],
            ["export", str(self.folder / "run"), "--name", "own", "--to", str(self.folder / "m")],
        ]
        for command in words:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()) as err,
            ):
                self.assertEqual(main(command), 0, err.getvalue())
        card = json.loads((self.folder / "m" / "own-psnr.json").read_text())
        self.assertEqual(card["training"]["data"][0]["low"][1:], "_low.nii.gz")
        description = RunFolder(self.folder / "run").description()
        self.assertTrue(all(source["low"] for source in description["sources"]))
        write(self.folder / "b_low.nii.gz", acquired_low(tissue(2), gain=2.0), low_grid())
        with contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(main(["resume", str(self.folder / "run")]), 2)
        self.assertRegex(err.getvalue(), "b.nii.gz is missing or has changed")


del PairTest  # a base class without tests

if __name__ == "__main__":
    unittest.main()
