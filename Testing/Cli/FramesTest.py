"""4D files: all frames become one output, with one intensity range and the header of time."""

import gc
import json
import tempfile
import unittest
from unittest import mock

import MRISuperResLib as sr
import nibabel
import numpy as np
import SimpleITK as sitk
from MRISuperResLib.core.errors import SuperResolutionError
from MRISuperResLib.core.intensity import common_intensity_range
from MRISuperResLib.core.io.formats import read_frames, read_volume
from MRISuperResLib.core.upsampling import upsample_frames, upsample_volume
from MRISuperResLib.core.volume import Frames, Volume

from compare_helpers import body
from made_dicom import write_mr_series
from made_files import FORMATS, FolderTest, grid, run

BICUBIC = ("--model", "bicubic", "--scale", 2)
COUNT = 3


def frame(number, dtype=np.int16, shape=(4, 6, 8)):
    rng = np.random.default_rng(number)
    return (rng.integers(0, 500, shape) * (number + 1)).astype(dtype)


class FramesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.input, self.output = self.folder / "in.nii.gz", self.folder / "out.nii.gz"

    def write_nifti(self, name="in.nii.gz", step=2.5, unit="sec"):
        data = np.stack([frame(n).T for n in range(COUNT)], axis=3)
        image = nibabel.Nifti1Image(data, grid())
        image.header.set_xyzt_units("mm", unit)
        image.header["pixdim"][4] = step
        nibabel.save(image, self.folder / name)
        return self.folder / name

    def write_dicom(self):
        """Write three echoes of one series."""
        folder = self.folder / "scan"
        folder.mkdir()
        for n in range(COUNT):
            part = folder / str(n)
            part.mkdir()
            write_mr_series(part, frame(n), grid(), EchoTime=str(10 * (n + 1)))
            for path in list(part.iterdir()):
                path.rename(folder / f"{n}-{path.name}")
            part.rmdir()
        return folder

    def upsample(self, source, output, *words):
        code, out, err = run("upsample", source, output, *BICUBIC, *words)
        self.assertEqual(code, 0, err)
        return out + err

    def assert_upsampled(self, frames, source):
        """Compare with frames that are upsampled one by one with the range of all."""
        volumes = [read_volume(source, n) for n in range(COUNT)]
        total = sum(volume.array.size for volume in volumes)
        limits = common_intensity_range(volumes, total)
        options = sr.UpsamplingOptions("bicubic", 2, intensity_range=limits)
        self.assertEqual(len(frames), COUNT)
        for n in range(COUNT):
            expected = upsample_volume(volumes[n], options)
            np.testing.assert_array_equal(frames[n].array, expected.array)
            self.assertEqual(frames[n].array.dtype, volumes[n].array.dtype)
            np.testing.assert_allclose(frames[n].ijk_to_ras, expected.ijk_to_ras, atol=1e-4)


