"""Files that many readers get wrong: a correct result, or one sentence and exit code 2."""

import csv
import gzip
import re
import shutil
import unittest

import numpy as np
import SimpleITK as sitk

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.io.formats import read_frames, read_volume

from made_files import DATA, EDGE, NO_DATA, FolderTest, run

RESULT = "result"
OUTCOMES = {
    # file: RESULT and a pattern of the messages, or a pattern of the error
    "AIL.nii.gz": (RESULT, "note: Axial slices"),
    "CIT168_RGBA.nii.gz": (r"holds colors \(4 channels\), .*Save .*one channel",),
    "avg152T1_RL_nifti.nii.gz": (RESULT, "note: Axial slices"),
    "complex.nii.gz": ("holds complex numbers, .*Save its magnitude",),
    "ct_perfusion.nii.gz": (r"holds colors \(3 channels\)",),
    "fmri_pitch.nii.gz": (RESULT, "note: Axial slices"),
    "low_res.nii.gz": (RESULT, "note: Axial slices"),
    "made_nan_inf_float32.nii.gz": (RESULT, "NaN or infinite"),
    "minimal.nii.gz": (RESULT, "warning: .*does not say how the patient lies"),
    "nibabel_anatomical.nii": (RESULT, "note: Axial slices"),
    "nibabel_example4d.nii.gz": (RESULT, "note: Axial slices"),
    "nibabel_example_nifti2.nii.gz": (RESULT, "note: Axial slices"),
    "papaya_zstat1_bigendian_f4.nii.gz": (RESULT, "note: Axial slices"),
    "pcasl.nii.gz": (RESULT, "note: Axial slices"),
    "pydicom_CT_small.dcm": (RESULT, "warning: The modality of .* is CT, not MR"),
    "pydicom_JPEG-lossy.dcm": (RESULT, "warning: The modality of .* is NM, not MR"),
    "pydicom_MR_small.dcm": (RESULT, "note: Axial slices"),
    "pydicom_MR_small_RLE.dcm": (RESULT, "note: Axial slices"),
    "pydicom_MR_small_bigendian.dcm": (RESULT, "note: Axial slices"),
    "pydicom_MR_small_jp2klossless.dcm": (RESULT, "note: Axial slices"),
    "pydicom_MR_small_jpeg_ls_lossless.dcm": (RESULT, "note: Axial slices"),
    "pydicom_MR_truncated.dcm": (
        "image in .* cannot be decoded: the file is damaged or cut short, .*Copy it again",
    ),
    "pydicom_SC_rgb_jpeg_dcmtk.dcm": (r"holds colors \(3 channels\)",),
    "pydicom_liver_1frame.dcm": ("is a segmentation or label map, not an image",),
    "pydicom_no_meta.dcm": ("is not a DICOM file, or its beginning is damaged",),
    "pydicom_rtdose.dcm": (r"is a radiotherapy dose \(RTDOSE\), not an image",),
    "pydicom_rtplan.dcm": ("is a DICOM object of kind RTPLAN and holds no image",),
    "shear.nii.gz": ("grid of shear.nii.gz is sheared .*gantry.*Resample it",),
}
FRAMES = {"nibabel_example4d.nii.gz": 1, "nibabel_example_nifti2.nii.gz": 1, "pcasl.nii.gz": 9}
"""4D files, and one of their frames."""
SAME_PIXELS = "pydicom_MR_small.dcm"


