"""The public Python API: import MRISuperResLib as sr."""

import csv
import inspect
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk

import MRISuperResLib as sr
from MRISuperResLib import api

from made_bodies import body

MATRIX = np.array([[-0.9, 0, 0.3, 10], [0, 1.1, 0, -20], [0.1, 0, 2.7, 30], [0, 0, 0, 1]])
"""Left-handed and oblique, with perpendicular voxel axes."""
HEAVY = ("torch", "nibabel", "pydicom", "scipy", "safetensors", "matplotlib", "SimpleITK")


class ImportTest(unittest.TestCase):
    def loaded_after(self, code):
        code = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout.split()

    def test_import_loads_no_heavy_library(self):
        self.assertEqual(self.loaded_after("import MRISuperResLib"), [])

    def test_functions_load_no_heavy_library_before_they_are_called(self):
        for names in ("upsample, Volume, UpsamplingOptions, Message", "compare, audit, load_model"):
            self.assertEqual(self.loaded_after(f"from MRISuperResLib import {names}"), [])

    def test_every_exported_name_exists_and_is_listed(self):
        for name in sr.__all__:
            with self.subTest(name):
                self.assertIsNotNone(getattr(sr, name))
                self.assertIn(name, dir(sr))

    def test_unknown_name_raises_an_attribute_error(self):
        with self.assertRaisesRegex(AttributeError, "upscale"):
            sr.upscale  # noqa: B018

    def test_package_is_marked_as_typed(self):
        self.assertTrue(Path(sr.__file__).with_name("py.typed").is_file())

    def test_package_runs_as_a_command(self):
        done = subprocess.run(
            [sys.executable, "-m", "MRISuperResLib", "--version"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0)
        self.assertIn(sr.__version__, done.stdout)


class FolderTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class UpsampleTest(FolderTestCase):
    def test_type_checkers_know_every_argument(self):
        arguments = set(inspect.signature(sr.upsample).parameters) - {"source", "frames"}
        self.assertEqual(set(api._Options.__annotations__), arguments)

    def setUp(self):
        super().setUp()
        self.array = np.random.default_rng(0).integers(0, 1000, (3, 8, 10), np.int16)

    def test_every_kind_of_source_gives_the_same_result(self):
        volume = sr.Volume(self.array, MATRIX)
        path = self.folder / "in.nrrd"
        volume.save(path)
        expected = sr.upsample(volume, model="bicubic", scale=4)
        for source in (str(path), path, volume.to_sitk(), (self.array, MATRIX)):
            with self.subTest(type(source).__name__):
                result = sr.upsample(source, model="bicubic", scale=4)
                np.testing.assert_array_equal(result.array, expected.array)
                np.testing.assert_allclose(result.ijk_to_ras, expected.ijk_to_ras, atol=1e-5)

    def test_default_model_upsamples_by_two_without_a_warning(self):
        result = sr.upsample((self.array, np.diag([1, 1, 3, 1])), device="cpu")
        self.assertEqual(result.array.shape, (3, 16, 20))
        self.assertEqual(result.array.dtype, self.array.dtype)
        self.assertEqual(result.provenance["model"]["name"], "fast-x2-psnr")
        self.assertEqual(result.provenance["precision"], "float32")
        self.assertEqual([m.level for m in result.messages], ["info"])

    def test_warning_about_a_file_is_issued_before_the_work(self):
        image = sitk.GetImageFromArray(self.array[0])
        for tag, value in (("0008|0060", "CT"), ("0020|0037", r"1\0\0\0\1\0")):
            image.SetMetaData(tag, value)
        sitk.WriteImage(image, str(self.folder / "a.dcm"))
        with (
            self.assertWarnsRegex(UserWarning, "is CT, not MR. No model was trained on CT"),
            self.assertRaises(sr.Cancelled),
        ):
            sr.upsample(self.folder / "a.dcm", model="nearest", is_cancelled=lambda: True)

    def test_result_is_saved_with_its_provenance(self):
        path = self.folder / "out.nii.gz"
        result = sr.upsample((self.array, MATRIX), model="nearest", scale=2)
        result.save(path)
        again = sr.Volume.read(path)
        np.testing.assert_array_equal(again.array, result.array)
        np.testing.assert_allclose(again.ijk_to_ras, result.ijk_to_ras, atol=1e-5)
        self.assertIn("nearest", (self.folder / "out.nii.gz.json").read_text(encoding="utf-8"))

    def test_progress_is_reported_and_cancelling_stops(self):
        reports = []
        sr.upsample((self.array, MATRIX), model="nearest", batch_size=1, on_progress=reports.append)
        self.assertEqual([(p.done, p.total) for p in reports], [(n, 3) for n in range(4)])
        self.assertIsInstance(reports[0], sr.Progress)
        with self.assertRaises(sr.Cancelled):
            sr.upsample((self.array, MATRIX), model="nearest", is_cancelled=lambda: True)

    def test_unusable_sources_are_refused(self):
        for source, options, reason in (
            (self.array, {}, "must be a path"),
            (None, {}, "must be a path"),
            ((self.array,), {}, "must be a path"),
            ((self.array, MATRIX), {"frame": 1}, "“frame”"),
            (sr.Volume(self.array, MATRIX), {"series": "1.2"}, "“series”"),
            ((self.array, np.eye(3)), {}, "position in space"),
            (self.folder / "missing.nii", {}, "missing.nii"),
        ):
            with (
                self.subTest(reason),
                self.assertRaisesRegex(sr.SuperResolutionError, reason),
            ):
                sr.upsample(source, model="nearest", **options)


class VolumeTest(FolderTestCase):
    def test_spacing_and_size_follow_the_voxel_axes(self):
        volume = sr.Volume(np.zeros((2, 3, 4)), np.diag([0.5, 1, 3, 1]))
        self.assertEqual((volume.size, volume.spacing), ((4, 3, 2), (0.5, 1.0, 3.0)))

    def test_arrays_that_are_not_scalar_volumes_are_refused(self):
        for array, reason in (
            (np.zeros((2, 2, 2, 3)), "three dimensions"),
            (np.zeros((2, 2, 0)), "no voxels"),
            (np.zeros((2, 2, 2), complex), "complex128"),
            (np.zeros((2, 2, 2), bool), "bool"),
            (np.full((2, 2, 2), np.nan), "NaN"),
            (np.full((2, 2, 2), 1e17), r"2\^53"),
            (np.full((2, 2, 2), 2**60), r"2\^53"),
        ):
            with self.subTest(reason), self.assertRaisesRegex(sr.SuperResolutionError, reason):
                sr.Volume(array, np.eye(4))

    def test_sitk_image_lies_at_the_same_place(self):
        array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        volume = sr.Volume(array, MATRIX)
        image = volume.to_sitk()
        for index in ((0, 0, 0), (3, 2, 1)):
            point = image.TransformIndexToPhysicalPoint(index)
            ras = volume.ijk_to_ras @ (*index, 1)
            np.testing.assert_allclose(np.multiply(point, (-1, -1, 1)), ras[:3], atol=1e-9)
            self.assertEqual(image[index], array[index[::-1]])
        again = sr.Volume.from_sitk(image)
        np.testing.assert_array_equal(again.array, array)
        np.testing.assert_allclose(again.ijk_to_ras, MATRIX, atol=1e-9)

    def test_sitk_image_of_big_endian_voxels_has_the_same_values(self):
        array = np.arange(24, dtype=">i2").reshape(2, 3, 4)
        image = sr.Volume(array, np.eye(4)).to_sitk()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)

    def test_2d_sitk_image_becomes_one_slice_and_a_color_image_is_refused(self):
        image = sitk.GetImageFromArray(np.ones((3, 4), np.int16))
        image.SetSpacing((0.5, 0.7))
        volume = sr.Volume.from_sitk(image)
        self.assertEqual((volume.size, volume.spacing), ((4, 3, 1), (0.5, 0.7, 1.0)))
        color = sitk.GetImageFromArray(np.ones((2, 3, 4, 3), np.uint8), isVector=True)
        with self.assertRaisesRegex(sr.SuperResolutionError, "scalar volume"):
            sr.Volume.from_sitk(color)

    def test_sheared_voxel_grid_is_refused_by_sitk_with_a_sentence(self):
        sheared = np.eye(4)
        sheared[0, 1] = 0.5
        with self.assertRaisesRegex(sr.SuperResolutionError, "perpendicular"):
            sr.Volume(np.ones((2, 2, 2)), sheared).to_sitk()


