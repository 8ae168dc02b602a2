"""The comparison: what is compared with what, and by which rules."""

import tempfile
import unittest

import numpy as np
from made_bodies import body
from made_models import write_model

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.comparison.compare import compare
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import default_comparison_methods
from MRISuperResLib.core.comparison.scores import Metric
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import InterpolationMethod, MethodRegistry
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample

MATRIX = np.array([[0.9, -0.4, 0, 10], [0.4, 0.9, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class ReferenceModeTest(unittest.TestCase):
    def test_the_truth_is_degraded_and_rebuilt(self):
        volume = body()
        result = compare(volume, MATRIX, ComparisonOptions(INTERPOLATIONS, 2))
        intensity = Intensity.of(volume)
        low = resampling.degrade(intensity.normalize(volume), 2)
        for output in result.outputs:
            with self.subTest(output.name):
                np.testing.assert_array_equal(
                    output.volume, intensity.restore(resampling.upsample(low, 2, output.name))
                )
        np.testing.assert_allclose(
            result.low, intensity.low + low * (intensity.high - intensity.low), rtol=1e-4, atol=0.01
        )
        np.testing.assert_array_equal(result.reference, volume)

    def test_everything_lies_where_the_truth_lies(self):
        for axis in "ijk":
            with self.subTest(axis):
                result = compare(
                    body((40, 44, 48)),
                    MATRIX,
                    ComparisonOptions(("nearest", "bicubic"), 4, slice_axis=axis),
                )
                corners = geometry.corners(result.ijk_to_ras, result.outputs[0].volume.shape[::-1])
                np.testing.assert_array_equal(result.ijk_to_ras, MATRIX)
                np.testing.assert_allclose(
                    geometry.corners(result.low_ijk_to_ras, result.low.shape[::-1]),
                    corners,
                    atol=1e-9,
                )

    def test_a_truth_whose_sides_are_no_multiples_is_cropped_at_its_ends_and_that_is_said(self):
        volume = body((4, 46, 51))
        result = compare(volume, MATRIX, ComparisonOptions(("nearest", "bicubic"), 4))
        np.testing.assert_array_equal(result.reference, volume[:, :44, :48])
        self.assertEqual(result.outputs[0].volume.shape, (4, 44, 48))
        self.assertTrue(
            any("Cropped from 51×46 to 48×44" in message for message in result.messages)
        )

    def test_scores_are_those_of_the_degraded_and_rebuilt_slices(self):
        volume = body()
        table = compare(volume, MATRIX, ComparisonOptions(INTERPOLATIONS, 2)).table
        truth = Intensity.of(volume).normalize(volume) * 255
        for name in INTERPOLATIONS:
            rebuilt = resampling.upsample(resampling.degrade(truth, 2), 2, name)
            mse = ((rebuilt - truth) ** 2).mean(axis=(1, 2))
            np.testing.assert_allclose(table.values(name, "rmse"), np.sqrt(mse), rtol=1e-9)
            np.testing.assert_allclose(
                table.values(name, "psnr"), 10 * np.log10(255**2 / mse), rtol=1e-9
            )
            self.assertAlmostEqual(table.volume_psnr(name), 10 * np.log10(255**2 / mse.mean()))

    def test_the_foreground_leaves_the_air_out(self):
        table = compare(body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2)).table
        for name in ("nearest", "bicubic"):
            self.assertLess(table.mean(name, "psnr_foreground"), table.mean(name, "psnr"))
            self.assertGreater(table.mean(name, "rmse_foreground"), table.mean(name, "rmse"))

    def test_a_slice_of_air_has_no_foreground_and_without_an_error_no_psnr(self):
        volume = body()
        volume[0] = volume.min()
        volume[1] = 777  # is not restored to the last bit
        table = compare(volume, MATRIX, ComparisonOptions(("nearest", "bicubic"), 2)).table
        for key in ("psnr", "psnr_foreground", "rmse_foreground", "ssim_wang_foreground"):
            self.assertIsNone(table.values("bicubic", key)[0])
        for key in ("psnr", "psnr_foreground"):
            self.assertIsNone(table.values("bicubic", key)[1])
            self.assertEqual(len(table.defined("bicubic", key)), len(volume) - 2)
        self.assertAlmostEqual(table.values("bicubic", "rmse")[0], 0, places=9)

    def test_noise_lowers_every_score_and_the_same_seed_gives_the_same_numbers(self):
        def job(**changes):
            return ComparisonOptions(("nearest", "bicubic"), 2, **changes)

        clean, noisy, again, other = (
            compare(body(), MATRIX, job(**changes)).table
            for changes in (
                {},
                {"noise": 5.0, "seed": 3},
                {"noise": 5.0, "seed": 3},
                {"noise": 5.0, "seed": 4},
            )
        )
        self.assertLess(noisy.mean("bicubic", "psnr"), clean.mean("bicubic", "psnr") - 1)
        self.assertEqual(noisy.slice_csv(), again.slice_csv())
        self.assertNotEqual(noisy.csv(), other.csv())

    def test_every_slice_has_noise_of_its_own(self):
        volume = np.repeat(body((1, 44, 52)), 2, axis=0)
        low = compare(volume, MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, noise=5.0)).low
        self.assertFalse(np.array_equal(low[0], low[1]))

    def test_k_space_truncation_degrades_in_place(self):
        table = compare(
            body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, degradation="kspace")
        ).table
        self.assertGreater(table.mean("bicubic", "psnr"), table.mean("nearest", "psnr"))