@unittest.skipUnless(EDGE.is_dir(), NO_DATA)
class EdgeFilesTest(FolderTest):
    def upsample(self, name, *words):
        output = self.folder / f"{name}.nrrd"
        code, out, err = run(
            "upsample", EDGE / name, output, "--model", "bicubic", "--scale", 2, *words
        )
        self.assertNotIn("Traceback", err)
        return code, out, err, output

    def assert_right(self, name, output, frame=None):
        """Check position, type and slice spacing, and that downsampling gives the input again."""
        before = read_volume(EDGE / name, frame)
        frames = read_frames(output)
        after = frames[frame if frame and len(frames) > 1 else 0]
        self.assertEqual(after.array.dtype, before.array.dtype)
        axis = geometry.choose_slice_axis(before.ijk_to_ras)
        factors = axis.factors(2)
        self.assertEqual(
            after.array.shape[::-1], tuple(n * f for n, f in zip(before.array.shape[::-1], factors))
        )
        self.assert_same_place(
            before.ijk_to_ras, before.array.shape, after.ijk_to_ras, after.array.shape
        )
        np.testing.assert_allclose(
            geometry.spacing(after.ijk_to_ras),
            geometry.spacing(before.ijk_to_ras) / factors,
            rtol=1e-6,
        )
        finite = np.isfinite(before.array)
        small = np.moveaxis(
            resampling.degrade(
                np.moveaxis(
                    np.nan_to_num(after.array.astype(float), posinf=0, neginf=0), axis.numpy_axis, 0
                ),
                2,
            ),
            0,
            axis.numpy_axis,
        )
        span = np.ptp(before.array[finite].astype(float))
        if finite.all():
            rounding = 0.5 if before.array.dtype.kind in "iu" else 0
            self.assertLess(np.sqrt(np.mean((small - before.array) ** 2)), 0.1 * span + rounding)

    def test_every_file_of_the_folder_is_in_the_table(self):
        self.assertEqual(sorted(OUTCOMES), sorted(path.name for path in EDGE.iterdir()))
        with open(DATA / "MANIFEST.tsv", newline="", encoding="utf-8") as manifest:
            listed = [
                row["path"].rpartition("/")[2]
                for row in csv.DictReader(manifest, delimiter="\t")
                if "/edge/" in row["path"]
            ]
        self.assertEqual(sorted(OUTCOMES), sorted(listed))

    def test_every_file_gives_a_correct_result_or_one_sentence(self):
        for name, (outcome, *said) in OUTCOMES.items():
            with self.subTest(name):
                code, out, err, output = self.upsample(name)
                if outcome == RESULT:
                    self.assertEqual(code, 0, err)
                    self.assertRegex(err, said[0])
                    self.assertIn(f": {output}, ", out)
                    for frame in range(FRAMES[name] + 1) if name in FRAMES else (None,):
                        self.assert_right(name, output, frame)
                else:
                    self.assertEqual((code, out), (2, ""))
                    self.assertRegex(err, f"^error: .*{outcome}[^\n]*\n$")
        results = [name for name in OUTCOMES if OUTCOMES[name][0] == RESULT]
        self.assert_files(
            *(f"{name}{extension}" for name in results for extension in (".nrrd", ".nrrd.json"))
        )

    def test_a_named_frame_of_a_4d_file_is_a_result(self):
        for name, frame in FRAMES.items():
            with self.subTest(name):
                code, _, err, output = self.upsample(name, "--frame", frame)
                self.assertEqual(code, 0, err)
                self.assert_right(name, output, frame)

    def test_results_can_be_written_in_every_format(self):
        for name in ("AIL.nii.gz", "low_res.nii.gz", "fmri_pitch.nii.gz", "pydicom_MR_small.dcm"):
            for extension in (".nii", ".nii.gz", ".mha"):
                with self.subTest(name, extension=extension):
                    output = self.folder / f"{extension[1:]}_{name}{extension}"
                    code, _, err = run("upsample", EDGE / name, output, "--model", "nearest")
                    self.assertEqual(code, 0, err)
                    self.assert_right(name, output)


@unittest.skipUnless(EDGE.is_dir(), NO_DATA)
class EdgeFilesReadingTest(FolderTest):
    def test_nifti_files_are_read_as_nibabel_reads_them(self):
        import nibabel

        for name, (outcome, *_) in OUTCOMES.items():
            if ".nii" in name and (outcome == RESULT or name in FRAMES):
                with self.subTest(name):
                    reference = nibabel.load(EDGE / name)
                    volume = read_volume(EDGE / name, FRAMES.get(name))
                    voxels = reference.get_fdata()
                    voxels = (
                        voxels.reshape(voxels.shape[:3])
                        if name not in FRAMES
                        else voxels[..., FRAMES[name]]
                    )
                    np.testing.assert_allclose(
                        volume.array.transpose(2, 1, 0),
                        voxels,
                        rtol=1e-6,
                        atol=1e-3 if voxels.dtype.kind == "f" else 0,
                    )
                    if name != "minimal.nii.gz":  # no position: nibabel centers the volume
                        np.testing.assert_allclose(volume.ijk_to_ras, reference.affine, atol=1e-4)

    def test_every_compression_of_one_dicom_image_holds_the_same_pixels_at_the_same_place(self):
        first = read_volume(EDGE / SAME_PIXELS)
        self.assertEqual(
            (first.array.dtype, first.array.min(), first.array.max()), (np.int16, 127, 2145)
        )
        np.testing.assert_allclose(
            first.ijk_to_ras,
            [[-0.3125, 0, 0, 83.9063], [0, -0.3125, 0, 91.2], [0, 0, 0.8, 6.6406], [0, 0, 0, 1]],
        )
        for name in OUTCOMES:
            if re.match("pydicom_MR_small_", name):
                other = read_volume(EDGE / name)
                np.testing.assert_array_equal(other.array, first.array)
                np.testing.assert_array_equal(other.ijk_to_ras, first.ijk_to_ras)

    def test_ct_numbers_are_rescaled(self):
        image = read_volume(EDGE / "pydicom_CT_small.dcm").array
        self.assertEqual((image.min(), image.max()), (-896, 1167))

    def test_missing_voxels_are_an_error_where_itk_fills_them(self):
        """One reason to read NIfTI by nibabel; if this fails, ITK was fixed."""
        whole = gzip.decompress((EDGE / "avg152T1_RL_nifti.nii.gz").read_bytes())
        (self.folder / "cut.nii").write_bytes(whole[: len(whole) // 2])
        self.assertEqual(sitk.ReadImage(str(self.folder / "cut.nii")).GetSize(), (91, 109, 91))
        self.assertEqual(
            run(
                "upsample", self.folder / "cut.nii", self.folder / "out.nrrd", "--model", "bicubic"
            )[0],
            2,
        )
        self.assert_files("cut.nii")

    def test_a_folder_with_several_series_asks_for_one(self):
        for name in ("pydicom_MR_small.dcm", "pydicom_CT_small.dcm", "pydicom_rtplan.dcm"):
            shutil.copy(EDGE / name, self.folder)
        code, _, err = run("upsample", self.folder, self.folder / "out.nrrd", "--model", "bicubic")
        self.assertEqual(code, 2)
        self.assertRegex(err, "holds 2 series: .* 1 images.*Choose one with --series")


if __name__ == "__main__":
    unittest.main()