class ComparisonTest(FolderTestCase):
    def read_csv(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_comparison_is_written_as_csv(self):
        comparison = sr.compare((body(), np.eye(4)), ["nearest", "bicubic"], scale=2)
        comparison.to_csv(self.folder / "scores.csv")
        rows = self.read_csv(self.folder / "scores.csv")
        self.assertEqual([row["method"] for row in rows], ["nearest", "bicubic"])
        self.assertLess(float(rows[0]["psnr_mean"]), float(rows[1]["psnr_mean"]))

    def test_default_methods_are_the_interpolations_and_the_models_of_the_scale(self):
        array = body()[:1]
        comparison = sr.compare((array, np.eye(4)), scale=2, slice_axis="k", device="cpu")
        names = [output.name for output in comparison.outputs]
        self.assertEqual(
            names,
            ["nearest", "bilinear", "bicubic", "bicubic+bp", "fast-x2-psnr", "fast-x2-gan"],
        )

    def test_audit_is_written_as_csv_with_the_baselines(self):
        volume = sr.Volume(body(), np.eye(4))
        report = sr.audit([volume, volume], ["nearest"], scale=2, slices=1)
        report.to_csv(self.folder / "audit.csv")
        rows = self.read_csv(self.folder / "audit.csv")
        self.assertEqual(
            [(row["volume"], row["method"]) for row in rows],
            [
                (volume, method)
                for volume in ("volume 1", "volume 2")
                for method in ("bicubic", "bicubic+bp", "nearest")
            ],
        )
        self.assertTrue(report.messages)

    def test_audit_takes_a_single_source(self):
        report = sr.audit((body(), np.eye(4)), ["nearest"], scale=2, slices=1)
        self.assertEqual(list(report.findings[2]), ["volume 1"])


class ModelsTest(unittest.TestCase):
    def test_models_are_listed_by_scale(self):
        self.assertEqual([card.name for card in sr.list_models(2)], ["fast-x2-psnr", "fast-x2-gan"])
        self.assertEqual({card.scale for card in sr.list_models()}, {2, 4, 8})

    def test_loaded_model_upsamples_normalized_images(self):
        images = np.random.default_rng(0).random((2, 8, 10))
        model = sr.load_model("fast-x2-psnr", device="cpu")
        self.assertEqual(model(images).shape, (2, 16, 20))
        self.assertEqual(sr.load_model("bicubic", scale=8)(images).shape, (2, 64, 80))

    def test_unknown_model_is_refused(self):
        with self.assertRaises(sr.SuperResolutionError):
            sr.load_model("no-such-model")


if __name__ == "__main__":
    unittest.main()