class NoReferenceModeTest(unittest.TestCase):
    def test_every_method_gives_what_upsample_gives(self):
        volume = body()
        result = compare(
            volume,
            MATRIX,
            ComparisonOptions(("nearest", "bicubic", "bicubic+bp"), 2, reference=False),
        )
        for output in result.outputs:
            with self.subTest(output.name):
                alone = upsample(volume, MATRIX, UpsamplingOptions(output.name, 2))
                np.testing.assert_array_equal(output.volume, alone.volume)
                np.testing.assert_array_equal(result.ijk_to_ras, alone.ijk_to_ras)

    def test_there_is_no_truth_to_score_against(self):
        result = compare(
            body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, reference=False)
        )
        self.assertIsNone(result.reference)
        self.assertEqual([metric.key for metric in result.table.metrics], ["consistency"])
        np.testing.assert_array_equal(result.low_ijk_to_ras, MATRIX)

    def test_inconsistency_is_what_the_output_says_against_the_input(self):
        volume = body()
        table = compare(
            volume, MATRIX, ComparisonOptions(("bilinear", "bicubic"), 2, reference=False)
        ).table
        given = Intensity.of(volume).normalize(volume) * 255
        against = resampling.degrade(resampling.upsample(given, 2, "bilinear"), 2) - given
        np.testing.assert_allclose(
            table.values("bilinear", "consistency"),
            np.sqrt((against**2).mean(axis=(1, 2))),
            rtol=1e-9,
        )


class MethodsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        write_model(folder.name, "tiny-psnr", pair="tiny", seed=1, spacing_range=[1.8, 2.2])
        write_model(folder.name, "tiny-gan", stage="gan", pair="tiny", seed=2)
        write_model(folder.name, "tiny-x4", scale=4)
        cls.cache = MethodRegistry(ModelStore([folder.name]))

    def test_networks_blends_and_back_projections_stand_beside_the_baselines(self):
        names = ("bicubic", "bicubic+bp", "tiny-psnr", "tiny-gan", "tiny@0.5", "tiny@0.5+bp")
        result = compare(body(), MATRIX, ComparisonOptions(names, 2, device="cpu"), self.cache)
        self.assertEqual([output.name for output in result.outputs], list(names))
        self.assertEqual(
            [output.stage for output in result.outputs],
            ["interpolation", "interpolation", "psnr", "gan", "blend", "blend"],
        )
        self.assertEqual(
            [output.provenance["model"]["name"] for output in result.outputs], list(names)
        )
        self.assertEqual(result.table.methods, names)

    def test_a_method_and_its_back_projection_share_one_run_of_the_network(self):
        runs = []
        network = self.cache.get(UpsamplingOptions("tiny-psnr", device="cpu"))

        class Counting:
            name, scale, device, stage, cards, messages = (
                "counted",
                2,
                network.device,
                "psnr",
                (),
                ("It was slow.",),
            )
            precision = "float32"

            def upload(self, images):
                return network.upload(images)

            def batch_size(self, h, w):
                return 2

            def __call__(self, images):
                runs.append(len(images))
                return network(images)

        result = compare(
            body(),
            MATRIX,
            ComparisonOptions(("counted", "counted+bp"), 2),
            MethodRegistry(given=[Counting()]),
        )
        self.assertEqual(runs, [2, 2, 2])  # five slices, and the one with the planted dots
        self.assertEqual(result.messages.count("It was slow."), 1)

    def test_a_batch_is_uploaded_once_for_all_networks_of_a_device(self):
        uploads = []

        class Watched(InterpolationMethod):
            def __init__(self, name):
                super().__init__("bicubic", 2)
                self.name, self.inner = name, InterpolationMethod("bicubic", 2)

            def upload(self, images):
                uploads.append(self.name)
                return images

            def __call__(self, images):
                return self.inner(images)

        compare(
            body(),
            MATRIX,
            ComparisonOptions(("one", "two", "three"), 2),
            MethodRegistry(given=[Watched("one"), Watched("two"), Watched("three")]),
        )
        self.assertEqual(uploads, ["one"])

    def test_a_model_is_judged_by_the_pixels_that_it_is_given(self):
        for reference, warned in (
            (True, False),
            (False, True),
        ):  # 1 mm, and 2 mm once they are degraded
            messages = compare(
                body(),
                np.eye(4),
                ComparisonOptions(("bicubic", "tiny-psnr"), 2, reference, device="cpu"),
                self.cache,
            ).messages
            self.assertEqual(
                any("trained on pixels of 1.8–2.2 mm" in message for message in messages), warned
            )

    def test_the_default_methods_are_the_interpolations_the_floor_and_the_models_of_the_scale(self):
        self.assertEqual(
            default_comparison_methods(2, self.cache.store),
            (*INTERPOLATIONS, "bicubic+bp", "tiny-psnr", "tiny-gan"),
        )
        self.assertEqual(default_comparison_methods(8, self.cache.store), (*INTERPOLATIONS, "bicubic+bp"))

    def test_a_model_of_another_scale_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "enlarges ×4, not ×2"):
            compare(body(), MATRIX, ComparisonOptions(("bicubic", "tiny-x4"), 2), self.cache)