class CommandTest(FramesTest):
    def test_all_frames_become_one_output_in_every_format(self):
        for name in ("in.nii.gz", "in.nii"):
            source = self.write_nifti(name)
            for words in ((), ("--frames", "all")):
                for extension in FORMATS:
                    with self.subTest(name, words=words, extension=extension):
                        output = self.folder / f"out{extension}"
                        said = self.upsample(source, output, *words)
                        self.assertIn("16×12×4 voxels of 0.5625×0.6×3.3 mm, 3 frames (int16)", said)
                        frames = read_frames(output)
                        self.assert_upsampled(frames, source)
                        self.assertEqual(frames[0].messages, ())

    def test_other_programs_read_all_frames_of_every_format(self):
        source = self.write_nifti()
        for extension in FORMATS:
            output = self.folder / f"out{extension}"
            self.upsample(source, output)
            expected = [volume.array for volume in read_frames(output)]
            if extension == ".nrrd":  # ITK reads no axis without a direction
                continue
            image = sitk.ReadImage(str(output))
            np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)

    def test_the_time_between_frames_is_kept(self):
        for step, unit in ((2.5, "sec"), (700, "msec"), (1.5, "unknown")):
            with self.subTest(unit):
                self.upsample(self.write_nifti(step=step, unit=unit), self.output)
                header = nibabel.load(self.output).header
                self.assertEqual(header["pixdim"][4], step)
                self.assertEqual(header.get_xyzt_units(), ("mm", unit))
        self.upsample(self.write_nifti(), self.folder / "out.mha")
        self.assertEqual(sitk.ReadImage(str(self.folder / "out.mha")).GetSpacing()[3], 2.5)

    def test_b_values_and_vectors_are_copied_beside_the_output(self):
        self.write_nifti("dwi.nii.gz")
        texts = {".bval": "0 1000 1000\n", ".bvec": "0 1 0\n0 0 1\n0 0 0\n"}
        for extension, text in texts.items():
            (self.folder / f"dwi{extension}").write_text(text)
        self.upsample(self.folder / "dwi.nii.gz", self.output)
        self.upsample(self.folder / "dwi.nii.gz", self.folder / "dwi.nrrd")
        self.upsample(self.folder / "dwi.nii.gz", self.folder / "one.nii", "--frame", 1)
        for extension, text in texts.items():
            self.assertEqual((self.folder / f"out{extension}").read_text(), text)
            self.assertEqual((self.folder / f"dwi{extension}").read_text(), text)
            self.assertFalse((self.folder / f"one{extension}").exists())

    def test_the_provenance_counts_the_frames_and_keeps_the_options(self):
        self.upsample(self.write_nifti(), self.output)
        record = json.loads((self.folder / "out.nii.gz.json").read_text())
        self.assertEqual((record["frames"], record["input"]["file"]), (COUNT, "in.nii.gz"))
        self.assertEqual(record["intensity"]["of"], "all frames")
        self.assertIsNone(record["options"]["intensity_range"])

    def test_progress_counts_the_slices_of_all_frames(self):
        self.assertIn("12/12 slices", self.upsample(self.write_nifti(), self.output))

    def test_echoes_of_a_dicom_series_become_frames_of_the_output(self):
        source = self.write_dicom()
        said = self.upsample(source, self.output)
        self.assertIn("3 frames", said)
        self.assertEqual(said.count("in order of echo time"), 1)
        self.assert_upsampled(read_frames(self.output), source)

    def test_frames_of_different_types_share_one_that_holds_all(self):
        source = self.write_dicom()
        real = read_volume

        def other(path, number=None, series=None):
            volume = real(path, number, series)
            array = volume.array.astype(np.float32 if number == 1 else np.int16)
            return Volume(array, volume.ijk_to_ras)

        frames = Frames(COUNT, lambda number: other(source, number))
        result = upsample_frames(frames, sr.UpsamplingOptions("nearest", 2))
        self.assertEqual({volume.array.dtype for volume in result}, {np.dtype(np.float32)})

    def test_frames_at_different_places_are_refused(self):
        moved = grid(origin=(0, 0, 0))
        frames = Frames(2, lambda n: Volume(frame(n), moved if n else grid()))
        with self.assertRaisesRegex(SuperResolutionError, "Frame 1 has another size or place"):
            upsample_frames(frames, sr.UpsamplingOptions("nearest", 2))

    def test_a_dicom_series_of_one_frame_is_written_on_request_only(self):
        code, _, err = run("upsample", self.write_dicom(), self.folder / "o", "--dicom", *BICUBIC)
        self.assertEqual(code, 2)
        self.assertRegex(err, "holds 3 frames .* Choose one with --frame.$")
        self.assertFalse((self.folder / "o").exists())

    def test_one_frame_and_all_frames_exclude_each_other(self):
        words = ("--frame", 1, "--frames", "all")
        code, _, err = run("upsample", self.write_nifti(), self.output, *BICUBIC, *words)
        self.assertEqual(code, 2)
        self.assertRegex(err, "not allowed with argument")

    def test_a_stop_between_frames_leaves_nothing(self):
        self.write_nifti()
        real = upsample_volume
        calls = []

        def second_stops(*arguments, **options):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        with mock.patch("MRISuperResLib.core.upsampling.upsample_volume", second_stops):
            code, _, _ = run("upsample", self.input, self.output, *BICUBIC)
        self.assertEqual(code, 130)
        self.assert_files("in.nii.gz")

    def test_the_temporary_copy_of_a_compressed_file_is_deleted(self):
        self.write_nifti()
        with mock.patch.object(tempfile, "tempdir", str(self.folder)):
            frames = read_frames(self.input)
            frames[2]
            self.assertEqual(len(list(self.folder.glob("MRISuperRes-*/in.nii.gz"))), 1)
            del frames
            gc.collect()
            self.assert_files("in.nii.gz")

    def test_a_damaged_compressed_file_is_refused(self):
        self.write_nifti()
        data = bytearray(self.input.read_bytes())
        data[-6] ^= 1  # checksum
        self.input.write_bytes(data)
        code, _, err = run("upsample", self.input, self.output, *BICUBIC)
        self.assertEqual(code, 2)
        self.assertRegex(err, "in.nii.gz is .*damaged")


