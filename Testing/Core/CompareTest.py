"""Comparison: inputs of the methods, rules of the scores, outputs."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from made_bodies import body, compare
from made_models import write_model

from MRISuperResLib.core import geometry, resampling
from MRISuperResLib.core.options import ComparisonOptions
from MRISuperResLib.core.methods.registry import default_comparison_methods
from MRISuperResLib.core.comparison.compare import compare_methods
from MRISuperResLib.core.comparison.scores import Metric
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.intensity import Intensity
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.interpolation import InterpolationMethod
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.messages import info, warning
from MRISuperResLib.core.models.store import ModelStore
from MRISuperResLib.core.upsampling import upsample_volume
from MRISuperResLib.core.volume import Volume

MATRIX = np.array([[0.9, -0.4, 0, 10], [0.4, 0.9, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
TRAINING = {"data": [{"anatomy": "brain", "spacing": [1.0, 1.0]}]}  # 2 mm, once degraded ÷2
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class Hallucinating(InterpolationMethod):
    """Bicubic interpolation with a faint checkerboard, also where the slice is empty."""

    def __init__(self):
        super().__init__("bicubic", 2)
        self.name, self.plain = "hallucinating", InterpolationMethod("bicubic", 2)

    def __call__(self, images):
        upsampled = self.plain(images)
        return upsampled + 1e-3 * (np.indices(upsampled.shape).sum(0) % 2)


class Squaring(InterpolationMethod):
    """A method that depends on the normalization of its input, as networks do."""

    def __init__(self):
        super().__init__("bicubic", 2)
        self.name, self.plain = "squaring", InterpolationMethod("bicubic", 2)

    def __call__(self, images):
        return self.plain(images) ** 2


class ReferenceModeTest(unittest.TestCase):
    def test_the_reference_is_degraded_and_restored(self):
        volume = body()
        result = compare(volume, MATRIX, ComparisonOptions(INTERPOLATIONS, 2))
        intensity = Intensity.of(volume)
        low = resampling.degrade(intensity.normalize(volume), 2)
        for output in result.outputs:
            with self.subTest(output.name):
                expected = intensity.restore(resampling.upsample(low, 2, output.name))
                np.testing.assert_allclose(output.volume.array, expected, atol=1)
        stored = intensity.low + low * (intensity.high - intensity.low)
        np.testing.assert_allclose(result.low.array, stored, rtol=1e-4, atol=0.01)
        np.testing.assert_array_equal(result.reference.array, volume)

    def test_methods_get_what_upsampling_the_degraded_volume_gives_them(self):
        volume = body(dtype=np.float32)
        volume[:, 20:24, 20:24] = 5000  # bright spots that degradation darkens
        for options in (
            ComparisonOptions(("bicubic", "squaring"), 2, slice_axis="k"),
            ComparisonOptions(("bicubic", "squaring"), 2, slice_axis="k", noise=5.0),
            ComparisonOptions(("bicubic", "squaring"), 2, slice_axis="k", reference=False),
        ):
            registry = MethodRegistry(given=[Squaring()])
            result = compare(volume, MATRIX, options, registry)
            for output in result.outputs:
                alone = upsample_volume(
                    result.low, UpsamplingOptions(output.name, 2, "k"), registry=registry
                )
                np.testing.assert_allclose(output.volume.array, alone.array, rtol=1e-6)
                np.testing.assert_allclose(output.volume.ijk_to_ras, alone.ijk_to_ras, atol=1e-12)
                self.assertEqual(
                    output.volume.provenance["intensity"], alone.provenance["intensity"]
                )

    def test_all_volumes_cover_the_same_physical_region_as_the_reference(self):
        for axis in "ijk":
            with self.subTest(axis):
                result = compare(
                    body((40, 44, 48)),
                    MATRIX,
                    ComparisonOptions(("nearest", "bicubic"), 4, slice_axis=axis),
                )
                corners = geometry.corners(result.ijk_to_ras, result.outputs[0].volume.size)
                np.testing.assert_array_equal(result.ijk_to_ras, MATRIX)
                np.testing.assert_allclose(
                    geometry.corners(result.low.ijk_to_ras, result.low.size),
                    corners,
                    atol=1e-9,
                )

    def test_a_reference_is_cropped_to_multiples_of_the_scale_with_a_message(self):
        volume = body((4, 46, 51))
        result = compare(volume, MATRIX, ComparisonOptions(("nearest", "bicubic"), 4))
        np.testing.assert_array_equal(result.reference.array, volume[:, :44, :48])
        self.assertEqual(result.outputs[0].volume.array.shape, (4, 44, 48))
        self.assertTrue(
            any(
                message.level == "info"
                and message.code == "crop"
                and "Cropped from 51×46 to 48×44" in message.text
                for message in result.messages
            )
        )

    def test_scores_are_those_of_the_degraded_and_restored_slices(self):
        volume = body()
        table = compare(volume, MATRIX, ComparisonOptions(INTERPOLATIONS, 2)).table
        reference = Intensity.of(volume).normalize(volume) * 255
        for name in INTERPOLATIONS:
            restored = resampling.upsample(resampling.degrade(reference, 2), 2, name)
            mse = ((restored - reference) ** 2).mean(axis=(1, 2))
            np.testing.assert_allclose(table.values(name, "rmse"), np.sqrt(mse), rtol=1e-5)
            np.testing.assert_allclose(
                table.values(name, "psnr"), 10 * np.log10(255**2 / mse), rtol=1e-5
            )
            self.assertAlmostEqual(
                table.volume_psnr(name), 10 * np.log10(255**2 / mse.mean()), places=4
            )

    def test_the_foreground_excludes_air(self):
        table = compare(body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2)).table
        for name in ("nearest", "bicubic"):
            self.assertLess(table.mean(name, "psnr_foreground"), table.mean(name, "psnr"))
            self.assertGreater(table.mean(name, "rmse_foreground"), table.mean(name, "rmse"))

    def test_scored_slices_depend_on_the_reference_alone(self):
        volume = body((8, 44, 52))
        volume[0] = volume[5] = 0  # air
        volume[1] = 777  # constant
        volume[2] = 0
        volume[2, 20:23, 20:24] = 1000  # a tenth of the foreground of the others is 140 pixels
        for options in (
            ComparisonOptions(("nearest", "bicubic"), 2),
            ComparisonOptions(("hallucinating", "bicubic"), 2, noise=5.0),
            ComparisonOptions(("nearest", "bicubic"), 2, reference=False),
        ):
            table = compare(volume, MATRIX, options, MethodRegistry(given=[Hallucinating()])).table
            self.assertEqual((table.scored, table.slice_count), ((3, 4, 6, 7), 8))

    def test_every_method_is_averaged_over_the_same_slices(self):
        volume = np.zeros((10, 44, 52), np.int16)
        volume[3:6] = body((3, 44, 52))  # skull-stripped: most slices are empty
        options = ComparisonOptions(("bicubic", "hallucinating"), 2)
        registry = MethodRegistry(given=[Hallucinating()])
        table = compare(volume, MATRIX, options, registry).table
        alone = compare(volume[3:6], MATRIX, options, registry).table
        for method in options.methods:
            empty = [table.values(method, "psnr")[n] for n in (0, 1, 2, 6, 7, 8, 9)]
            self.assertGreater(min(empty), table.mean(method, "psnr") + 20)
            for key in ("psnr", "ssim_wang", "rmse", "psnr_foreground", "inconsistency"):
                self.assertEqual(table.slices(key), [3, 4, 5])
                self.assertEqual(len(table.averaged(method, key)), 3)
            np.testing.assert_allclose(
                table.mean(method, "psnr"), alone.mean(method, "psnr"), atol=0.5
            )
        gap = table.mean("bicubic", "psnr") - table.mean("hallucinating", "psnr")
        errors = [table.values(name, "rmse")[3:6] for name in options.methods]
        expected = 20 * np.log10(np.divide(errors[1], errors[0])).mean()
        self.assertAlmostEqual(gap, expected, places=9)

    def test_noise_lowers_every_score_and_the_same_seed_gives_the_same_numbers(self):
        def options(**changes):
            return ComparisonOptions(("nearest", "bicubic"), 2, **changes)

        clean, noisy, again, other = (
            compare(body(), MATRIX, options(**changes)).table
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

    def test_every_slice_has_its_own_noise(self):
        volume = np.repeat(body((1, 44, 52)), 2, axis=0)
        low = compare(
            volume, MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, noise=5.0)
        ).low.array
        self.assertFalse(np.array_equal(low[0], low[1]))

    def test_k_space_truncation_keeps_the_position(self):
        table = compare(
            body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, degradation="kspace")
        ).table
        self.assertGreater(table.mean("bicubic", "psnr"), table.mean("nearest", "psnr"))


class NoReferenceModeTest(unittest.TestCase):
    def test_outputs_equal_those_of_upsampling(self):
        volume = body()
        result = compare(
            volume,
            MATRIX,
            ComparisonOptions(("nearest", "bicubic", "bicubic+bp"), 2, reference=False),
        )
        for output in result.outputs:
            with self.subTest(output.name):
                alone = upsample_volume(Volume(volume, MATRIX), UpsamplingOptions(output.name, 2))
                np.testing.assert_array_equal(output.volume.array, alone.array)
                np.testing.assert_array_equal(result.ijk_to_ras, alone.ijk_to_ras)

    def test_only_inconsistency_is_scored(self):
        result = compare(
            body(), MATRIX, ComparisonOptions(("nearest", "bicubic"), 2, reference=False)
        )
        self.assertIsNone(result.reference)
        self.assertEqual([metric.key for metric in result.table.metrics], ["inconsistency"])
        np.testing.assert_array_equal(result.low.ijk_to_ras, MATRIX)

    def test_inconsistency_is_the_rmse_of_the_degraded_output_against_the_input(self):
        volume = body()
        table = compare(
            volume, MATRIX, ComparisonOptions(("bilinear", "bicubic"), 2, reference=False)
        ).table
        given = Intensity.of(volume).normalize(volume) * 255
        against = resampling.degrade(resampling.upsample(given, 2, "bilinear"), 2) - given
        np.testing.assert_allclose(
            table.values("bilinear", "inconsistency"),
            np.sqrt((against**2).mean(axis=(1, 2))),
            rtol=1e-9,
        )


class MethodsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        write_model(folder.name, "tiny-psnr", pair="tiny", seed=1, training=TRAINING)
        write_model(folder.name, "tiny-gan", stage="gan", pair="tiny", seed=2)
        write_model(folder.name, "tiny-x4", scale=4)
        cls.registry = MethodRegistry(ModelStore([folder.name]))

    def test_networks_blends_and_back_projections_are_compared_with_interpolations(self):
        names = ("bicubic", "bicubic+bp", "tiny-psnr", "tiny-gan", "tiny@0.5", "tiny@0.5+bp")
        result = compare(body(), MATRIX, ComparisonOptions(names, 2, device="cpu"), self.registry)
        self.assertEqual([output.name for output in result.outputs], list(names))
        self.assertEqual(
            [output.stage for output in result.outputs],
            ["interpolation", "interpolation", "psnr", "gan", "blend", "blend"],
        )
        self.assertEqual(
            [output.volume.provenance["model"]["name"] for output in result.outputs], list(names)
        )
        self.assertEqual(result.table.methods, names)

    def test_a_method_and_its_back_projection_share_one_run_of_the_network(self):
        runs = []
        network = self.registry.get(UpsamplingOptions("tiny-psnr", device="cpu"))

        class Counting:
            name, scale, device, stage, cards, messages = (
                "counted",
                2,
                network.device,
                "psnr",
                (),
                [info("precision", "It was slow.")],
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
        self.assertEqual(runs, [2, 2, 2])  # five slices, and the one with the lesions
        self.assertEqual([m.text for m in result.messages].count("It was slow."), 1)

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

    def test_spacing_warnings_refer_to_the_low_resolution_volume(self):
        for reference, warned in (
            (True, False),
            (False, True),
        ):  # 1 mm, and 2 mm once they are degraded
            messages = compare(
                body(),
                np.eye(4),
                ComparisonOptions(("bicubic", "tiny-psnr"), 2, reference, device="cpu"),
                self.registry,
            ).messages
            self.assertEqual(
                [message.text.split()[0] for message in messages if message.code == "spacing"],
                ["tiny-psnr"] * warned,
            )

    def test_the_default_methods_are_the_interpolations_the_floor_and_the_models_of_the_scale(self):
        self.assertEqual(
            default_comparison_methods(2, self.registry.store),
            (*INTERPOLATIONS, "bicubic+bp", "tiny-psnr", "tiny-gan"),
        )
        self.assertEqual(
            default_comparison_methods(8, self.registry.store), (*INTERPOLATIONS, "bicubic+bp")
        )

    def test_a_model_of_another_scale_is_refused(self):
        with self.assertRaisesRegex(SuperResolutionError, "tiny-x4 .*×4, not ×2"):
            compare(body(), MATRIX, ComparisonOptions(("bicubic", "tiny-x4"), 2), self.registry)


class RunTest(unittest.TestCase):
    OPTIONS = ComparisonOptions(("nearest", "bicubic"), 2)

    def test_outputs_have_the_type_of_the_input(self):
        for dtype in (np.uint8, np.int16, np.uint16, np.float32, np.float64):
            with self.subTest(dtype.__name__):
                result = compare((body() / 8).astype(dtype), MATRIX, self.OPTIONS)
                self.assertEqual(
                    {output.volume.array.dtype for output in result.outputs}
                    | {result.reference.array.dtype},
                    {np.dtype(dtype)},
                )

    def test_additional_metrics_are_computed_on_five_slices(self):
        metric = Metric("worst", "Worst pixel", "", "lower", "image", 3)
        volume = body((12, 44, 52))
        result = compare(
            volume,
            MATRIX,
            self.OPTIONS,
            further=[(metric, lambda image, reference: float(np.abs(image - reference).max()))],
        )
        intensity = Intensity.of(volume)
        expected = np.abs(
            intensity.normalize(result.outputs[1].volume.array)
            - intensity.normalize(result.reference.array)
        ).max(axis=(1, 2))
        found = result.table.values("bicubic", "worst")
        chosen = [n for n, value in enumerate(found) if value is not None]
        self.assertEqual(chosen, [2, 4, 6, 7, 9])
        np.testing.assert_allclose([found[n] for n in chosen], expected[chosen], atol=0.01)

    def test_progress_counts_every_slice_and_the_one_with_the_lesions(self):
        calls = []
        compare(body(), MATRIX, self.OPTIONS, on_progress=calls.append)
        self.assertEqual((calls[0].done, calls[-1].done, calls[-1].total), (0, 6, 6))

    def test_the_mean_scores_are_written_as_csv(self):
        result = compare(body(), MATRIX, self.OPTIONS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "scores.csv")
            result.to_csv(path)
            self.assertEqual(path.read_text(encoding="utf-8"), result.table.csv())

    def test_messages_of_the_volume_come_first(self):
        volume = Volume(body(), MATRIX, (warning("position", "The position is unknown."),))
        messages = compare_methods(volume, self.OPTIONS).messages
        self.assertEqual([m.code for m in messages], ["position", "slice-axis"])

    def test_it_can_be_cancelled_between_two_batches(self):
        with self.assertRaises(Cancelled):
            compare(body(), MATRIX, self.OPTIONS, is_cancelled=lambda: True)

    def test_the_caller_allocates_the_outputs(self):
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
                self.assertIs(result.outputs[1].volume.array, arrays["bicubic"])
                self.assertEqual(arrays["bicubic"].shape, volume.shape)
                self.assertGreater(arrays["bicubic"].min(), -1 - volume.max())
                self.assertEqual(list(arrays), ["nearest", "bicubic"])

    def test_nan_voxels_count_as_dark_with_a_warning(self):
        volume = body(dtype=np.float32)
        volume[1, 20, 20] = np.nan
        result = compare(volume, MATRIX, self.OPTIONS)
        self.assertTrue(np.isfinite(result.outputs[1].volume.array).all())
        self.assertTrue(
            any(message.is_warning and message.code == "non-finite" for message in result.messages)
        )

    def test_slices_that_are_too_small_are_refused_with_an_action(self):
        with self.assertRaisesRegex(SuperResolutionError, "too small for a comparison ×8: choose"):
            compare(body((4, 30, 24)), MATRIX, ComparisonOptions(("nearest", "bicubic"), 8))

    def test_slices_below_the_ssim_window_have_no_ssim(self):
        table = compare(
            np.random.default_rng(0).random((2, 8, 8)),
            np.eye(4),
            ComparisonOptions(("nearest", "bicubic"), 2),
        ).table
        self.assertIsNone(table.mean("bicubic", "ssim_wang"))
        self.assertIsNotNone(table.mean("bicubic", "psnr"))


if __name__ == "__main__":
    unittest.main()