class RunTest(unittest.TestCase):
    JOB = ComparisonOptions(("nearest", "bicubic"), 2)

    def test_the_type_of_the_input_is_kept(self):
        for dtype in (np.uint8, np.int16, np.uint16, np.float32, np.float64):
            with self.subTest(dtype.__name__):
                result = compare((body() / 8).astype(dtype), MATRIX, self.JOB)
                self.assertEqual(
                    {output.volume.dtype for output in result.outputs} | {result.reference.dtype},
                    {np.dtype(dtype)},
                )

    def test_a_caller_may_bring_metrics_of_its_own_for_five_slices(self):
        metric = Metric("worst", "Worst pixel", "", "lower", "image", 3)
        volume = body((12, 44, 52))
        result = compare(
            volume,
            MATRIX,
            self.JOB,
            further=[(metric, lambda image, truth: float(np.abs(image - truth).max()))],
        )
        intensity = Intensity.of(volume)
        expected = np.abs(
            intensity.normalize(result.outputs[1].volume) - intensity.normalize(result.reference)
        ).max(axis=(1, 2))
        found = result.table.values("bicubic", "worst")
        chosen = [n for n, value in enumerate(found) if value is not None]
        self.assertEqual(chosen, [2, 4, 6, 7, 9])
        np.testing.assert_allclose([found[n] for n in chosen], expected[chosen], atol=0.01)

    def test_progress_counts_every_slice_once_and_the_one_with_the_dots(self):
        calls = []
        compare(body(), MATRIX, self.JOB, progress=lambda *call: calls.append(call))
        self.assertEqual((calls[0], calls[-1]), ((0, 6), (6, 6)))

    def test_it_can_be_cancelled_between_two_batches(self):
        with self.assertRaises(Cancelled):
            compare(body(), MATRIX, self.JOB, cancelled=lambda: True)

    def test_outputs_go_where_the_caller_wants_them(self):
        arrays = {}

        def allocate(name, shape, dtype):
            arrays[name] = np.full(shape, -1, dtype)
            return arrays[name]

        for axis in "ijk":
            with self.subTest(axis):
                volume = body((40, 44, 48))
                result = compare(
                    volume,
                    MATRIX,
                    ComparisonOptions(("nearest", "bicubic"), 2, slice_axis=axis),
                    allocate=allocate,
                )
                self.assertIs(result.outputs[1].volume, arrays["bicubic"])
                self.assertEqual(arrays["bicubic"].shape, volume.shape)
                self.assertGreater(arrays["bicubic"].min(), -1 - volume.max())
                self.assertEqual(list(arrays), ["nearest", "bicubic"])

    def test_voxels_that_are_no_numbers_count_as_dark_and_that_is_said(self):
        volume = body(dtype=np.float32)
        volume[1, 20, 20] = np.nan
        result = compare(volume, MATRIX, self.JOB)
        self.assertTrue(np.isfinite(result.outputs[1].volume).all())
        self.assertTrue(any("NaN" in message for message in result.messages))

    def test_slices_that_are_too_small_are_refused_with_a_way_out(self):
        with self.assertRaisesRegex(SuperResolutionError, "too little for a comparison ×8: choose"):
            compare(body((4, 30, 24)), MATRIX, ComparisonOptions(("nearest", "bicubic"), 8))

    def test_very_small_slices_have_no_structural_similarity(self):
        table = compare(
            np.random.default_rng(0).random((2, 8, 8)),
            np.eye(4),
            ComparisonOptions(("nearest", "bicubic"), 2),
        ).table
        self.assertIsNone(table.mean("bicubic", "ssim_wang"))
        self.assertIsNotNone(table.mean("bicubic", "psnr"))


if __name__ == "__main__":
    unittest.main()