class BatchTest(FramesTest):
    def test_a_batch_upsamples_all_frames_and_resumes(self):
        self.make("study")
        source = self.write_nifti("study/in.nii.gz")
        self.write_dicom().rename(self.folder / "study" / "scan")
        words = ("batch", self.folder / "study", "--out", self.folder / "out", *BICUBIC)
        code, out, err = run(*words)
        self.assertEqual((code, "2 written" in out), (0, True), err)
        self.assert_upsampled(read_frames(self.folder / "out" / "in_x2.nii.gz"), source)
        self.assertEqual(len(read_frames(self.folder / "out" / "scan_x2.nii.gz")), COUNT)
        self.assertIn("2 up to date", run(*words)[1])

    def test_the_advice_of_a_dicom_batch_can_be_followed(self):
        self.make("study")
        self.write_dicom().rename(self.folder / "study" / "scan")
        words = ("batch", self.folder / "study", "--out", self.folder / "out", *BICUBIC)
        code, _, err = run(*words, "--format", "dicom")
        self.assertEqual(code, 2)
        self.assertRegex(err, "holds 3 frames .* choose another format")
        self.assertNotIn("--frame", err)

    def make(self, name):
        (self.folder / name).mkdir()


class PythonTest(FramesTest):
    def test_frames_all_returns_frames_that_can_be_saved(self):
        source = self.write_nifti()
        frames = sr.upsample(source, frames="all", model="bicubic", scale=2)
        self.assert_upsampled(frames, source)
        frames.save(self.output)
        self.assert_upsampled(read_frames(self.output), source)
        self.assertEqual(len(list(frames)), COUNT)
        np.testing.assert_array_equal(frames[-1].array, frames[COUNT - 1].array)

    def test_an_audit_takes_the_first_frame_and_says_so(self):
        big = [Volume(body((3, 64, 72)) * (n + 1), grid()) for n in range(2)]
        Frames(2, big.__getitem__).save(self.folder / "4d.nii.gz")
        report = sr.audit(self.folder / "4d.nii.gz", ["nearest"], scale=2, slices=1)
        first = sr.audit(big[0], ["nearest"], scale=2, slices=1)
        self.assertEqual(*(next(iter(each.findings[2].values())) for each in (report, first)))
        self.assertIn("holds 2 frames. The first one is used", str(report.messages[0]))

    def test_a_file_with_one_volume_has_one_frame(self):
        source = self.folder / "one.nii"
        Volume(frame(0), grid()).save(source)
        (volume,) = sr.upsample(source, frames="all", model="bicubic", scale=2)
        np.testing.assert_array_equal(
            volume.array, sr.upsample(source, model="bicubic", scale=2).array
        )

    def test_the_advice_of_functions_can_be_followed(self):
        source = self.write_nifti()
        with self.assertRaisesRegex(SuperResolutionError, r"Volume.read\(path, frame=…\)"):
            sr.upsample(source, model="bicubic", scale=2)
        for arguments in ({"frame": 1}, {}):
            with self.assertRaisesRegex(SuperResolutionError, "excludes “frame”|takes the path"):
                given = source if arguments else (frame(0), grid())
                sr.upsample(given, frames="all", model="bicubic", **arguments)


if __name__ == "__main__":
    unittest.main()
