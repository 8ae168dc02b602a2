import subprocess
import sys
import tempfile
import unittest
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from MRISuperResLib.core import geometry
from MRISuperResLib.core.errors import Cancelled, SuperResolutionError
from MRISuperResLib.core.options import UpsamplingOptions
from MRISuperResLib.core.methods.registry import MethodRegistry
from MRISuperResLib.core.messages import warning
from MRISuperResLib.core.models.store import SHIPPED, ModelStore
from MRISuperResLib.core.geometry import choose_slice_axis
from MRISuperResLib.core.upsampling import allocate_in_memory, spacing_messages, upsample_volume
from MRISuperResLib.core.volume import Volume

from made_models import write_model

TYPES = (
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
    np.float32,
    np.float64,
)

TRAINING = {
    "data": [{"anatomy": "brain", "spacing": [side, side]} for side in (0.5, 0.6, 0.7, 0.75)]
    + [{"anatomy": "fetal", "spacing": [3.0, 2.0]}]
}
"""In-plane spacings of the reference slices; the networks see them times the scale."""


def phantom(shape=(6, 20, 24), dtype=np.int16, seed=0):
    """Smooth blobs, about 0–100, (k, j, i)."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).random(shape), 1.5)
    noise -= noise.min()
    return (noise / max(noise.max(), 1e-9) * 100).astype(dtype)


class WithTinyModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        for scale in (2, 4):
            write_model(folder.name, f"tiny-x{scale}", scale=scale, training=TRAINING)
        cls.registry = MethodRegistry(ModelStore([folder.name]))

    def upsample(self, array, matrix=np.eye(4), on_progress=None, is_cancelled=None, **options):
        defaults = {"model": "tiny-x2", "device": "cpu", "precision": "float32"}
        return upsample_volume(
            Volume(array, matrix),
            UpsamplingOptions(**defaults | options),
            registry=self.registry,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
        )


class UpsampleTest(WithTinyModel):
    def test_only_the_slice_plane_is_upsampled_and_the_volume_stays_in_place(self):
        volume, matrix = phantom((5, 7, 9)), np.diag([-1.1, 1.2, 1.3, 1])
        for axis, shape in (("i", (10, 14, 9)), ("j", (10, 7, 18)), ("k", (5, 14, 18))):
            with self.subTest(axis):
                result = self.upsample(volume, matrix, slice_axis=axis)
                self.assertEqual(result.array.shape, shape)
                np.testing.assert_allclose(
                    geometry.corners(result.ijk_to_ras, shape[::-1]),
                    geometry.corners(matrix, (9, 7, 5)),
                    atol=1e-12,
                )

    def test_single_coronal_or_sagittal_slice_is_upsampled_in_its_plane(self):
        for shape, expected, spacing in (
            ((12, 1, 16), (24, 1, 32), (0.5, 1, 0.5)),
            ((12, 16, 1), (24, 32, 1), (1, 0.5, 0.5)),
        ):
            with self.subTest(shape):
                result = self.upsample(phantom(shape))
                self.assertEqual(result.array.shape, expected)
                np.testing.assert_allclose(result.spacing, spacing)
                self.assertEqual(result.provenance["slices"]["reason"], "single slice")

    def test_slices_along_another_axis_equal_those_of_the_rotated_volume(self):
        volume = phantom((6, 8, 10))
        along_i = self.upsample(volume, slice_axis="i").array
        turned = self.upsample(
            np.ascontiguousarray(np.moveaxis(volume, 2, 0)), slice_axis="k"
        ).array
        np.testing.assert_array_equal(along_i, np.moveaxis(turned, 0, 2))

    def test_stored_type_is_kept(self):
        for dtype in TYPES:
            for model in ("tiny-x2", "bicubic"):
                with (
                    self.subTest(dtype=np.dtype(dtype).name, model=model),
                    warnings.catch_warnings(),
                ):
                    warnings.simplefilter("error")
                    self.assertEqual(
                        self.upsample(phantom(dtype=dtype), model=model).array.dtype, dtype
                    )

    def test_nearest_returns_the_exact_values_of_every_type(self):
        for dtype in TYPES:
            with self.subTest(np.dtype(dtype).name):
                volume = phantom(dtype=dtype)
                np.testing.assert_allclose(
                    self.upsample(volume, model="nearest", scale=4).array[:, ::4, ::4],
                    volume,
                    rtol=1e-15,
                )

    def test_full_range_of_16_bit_data_is_neither_clipped_nor_wrapped(self):
        volume = np.zeros((1, 16, 16), np.uint16)
        volume[:, 4:12, 4:12] = 65535
        upsampled = self.upsample(volume, model="bicubic", slice_axis="k").array
        self.assertEqual((upsampled.min(), upsampled.max()), (0, 65535))
        self.assertEqual(upsampled[0, 16, 16], 65535)
        self.assertEqual(upsampled[0, 1, 1], 0)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(1, 7), st.randoms(use_true_random=False))
    def test_batch_size_and_batch_order_do_not_change_the_result(self, batch_size, random):
        volume = phantom((7, 11, 13), np.float32)
        order = list(range(7))
        random.shuffle(order)
        one_by_one = self.upsample(volume, slice_axis="k", batch_size=1).array
        shuffled = self.upsample(volume[order], slice_axis="k", batch_size=batch_size).array
        # the order of the sums in a float32 convolution may depend on the batch size: 1e-6 of 100
        np.testing.assert_allclose(shuffled, one_by_one[order], rtol=0, atol=1e-4)

    def test_repeated_run_is_bit_identical(self):
        volume = phantom(dtype=np.float32)
        np.testing.assert_array_equal(self.upsample(volume).array, self.upsample(volume).array)

    def test_volumes_with_a_given_intensity_range_do_not_flicker(self):
        """The same structure with and without a spike, which moves the percentiles."""
        plain, spiked = phantom((6, 20, 24), np.float32), phantom((6, 20, 24), np.float32)
        spiked[5] = 50 * plain.max()
        given_ = {"slice_axis": "k", "intensity_range": (float(plain.min()), float(plain.max()))}
        np.testing.assert_array_equal(
            self.upsample(spiked, **given_).array[:5], self.upsample(plain, **given_).array[:5]
        )
        self.assertTrue(
            (
                self.upsample(spiked, slice_axis="k").array[:5]
                != self.upsample(plain, slice_axis="k").array[:5]
            ).any()
        )
        self.assertEqual(
            self.upsample(plain, **given_).provenance["intensity"],
            {"low": given_["intensity_range"][0], "high": given_["intensity_range"][1]},
        )

    def test_odd_and_tiny_sizes_are_upsampled(self):
        for shape in ((3, 5, 7), (1, 1, 1), (1, 64, 33), (2, 1, 9)):
            for axis in ("i", "j", "k"):
                with self.subTest(shape=shape, slice_axis=axis):
                    result = self.upsample(phantom(shape), model="tiny-x4", slice_axis=axis)
                    factors = {"i": (4, 4, 1), "j": (4, 1, 4), "k": (1, 4, 4)}[axis]
                    self.assertEqual(result.array.shape, tuple(np.multiply(shape, factors)))

    def test_input_is_unchanged(self):
        volume = phantom(dtype=np.float32)
        volume[0, 0, 0] = np.nan
        before = volume.copy()
        self.upsample(volume)
        np.testing.assert_array_equal(volume, before)

    def test_nan_and_infinite_voxels_are_restored_in_place_and_do_not_spread(self):
        volume = phantom(dtype=np.float32)
        volume[2, 3, 4], volume[5, 0, 0] = np.nan, np.inf
        result = self.upsample(volume, slice_axis="k")
        self.assertTrue(np.isnan(result.array[2, 6:8, 8:10]).all())
        self.assertTrue(np.isposinf(result.array[5, :2, :2]).all())
        self.assertEqual((~np.isfinite(result.array)).sum(), 8)
        (message,) = [m for m in result.messages if m.code == "non-finite"]
        self.assertTrue(message.is_warning)
        self.assertIn("2 of 2880 voxels are NaN or infinite", message.text)

    def test_progress_counts_the_slices_from_none_to_all(self):
        reports = []
        self.upsample(
            phantom((5, 8, 8)),
            slice_axis="k",
            batch_size=2,
            on_progress=lambda progress: reports.append((progress.done, progress.total)),
        )
        self.assertEqual(reports, [(0, 5), (2, 5), (4, 5), (5, 5)])

    def test_task_can_be_cancelled_before_every_batch_and_after_the_last(self):
        for when in range(4):
            answers = iter([False] * when + [True])
            with self.subTest(when), self.assertRaises(Cancelled):
                self.upsample(
                    phantom((3, 8, 8)),
                    slice_axis="k",
                    batch_size=1,
                    is_cancelled=lambda: next(answers),
                )

    def test_provenance_describes_the_output_and_how_it_was_computed(self):
        provenance = self.upsample(phantom(), np.diag([1, 1, 3, 1])).provenance
        self.assertEqual(provenance["notice"], "synthetic, not for diagnosis")
        self.assertEqual(provenance["model"]["name"], "tiny-x2")
        self.assertRegex(provenance["model"]["sha256"], "^[0-9a-f]{64}$")
        self.assertEqual(provenance["slices"]["axis"], "k")
        self.assertEqual(
            provenance["input"], {"size": [24, 20, 6], "spacing": [1, 1, 3], "type": "int16"}
        )
        self.assertEqual(UpsamplingOptions.from_dict(provenance["options"]).model, "tiny-x2")
        self.assertIn("torch", provenance["versions"])

    def test_normal_run_gives_no_warning(self):
        for model in ("tiny-x2", "bicubic"):
            messages = self.upsample(phantom(), model=model).messages
            self.assertEqual([(m.level, m.code) for m in messages], [("info", "slice-axis")])

    def test_messages_of_the_input_come_first(self):
        message = warning("thickness", "The slice thickness is unknown.")
        volume = Volume(phantom(), np.eye(4), (message,))
        result = upsample_volume(volume, UpsamplingOptions("bicubic"))
        self.assertIs(result.messages[0], message)
        self.assertEqual(len(result.messages), 2)

    def test_constant_volume_keeps_its_value_exactly(self):
        for value, dtype in (
            (7, np.uint8),
            (-3, np.int16),
            (1e6, np.float32),
            (2.0**53, np.float64),
            (-(2**53), np.int64),
            (0.1, np.float64),
        ):
            for model in ("tiny-x2", "bicubic", "bicubic+bp"):
                with self.subTest(value=value, model=model):
                    array = self.upsample(np.full((3, 6, 5), value, dtype), model=model).array
                    np.testing.assert_array_equal(array, np.full((3, 12, 10), value, dtype))

    def test_intensities_beyond_double_precision_are_refused(self):
        for value, dtype in ((1e17, np.float32), (1e300, np.float64), (2**60, np.int64)):
            for array in (np.full((3, 6, 5), value, dtype), phantom((3, 6, 5), dtype)):
                array[1] = value
                with (
                    self.subTest(value=value),
                    self.assertRaisesRegex(SuperResolutionError, r"2\^53.*rescale"),
                ):
                    self.upsample(array)

    def test_output_that_exceeds_memory_is_refused_with_its_size(self):
        with self.assertRaisesRegex(SuperResolutionError, "GiB") as caught:
            allocate_in_memory((1 << 20, 1 << 13, 1 << 13), np.int16)
        self.assertEqual(caught.exception.kind, "memory")


class SpacingTest(WithTinyModel):
    """In-plane spacings of the low-resolution slices: brain 1–1.5 mm, fetal 4×6 mm at ×2."""

    def warnings(self, spacing, model="tiny-x2"):
        matrix = np.diag([*spacing, 1])
        axis = choose_slice_axis(matrix, "k")
        messages = spacing_messages(matrix, axis, [self.registry.store.model(model).card])
        self.assertTrue(all(m.is_warning and m.code == "spacing" for m in messages))
        return [message.text for message in messages]

    def test_spacings_near_those_of_the_training_volumes_give_no_warning(self):
        for spacing in ((1, 1), (0.82, 0.82), (1.8, 1.8), (4, 6), (6, 4), (5, 6)):
            self.assertEqual(self.warnings((*spacing, 3)), [], spacing)

    def test_spacings_between_those_of_the_training_volumes_give_a_warning(self):
        for spacing in ((3, 3), (0.7, 0.7), (2.5, 2.5), (1, 4), (4, 4), (8, 8)):
            self.assertEqual(len(self.warnings((*spacing, 3))), 1, spacing)

    def test_spacings_are_those_of_the_degraded_slices(self):
        self.assertEqual(len(self.warnings((1, 1, 3), "tiny-x4")), 1)
        self.assertEqual(self.warnings((2, 2, 3), "tiny-x4"), [])

    def test_warning_names_the_model_and_the_spacings(self):
        (text,) = self.warnings((3, 3, 3))
        for part in ("tiny-x2", "spacing of 3 mm", "brain: 1–1.5; fetal: 4×6 mm"):
            self.assertIn(part, text)

    def test_models_with_the_same_training_spacings_share_a_warning(self):
        matrix = np.diag([3, 3, 3, 1])
        psnr, gan = ModelStore([SHIPPED]).cards(2)
        (message,) = spacing_messages(matrix, choose_slice_axis(matrix), [psnr, gan, psnr])
        self.assertIn("fast-x2-psnr and fast-x2-gan were not trained on", message.text)

    def test_card_without_training_data_gives_no_warning(self):
        with tempfile.TemporaryDirectory() as folder:
            write_model(folder, "tiny")
            card = ModelStore([folder]).model("tiny").card
        matrix = np.diag([99, 99, 99, 1])
        self.assertEqual(spacing_messages(matrix, choose_slice_axis(matrix), [card]), [])

    def test_slice_spacing_does_not_matter(self):
        for spacing in (0.1, 1, 50):
            self.assertEqual(self.warnings((1, 1, spacing)), [])

    def test_brain_of_3_mm_is_unknown_to_the_shipped_models_for_x2(self):
        matrix = np.diag([3, 3, 3, 1])
        for card in ModelStore([SHIPPED]).cards(2):
            self.assertEqual(len(spacing_messages(matrix, choose_slice_axis(matrix), [card])), 1)
        matrix = np.diag([1, 1, 3, 1])
        for card in ModelStore([SHIPPED]).cards(2):
            self.assertEqual(spacing_messages(matrix, choose_slice_axis(matrix), [card]), [])


class BaselinesWithoutTorchTest(unittest.TestCase):
    def test_interpolation_imports_no_torch(self):
        code = (
            "import sys, numpy as np\n"
            "from MRISuperResLib.core.upsampling import upsample_volume\n"
            "from MRISuperResLib.core.volume import Volume\n"
            "from MRISuperResLib.core.options import UpsamplingOptions\n"
            "volume = Volume(np.random.rand(2, 4, 4), np.eye(4))\n"
            "upsample_volume(volume, UpsamplingOptions('bicubic'))\n"
            "sys.exit('torch' in sys.modules)\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)

    def test_network_without_torch_names_the_package_to_install(self):
        code = (
            "import sys, numpy as np\n"
            "sys.modules['torch'] = None\n"
            "from MRISuperResLib.core.errors import SuperResolutionError\n"
            "from MRISuperResLib.core.upsampling import upsample_volume\n"
            "from MRISuperResLib.core.volume import Volume\n"
            "from MRISuperResLib.core.options import UpsamplingOptions\n"
            "try:\n"
            "    upsample_volume(Volume(np.zeros((2, 4, 4)), np.eye(4)), UpsamplingOptions())\n"
            "except SuperResolutionError as e:\n"
            "    sys.exit(0 if e.kind == 'packages' and 'PyTorch' in str(e) else str(e))\n"
            "sys.exit('no error')\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=120).returncode, 0)


if __name__ == "__main__":
    unittest.main()
