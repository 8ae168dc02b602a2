"""From files to slices: content, exclusions with reasons, and a cache that detects damage."""

import contextlib
import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import nibabel
import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import resampling
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.io.formats import write_volume
from MRISuperResLib.core.progress import Progress
from MRISuperResLib.core.volume import Frames, Volume
from MRISuperResTrainingLib.data import preparation, cache
from MRISuperResTrainingLib.data.preparation import content_hash, prepare
from MRISuperResTrainingLib.data.sources import Source, read_sources
from MRISuperResTrainingLib.options.settings import DataSettings

from made_volumes import grid, tissue, write

sys.path.append(str(Path(__file__).resolve().parents[1] / "Cli"))
from made_dicom import write_mr_series

DATA = Path(
    os.environ.get("MRISUPERRES_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
SMALL = DataSettings(patch=16)


class PreparationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.cache = self.folder / "cache"

    def prepare(self, *paths, data=SMALL):
        return prepare([Source(str(path), Path(path).name) for path in paths], data, self.cache)

    def prepare_one(self, volume=None, ijk_to_ras=None, data=SMALL):
        volumes, unsuitable = self.prepare(
            write(self.folder / "a.nii.gz", volume, ijk_to_ras), data=data
        )
        self.assertEqual(unsuitable, [])
        return volumes[0]

    def cached(self):
        """The stacks of slices in the cache."""
        return sorted(self.cache.glob("*.npy"))


class SlicesTest(PreparationTest):
    def test_slices_are_those_of_the_volume_normalized_to_its_percentiles(self):
        voxels = tissue()
        made = self.prepare_one(voxels)
        low, high = np.percentile(voxels, (0.1, 99.9))
        np.testing.assert_allclose(made.slices, (voxels - low) / (high - low), atol=1e-6)
        self.assertEqual(
            (made.slices.dtype, made.kept, made.left_out), (np.float32, tuple(range(8)), {})
        )

    def test_slices_follow_the_requested_axis_and_keep_their_spacing(self):
        voxels = tissue(shape=(24, 32, 40))
        for axis, slices, spacing, slice_spacing in (
            ("i", np.moveaxis(voxels, 2, 0), (4.0, 2.0), 1.0),
            ("j", np.moveaxis(voxels, 1, 0), (4.0, 1.0), 2.0),
            ("k", voxels, (2.0, 1.0), 4.0),
        ):
            with self.subTest(axis):
                made = self.prepare_one(
                    voxels, grid(1.0, 2.0, 4.0), DataSettings(patch=16, slice_axis=axis)
                )
                np.testing.assert_allclose(
                    made.slices,
                    preparation.intensity.Intensity.of(voxels).normalize(slices),
                    atol=1e-6,
                )
                np.testing.assert_allclose(
                    (*made.spacing, made.slice_spacing), (*spacing, slice_spacing), rtol=1e-6
                )

    def test_the_slice_axis_is_reported_as_info(self):
        (message,) = self.prepare_one().messages
        self.assertEqual((message.level, message.code), ("info", "slice-axis"))
        self.assertEqual(message.text, "Axial slices (k): 4 mm slice spacing, 1 mm in-plane.")

    def test_resampled_slices_have_the_patch_as_shorter_side_and_a_larger_spacing(self):
        voxels = tissue(shape=(4, 40, 60))
        made = self.prepare_one(
            voxels, grid(1.0, 2.0, 4.0), DataSettings(patch=16, patches="resample")
        )
        self.assertEqual(made.slices.shape, (4, 16, 24))
        np.testing.assert_allclose(made.spacing, (5.0, 2.5), rtol=1e-6)
        whole = preparation.intensity.Intensity.of(voxels).normalize(voxels)
        np.testing.assert_allclose(made.slices, resampling.resize(whole, (16, 24)), atol=1e-6)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(16, 70), st.integers(16, 70))
    def test_resampling_never_upsamples(self, height, width):
        made = self.prepare_one(
            tissue(shape=(1, height, width)), data=DataSettings(patch=16, patches="resample")
        )
        self.assertEqual(min(made.slices.shape[1:]), 16)
        self.assertLessEqual(max(made.slices.shape[1:]), max(height, width))

    def test_non_finite_voxels_count_as_dark_with_a_warning(self):
        voxels = tissue().astype(np.float32)
        voxels[2, 3, 4], voxels[2, 3, 5] = np.nan, np.inf
        made = self.prepare_one(voxels)
        self.assertTrue(np.isfinite(made.slices).all())
        self.assertIn(
            (
                "warning",
                "non-finite",
                f"2 of {voxels.size} voxels are NaN or infinite. Their neighbors are computed "
                "as if these voxels were dark.",
            ),
            [(message.level, message.code, message.text) for message in made.messages],
        )


class PreCheckTest(PreparationTest):
    def volume(self):
        voxels = tissue()
        voxels[:2] = 0
        voxels[7] = voxels[7] // 30
        return voxels

    def test_slices_without_anatomy_are_left_out_as_empty(self):
        made = self.prepare_one(self.volume())
        self.assertEqual(made.kept, (2, 3, 4, 5, 6))
        self.assertEqual(made.left_out, dict.fromkeys((0, 1, 7), "empty"))

    def test_the_pre_check_can_be_switched_off_for_cached_slices(self):
        self.prepare_one(self.volume())
        made = self.prepare_one(self.volume(), data=DataSettings(patch=16, pre_check=False))
        self.assertEqual((made.kept, made.left_out), (tuple(range(8)), {}))
        self.assertEqual(len(self.cached()), 1)

    def test_a_volume_without_usable_slices_is_named(self):
        voxels = np.random.default_rng(0).normal(100, 1, (4, 32, 32))
        voxels[:, 0, :2] = 10_000  # a spike or two decide the range
        _, ((_, sentence),) = self.prepare(write(self.folder / "a.nii.gz", voxels))
        self.assertRegex(
            sentence,
            "None of its 4 slices shows anatomy .*required 0.05.*switch the pre-check off",
        )


class UnsuitableTest(PreparationTest):
    def assert_skipped(self, path, pattern, data=SMALL):
        good = write(self.folder / "good" / "good.nii.gz", tissue(99))
        volumes, unsuitable = self.prepare(path, good, data=data)
        self.assertEqual([volume.source.path for volume in volumes], [good])
        self.assertEqual([skipped for skipped, _ in unsuitable], [str(path)])
        self.assertRegex(unsuitable[0][1], pattern)

    def test_label_maps_and_constant_volumes_are_named_and_others_are_used(self):
        labels = np.digitize(tissue(1), (150, 450, 750)).astype(np.uint8)
        for name, voxels, pattern in (
            (
                "labels",
                labels,
                "% of its neighboring voxels are equal: it seems to be a label map",
            ),
            ("mask", (labels > 2).astype(np.float32), "label map"),
            ("big labels", labels.astype(np.int32) * 1000, "label map"),
            (
                "pixels",
                tissue(2, (4, 24, 24)).repeat(2, 1).repeat(2, 2),
                "upsampled without interpolation",
            ),
            (
                "constant",
                np.full((4, 32, 32), 7, np.int16),
                "All its voxels are 7: the volume contains no image",
            ),
            ("nan", np.full((4, 32, 32), np.nan, np.float32), "Every voxel .* is NaN"),
            (
                "one value and nan",
                np.where(np.arange(32) % 2, np.nan, 7) * np.ones((4, 32, 32)),
                "All its voxels are 7",
            ),
        ):
            with self.subTest(name):
                self.assert_skipped(write(self.folder / f"{name}.nii.gz", voxels), pattern)

    def test_label_maps_are_recognized_by_all_or_by_every_nth_slice(self):
        labels = np.digitize(tissue(1), (150, 450, 750)).astype(np.uint8)
        labels[:3] = 0
        for sample in (2**22, labels.size // 2):
            with mock.patch.object(preparation, "SAMPLED_VOXELS", sample):
                self.assert_skipped(write(self.folder / "labels.nii.gz", labels), "label map")

    def test_smooth_images_in_few_gray_levels_are_images(self):
        voxels = tissue().astype(float)
        self.prepare_one(np.round(voxels / voxels.max() * 255).clip(0).astype(np.uint8))

    def test_slices_smaller_than_a_patch_are_named(self):
        self.assert_skipped(
            write(self.folder / "a.nii.gz", tissue(1, (8, 15, 64))),
            "slices have 64×15 pixels, less than a patch of 16×16: choose a smaller patch",
        )
        self.assert_skipped(
            write(self.folder / "b.nii.gz", tissue(2, (8, 64, 15))),
            "15×64",
            DataSettings(patch=16, patches="resample"),
        )

    def test_slices_that_were_prepared_for_smaller_patches_are_named_too(self):
        path = write(self.folder / "a.nii.gz", tissue(1, (8, 40, 40)))
        self.assertEqual(len(self.prepare(path)[0]), 1)
        self.assertRegex(
            self.prepare(path, data=DataSettings(patch=48))[1][0][1],
            "40×40 pixels, less than a patch of 48×48",
        )

    def test_unreadable_files_are_named(self):
        whole = Path(write(self.folder / "whole.nii.gz"))
        rgb = sitk.GetImageFromArray(np.zeros((4, 32, 32, 3), np.uint8), isVector=True)
        sitk.WriteImage(rgb, str(self.folder / "rgb.nrrd"))
        (self.folder / "cut.nii.gz").write_bytes(whole.read_bytes()[:5000])
        (self.folder / "short.nii").write_bytes(gzip.decompress(whole.read_bytes())[:5000])
        (self.folder / "text.nii").write_text("not an image")
        (self.folder / "empty.nii.gz").touch()
        (self.folder / "folder.nii.gz").mkdir()
        for name, pattern in (
            ("rgb.nrrd", "colors"),
            ("cut.nii.gz", "damaged|cut short"),
            ("short.nii", "damaged|cut short"),
            ("text.nii", "not a volume"),
            ("empty.nii.gz", "empty or damaged"),
            ("folder.nii.gz", "DICOM"),
            ("missing.nii.gz", "check"),
        ):
            with self.subTest(name):
                self.assert_skipped(str(self.folder / name), pattern)

    def test_equal_files_are_used_once(self):
        a, b = write(self.folder / "a.nii.gz"), str(self.folder / "b.nii.gz")
        shutil.copy(a, b)
        volumes, unsuitable = self.prepare(a, b)
        self.assertEqual([volume.source.path for volume in volumes], [a])
        self.assertEqual(unsuitable, [(b, f"Same content as {a}.")])

    def test_a_copy_of_a_test_file_is_not_used_for_training(self):
        a, b = write(self.folder / "a.nii.gz"), str(self.folder / "b.nii.gz")
        shutil.copy(a, b)
        volumes, unsuitable = prepare(
            [
                Source(a, "a"),
                Source(b, "b", use="test"),
                Source(str(self.folder / "gone.nii"), "c", use="test"),
            ],
            SMALL,
            self.cache,
        )
        self.assertEqual((volumes, unsuitable), ([], [(a, f"Same content as {b}.")]))

    def test_up_to_three_frames_of_a_4d_file_are_volumes_of_its_subject(self):
        for count, used in ((1, [0]), (2, [0, 1]), (7, [0, 3, 6])):
            path = self.folder / f"{count}.nii.gz"
            frames = [Volume(tissue(count + n), grid()) for n in range(count)]
            write_volume(path, Frames(count, frames.__getitem__))
            for _ in range(2):  # from the file, then from the cache
                volumes, unsuitable = self.prepare(path)
                self.assertEqual(unsuitable, [])
                self.assertEqual({volume.source.path for volume in volumes}, {str(path)})
                self.assertEqual(len({volume.file for volume in volumes}), len(used))
                for number, volume in zip(used, volumes, strict=True):
                    array = frames[number].array
                    expected = Intensity.of(array).normalize(array)
                    np.testing.assert_allclose(volume.slices, expected, atol=1e-6)
            texts = [message.text for message in volumes[-1].messages]
            self.assertEqual(any("up to three frames" in text for text in texts), count > 1)

    def test_4d_files_with_detached_voxels_differ_by_all_their_frames(self):
        hashes = []
        for number in range(2):
            path = self.folder / f"{number}.nii"
            write_volume(
                path, Frames(2, lambda n, number=number: Volume(tissue(n * number), grid()))
            )
            image = nibabel.load(path)
            nibabel.save(nibabel.Nifti1Pair.from_image(image), path.with_suffix(".img"))
            hashes.append(content_hash(path.with_suffix(".hdr")))
        self.assertNotEqual(*hashes)

    def test_every_series_of_a_folder_is_prepared(self):
        scan = self.folder / "scan"
        scan.mkdir()
        for number in range(2):
            stored = tissue(number)
            changes = {"SeriesInstanceUID": f"1.2.{number + 3}", "SeriesNumber": number}
            part = self.folder / str(number)
            part.mkdir()
            write_mr_series(part, stored, grid(), **changes)
            for path in part.iterdir():
                path.rename(scan / f"{number}-{path.name}")
        sources = [Source(str(scan), "a", series=f"1.2.{number + 3}") for number in range(2)]
        volumes, unsuitable = prepare(sources, SMALL, self.cache)
        self.assertEqual(unsuitable, [])
        self.assertFalse(np.array_equal(volumes[0].slices, volumes[1].slices))
        _, unsuitable = prepare([Source(str(scan), "a")], SMALL, self.cache)
        self.assertRegex(unsuitable[0][1], "holds 2 series: .*column “series” of a list")

    def test_a_subject_with_two_uses_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "“a” has the uses “train” and “test”"):
            prepare(
                [Source("1", "a", use="train"), Source("2", "a", use="test")], SMALL, self.cache
            )

    def test_real_files_of_every_kind_are_prepared_or_named(self):
        files = [
            path
            for folder in ("fetal", "brain", "edge")
            for path in sorted((DATA / folder).glob("*"))
        ]
        if not files:
            self.skipTest(
                "no real MRI: set MRISUPERRES_TEST_DATA to a folder with fetal/, brain/ and edge/"
            )
        files = [path for path in files if path.stat().st_size < 3e6]
        volumes, unsuitable = self.prepare(*files, data=DataSettings(patch=32))
        images = {Path(volume.source.path).name for volume in volumes}
        self.assertIn("nibabel_example4d.nii.gz", images)
        named = {Path(path).name: sentence for path, sentence in unsuitable}
        self.assertEqual(len(images) + len(named), len(files))
        self.assertLessEqual({path.name for path in files if path.parent.name == "fetal"}, images)
        for name, pattern in (
            ("minimal.nii.gz", "label map"),
            ("low_res.nii.gz", "7×5 pixels"),
            ("CIT168_RGBA.nii.gz", "colors"),
        ):
            self.assertRegex(named[name], pattern)
        for volume in volumes:
            self.assertTrue(np.isfinite(volume.slices).all())
            self.assertGreater(volume.slices[volume.kept[0]].std(), 0.04)


class CacheTest(PreparationTest):
    def test_a_volume_is_read_once_for_all_runs(self):
        first = self.prepare_one()
        with mock.patch.object(
            preparation, "read_frames", side_effect=AssertionError("read again")
        ):
            again = self.prepare_one()
        self.assertEqual(again, first)
        np.testing.assert_array_equal(again.slices, first.slices)

    def test_the_cache_depends_on_the_content_not_on_the_name(self):
        first = self.prepare(write(self.folder / "a.nii"))[0][0]
        shutil.move(self.folder / "a.nii", self.folder / "b.nii")
        self.assertEqual(self.prepare(self.folder / "b.nii")[0][0].file, first.file)
        other = self.prepare(write(self.folder / "b.nii", tissue(7)))[0][0]
        self.assertNotEqual(other.sha256, first.sha256)
        self.assertNotEqual(other.file, first.file)

    def test_the_hash_is_that_of_the_file(self):
        import hashlib

        made = self.prepare_one()
        self.assertEqual(
            made.sha256, hashlib.sha256((self.folder / "a.nii.gz").read_bytes()).hexdigest()
        )

    def test_detached_voxels_are_part_of_the_hash(self):
        path = self.folder / "a.mhd"
        sitk.WriteImage(sitk.GetImageFromArray(tissue(1)), str(path))
        first = self.prepare(path)[0][0]
        sitk.WriteImage(sitk.GetImageFromArray(tissue(2)), str(path))
        self.assertNotEqual(self.prepare(path)[0][0].sha256, first.sha256)

    def test_every_file_of_a_dicom_folder_is_part_of_the_hash(self):
        hashes = set()
        for name, content in (("1.dcm", b"a"), ("2.dcm", b"b"), ("2.dcm", b"c")):
            (self.folder / "series").mkdir(exist_ok=True)
            (self.folder / "series" / name).write_bytes(content)
            hashes.add(preparation.content_hash(self.folder / "series"))
        self.assertEqual(len(hashes), 3)

    def test_only_settings_that_change_the_slices_get_their_own_files(self):
        for data in (
            SMALL,
            DataSettings(patch=24),
            DataSettings(patch=16, degradation="mixture", noise=5.0, flips=False, pre_check=False),
        ):
            self.prepare_one(data=data)
        self.assertEqual(len(self.cached()), 1)
        for count, data in enumerate(
            (
                DataSettings(patch=8, slice_axis="j"),
                DataSettings(patch=16, patches="resample"),
                DataSettings(patch=24, patches="resample"),
            ),
            2,
        ):
            self.prepare_one(data=data)
            self.assertEqual(len(self.cached()), count)

    def test_a_damaged_file_is_made_again(self):
        slices = np.array(self.prepare_one().slices)
        (file,) = self.cached()
        whole = file.read_bytes()
        middle = bytearray(whole)
        middle[len(whole) // 2] ^= 1
        for name, content in (
            ("cut short", whole[:-10]),
            ("half", whole[: len(whole) // 2]),
            ("empty", b""),
            ("one bit", bytes(middle)),
            ("text", b"nonsense"),
            ("header only", whole[:128]),
            ("pickle", whole.replace(b"'<f4'", b"'|O' ", 1)),
        ):
            with self.subTest(name):
                file.unlink()  # it may be mapped
                file.write_bytes(content)
                np.testing.assert_array_equal(self.prepare_one().slices, slices)
                self.assertEqual(file.read_bytes(), whole)

    def test_a_damaged_description_is_made_again(self):
        made = self.prepare_one()
        (path,) = self.cache.glob("*.json")
        whole = path.read_bytes()
        for name, content in (
            ("empty", b""),
            ("half", whole[: len(whole) // 2]),
            ("no object", b"[]"),
            ("other spacing", whole.replace(b"4.0", b"5.0")),
        ):
            with self.subTest(name):
                path.write_bytes(content)
                self.assertEqual(self.prepare_one(), made)
                self.assertEqual(path.read_bytes(), whole)

    def test_two_processes_may_prepare_at_once(self):
        paths = [write(self.folder / f"{n}.nii.gz", tissue(n)) for n in range(4)]
        code = (
            "import sys; from MRISuperResTrainingLib.data.sources import read_sources\n"
            "from MRISuperResTrainingLib.data.preparation import prepare\n"
            "from MRISuperResTrainingLib.options.settings import DataSettings\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "sources, _ = read_sources([sys.argv[1]])\n"
            "volumes, unusable = prepare(sources, DataSettings(patch=16), sys.argv[2])\n"
            "sums = [float(volume.slices.sum()) for volume in volumes]\n"
            "print([volume.sha256 for volume in volumes], sums, unusable)"
        )
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", code, str(self.folder), str(self.cache)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                    )
                )
                for _ in range(3)
            ]
            for process in processes:
                self.assertEqual(process.stdout.readline(), "ready\n")
            for process in processes:
                process.stdin.write("\n")
                process.stdin.flush()
            outputs = {process.communicate(timeout=60)[0] for process in processes}
        self.assertEqual(len(outputs), 1)
        self.assertEqual(len(self.cached()), len(paths))
        volumes, _ = self.prepare(*paths)
        sums = [float(volume.slices.sum()) for volume in volumes]
        self.assertEqual(outputs, {f"{[volume.sha256 for volume in volumes]} {sums} []\n"})

    def test_a_full_disk_is_reported_and_leaves_no_files(self):
        path = write(self.folder / "a.nii.gz")
        with mock.patch.object(
            cache.os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")
        ):
            with self.assertRaisesRegex(
                SuperResolutionError, "cannot be written: the disk is full .*Free some space"
            ) as caught:
                self.prepare(path)
        self.assertEqual(caught.exception.kind, "environment")
        self.assertEqual(list(self.cache.iterdir()), [])

    @unittest.skipUnless(os.path.exists("/dev/full"), "no device that is always full")
    def test_a_really_full_disk_is_reported_too(self):
        with mock.patch.object(
            cache,
            "open",
            lambda path, mode: open("/dev/full" if "w" in mode else path, mode),
            create=True,
        ):
            with self.assertRaisesRegex(SuperResolutionError, "the disk is full"):
                self.prepare_one()

    def test_a_folder_that_cannot_be_created_is_reported(self):
        (self.folder / "file").touch()
        self.cache = self.folder / "file" / "cache"
        with self.assertRaisesRegex(SuperResolutionError, "cannot be written") as caught:
            self.prepare_one()
        self.assertEqual(caught.exception.kind, "environment")

    def test_an_interrupted_write_leaves_no_files(self):
        path = write(self.folder / "a.nii.gz")
        with (
            mock.patch.object(cache.os, "fsync", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.prepare(path)
        self.assertEqual(list(self.cache.iterdir()), [])
        self.prepare_one()

    def test_slices_are_memory_mapped(self):
        self.assertIsInstance(self.prepare_one().slices.base, np.memmap)

    def test_the_default_folder_is_the_named_one_or_that_of_the_system(self):
        with mock.patch.dict(os.environ, {"MRISUPERRES_CACHE": "/named"}):
            self.assertEqual(cache.default_folder(), Path("/named"))
        for platform, variables, expected in (
            ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/MRISuperRes/training"),
            ("linux", {}, "/home/a/.cache/MRISuperRes/training"),
            ("darwin", {}, "/home/a/Library/Caches/MRISuperRes/training"),
            ("win32", {"LOCALAPPDATA": "/l"}, "/l/MRISuperRes/training"),
        ):
            with (
                self.subTest(platform),
                mock.patch.dict(os.environ, variables, clear=True),
                mock.patch.object(sys, "platform", platform),
                mock.patch.object(Path, "home", return_value=Path("/home/a")),
            ):
                self.assertEqual(cache.default_folder(), Path(expected))

    def test_progress_counts_volumes(self):
        sources, _ = read_sources(
            [write(self.folder / "in" / f"{n}.nii.gz", tissue(n)) for n in range(2)]
        )
        reports = []
        prepare(sources, SMALL, self.cache, reports.append)
        self.assertEqual(reports[0], Progress(0, 2))
        self.assertEqual(
            [(report.done, report.total) for report in reports], [(0, 2), (1, 2), (2, 2)]
        )

    def test_a_cancelled_preparation_ends_between_two_volumes(self):
        sources, _ = read_sources(
            [write(self.folder / "in" / f"{n}.nii.gz", tissue(n)) for n in range(2)]
        )
        with self.assertRaises(Cancelled):
            prepare(sources, SMALL, self.cache, is_cancelled=lambda: bool(self.cached()))
        self.assertEqual(len(self.cached()), 1)

    def test_slices_are_an_ordinary_npy_file_with_a_json_file_beside_it(self):
        made = self.prepare_one()
        np.testing.assert_array_equal(np.load(made.file), made.slices)
        description = json.loads(made.file.with_suffix(".json").read_text())
        self.assertEqual(
            set(description),
            {"spacing", "slice_spacing", "contrast", "messages", "frames", "crc32"},
        )

    def test_no_damage_changes_slices_or_description_unnoticed(self):
        path, images = self.folder / "a.npy", tissue(shape=(2, 3, 4)).astype(np.float32)
        cache.write(path, images, {"spacing": [1.0, 1.0]})
        for file in (path, path.with_suffix(".json")):
            whole = file.read_bytes()
            for place in range(len(whole)):
                for content in (
                    whole[:place],
                    whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :],
                ):
                    file.unlink()
                    file.write_bytes(content)
                    stored = cache.read(path)
                    if stored:  # padding of the header, spaces between JSON values
                        np.testing.assert_array_equal(stored[0], images)
                        self.assertEqual(stored[1], {"spacing": [1.0, 1.0]})
            file.write_bytes(whole)


del PreparationTest  # a base, without tests of its own

if __name__ == "__main__":
    unittest.main()
