"""Comparison between slices: thick slices, their restorations, and the scores of reformats."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bodies import compare
from made_models import write_model
from scipy.ndimage import gaussian_filter

from MRISuperResLib.core import geometry
from MRISuperResLib.core.comparison import figure
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.methods.registry import (
    MethodRegistry,
    default_comparison_methods,
    default_methods_between_slices,
)
from MRISuperResLib.core.metrics.full_reference import psnr
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.options import ComparisonOptions, UpsamplingOptions
from MRISuperResLib.core.slice_profile import FWHM_PER_SIGMA, INTERPOLATIONS
from MRISuperResLib.core.through_plane.thick_slices import ThickSlices
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

NETWORK = {"network": "through-plane", "blocks": 1, "features": 4}


def solid(shape=(24, 20, 22), dtype=np.int16, seed=0):
    """A body with structure in all directions, (k, j, i)."""
    grid = np.indices(shape)
    middle = (np.array(shape)[:, None, None, None] - 1) / 2
    inside = np.sqrt((((grid - middle) / (middle + 0.5)) ** 2).sum(0)) < 0.9
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), 1)
    return (inside * (300 + 3000 * (noise - noise.min()))).astype(dtype)


def options(spacing=4.0, methods=INTERPOLATIONS, **rest):
    return ComparisonOptions(tuple(methods), slice_spacing=spacing, **rest)


def scaled(array, comparison):
    """An array on the 0–255 scale of the reference."""
    low, high = np.percentile(comparison.reference.array, (0.1, 99.9))
    return (np.asarray(array, float) - low) / (high - low) * 255


class ThickSlicesTest(unittest.TestCase):
    def thick(self, shape, spacings=(1.0, 1.0, 1.0), **rest):
        volume = Volume(np.zeros(shape, np.int16), np.diag([*spacings, 1.0]))
        return ThickSlices.of(volume, options(**rest)), volume

    @given(
        size=st.integers(16, 90),
        factor=st.floats(1.6, 7.5),
        axis=st.sampled_from("ijk"),
        step=st.floats(0.5, 1.4),
    )
    @settings(deadline=None)
    def test_whole_slices_of_the_nearest_spacing_fill_the_field_of_view(
        self, size, factor, axis, step
    ):
        index, shape, spacings = "ijk".index(axis), [9, 9, 9], [1.0, 1.0, 1.0]
        shape[2 - index], spacings[index] = size, step
        if size / factor < 5:
            return
        thick, volume = self.thick(shape, spacings, spacing=factor * step, slice_axis=axis)
        self.assertAlmostEqual(thick.count * thick.spacing, size * step)
        self.assertLessEqual(abs(thick.count - size / factor), 0.5 + 1e-9)
        self.assertEqual(thick.thickness, thick.spacing)
        low = thick.degrade(np.ones(shape))
        np.testing.assert_allclose(low, 1, rtol=1e-6)
        np.testing.assert_allclose(
            geometry.corners(thick.ijk_to_ras(volume), low.shape[::-1]),
            geometry.corners(volume.ijk_to_ras, volume.size),
            atol=1e-9,
        )

    def test_an_impulse_becomes_the_slice_profile(self):
        thick, _ = self.thick((64, 4, 4), spacing=4.0, slice_thickness=3.0)
        impulse = np.zeros((64, 4, 4))
        impulse[31] = 1
        seen = thick.degrade(impulse)[:, 0, 0]
        sigma = np.sqrt(3.0**2 - 1) / FWHM_PER_SIGMA
        distances = 1.5 + 4 * np.arange(16) - 31
        np.testing.assert_allclose(
            seen, np.exp(-0.5 * (distances / sigma) ** 2) / sigma / np.sqrt(2 * np.pi), atol=1e-3
        )
        self.assertEqual(thick.text(), "4 mm slice spacing, 3 mm slice thickness")

    def test_references_that_cannot_be_compared_are_refused_with_a_sentence(self):
        for shape, spacings, rest, words in (
            ((20, 30, 30), (1, 1, 3), {}, "no reference between slices"),
            ((20, 30, 30), (0.6, 0.6, 1), {}, "no reference between slices"),
            ((20, 30, 30), (1, 1, 3), {"slice_axis": "k"}, "no reference between slices"),
            ((40, 30, 30), (1, 1, 1), {"spacing": 0.9}, "more than 1 and at most 8 mm"),
            ((40, 30, 30), (1, 1, 1), {"spacing": 9.0}, "more than 1 and at most 8 mm"),
            ((20, 30, 30), (1, 1, 1), {"spacing": 6.0}, "Only 3 slices"),
        ):
            with (
                self.subTest(spacings, **rest),
                self.assertRaisesRegex(SuperResolutionError, words),
            ):
                self.thick(shape, spacings, **rest)

    def test_another_direction_of_a_thick_volume_has_a_reference(self):
        thick, _ = self.thick((20, 30, 30), (1, 1, 3), slice_axis="i")
        self.assertEqual((thick.axis.name, thick.count), ("i", 8))


class CompareBetweenSlicesTest(unittest.TestCase):
    def setUp(self):
        self.array = solid()
        self.matrix = np.diag([1.0, 1.0, 1.0, 1.0])

    def compare(self, *, methods=INTERPOLATIONS, spacing=4.0, registry=None, **rest):
        run = {k: rest.pop(k) for k in ("on_progress", "is_cancelled") if k in rest}
        chosen = options(spacing, methods, **rest)
        return compare(self.array, self.matrix, chosen, registry, **run)

    def test_every_output_is_what_upsampling_the_thick_volume_gives(self):
        for axis in "ijk":
            found = self.compare(slice_axis=axis, spacing=3.0, slice_thickness=2.5)
            for output in found.outputs:
                alone = upsample_volume(
                    found.low,
                    UpsamplingOptions(
                        spacing=(1.0, 1.0, 1.0),
                        slice_axis=axis,
                        between_slices=output.name,
                        slice_thickness=2.5,
                    ),
                )
                with self.subTest(output.name, axis=axis):
                    self.assertEqual(output.volume.array.dtype, np.int16)
                    np.testing.assert_array_equal(output.volume.array, np.rint(alone.array))
                    np.testing.assert_allclose(alone.ijk_to_ras, output.volume.ijk_to_ras)

    def test_the_reference_is_the_whole_volume_on_its_own_grid(self):
        found = self.compare(slice_axis="k")
        np.testing.assert_array_equal(found.reference.array, self.array)
        np.testing.assert_array_equal(found.ijk_to_ras, self.matrix)
        self.assertEqual(found.low.array.shape, (6, 20, 22))
        self.assertEqual(found.low.array.dtype, np.float32)

    def test_psnr_is_that_of_all_voxels(self):
        found = self.compare()
        for output in found.outputs:
            error = psnr(scaled(output.volume.array, found), scaled(found.reference.array, found))
            self.assertAlmostEqual(found.table.volume_psnr(output.name), error, delta=0.02)
        self.assertGreater(found.table.volume_psnr("bspline"), found.table.volume_psnr("linear"))

    def test_scores_are_those_of_reformats_that_contain_the_slice_direction(self):
        for axis, plane in (("k", "coronal"), ("j", "sagittal"), ("i", "coronal")):
            found = self.compare(slice_axis=axis, methods=("linear", "fourier"))
            with self.subTest(axis):
                self.assertEqual(found.axis.plane, plane)
                numbers = found.table.scored
                self.assertTrue(numbers)
                images = (
                    np.moveaxis(scaled(array, found), found.axis.numpy_axis, 0)
                    for array in (found.outputs[0].volume.array, found.reference.array)
                )
                for number, image, reference in zip(range(20), *images):
                    value = found.table.values("linear", "psnr")[number]
                    if number in numbers:
                        self.assertAlmostEqual(value, psnr(image, reference), delta=0.05)

    def test_inconsistency_is_the_error_of_the_degraded_output(self):
        found = self.compare(slice_axis="j", methods=("linear", "bspline"))
        for output in found.outputs:
            maps = found.inconsistency_map(output.volume.array)
            self.assertEqual(maps.shape, found.low.array.shape)
            low, high = np.percentile(self.array, (0.1, 99.9))
            rows = np.moveaxis(maps, found.axis.numpy_axis, 0)
            for number in found.table.scored:
                self.assertAlmostEqual(
                    found.table.values(output.name, "inconsistency")[number],
                    255 / (high - low) * np.sqrt((rows[number] ** 2).mean()),
                    delta=0.1,
                )

    def test_noise_is_rician_and_repeats_with_the_seed(self):
        quiet, noisy, same, other = (
            self.compare(methods=("linear", "bspline"), **rest).low.array
            for rest in ({}, {"noise": 5.0}, {"noise": 5.0}, {"noise": 5.0, "seed": 1})
        )
        np.testing.assert_array_equal(noisy, same)
        self.assertTrue((noisy != other).any())
        low, high = np.percentile(self.array, (0.1, 99.9))
        bright = quiet > (low + high) / 2
        spread = (noisy - quiet)[bright].std() / (high - low)
        self.assertAlmostEqual(spread, 0.05, delta=0.008)

    def test_voxels_without_image_count_as_its_lowest_value(self):
        array = solid(dtype=np.float32)
        array[:, :3] = np.nan
        found = compare(array, self.matrix, options(methods=("linear", "bspline")))
        self.assertTrue(np.isfinite(found.low.array).all())
        self.assertTrue(np.isfinite(found.table.volume_psnr("linear")))
        self.assertIn("non-finite", {message.code for message in found.messages})

    def test_messages_and_records_say_how_thick_the_slices_are(self):
        found = self.compare(spacing=4.1, slice_thickness=3.0, methods=("linear", "bspline"))
        texts = [message.text for message in found.messages if message.code == "through-plane"]
        self.assertEqual(texts, ["Degraded to 6 slices: 4 mm slice spacing, 3 mm slice thickness."])
        record = found.outputs[0].volume.provenance
        self.assertEqual(record["model"]["name"], "linear")
        self.assertEqual((record["slice_spacing"], record["slice_thickness"]), (4.0, 3.0))
        self.assertEqual(record["options"]["slice_spacing"], 4.1)
        self.assertEqual(record["input"]["size"], [22, 20, 24])
        self.assertEqual((record["scale"], record["factors"]), (1, [1, 1, 4]))
        self.assertEqual(record["slices"]["axis"], "k")

    def test_progress_counts_reformats_of_all_methods_and_can_be_cancelled(self):
        seen = []
        self.compare(on_progress=seen.append)
        self.assertEqual((seen[0].done, seen[-1].done), (0, seen[-1].total))
        self.assertEqual(seen[-1].total, 3 * (20 + 22) + 20)
        self.assertEqual([p.done for p in seen], sorted(p.done for p in seen))
        for last in (seen[2], seen[-2]):
            done = []
            with self.subTest(last.done), self.assertRaises(Cancelled):
                self.compare(
                    on_progress=done.append,
                    is_cancelled=lambda done=done, last=last: (
                        bool(done) and done[-1].done >= last.done
                    ),
                )

    def test_the_figure_shows_a_reformat(self):
        found = self.compare(slice_axis="k")
        area = figure.most_different_area(found)
        self.assertLess(area.number, 20)
        self.assertLessEqual(area.row + area.height, 24)
        self.assertLessEqual(area.column + area.width, 22)
        around = figure.area_around(found, (11, 9, 12))
        self.assertEqual(around.number, 9)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "comparison.png")
            figure.draw(found, path, "title")
            self.assertEqual(path.read_bytes()[:4], b"\x89PNG")


class ModelsBetweenSlicesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        write_model(self.folder.name, "tiny-x2-psnr")
        write_model(self.folder.name, "tiny-between", scale=8, architecture=NETWORK)
        self.store = ModelStore([self.folder.name])

    def test_through_plane_models_are_compared_with_the_interpolations_by_default(self):
        names = default_methods_between_slices(self.store)
        self.assertEqual(names, (*INTERPOLATIONS, "tiny-between"))
        self.assertNotIn("tiny-between", default_comparison_methods(8, self.store))
        found = compare(solid(), np.eye(4), options(methods=names), MethodRegistry(self.store))
        output = found.outputs[-1]
        self.assertEqual((output.name, output.stage), ("tiny-between", "psnr"))
        # a fresh network equals the interpolation that it corrects
        np.testing.assert_allclose(output.volume.array, found.outputs[1].volume.array, atol=1)

    def test_in_plane_methods_do_not_exist_between_slices(self):
        for name in ("bicubic", "tiny-x2-psnr"):
            with (
                self.subTest(name),
                self.assertRaisesRegex(SuperResolutionError, f"no through-plane model “{name}”"),
            ):
                compare(
                    solid(),
                    np.eye(4),
                    options(methods=("linear", name)),
                    MethodRegistry(self.store),
                )


class OptionsBetweenSlicesTest(unittest.TestCase):
    def test_options_survive_json(self):
        chosen = options(4, slice_thickness=3, noise=2.0)
        self.assertEqual(ComparisonOptions.from_dict(chosen.to_dict()), chosen)
        self.assertEqual(chosen.scale, 1)

    def test_what_does_not_fit_together_is_refused_with_a_sentence(self):
        for rest, words in (
            ({"scale": 4}, "not both"),
            ({"reference": False}, "needs a reference"),
            ({"degradation": "kspace"}, "Gaussian slice profile"),
            ({"slice_thickness": 12.5}, "more than 3 times"),
            ({"methods": ("linear", "bspline+bp")}, "“bspline\\+bp” does not exist"),
            ({"methods": ("linear", "pair@0.5")}, "“pair@0.5” does not exist"),
            ({"spacing": None, "slice_thickness": 3}, "needs a slice spacing"),
            ({"spacing": None, "scale": 1}, "2, 4, 8"),
            ({"spacing": 0}, "slice_spacing"),
        ):
            with (
                self.subTest(rest),
                self.assertRaisesRegex(SuperResolutionError, words) as refused,
            ):
                options(**rest)
            self.assertEqual(refused.exception.kind, "settings")


if __name__ == "__main__":
    unittest.main()
